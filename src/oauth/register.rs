//! Dynamic client registration (RFC 7591): a client brings its own description.
//!
//! What it may never bring is trust: no service account, no `skip_authorization`, no scope that reaches
//! credentials. A client that anybody registered is not verified, and the consent page says so.

use serde_json::{Map, Value, json};

use super::clients;
use super::error::{ErrorCode, ProtocolError, Stop};
use super::grants::{AUTHORIZATION_CODE, REFRESH_TOKEN};
use crate::auth::Caller;
use crate::config::Registration;
use crate::cx::Cx;
use crate::domain::Scope;
use crate::domain::client::{AuthMethod, Client, SigningAlgorithm, check_redirect_uri};
use crate::domain::scope::ADMIN_CREDENTIALS;
use crate::error::AppError;

/// What a client that names no scope may ask for: Frappe's default.
const DEFAULT_SCOPE: &str = "all openid";
/// Most addresses of a kind.
const MAX_URIS: usize = 20;
/// Longest name, as of the field it is kept in.
const MAX_NAME: usize = 140;
/// Longest of the other texts.
const MAX_TEXT: usize = 2000;

/// A request to the registration endpoint.
#[derive(Clone)]
pub struct RegisterRequest {
    /// The JSON object that was sent.
    pub metadata: Map<String, Value>,
    /// Whether a member was sent twice.
    pub repeated: bool,
    pub by: Caller,
}

/// What the registration endpoint answers.
pub enum RegisterOutcome {
    /// The client as it was registered, with its secret: shown now and never again.
    Registered(Value),
    Refused(ProtocolError),
}

/// Registers a client that describes itself.
///
/// # Errors
/// [`AppError`] for faults, and what [`Caller::require_credential_rights`] refuses where only administrators may register.
pub fn register(cx: &mut Cx, request: &RegisterRequest) -> Result<RegisterOutcome, AppError> {
    let trusted = cx.env.config.oauth.registration == Registration::Admin;
    if trusted {
        if request.by.is_guest() {
            return Err(AppError::Unauthenticated);
        }
        request.by.require_credential_rights()?;
        if !request.by.is_system_manager() {
            return Err(AppError::NotPermitted(crate::error::Denied::Because("Only a System Manager may register clients".into())));
        }
    }
    match run(cx, request, trusted) {
        Ok(body) => Ok(RegisterOutcome::Registered(body)),
        Err(Stop::Refused(error)) => Ok(RegisterOutcome::Refused(error)),
        Err(Stop::Fault(AppError::Validation(text))) => Ok(RegisterOutcome::Refused(invalid(text))),
        Err(Stop::Fault(error)) => Err(error),
    }
}

fn run(cx: &mut Cx, request: &RegisterRequest, trusted: bool) -> Result<Value, Stop> {
    if request.repeated {
        return Err(invalid("A member is repeated.").into());
    }
    let client = read(&request.metadata, trusted)?;
    let registered = clients::register(cx, client, &[], request.by.name())?;
    Ok(describe(&registered.client, registered.secret.as_deref(), cx.now.unix()))
}

fn invalid(text: impl Into<String>) -> ProtocolError {
    ProtocolError::new(ErrorCode::InvalidClientMetadata, text)
}

/// Reads the metadata of RFC 7591 section 2. Members it does not know are ignored, as it says.
pub(super) fn read(metadata: &Map<String, Value>, trusted: bool) -> Result<Client, ProtocolError> {
    let redirect_uris = uris(metadata, "redirect_uris")?;
    if redirect_uris.is_empty() {
        return Err(invalid("redirect_uris is required: a JSON body with a list of the addresses users come back to."));
    }
    let method = match text(metadata, "token_endpoint_auth_method", MAX_NAME)? {
        None => AuthMethod::Secret,
        Some(word) => {
            let offered = AuthMethod::ANNOUNCED;
            let found = offered.into_iter().find(|method| method.as_str() == word);
            let words = offered.map(AuthMethod::as_str).join(", ");
            found.ok_or_else(|| invalid(format!("token_endpoint_auth_method must be one of {words}.")))?
        }
    };
    let grant_types = list(metadata, "grant_types")?;
    if let Some(other) = grant_types.iter().find(|name| ![AUTHORIZATION_CODE, REFRESH_TOKEN].contains(&name.as_str())) {
        return Err(invalid(format!("grant_types: {other:.40} is not for clients that register themselves.")));
    }
    if !grant_types.is_empty() && !grant_types.iter().any(|name| name == AUTHORIZATION_CODE) {
        return Err(invalid("grant_types must have authorization_code."));
    }
    if list(metadata, "response_types")?.iter().any(|kind| kind != "code") {
        return Err(invalid("response_types must be code."));
    }
    let app_name = match text(metadata, "client_name", MAX_NAME)? {
        Some(name) => name.to_owned(),
        None => url::Url::parse(&redirect_uris[0]).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "App".into()),
    };
    let owned = |name| Ok::<_, ProtocolError>(text(metadata, name, MAX_TEXT)?.map(str::to_owned));
    Ok(Client {
        app_name,
        scope: scope(metadata)?,
        auth_method: method,
        jwks: match metadata.get("jwks") {
            None | Some(Value::Null) => None,
            Some(set) => Some(set.to_string()),
        },
        jwks_uri: owned("jwks_uri")?,
        auth_signing_algorithm: algorithm(metadata, "token_endpoint_auth_signing_alg", SigningAlgorithm::from_others)?,
        grant_types: match grant_types.is_empty() {
            // Frappe: every login yields a refresh token, here: too, unless the client says that it wants none.
            true => vec![AUTHORIZATION_CODE.to_owned(), REFRESH_TOKEN.to_owned()],
            false => grant_types,
        },
        id_token_algorithm: algorithm(metadata, "id_token_signed_response_alg", SigningAlgorithm::from_text)?
            .unwrap_or(SigningAlgorithm::ALL[0]),
        verified: trusted,
        post_logout_redirect_uris: uris(metadata, "post_logout_redirect_uris")?,
        client_uri: owned("client_uri")?,
        logo_uri: owned("logo_uri")?,
        tos_uri: owned("tos_uri")?,
        policy_uri: owned("policy_uri")?,
        software_id: owned("software_id")?,
        software_version: owned("software_version")?,
        contacts: list(metadata, "contacts")?,
        ..clients::ClientKind::Web.template("", Scope::default(), redirect_uris)
    })
}

