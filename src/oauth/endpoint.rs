//! Our side of oxide-auth: what its state machines ask of a request, a client registry and an issuer.
//!
//! The machines are driven by hand (`advance`), so that every step runs over the one connection of
//! the request. What they get wrong is settled before they see it: the client is already
//! authenticated, a code or token already looked up, `redirect_uri` already compared as raw text,
//! and the clock is ours, so every grant they see ends in the far future.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use oxide_auth::code_grant::accesstoken::{self, Authorization};
use oxide_auth::code_grant::error::AccessTokenErrorType;
use oxide_auth::code_grant::{authorization, client_credentials, refresh};
use oxide_auth::primitives::grant::{Extensions, Grant};
use oxide_auth::primitives::issuer::{IssuedToken, RefreshedToken, TokenType};
use oxide_auth::primitives::registrar::{BoundClient, ClientUrl, ExactUrl, PreGrant, RegisteredUrl, Registrar, RegistrarError};
use oxide_auth::primitives::scope::Scope as OxideScope;

use super::error::{ErrorCode, ProtocolError, Stop};
use crate::domain::Scope;
use crate::domain::client::Client;
use crate::error::AppError;

/// The registry as the machines see it: the one client that is already settled.
pub(super) struct SettledClient<'a>(pub &'a Client);

impl Registrar for SettledClient<'_> {
    fn bound_redirect<'a>(&self, bound: ClientUrl<'a>) -> Result<BoundClient<'a>, RegistrarError> {
        if bound.client_id != self.0.client_id {
            return Err(RegistrarError::Unspecified);
        }
        let uri = match &bound.redirect_uri {
            // Ours, because theirs lets only the port of the name `localhost` vary, not of loopback addresses.
            Some(presented) if self.0.matches_redirect_uri(presented.as_str()) => ExactUrl::clone(presented),
            Some(_) => return Err(RegistrarError::Unspecified),
            None => {
                ExactUrl::new(self.0.implied_redirect_uri().unwrap_or(NO_REDIRECT).to_owned()).map_err(|_| RegistrarError::Unspecified)?
            }
        };
        Ok(BoundClient { client_id: bound.client_id, redirect_uri: Cow::Owned(RegisteredUrl::Exact(uri)) })
    }

    fn negotiate(&self, client: BoundClient, scope: Option<OxideScope>) -> Result<PreGrant, RegistrarError> {
        let asked = match scope {
            Some(scope) => Some(Scope::parse(&scope.to_string()).map_err(|_| RegistrarError::Unspecified)?),
            None => None,
        };
        let granted = grantable(self.0, asked.as_ref()).ok_or(RegistrarError::Unspecified)?;
        Ok(PreGrant {
            client_id: client.client_id.into_owned(),
            redirect_uri: client.redirect_uri.into_owned(),
            scope: to_oxide(&granted).map_err(|_| RegistrarError::PrimitiveError)?,
        })
    }

    fn check(&self, client_id: &str, _passphrase: Option<&[u8]>) -> Result<(), RegistrarError> {
        // Secrets were checked in `client_auth`; what is left to ask is whether it is the same client.
        if client_id == self.0.client_id { Ok(()) } else { Err(RegistrarError::Unspecified) }
    }
}

/// Stands where a client has no redirect URI and the machine wants one.
const NO_REDIRECT: &str = "urn:ietf:wg:oauth:2.0:oob";

/// What a client gets when it asks for `asked`: its registered scope when it asks for nothing,
/// nothing (`None`) when it asks for more than it registered. The order is the request's, which
/// oxide-auth's own set of scopes would lose.
pub(super) fn grantable(client: &Client, asked: Option<&Scope>) -> Option<Scope> {
    match asked {
        None => Some(client.scope.clone()),
        // offline_access widens nothing here, so it need not be registered.
        Some(scope) if scope.words().all(|word| word == "offline_access" || client.scope.contains(word)) => Some(scope.clone()),
        Some(_) => None,
    }
}

