//! The refresh grant (RFC 6749 section 6): every use rotates the token; an old one ends the family.
//!
//! The successor pair is derived from the presented token and the seal key, so that the same answer
//! can be given again for a few seconds (a lost answer, two tabs) with nothing recoverable stored.

use oxide_auth::code_grant::error::AccessTokenErrorType;
use oxide_auth::code_grant::refresh::{Error, Input, Output, Refresh};
use oxide_auth::primitives::grant::Grant as OxideGrant;
use oxide_auth::primitives::issuer::{IssuedToken, Issuer, RefreshedToken};
use oxide_auth::primitives::registrar::Registrar as _;

use super::client_credentials::asked_scope;
use crate::audit::{self, AuditEvent};
use crate::cx::Cx;
use crate::domain::client::Client;
use crate::domain::token::RefreshState;
use crate::domain::{Instant, Scope};
use crate::error::AppError;
use crate::oauth::client_auth::KnownClient;
use crate::oauth::endpoint::{Aside, Asked, SettledClient, grantable, oxide_grant, oxide_refreshed, refusal, wrong_client};
use crate::oauth::error::{ErrorCode, ProtocolError, Stop};
use crate::oauth::grants::REFRESH_TOKEN;
use crate::oauth::issued::{Access, end_family, invalid_grant, keep_access, keep_refresh};
use crate::oauth::resource::{self, Target};
use crate::oauth::token::{TokenReply, TokenRequest};
use crate::secrets::{SecretHash, mint};
use crate::store::tokens::{self, RefreshTokenWithGrant};

/// Rotates a refresh token.
pub(super) fn run(cx: &mut Cx, request: &TokenRequest, known: &KnownClient) -> Result<TokenReply, Stop> {
    let params = &request.params;
    let presented = params.get("refresh_token")?.ok_or_else(|| ProtocolError::invalid_request("Missing refresh token parameter."))?;
    let scope = asked_scope(params.get("scope")?)?;
    let asked = Asked {
        client_id: &known.client.client_id,
        grant_type: REFRESH_TOKEN,
        refresh_token: Some(presented),
        scope: scope.as_ref().map(Scope::to_string),
        ..Asked::default()
    };
    let found = tokens::find_refresh_by_hash(cx.conn, &SecretHash::of(presented))?.ok_or_else(|| invalid_grant("unknown refresh token"))?;
    let mut rotation = Rotation {
        cx,
        request,
        client: &known.client,
        presented,
        asked: scope,
        found,
        target: Target::Api,
        reply: None,
        aside: Aside::default(),
    };
    let mut machine = Refresh::new(&asked);
    let mut input = Input::None;
    loop {
        let scope = asked.scope.as_deref().map(Into::into);
        input = match machine.advance(input) {
            Output::Unauthenticated { client, pass } => {
                SettledClient(rotation.client).check(client, pass).map_err(wrong_client)?;
                Input::Authenticated { scope }
            }
            Output::RecoverRefresh { token: _ } => {
                let grant = rotation.recover()?;
                Input::Recovered { scope, grant: Some(Box::new(grant)) }
            }
            Output::Refresh { token, grant } => Input::Refreshed(rotation.refresh(token, *grant).map_err(|()| rotation.aside.take())?),
            Output::Ok(_) => break,
            Output::Err(error) => return Err(refused(error)),
        };
    }
    rotation.reply.ok_or_else(|| AppError::internal("the refresh grant ended without tokens").into())
}

fn refused(error: Error) -> Stop {
    match error {
        Error::Invalid(mut description) | Error::Unauthorized(mut description, _) => refusal(description.description().kind()),
        Error::Primitive => refusal(AccessTokenErrorType::InvalidRequest),
    }
}

/// One rotation: the issuer that the machine asks, over the token that was found.
struct Rotation<'a, 'c> {
    cx: &'a mut Cx<'c>,
    request: &'a TokenRequest,
    client: &'a Client,
    presented: &'a str,
    asked: Option<Scope>,
    found: RefreshTokenWithGrant,
    /// What the new access token is for.
    target: Target,
    reply: Option<TokenReply>,
    aside: Aside,
}

impl Issuer for Rotation<'_, '_> {
    fn issue(&mut self, _: OxideGrant) -> Result<IssuedToken, ()> {
        self.aside.keep(Err(AppError::internal("not a first issue").into()))
    }

    fn refresh(&mut self, _: &str, _: OxideGrant) -> Result<RefreshedToken, ()> {
        let rotated = self.rotate();
        self.aside.keep(rotated)
    }

    fn recover_token<'a>(&'a self, _: &'a str) -> Result<Option<OxideGrant>, ()> {
        Ok(None)
    }

    fn recover_refresh<'a>(&'a self, _: &'a str) -> Result<Option<OxideGrant>, ()> {
        // Needs to write (a reused token ends its family), so `recover` stands in for it.
        Ok(None)
    }
}

