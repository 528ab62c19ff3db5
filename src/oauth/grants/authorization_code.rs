//! The authorization code grant (RFC 6749 section 4.1, PKCE RFC 7636): a code buys a family of tokens, once.

use std::time::Duration;

use oxide_auth::code_grant::accesstoken::{AccessToken, Error, Extension, Input, Output, Request};
use oxide_auth::code_grant::error::AccessTokenErrorType;
use oxide_auth::primitives::authorizer::Authorizer;
use oxide_auth::primitives::grant::{Extensions, Grant as OxideGrant};
use oxide_auth::primitives::issuer::{IssuedToken, Issuer, RefreshedToken};
use oxide_auth::primitives::registrar::Registrar as _;

use crate::audit::{self, AuditEvent};
use crate::cx::{Cx, Winner};
use crate::domain::Instant;
use crate::domain::client::Client;
use crate::domain::grant::{AuthorizationCode, CodeState, Grant};
use crate::error::AppError;
use crate::oauth::client_auth::KnownClient;
use crate::oauth::endpoint::{Aside, Asked, SettledClient, oxide_grant, oxide_issued, refusal, wrong_client};
use crate::oauth::error::{ErrorCode, ProtocolError, Stop};
use crate::oauth::grants::{AUTHORIZATION_CODE, REFRESH_TOKEN};
use crate::oauth::issued::{Access, end_family, invalid_grant, keep_access, keep_refresh};
use crate::oauth::resource::{self, Target};
use crate::oauth::token::{TokenReply, TokenRequest};
use crate::oidc::claims::{House, identity_of};
use crate::oidc::id_token::{self, UnsignedIdToken};
use crate::secrets::{SecretHash, constant_time_eq, hash, mint};
use crate::store::{codes, grants, users};

/// How long a commit in another process may take: a request that arrived within it lost a race.
const COMMIT_TIME: Duration = Duration::from_millis(250);

/// Exchanges a code.
pub(super) fn run(cx: &mut Cx, request: &TokenRequest, known: &KnownClient) -> Result<TokenReply, Stop> {
    let params = &request.params;
    let presented = params.get("code")?.ok_or_else(|| ProtocolError::invalid_request("Missing code parameter."))?;
    let (redirect_uri, verifier) = (params.get("redirect_uri")?, params.get("code_verifier")?);
    // Found first: the machine calls an unknown code an `invalid_request`, and wants a redirect URI before it asks for the code.
    let (code, user_enabled) = codes::find_by_hash(cx.conn, &SecretHash::of(presented))?.ok_or_else(|| invalid_grant("unknown code"))?;
    let bound_redirect = code.redirect_uri.clone();
    let mut exchange = Exchange {
        cx,
        request,
        client: &known.client,
        code,
        user_enabled,
        redirect_uri,
        verifier,
        target: Target::Api,
        reply: None,
        aside: Aside::default(),
    };
    let asked = Asked {
        client_id: &known.client.client_id,
        grant_type: AUTHORIZATION_CODE,
        code: Some(presented),
        redirect_uri: Some(&bound_redirect),
        code_verifier: verifier,
        ..Asked::default()
    };
    let mut machine = AccessToken::new(&asked);
    let mut input = Input::None;
    loop {
        input = match machine.advance(input) {
            Output::Authenticate { client, passdata } => {
                SettledClient(exchange.client).check(client, passdata).map_err(wrong_client)?;
                Input::Authenticated
            }
            Output::Recover { code } => {
                let grant = exchange.extract(code).map_err(|()| exchange.aside.take())?;
                Input::Recovered(grant.map(Box::new))
            }
            Output::Extend { extensions } => {
                let access_extensions = exchange.extend(&asked, extensions.clone()).map_err(|()| exchange.aside.take())?;
                Input::Extended { access_extensions }
            }
            Output::Issue { grant } => Input::Issued(exchange.issue(grant.clone()).map_err(|()| exchange.aside.take())?),
            Output::Ok(_) => break,
            Output::Err(error) => return Err(refused(*error)),
        };
    }
    exchange.reply.ok_or_else(|| AppError::internal("the code grant ended without tokens").into())
}