/// A scope in oxide-auth's form.
pub(super) fn to_oxide(scope: &Scope) -> Result<OxideScope, AppError> {
    scope.to_string().parse().map_err(AppError::internal)
}

/// A grant in oxide-auth's form.
pub(super) fn oxide_grant(owner: &str, client: &Client, scope: &Scope, redirect_uri: &str) -> Result<Grant, AppError> {
    Ok(Grant {
        owner_id: owner.to_owned(),
        client_id: client.client_id.clone(),
        scope: to_oxide(scope)?,
        redirect_uri: redirect_uri.parse().map_err(AppError::internal)?,
        until: far_future(),
        extensions: Extensions::new(),
    })
}

/// The machines compare with the system's clock; ours was asked before.
fn far_future() -> DateTime<Utc> {
    DateTime::<Utc>::MAX_UTC
}

/// An access token and perhaps a refresh token in oxide-auth's form.
pub(super) fn oxide_issued(token: &str, refresh: Option<&str>) -> IssuedToken {
    IssuedToken { token: token.to_owned(), refresh: refresh.map(str::to_owned), until: far_future(), token_type: TokenType::Bearer }
}

/// [`oxide_issued`] after a refresh.
pub(super) fn oxide_refreshed(token: &str, refresh: &str) -> RefreshedToken {
    RefreshedToken { token: token.to_owned(), refresh: Some(refresh.to_owned()), until: far_future(), token_type: TokenType::Bearer }
}

/// A request as the machines see it: read and checked, with exactly one credential, the client's id.
#[derive(Default)]
pub(super) struct Asked<'a> {
    pub client_id: &'a str,
    pub grant_type: &'a str,
    pub code: Option<&'a str>,
    pub redirect_uri: Option<&'a str>,
    pub refresh_token: Option<&'a str>,
    pub scope: Option<String>,
    pub state: Option<&'a str>,
    pub response_type: Option<&'a str>,
    pub code_verifier: Option<&'a str>,
}

impl Asked<'_> {
    fn extension(&self, key: &str) -> Option<Cow<'_, str>> {
        match key {
            "code_verifier" => self.code_verifier.map(Cow::Borrowed),
            _ => None,
        }
    }
}

impl accesstoken::Request for Asked<'_> {
    fn valid(&self) -> bool {
        true
    }
    fn code(&self) -> Option<Cow<'_, str>> {
        self.code.map(Cow::Borrowed)
    }
    fn authorization(&self) -> Authorization<'_> {
        Authorization::None
    }
    fn client_id(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.client_id))
    }
    fn redirect_uri(&self) -> Option<Cow<'_, str>> {
        self.redirect_uri.map(Cow::Borrowed)
    }
    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.grant_type))
    }
    fn extension(&self, key: &str) -> Option<Cow<'_, str>> {
        Asked::extension(self, key)
    }
}

impl refresh::Request for Asked<'_> {
    fn valid(&self) -> bool {
        true
    }
    fn refresh_token(&self) -> Option<Cow<'_, str>> {
        self.refresh_token.map(Cow::Borrowed)
    }
    fn scope(&self) -> Option<Cow<'_, str>> {
        self.scope.as_deref().map(Cow::Borrowed)
    }
    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.grant_type))
    }
    fn authorization(&self) -> Option<(Cow<'_, str>, Cow<'_, [u8]>)> {
        // Named even for public clients: without it the machine would take any client's token from any client.
        Some((Cow::Borrowed(self.client_id), Cow::Borrowed(b"")))
    }
    fn extension(&self, key: &str) -> Option<Cow<'_, str>> {
        Asked::extension(self, key)
    }
}

impl client_credentials::Request for Asked<'_> {
    fn valid(&self) -> bool {
        true
    }
    fn authorization(&self) -> Option<(Cow<'_, str>, Cow<'_, [u8]>)> {
        Some((Cow::Borrowed(self.client_id), Cow::Borrowed(b"")))
    }
    fn scope(&self) -> Option<Cow<'_, str>> {
        self.scope.as_deref().map(Cow::Borrowed)
    }
    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.grant_type))
    }
    fn extension(&self, key: &str) -> Option<Cow<'_, str>> {
        Asked::extension(self, key)
    }
}

