//! The RFC-shaped door: OAuth's refusals as HTTP, and the documents under `/.well-known/`.

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::cors::{self, Sharing};
use super::extract;
use super::request_log::RequestLog;
use super::respond;
use super::state::State;
use crate::domain::limit::Limit;
use crate::error::AppError;
use crate::oauth::{self, ProtocolError};
use crate::oidc::discovery;

/// Why a response refuses, for the log line; travels in the response's extensions.
pub struct RefusalCause(pub String);

/// A refusal as RFC 6749 section 5.2 has it.
pub fn refusal(error: &ProtocolError) -> HttpResponse {
    let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = respond::json_no_store(status, error.to_json().to_string());
    if let Some(challenge) = error.challenge() {
        respond::set(&mut response, "www-authenticate", challenge);
    }
    with_cause(&mut response, error);
    response
}

/// A refusal as Frappe's `authorize` and `approve` have it (contract 3.1, shape A).
pub fn refusal_of_authorize(error: &ProtocolError) -> HttpResponse {
    let status = error.code.status();
    let body = json!({"description": error.description, "status_code": status, "error": error.code.as_str()});
    let mut response = respond::json_no_store(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), body.to_string());
    with_cause(&mut response, error);
    response
}

/// Lets the log line know what the caller is not told.
pub fn with_cause(response: &mut HttpResponse, error: &ProtocolError) {
    response.extensions_mut().insert(RefusalCause(error.to_string()));
}

/// A flow's error at an OAuth endpoint: flat JSON with a string `error`, never Frappe's envelope.
/// `frappe_status` is what the other door would answer; here most of them are 400.
pub fn error_response(error: &AppError, frappe_status: StatusCode) -> HttpResponse {
    let (status, code, description): (StatusCode, &str, Option<&str>) = match error {
        AppError::Unauthenticated | AppError::LoginRefused(_) | AppError::SessionExpired => {
            (StatusCode::UNAUTHORIZED, "invalid_token", Some("The access token is missing, expired, revoked or malformed."))
        }
        AppError::WrongResource => (StatusCode::UNAUTHORIZED, "invalid_token", Some("The access token is for another resource.")),
        AppError::MalformedCredentials => (StatusCode::BAD_REQUEST, "invalid_request", Some("The Authorization header cannot be decoded.")),
        AppError::Csrf => (StatusCode::BAD_REQUEST, "invalid_request", Some("CSRF check failed.")),
        AppError::Locked { .. } | AppError::TooManyRequests { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", Some("Too many requests."))
        }
        AppError::InsufficientScope { .. } => (StatusCode::FORBIDDEN, "insufficient_scope", None),
        AppError::NotPermitted(_) => (StatusCode::BAD_REQUEST, "access_denied", None),
        AppError::InvalidData(text) | AppError::Validation(text) => (StatusCode::BAD_REQUEST, "invalid_request", Some(text)),
        AppError::NotFound { .. }
        | AppError::NoSuchPath
        | AppError::NoSuchMethod(_)
        | AppError::Unsupported(_)
        | AppError::WrongArgument { .. }
        | AppError::FieldNotPermitted(_)
        | AppError::Mandatory { .. }
        | AppError::LinkNotFound { .. }
        | AppError::Duplicate { .. }
        | AppError::NotUnique { .. }
        | AppError::NotAnOption { .. }
        | AppError::Stale { .. }
        | AppError::TooLong { .. }
        | AppError::LinkExists { .. }
        | AppError::SetOnce { .. }
        | AppError::DocstatusTransition { .. }
        | AppError::AfterSubmit { .. }
        | AppError::CancelledLink { .. }
        | AppError::Tree { .. }
        | AppError::InvalidName(_) => (StatusCode::BAD_REQUEST, "invalid_request", None),
        AppError::Unavailable { .. } | AppError::QueryTimeout => (frappe_status, "temporarily_unavailable", None),
        AppError::Internal(_) => (frappe_status, "server_error", None),
    };
    let mut body = json!({"error": code});
    if let (Some(description), Some(object)) = (description, body.as_object_mut()) {
        object.insert("error_description".into(), description.into());
    }
    respond::json_no_store(status, body.to_string())
}

/// A document that anybody may read and keep for a while.
pub fn public_document(body: &Value) -> HttpResponse {
    let mut response = respond::json(StatusCode::OK, body.to_string());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

/// Answers everything under `/.well-known/`: the documents themselves with 200, never a redirect,
/// and 404 as JSON for whatever else is asked for (clients try paths of their own).
pub async fn well_known(state: &State, request: &HttpRequest, log: &mut RequestLog) -> HttpResponse {
    let address = extract::client_address(request, &state.env.config.server.trusted_proxies);
    let mut response = match state.env.limits.check(Limit::Request, &crate::auth::address::limit_key(address)) {
        Ok(_) => document(state, request, log).await,
        Err(error) => {
            log.note_error(&error);
            let mut response = error_response(&error, StatusCode::TOO_MANY_REQUESTS);
            if let AppError::TooManyRequests { retry_after, .. } = error {
                respond::retry_after(&mut response, retry_after);
            }
            response
        }
    };
    cors::apply(Sharing::Anyone, request, &mut response, state).await;
    response
}

/// Where the document of a resource below the public URL is: its path follows (RFC 9728 section 3.1).
pub const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";

async fn document(state: &State, request: &HttpRequest, log: &mut RequestLog) -> HttpResponse {
    let env = &state.env;
    let document = match request.path() {
        "/.well-known/openid-configuration" => {
            log.route = "/.well-known/openid-configuration";
            discovery::openid_configuration(&oauth::offer(env))
        }
        "/.well-known/oauth-authorization-server" => {
            log.route = "/.well-known/oauth-authorization-server";
            discovery::authorization_server(&oauth::offer(env))
        }
        PROTECTED_RESOURCE => {
            log.route = PROTECTED_RESOURCE;
            discovery::protected_resource(env.public_url.as_str(), &env.config.site.name)
        }
        path => match of_registered(state, path).await {
            Ok(Some(document)) => {
                log.route = "/.well-known/oauth-protected-resource/{path}";
                document
            }
            Ok(None) => {
                log.route = "/.well-known/?";
                return respond::json(StatusCode::NOT_FOUND, r#"{"error":"not_found"}"#);
            }
            Err(error) => {
                log.note_error(&error);
                return error_response(&error, StatusCode::SERVICE_UNAVAILABLE);
            }
        },
    };
    match *request.method() {
        Method::GET | Method::HEAD => public_document(&document),
        Method::OPTIONS => HttpResponse::Ok().finish(),
        _ => {
            let mut response = respond::json(StatusCode::METHOD_NOT_ALLOWED, r#"{"error":"invalid_request"}"#);
            respond::set(&mut response, "allow", "GET, HEAD, OPTIONS");
            response
        }
    }
}

/// The document of the registered resource that a well-known path names.
async fn of_registered(state: &State, path: &str) -> Result<Option<Value>, AppError> {
    let Some(path) = path.strip_prefix(PROTECTED_RESOURCE).filter(|path| path.starts_with('/')) else { return Ok(None) };
    let issuer = state.env.public_url.as_str();
    let known = state.resources().await?;
    Ok(known.find(&format!("{issuer}{path}")).map(|resource| discovery::registered_resource(issuer, resource)))
}