impl Rotation<'_, '_> {
    /// The token's grant, if token and family are in force; a token that was used too long ago ends its family.
    fn recover(&mut self) -> Result<OxideGrant, Stop> {
        let (token, grant) = (&self.found.token, &self.found.grant);
        if grant.client_id != self.client.client_id {
            return Err(invalid_grant("refresh token of another client"));
        }
        if grant.revoked {
            return Err(invalid_grant("family revoked"));
        }
        if !self.found.user_enabled {
            return Err(invalid_grant("user disabled"));
        }
        let now = self.cx.now;
        if token.expires_at <= now || grant.expires_at <= now {
            return Err(invalid_grant("refresh token expired"));
        }
        if let RefreshState::Spent { at, .. } = token.state
            && self.is_reuse(at)
        {
            end_family(self.cx, &self.found.grant.id, &self.found.grant.user)?;
            let event = AuditEvent::RefreshReused { client_id: self.client.client_id.clone(), user: self.found.grant.user.clone() };
            audit::record(self.cx, self.request.ip.as_deref(), &event)?;
            return Err(invalid_grant("refresh token reused: its family is revoked"));
        }
        self.target = resource::of_grant(self.cx, self.found.grant.resource.as_deref(), &self.request.params)?;
        // What the client or the resource registered may have shrunk since.
        let scope = self.grantable();
        if scope.is_empty() {
            return Err(ProtocolError::new(ErrorCode::InvalidScope, "Nothing of the granted scope is registered any more.").into());
        }
        Ok(oxide_grant(&self.found.grant.user, self.client, &scope, "urn:ietf:wg:oauth:2.0:oob")?)
    }

    /// Whether a use of a token that was rotated at `at` comes too late to be an honest repetition.
    fn is_reuse(&self, at: Instant) -> bool {
        self.request.arrived_at.since(at) > self.cx.env.config.oauth.grace()
    }

    /// What of the grant's scope the client may still have.
    fn grantable(&self) -> Scope {
        let granted = &self.found.grant.scope;
        let client = self.target.client_there(self.client);
        if grantable(&client, Some(granted)).is_some() {
            return self.target.known_of(granted);
        }
        self.target.known_of(&granted.intersect(&client.scope))
    }

    /// What this use asks for: the whole grant, or the narrower scope it named. The grant keeps its own.
    fn wanted(&self) -> Scope {
        self.asked.clone().unwrap_or_else(|| self.grantable())
    }

    fn rotate(&mut self) -> Result<RefreshedToken, Stop> {
        let scope = self.wanted();
        let (spent_scope, spent_resource) = match &self.found.token.state {
            RefreshState::Live => {
                if tokens::consume_refresh(self.cx.conn, self.cx.now, &self.found.token.id, &scope, self.target.key())? {
                    return self.issue_successor(scope);
                }
                // Another transaction was faster since the token was read; its answer is this one's too.
                let again = tokens::find_refresh_by_hash(self.cx.conn, &SecretHash::of(self.presented))?;
                match again.map(|found| found.token.state) {
                    Some(RefreshState::Spent { scope, resource, .. }) => (scope, resource),
                    Some(RefreshState::Live) | None => return Err(AppError::unavailable("refresh token changed underway").into()),
                }
            }
            RefreshState::Spent { scope, resource, .. } => (scope.clone(), resource.clone()),
        };
        if self.target.key() != spent_resource.as_deref() {
            return Err(invalid_grant("rotated a moment ago for another resource"));
        }
        self.repeat_successor(scope, &spent_scope)
    }

    fn successor(&self) -> (String, String) {
        let derive = |purpose, kind| mint::from_bytes(kind, &self.cx.env.seal.derive(purpose, self.presented.as_bytes()));
        (derive("refresh-successor-access", mint::Kind::AccessToken), derive("refresh-successor-refresh", mint::Kind::RefreshToken))
    }

    fn issue_successor(&mut self, scope: Scope) -> Result<RefreshedToken, Stop> {
        let (access, refresh) = self.successor();
        let grant = &self.found.grant;
        keep_access(self.cx, &access, &Access::of(grant, &scope, self.target.key()))?;
        keep_refresh(self.cx, &refresh, grant)?;
        let expires_in = self.cx.env.config.oauth.access_token().as_secs();
        Ok(self.answer(access, refresh, scope, expires_in))
    }

    /// The same answer again, while nobody has used the refresh token in it.
    fn repeat_successor(&mut self, scope: Scope, spent_scope: &Scope) -> Result<RefreshedToken, Stop> {
        if scope != *spent_scope {
            return Err(invalid_grant("rotated a moment ago for another scope"));
        }
        let (access, refresh) = self.successor();
        let next = tokens::find_refresh_by_hash(self.cx.conn, &SecretHash::of(&refresh))?;
        if !next.is_some_and(|next| next.token.state == RefreshState::Live) {
            return Err(invalid_grant("rotated a moment ago and its successor is spent"));
        }
        let issued = tokens::find_access_by_hash(self.cx.conn, &SecretHash::of(&access))?;
        let Some(issued) = issued.filter(|issued| !issued.revoked && issued.expires_at > self.cx.now) else {
            return Err(invalid_grant("rotated a moment ago and its access token is revoked"));
        };
        // Rounded to the nearest second: cut off, an answer repeated at once would seem to be a second older.
        let expires_in = (issued.expires_at.since(self.cx.now).as_millis() + 500) / 1000;
        Ok(self.answer(access, refresh, scope, u64::try_from(expires_in).unwrap_or(0)))
    }

    fn answer(&mut self, access: String, refresh: String, scope: Scope, expires_in: u64) -> RefreshedToken {
        let answer = oxide_refreshed(&access, &refresh);
        self.reply = Some(TokenReply { access_token: access, expires_in, scope, refresh_token: Some(refresh), id_token: None, race: None });
        answer
    }
}