fn refused(mut error: Error) -> Stop {
    match error.description() {
        Some(description) => refusal(description.kind()),
        None => refusal(AccessTokenErrorType::InvalidRequest),
    }
}

/// One exchange: the primitives that the machine asks, over the code that was found.
struct Exchange<'a, 'c> {
    cx: &'a mut Cx<'c>,
    request: &'a TokenRequest,
    client: &'a Client,
    code: AuthorizationCode,
    user_enabled: bool,
    redirect_uri: Option<&'a str>,
    verifier: Option<&'a str>,
    /// What the access token is for.
    target: Target,
    reply: Option<TokenReply>,
    aside: Aside,
}

impl Authorizer for Exchange<'_, '_> {
    fn authorize(&mut self, _: OxideGrant) -> Result<String, ()> {
        self.aside.keep(Err(AppError::internal("codes are issued at authorize").into()))
    }

    /// The code's grant, if the code is whole and this client's. Spending it comes with issuing.
    fn extract(&mut self, _: &str) -> Result<Option<OxideGrant>, ()> {
        let checked = self.check_code();
        self.aside.keep(checked).map(Some)
    }
}

impl Extension for Exchange<'_, '_> {
    /// PKCE. A failed check burns the code: whoever guesses gets one guess.
    fn extend(&mut self, _: &dyn Request, data: Extensions) -> Result<Extensions, ()> {
        let checked = self.check_pkce();
        self.aside.keep(checked).map(|()| data)
    }
}

impl Issuer for Exchange<'_, '_> {
    fn issue(&mut self, _: OxideGrant) -> Result<IssuedToken, ()> {
        let issued = self.spend_and_issue();
        self.aside.keep(issued)
    }

    fn refresh(&mut self, _: &str, _: OxideGrant) -> Result<RefreshedToken, ()> {
        self.aside.keep(Err(AppError::internal("not a refresh").into()))
    }

    fn recover_token<'a>(&'a self, _: &'a str) -> Result<Option<OxideGrant>, ()> {
        Ok(None)
    }

    fn recover_refresh<'a>(&'a self, _: &'a str) -> Result<Option<OxideGrant>, ()> {
        Ok(None)
    }
}

impl Exchange<'_, '_> {
    fn check_code(&mut self) -> Result<OxideGrant, Stop> {
        // A code in another client's hands is not spent by it: its owner may still come.
        if self.code.client_id != self.client.client_id {
            return Err(invalid_grant("code of another client"));
        }
        if let CodeState::Spent { at, grant_id } = self.code.state.clone() {
            return Err(self.too_late(at, grant_id.as_deref())?);
        }
        if self.code.expires_at <= self.cx.now {
            return Err(invalid_grant("code expired"));
        }
        if !self.user_enabled {
            return Err(invalid_grant("user disabled"));
        }
        match self.redirect_uri {
            // Raw text: two spellings of one URL are two URLs (RFC 9700 section 2.1).
            Some(sent) if sent != self.code.redirect_uri => {
                return Err(ProtocolError::new(ErrorCode::InvalidGrant, "Mismatching redirect URI.").into());
            }
            None if self.code.redirect_uri_sent && self.code.code_challenge.is_none() => {
                return Err(ProtocolError::invalid_request("Missing redirect_uri parameter.").into());
            }
            _ => {}
        }
        self.target = resource::of_grant(self.cx, self.code.resource.as_deref(), &self.request.params)?;
        Ok(oxide_grant(&self.code.user, self.client, &self.code.scope, &self.code.redirect_uri)?)
    }

    fn check_pkce(&mut self) -> Result<(), Stop> {
        let cause = match (&self.code.code_challenge, self.verifier) {
            (Some(challenge), Some(verifier)) if constant_time_eq(challenge.as_bytes(), hash::pkce_s256(verifier).as_bytes()) => {
                return Ok(());
            }
            (None, None) if !self.client.needs_pkce() => return Ok(()),
            (Some(_), Some(_)) => "wrong code_verifier",
            (Some(_), None) => "code_verifier is missing",
            // RFC 9700 section 4.8.2: an attacker cut the challenge out of the authorization request.
            (None, Some(_)) => "code_verifier without code_challenge",
            (None, None) => "public client without PKCE",
        };
        codes::consume_code(self.cx.conn, self.cx.now, &self.code.id, None)?;
        Err(invalid_grant(cause))
    }