fn scope(metadata: &Map<String, Value>) -> Result<Scope, ProtocolError> {
    let scope =
        Scope::parse(text(metadata, "scope", MAX_TEXT)?.unwrap_or(DEFAULT_SCOPE)).map_err(|error| invalid(format!("scope: {error}")))?;
    if scope.contains(ADMIN_CREDENTIALS) {
        return Err(invalid(format!("scope: {ADMIN_CREDENTIALS} is not for clients that register themselves.")));
    }
    Ok(scope)
}

fn algorithm(
    metadata: &Map<String, Value>,
    name: &str,
    read: fn(&str) -> Option<SigningAlgorithm>,
) -> Result<Option<SigningAlgorithm>, ProtocolError> {
    let Some(word) = text(metadata, name, MAX_NAME)? else { return Ok(None) };
    let words = SigningAlgorithm::ALL.map(SigningAlgorithm::as_str).join(", ");
    let found = read(word).ok_or_else(|| invalid(format!("{name} must be one of {words}.")))?;
    Ok(Some(found))
}

/// A text member; `null` and nothing count as not sent.
fn text<'a>(metadata: &'a Map<String, Value>, name: &str, longest: usize) -> Result<Option<&'a str>, ProtocolError> {
    match metadata.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().any(char::is_control) => Err(invalid(format!("{name} contains control characters."))),
        Some(Value::String(text)) if text.chars().count() > longest => Err(invalid(format!("{name} is longer than {longest} characters."))),
        Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
        Some(_) => Err(invalid(format!("{name} must be a text."))),
    }
}

/// A member that is a list of texts.
fn list(metadata: &Map<String, Value>, name: &str) -> Result<Vec<String>, ProtocolError> {
    let refuse = || invalid(format!("{name} must be a list of at most {MAX_URIS} texts."));
    match metadata.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) if items.len() <= MAX_URIS => {
            let item = |item: &Value| match item {
                Value::String(text) if text.len() <= MAX_TEXT && !text.chars().any(char::is_control) => Ok(text.clone()),
                _ => Err(refuse()),
            };
            items.iter().map(item).collect()
        }
        Some(_) => Err(refuse()),
    }
}

fn uris(metadata: &Map<String, Value>, name: &str) -> Result<Vec<String>, ProtocolError> {
    let uris = list(metadata, name)?;
    for uri in &uris {
        check_redirect_uri(uri).map_err(|error| ProtocolError::new(ErrorCode::InvalidRedirectUri, error.to_string()))?;
    }
    Ok(uris)
}

/// The client as RFC 7591 section 3.2.1 shows it; what it does not have is left out.
fn describe(client: &Client, secret: Option<&str>, now: i64) -> Value {
    let method = if client.auth_method == AuthMethod::Secret { AuthMethod::SecretBasic } else { client.auth_method };
    let mut body = json!({
        "client_id": client.client_id,
        "client_secret": secret,
        "client_id_issued_at": now,
        "client_secret_expires_at": secret.map(|_| 0),
        "client_name": client.app_name,
        "client_uri": client.client_uri,
        "grant_types": client.grant_types,
        "response_types": ["code"],
        "logo_uri": client.logo_uri,
        "tos_uri": client.tos_uri,
        "policy_uri": client.policy_uri,
        "software_id": client.software_id,
        "software_version": client.software_version,
        "scope": client.scope.to_string(),
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "contacts": client.contacts,
        "token_endpoint_auth_method": method.as_str(),
        "token_endpoint_auth_signing_alg": client.auth_signing_algorithm.map(SigningAlgorithm::as_str),
        "jwks": client.jwks.as_deref().and_then(|set| serde_json::from_str::<Value>(set).ok()),
        "jwks_uri": client.jwks_uri,
        "id_token_signed_response_alg": client.id_token_algorithm.as_str(),
    });
    if let Value::Object(members) = &mut body {
        members.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    }
    body
}
