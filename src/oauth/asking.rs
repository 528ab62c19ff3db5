//! What a request to `authorize` asks for, beyond who asks and where to: read, checked, and put
//! through oxide-auth's authorization machine. Every error here is the client's to hear.

use oxide_auth::code_grant::authorization::{Authorization, Error, Input, Output};
use oxide_auth::code_grant::error::AuthorizationErrorType;
use oxide_auth::primitives::grant::{Extensions, Value};
use oxide_auth::primitives::registrar::{ClientUrl, Registrar as _, RegistrarError};

use super::authorize::LOGIN_AFTER;
use super::endpoint::{Asked, SettledClient, grantable};
use super::error::{ErrorCode, ProtocolError, Stop};
use super::grants::AUTHORIZATION_CODE;
use super::hint::{HINTED_USER, Hinted, ID_TOKEN_HINT};
use super::params::Params;
use super::redirect::ResponseMode;
use super::resource::Target;
use crate::domain::Scope;
use crate::domain::claims::{AskedClaims, ClaimsRequest};
use crate::domain::client::Client;
use crate::error::AppError;
use crate::oidc::id_token::ACR;

/// The rest of a request, read.
pub(super) struct Asking {
    pub scope: Scope,
    pub target: Target,
    /// Single claims beside the scope, as far as the client may have them.
    pub claims: Option<ClaimsRequest>,
    /// Lists of subjects, of each of which the user must be one; empty where any user will do.
    subjects: Vec<Vec<String>>,
    pub state: Option<String>,
    pub nonce: Option<String>,
    pub code_challenge: Option<String>,
    pub mode: ResponseMode,
    pub prompt: Vec<String>,
    pub max_age: Option<u64>,
    pub login_hint: Option<String>,
}

impl Asking {
    /// Whether `prompt` has this word.
    pub fn prompts(&self, word: &str) -> bool {
        self.prompt.iter().any(|known| known == word)
    }

    /// What a user is asked to allow: the scope, and the words that carry the claims asked for by
    /// name, so that what is remembered as allowed was shown.
    pub fn shown(&self) -> Scope {
        match &self.claims {
            Some(claims) => self.scope.union(&claims.carriers()),
            None => self.scope.clone(),
        }
    }

    /// Whether the request is for a certain user.
    pub fn names_its_user(&self) -> bool {
        !self.subjects.is_empty()
    }

    /// Whether the user of this subject is the one the request is for.
    pub fn is_for(&self, sub: &str) -> bool {
        self.subjects.iter().all(|subjects| subjects.iter().any(|named| named == sub))
    }
}

/// What OpenID Connect knows for `prompt`. Choosing another account is logging in again.
const PROMPTS: [&str; 4] = ["none", "login", "consent", "select_account"];

/// How the answer is to be carried.
///
/// # Errors
/// `invalid_request` for a way that is not offered.
pub(super) fn mode(params: &Params) -> Result<ResponseMode, ProtocolError> {
    match params.get("response_mode")? {
        None => Ok(ResponseMode::Query),
        // A code in a fragment would be left in the history of pages that never asked for one.
        Some(text) => ResponseMode::from_text(text).ok_or_else(|| {
            let offered: Vec<&str> = ResponseMode::ALL.iter().map(|mode| mode.as_str()).collect();
            ProtocolError::invalid_request(format!("response_mode must be one of {}.", offered.join(", ")))
        }),
    }
}

