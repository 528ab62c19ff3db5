//! The client credentials grant (RFC 6749 section 4.4): a confidential client acts as its service account.

use std::borrow::Cow;

use oxide_auth::code_grant::client_credentials::{ClientCredentials, Error, Input, Output};
use oxide_auth::code_grant::error::AccessTokenErrorType;
use oxide_auth::primitives::registrar::{ClientUrl, Registrar as _, RegistrarError};

use crate::cx::Cx;
use crate::domain::Scope;
use crate::oauth::client_auth::KnownClient;
use crate::oauth::endpoint::{Asked, SettledClient, grantable, refusal, wrong_client};
use crate::oauth::error::{ErrorCode, ProtocolError, Stop};
use crate::oauth::grants::CLIENT_CREDENTIALS;
use crate::oauth::issued::{Access, keep_access};
use crate::oauth::resource::{self, Target};
use crate::oauth::token::{TokenReply, TokenRequest};
use crate::secrets::mint;

/// Issues an access token, without a refresh token: the client can always ask again.
pub(super) fn run(cx: &mut Cx, request: &TokenRequest, known: &KnownClient) -> Result<TokenReply, Stop> {
    let unauthorized = |text: &str| ProtocolError::new(ErrorCode::UnauthorizedClient, text);
    if !known.proven {
        return Err(unauthorized("client_credentials is for clients that authenticate.").into());
    }
    let user = known.client.user.as_deref().ok_or_else(|| unauthorized("This client has no service account (field user)."))?;
    if !known.user_enabled {
        return Err(unauthorized("The service account of this client is disabled.").into());
    }
    let scope = asked_scope(request.params.get("scope")?)?;
    let target = resource::wanted(cx, &request.params)?.unwrap_or(Target::Api);
    let asked = Asked {
        client_id: &known.client.client_id,
        grant_type: CLIENT_CREDENTIALS,
        scope: scope.as_ref().map(Scope::to_string),
        ..Asked::default()
    };
    let registrar = SettledClient(&known.client);
    let mut machine = ClientCredentials::new(&asked);
    let mut input = Input::None;
    loop {
        input = match machine.advance(input) {
            Output::Authenticate { client, passdata } => {
                registrar.check(client, Some(passdata)).map_err(wrong_client)?;
                Input::Authenticated
            }
            Output::Binding { client_id } => {
                let wanted = ClientUrl { client_id: Cow::Owned(client_id.to_owned()), redirect_uri: None };
                Input::Bound { bound_client: registrar.bound_redirect(wanted).map_err(wrong_client)? }
            }
            Output::Extend => Input::Extended { extensions: Default::default() },
            Output::Negotiate { bound_client, scope } => {
                Input::Negotiated { pre_grant: registrar.negotiate(bound_client.clone(), scope).map_err(too_wide)? }
            }
            Output::Ok { .. } => break,
            Output::Err(error) => return Err(refused(*error)),
        };
    }
    // The machine's own scope has lost its order.
    let granted = grantable(&known.client, scope.as_ref()).ok_or_else(|| refusal(AccessTokenErrorType::InvalidScope))?;
    let scope = target.grant(granted, scope.is_some())?;
    let access = mint::secret(mint::Kind::AccessToken);
    let opens = Access { grant_id: None, client_id: &known.client.client_id, user, scope: &scope, resource: target.key() };
    keep_access(cx, &access, &opens)?;
    Ok(TokenReply {
        access_token: access,
        expires_in: cx.env.config.oauth.access_token().as_secs(),
        scope,
        refresh_token: None,
        id_token: None,
        race: None,
    })
}

/// The scope parameter, read by our own grammar.
pub(super) fn asked_scope(text: Option<&str>) -> Result<Option<Scope>, ProtocolError> {
    let scope = text.map(Scope::parse).transpose().map_err(|error| ProtocolError::new(ErrorCode::InvalidScope, error.to_string()))?;
    Ok(scope.filter(|scope| !scope.is_empty()))
}

fn too_wide(_: RegistrarError) -> Stop {
    ProtocolError::new(ErrorCode::InvalidScope, "The scope is more than this client registered.").into()
}

fn refused(error: Error) -> Stop {
    match error {
        Error::Ignore => refusal(AccessTokenErrorType::InvalidClient),
        Error::Invalid(mut description) => refusal(description.description().kind()),
        Error::Unauthorized(mut description, _) => refusal(description.description().kind()),
        Error::Primitive(_) => refusal(AccessTokenErrorType::InvalidRequest),
    }
}