    /// The conditional update decides who wins; only then anything is issued.
    fn spend_and_issue(&mut self) -> Result<IssuedToken, Stop> {
        let now = self.cx.now;
        let grant = Grant {
            id: mint::id(now),
            user: self.code.user.clone(),
            client_id: self.client.client_id.clone(),
            scope: self.code.scope.clone(),
            resource: self.code.resource.clone(),
            created: now,
            expires_at: now.plus(self.cx.env.config.oauth.refresh_absolute()),
            revoked: false,
            auth_time: self.code.auth_time,
        };
        if !codes::consume_code(self.cx.conn, now, &self.code.id, Some(&grant.id))? {
            // On Postgres another request was faster since the code was read.
            return Err(invalid_grant("code spent by a parallel request"));
        }
        self.note_winner();
        grants::insert_grant(self.cx.conn, &grant, self.code.claims.as_ref())?;
        let access = mint::secret(mint::Kind::AccessToken);
        keep_access(self.cx, &access, &Access::of(&grant, &grant.scope, self.target.key()))?;
        let refresh = self.client.may(REFRESH_TOKEN).then(|| mint::secret(mint::Kind::RefreshToken));
        if let Some(refresh) = &refresh {
            keep_refresh(self.cx, refresh, &grant)?;
        }
        let id_token = self.id_token(&access)?;
        let issued = oxide_issued(&access, refresh.as_deref());
        self.reply = Some(TokenReply {
            access_token: access,
            expires_in: self.cx.env.config.oauth.access_token().as_secs(),
            scope: grant.scope,
            refresh_token: refresh,
            id_token,
            race: Some(self.code.id.clone()),
        });
        Ok(issued)
    }

    fn id_token(&mut self, access: &str) -> Result<Option<UnsignedIdToken>, Stop> {
        if !self.code.scope.contains("openid") {
            return Ok(None);
        }
        let user = users::get_user(self.cx.conn, &self.code.user)?;
        let house = House::of(self.cx.env);
        Ok(Some(id_token::unsigned(&id_token::About {
            house,
            client: self.client,
            user: &user,
            scope: &identity_of(&self.code.scope, self.code.resource.as_deref(), house),
            by_name: self.code.claims.as_ref().map_or(&[], |claims| &claims.id_token),
            nonce: self.code.nonce.as_deref(),
            auth_time: self.code.auth_time,
            now: self.cx.now,
            lifetime: self.cx.env.config.oauth.access_token(),
            access_token: access,
        })))
    }

    /// Remembers that there is a winner; the losers are measured by when it was answered.
    fn note_winner(&mut self) {
        let (races, clock, id) = (self.cx.env.races.clone(), self.cx.env.clock.clone(), self.code.id.clone());
        races.note(&id, Winner::Committing);
        self.cx.effects.committed(move || races.committed(&id, clock.now()));
    }

    /// A code that is spent already: a lost race changes nothing, a replay ends what the code bought (RFC 6749 section 4.1.2).
    fn too_late(&mut self, spent_at: Instant, grant_id: Option<&str>) -> Result<Stop, Stop> {
        let Some(grant_id) = grant_id else { return Ok(invalid_grant("code was burnt")) };
        if self.arrived_before_the_winner_was_answered(spent_at) {
            return Ok(invalid_grant("lost the race for the code"));
        }
        end_family(self.cx, grant_id, &self.code.user)?;
        let event = AuditEvent::CodeReplayed { client_id: self.code.client_id.clone(), user: self.code.user.clone() };
        audit::record(self.cx, self.request.ip.as_deref(), &event)?;
        Ok(invalid_grant("code replayed: its tokens are revoked"))
    }

    fn arrived_before_the_winner_was_answered(&self, spent_at: Instant) -> bool {
        if self.request.arrived_at <= spent_at {
            return true;
        }
        match self.cx.env.races.winner(&self.code.id) {
            Some(Winner::Committing) => true,
            Some(Winner::Answered(at)) => self.request.arrived_at <= at,
            // Another process's winner (or one from before a restart), whose commit took a moment.
            None => self.request.arrived_at <= spent_at.plus(COMMIT_TIME),
        }
    }
}