/// Reads the rest of a request of `client` for `target`, whose `redirect_uri` is settled.
///
/// # Errors
/// What is wrong with it, for the client.
pub(super) fn read(client: &Client, redirect_uri: &str, params: &Params, target: Target, hinted: &Hinted) -> Result<Asking, Stop> {
    let mode = mode(params)?;
    let state = params.get("state")?;
    if params.get("request")?.is_some() {
        return Err(ProtocolError::new(ErrorCode::RequestNotSupported, "The request parameter is not supported.").into());
    }
    if params.get("request_uri")?.is_some() {
        return Err(ProtocolError::new(ErrorCode::RequestUriNotSupported, "The request_uri parameter is not supported.").into());
    }
    for name in ["display", "ui_locales", "claims_locales", "acr_values", ID_TOKEN_HINT, HINTED_USER, LOGIN_AFTER] {
        params.get(name)?;
    }
    // The machine would call a missing response_type an unsupported one.
    let response_type = params.get("response_type")?.ok_or_else(|| ProtocolError::invalid_request("Missing response_type parameter."))?;
    if !client.may(AUTHORIZATION_CODE) {
        return Err(ProtocolError::new(ErrorCode::UnauthorizedClient, "This client may not use authorization_code.").into());
    }
    let asked_scope = params
        .get("scope")?
        .map(Scope::parse)
        .transpose()
        .map_err(|error| ProtocolError::new(ErrorCode::InvalidScope, error.to_string()))?
        .filter(|scope| !scope.is_empty());
    let code_challenge = challenge(client, params)?;
    // One that asks for nothing gets what it registered.
    let there = asked_scope.as_ref().map(|_| target.client_there(client));
    let client = there.as_deref().unwrap_or(client);
    let asked = Asked {
        client_id: &client.client_id,
        redirect_uri: Some(redirect_uri),
        scope: asked_scope.as_ref().map(Scope::to_string),
        state,
        response_type: Some(response_type),
        ..Asked::default()
    };
    negotiate(&asked, client, code_challenge)?;
    let prompt: Vec<String> =
        params.get("prompt")?.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    if let Some(unknown) = prompt.iter().find(|word| !PROMPTS.contains(&word.as_str())) {
        return Err(ProtocolError::invalid_request(format!("prompt {unknown} is not known.")).into());
    }
    if prompt.len() > 1 && prompt.iter().any(|word| word == "none") {
        return Err(ProtocolError::invalid_request("prompt none cannot be combined with others.").into());
    }
    let max_age = params
        .get("max_age")?
        .map(str::parse)
        .transpose()
        .map_err(|_| ProtocolError::invalid_request("max_age must be a number of seconds."))?;
    // The machine's own scope has lost its order.
    let scope = grantable(client, asked_scope.as_ref()).ok_or_else(|| scope_too_wide(client))?;
    let asked_claims = claims(params)?;
    let mut subjects = asked_claims.subjects;
    let hint = hinted.for_client(&client.client_id)?;
    subjects.extend(hint.map(|hint| vec![hint.sub.clone()]));
    let claims = asked_claims.request.within(&client.scope);
    let scope = target.grant(scope, asked_scope.is_some())?;
    Ok(Asking {
        target,
        // Without openid it is no OpenID request, and nobody would say the claims.
        claims: Some(claims).filter(|claims| scope.contains("openid") && !claims.is_empty()),
        scope,
        subjects,
        state: state.map(str::to_owned),
        nonce: params.get("nonce")?.map(str::to_owned),
        code_challenge: code_challenge.map(str::to_owned),
        mode,
        prompt,
        max_age,
        // The address only if the token told it: what a browser is sent may be read by whoever sent the hint.
        login_hint: params.get("login_hint")?.map(str::to_owned).or_else(|| hint.and_then(|hint| hint.email.clone())),
    })
}

/// The `claims` parameter (OpenID Connect Core section 5.5).
fn claims(params: &Params) -> Result<AskedClaims, ProtocolError> {
    let Some(text) = params.get("claims")? else { return Ok(AskedClaims::default()) };
    let asked = AskedClaims::parse(text).map_err(|error| ProtocolError::invalid_request(error.to_string()))?;
    // Section 5.5.1.1: what cannot be met is a failed login. `auth_time` is in every id token, so it can always be.
    if asked.essential_acrs.iter().any(|acrs| !acrs.iter().any(|acr| acr == ACR)) {
        let text = format!("The only acr that logins here have is {ACR}.");
        return Err(ProtocolError::new(ErrorCode::UnmetAuthenticationRequirements, text));
    }
    Ok(asked)
}

