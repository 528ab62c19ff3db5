//! Keeping freshly made tokens, and refusing dead ones: what the grants share.

use super::error::{ErrorCode, ProtocolError, Stop};
use crate::cx::Cx;
use crate::domain::Scope;
use crate::domain::grant::Grant;
use crate::domain::token::{AccessToken, RefreshState, RefreshToken};
use crate::secrets::{SecretHash, mint};
use crate::store::{StoreError, epochs, grants, tokens};

/// What an access token opens, and for whom.
pub(super) struct Access<'a> {
    /// The grant it comes from; a client that acts by itself has none.
    pub grant_id: Option<&'a str>,
    pub client_id: &'a str,
    pub user: &'a str,
    pub scope: &'a Scope,
    /// `None`: this server's own API.
    pub resource: Option<&'a str>,
}

impl<'a> Access<'a> {
    /// A part of what a grant opens.
    pub fn of(grant: &'a Grant, scope: &'a Scope, resource: Option<&'a str>) -> Self {
        Self { grant_id: Some(&grant.id), client_id: &grant.client_id, user: &grant.user, scope, resource }
    }
}

/// Keeps an access token.
pub(super) fn keep_access(cx: &mut Cx, token: &str, access: &Access<'_>) -> Result<(), StoreError> {
    let row = AccessToken {
        id: mint::id(cx.now),
        grant_id: access.grant_id.map(str::to_owned),
        client_id: access.client_id.to_owned(),
        user: access.user.to_owned(),
        scope: access.scope.clone(),
        resource: access.resource.map(str::to_owned),
        issued_at: cx.now,
        expires_at: cx.now.plus(cx.env.config.oauth.access_token()),
        revoked: false,
        // Of the grant, not of the token: nothing is written of it here.
        single_claims: false,
    };
    tokens::insert_access(cx.conn, &row, &SecretHash::of(token))
}

/// Keeps a refresh token, which lives until it lies idle too long or its family ends.
pub(super) fn keep_refresh(cx: &mut Cx, token: &str, grant: &Grant) -> Result<(), StoreError> {
    let idle_end = cx.now.plus(cx.env.config.oauth.refresh_idle());
    let row = RefreshToken {
        id: mint::id(cx.now),
        grant_id: grant.id.clone(),
        issued_at: cx.now,
        expires_at: idle_end.min(grant.expires_at),
        state: RefreshState::Live,
    };
    tokens::insert_refresh(cx.conn, &row, &SecretHash::of(token))
}

/// Ends a family: every token of it is refused from here on, cached or not.
pub(super) fn end_family(cx: &mut Cx, grant_id: &str, user: &str) -> Result<(), StoreError> {
    grants::revoke_grant(cx.conn, cx.now, grant_id)?;
    epochs::bump(cx.conn, cx.effects, cx.now, user)
}

/// `invalid_grant`: the same words for every reason, so that a thief learns nothing; the log knows.
pub(super) fn invalid_grant(cause: &str) -> Stop {
    ProtocolError::because(ErrorCode::InvalidGrant, "The code or refresh token is not valid (any more).", cause).into()
}