impl authorization::Request for Asked<'_> {
    fn valid(&self) -> bool {
        true
    }
    fn client_id(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.client_id))
    }
    fn scope(&self) -> Option<Cow<'_, str>> {
        self.scope.as_deref().map(Cow::Borrowed)
    }
    fn redirect_uri(&self) -> Option<Cow<'_, str>> {
        self.redirect_uri.map(Cow::Borrowed)
    }
    fn state(&self) -> Option<Cow<'_, str>> {
        self.state.map(Cow::Borrowed)
    }
    fn response_type(&self) -> Option<Cow<'_, str>> {
        self.response_type.map(Cow::Borrowed)
    }
    fn extension(&self, key: &str) -> Option<Cow<'_, str>> {
        Asked::extension(self, key)
    }
}

/// Where a primitive leaves the real reason it stopped for: oxide-auth lets it say `()` only.
#[derive(Default)]
pub(super) struct Aside(Option<Stop>);

impl Aside {
    /// Keeps the reason of a failed step and gives the machine its `()`.
    pub fn keep<T>(&mut self, result: Result<T, Stop>) -> Result<T, ()> {
        result.map_err(|stop| self.0 = Some(stop))
    }

    /// The reason that was kept.
    pub fn take(&mut self) -> Stop {
        self.0.take().unwrap_or_else(|| AppError::internal("a state machine stopped without a reason").into())
    }
}

/// The machine's own refusal as ours. Its body would have the keys `description` and `uri`.
pub(super) fn refusal(kind: AccessTokenErrorType) -> Stop {
    let (code, text) = match kind {
        AccessTokenErrorType::InvalidRequest => (ErrorCode::InvalidRequest, "The request is not well formed."),
        AccessTokenErrorType::InvalidClient => (ErrorCode::InvalidClient { basic: false }, "Client authentication failed."),
        AccessTokenErrorType::InvalidGrant => (ErrorCode::InvalidGrant, "The code or refresh token is not valid for this client."),
        AccessTokenErrorType::UnauthorizedClient => (ErrorCode::UnauthorizedClient, "This client may not use this grant."),
        AccessTokenErrorType::UnsupportedGrantType => (ErrorCode::UnsupportedGrantType, "This grant type is not supported."),
        AccessTokenErrorType::InvalidScope => (ErrorCode::InvalidScope, "The scope is more than what was granted."),
    };
    ProtocolError::new(code, text).into()
}

/// A check by [`SettledClient`] that failed.
pub(super) fn wrong_client(_: RegistrarError) -> Stop {
    refusal(AccessTokenErrorType::InvalidClient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_a_primitive_stopped_for_is_reported_and_not_the_machines() {
        let mut aside = Aside::default();
        let lost: Result<(), Stop> = Err(AppError::unavailable("disk full").into());
        assert_eq!(aside.keep(lost), Err(()));
        assert!(matches!(aside.take(), Stop::Fault(AppError::Unavailable { cause, .. }) if cause == "disk full"));
        // Without one it is our fault, never the client's.
        assert!(matches!(aside.take(), Stop::Fault(AppError::Internal(_))));
    }

    #[test]
    fn scopes_keep_the_order_of_the_request_where_oxide_auth_would_shuffle_them() {
        let client = crate::oauth::clients::ClientKind::Web.template(
            "App",
            Scope::parse("all openid profile email roles").expect("valid"),
            vec!["https://a.example/cb".into()],
        );
        let asked = Scope::parse("roles email offline_access profile openid all").expect("valid");
        assert_eq!(grantable(&client, Some(&asked)), Some(asked));
        assert_eq!(grantable(&client, None), Some(client.scope.clone()));
        assert_eq!(grantable(&client, Some(&Scope::parse("openid write").expect("valid"))), None);
    }
}