/// The PKCE challenge (RFC 7636): S256 only, and demanded of public clients.
fn challenge<'a>(client: &Client, params: &'a Params) -> Result<Option<&'a str>, ProtocolError> {
    let (challenge, method) = (params.get("code_challenge")?, params.get("code_challenge_method")?);
    match (challenge, method) {
        (None, None) if client.needs_pkce() => {
            // Frappe: PKCE is never demanded, here: of public clients, because a stolen code would be as good as a token.
            Err(ProtocolError::invalid_request(
                "Code challenge required: send code_challenge with code_challenge_method=S256. An old integration without PKCE needs \
                 the field legacy_no_pkce of its OAuth Client (ostiary client add --kind old-frappe).",
            ))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => Err(ProtocolError::invalid_request("code_challenge_method without code_challenge.")),
        (Some(challenge), Some("S256")) => {
            let well_formed = challenge.len() == 43 && challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if well_formed {
                Ok(Some(challenge))
            } else {
                Err(ProtocolError::invalid_request("code_challenge is not a SHA-256 in base64url."))
            }
        }
        // Frappe: `plain`, also when no method is named, here: refused, because it protects nothing.
        (Some(_), None | Some("plain")) => {
            Err(ProtocolError::invalid_request("Transform algorithm not supported: code_challenge_method must be S256."))
        }
        (Some(_), Some(_)) => Err(ProtocolError::invalid_request("Transform algorithm not supported.")),
    }
}

/// Drives oxide-auth's authorization machine over what was read.
fn negotiate(asked: &Asked, client: &Client, code_challenge: Option<&str>) -> Result<(), Stop> {
    let registrar = SettledClient(client);
    let mut machine = Authorization::new(asked);
    let mut input = Input::None;
    loop {
        input = match machine.advance(input) {
            Output::Bind { client_id, redirect_uri } => {
                let wanted = ClientUrl { client_id: client_id.into(), redirect_uri: redirect_uri.map(std::borrow::Cow::Owned) };
                // Both were checked by `bind`, which shows an error page instead of staying silent.
                let bound_client = registrar.bound_redirect(wanted).map_err(|_| AppError::internal("client and redirect URI changed"))?;
                Input::Bound { request: asked, bound_client }
            }
            Output::Extend => {
                let mut extensions = Extensions::new();
                if let Some(challenge) = code_challenge {
                    extensions.set_raw("pkce".to_owned(), Value::private(Some(challenge.to_owned())));
                }
                Input::Extended(extensions)
            }
            Output::Negotiate { bound_client, scope } => {
                let pre_grant = registrar.negotiate(bound_client.clone(), scope).map_err(|error| match error {
                    RegistrarError::Unspecified => Stop::from(scope_too_wide(client)),
                    RegistrarError::PrimitiveError => AppError::internal("scope is not oxide-auth's").into(),
                })?;
                Input::Negotiated { pre_grant, state: None }
            }
            Output::Ok { .. } => return Ok(()),
            Output::Err(error) => return Err(refused(error)),
        };
    }
}

fn scope_too_wide(client: &Client) -> ProtocolError {
    ProtocolError::new(ErrorCode::InvalidScope, format!("This client may ask for: {}.", client.scope))
}

fn refused(mut error: Error) -> Stop {
    let Some(description) = error.description() else { return AppError::internal("the authorization machine refused silently").into() };
    let (code, text) = match description.kind() {
        AuthorizationErrorType::UnsupportedResponseType => (ErrorCode::UnsupportedResponseType, "response_type must be code."),
        AuthorizationErrorType::InvalidScope => (ErrorCode::InvalidScope, "The scope cannot be granted."),
        AuthorizationErrorType::UnauthorizedClient => (ErrorCode::UnauthorizedClient, "This client may not use authorization_code."),
        AuthorizationErrorType::AccessDenied => (ErrorCode::AccessDenied, "Access was denied."),
        AuthorizationErrorType::InvalidRequest | AuthorizationErrorType::ServerError | AuthorizationErrorType::TemporarilyUnavailable => {
            (ErrorCode::InvalidRequest, "The request is not well formed.")
        }
    };
    ProtocolError::new(code, text).into()
}
