//! The scheme `Bearer`: an opaque access token (RFC 6750), whose scopes and resource (RFC 8707) are enforced.

use super::identify::{Found, Known, enabled_user};
use super::{Credential, RequestFacts, Via};
use crate::cx::Cx;
use crate::domain::resource::Reach;
use crate::error::AppError;
use crate::secrets::SecretHash;
use crate::secrets::mint::{Kind, has_form};
use crate::store;

/// Accepts texts of our own form only; anything else cannot be a token of ours and costs no query.
///
/// # Errors
/// [`AppError::Unauthenticated`] for any other text.
pub fn parse(value: &str, _: &RequestFacts<'_>) -> Result<Credential, AppError> {
    if has_form(Kind::AccessToken, value) { Ok(Credential::Bearer(value.into())) } else { Err(AppError::Unauthenticated) }
}

/// Looks a token up.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn load(cx: &mut Cx, token: &str) -> Result<Option<Known>, AppError> {
    let found = store::tokens::find_access_by_hash(cx.conn, &SecretHash::of(token))?;
    let Some(token) = found.filter(|token| !token.revoked && token.expires_at > cx.now) else { return Ok(None) };
    let Some(user) = enabled_user(cx, &token.user)? else { return Ok(None) };
    Ok(Some(Known::new(Found {
        user,
        via: Via::Bearer { token_id: token.id, client_id: token.client_id, single_claims: token.single_claims },
        scope: Some(token.scope),
        reach: Reach::of(token.resource.as_deref(), cx.env.public_url.as_str()),
        expires_at: Some(token.expires_at),
        touched_at: None,
        key_addresses: None,
        csrf_issued: false,
        auth_time: None,
    })))
}
