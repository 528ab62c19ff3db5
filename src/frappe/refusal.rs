//! From an error to an answer: Frappe's JSON of either version, a page, or RFC 6749's JSON.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method as HttpMethod, StatusCode};
use actix_web::{HttpRequest, HttpResponse};

use super::call::Version;
use super::envelope;
use super::exceptions::{self, Exception};
use super::files;
use super::registry::Door;
use crate::domain::resource::{Resource, path_below};
use crate::error::{AppError, Denied};
use crate::http::body::BodyError;
use crate::http::cookies::{self, CookieChange};
use crate::http::oauth::PROTECTED_RESOURCE;
use crate::http::{State, extract, respond};
use crate::oidc::discovery;
use crate::pages;

/// What a caller whose session ran out is told instead of what was refused: that it ran out.
// Frappe: 403 for an expired session too, here: 401, because the documents say so.
pub(super) fn after_session(error: AppError, session_expired: bool) -> AppError {
    match error {
        AppError::NotPermitted(_) if session_expired => AppError::SessionExpired,
        other => other,
    }
}

/// The answer to a body that could not be read.
pub(super) fn body_error(state: &State, error: BodyError, door: Door) -> HttpResponse {
    let status = match error {
        BodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::Broken => StatusCode::BAD_REQUEST,
        BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
    };
    if door != Door::Frappe {
        return respond::json_no_store(
            status,
            r#"{"error":"invalid_request","error_description":"request body is too large or broke off"}"#,
        );
    }
    // Frappe answers these two from its HTTP layer, as a plain page.
    let title = status.canonical_reason().unwrap_or("Error");
    let mut response = pages::error_page(state, status, title, "The request body is too large or broke off.", "Send less, in one piece.");
    // The rest of the body is not read, so the connection cannot be used again.
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    response
}

/// An error in the shape of its door: Frappe's JSON, a page, or RFC 6749's JSON.
pub(super) fn error_response(
    state: &State,
    request: &HttpRequest,
    door: Door,
    error: &AppError,
    session_expired: bool,
    resource: Option<&Resource>,
) -> HttpResponse {
    let exception = Exception::from(error);
    let mut response = if matches!(door, Door::OAuth(_)) || (matches!(door, Door::OAuthUser(_)) && extract::wants_json(request)) {
        crate::http::oauth::error_response(error, exception.status)
    } else if extract::wants_json(request) {
        respond::json(exception.status, envelope::error_body(Version::of_path(request.path()), &exception, session_expired))
    } else if files::is_file_path(request.path()) && (matches!(error, AppError::NotPermitted(Denied::Files)) || session_expired) {
        pages::private_file_page(state, request, exception.status)
    } else {
        // Texts with tags are for Frappe's own pages. The others are plain, and the page escapes them itself.
        let text = exception.text.as_deref().filter(|text| !text.contains('<')).map(exceptions::unescape);
        let text = text.as_deref().unwrap_or("You cannot do this, or are not logged in any more.");
        let (text, advice) = match error {
            AppError::Csrf => ("This page is out of date, or belongs to another login.", "Go back to the app and start again."),
            AppError::NotFound { .. } => (text, "Go back, and check the address."),
            _ => (text, "Go back, or log in again."),
        };
        pages::error_page(state, exception.status, exception.title, text, advice)
    };
    if let Some(after) = exception.retry_after {
        respond::retry_after(&mut response, after);
    }
    if let Some(challenge) = challenge(state, request, error, &exception, resource) {
        respond::set(&mut response, "www-authenticate", &challenge);
    }
    // A header decides alone: what is wrong with it is no fault of the session beside it.
    let about_session = exception.clears_cookies && !request.headers().contains_key(header::AUTHORIZATION);
    if (about_session || session_expired) && *request.method() != HttpMethod::OPTIONS {
        cookies::apply(&CookieChange::Clear, &mut response, state);
    }
    if let Some(value) = exception.retry_after.filter(|_| exception.status == StatusCode::TOO_MANY_REQUESTS) {
        let reset = value.as_secs().max(1).to_string();
        respond::set(&mut response, "x-ratelimit-remaining", "0");
        respond::set(&mut response, "x-ratelimit-reset", &reset);
    }
    if exception.status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The registered resource that a refused request is below, for refusals that say where to get a token.
pub(super) async fn resource_of(state: &State, request: &HttpRequest, error: &AppError) -> Option<Arc<Resource>> {
    let tells = matches!(error, AppError::NotPermitted(_) | AppError::InsufficientScope { .. })
        || Exception::from(error).status == StatusCode::UNAUTHORIZED;
    if !tells {
        return None;
    }
    // Without an answer of the database the refusal stands, and says less.
    let known = state.resources().await.ok()?;
    known.covering(state.env.public_url.as_str(), request.path()).cloned()
}

/// `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1): where to get a token, for which scope, and what was wrong with this one.
fn challenge(state: &State, request: &HttpRequest, error: &AppError, exception: &Exception, resource: Option<&Resource>) -> Option<String> {
    let home = state.env.public_url.as_str();
    let path = resource.and_then(|resource| path_below(&resource.uri, home)).unwrap_or_default();
    let metadata = format!(r#"resource_metadata="{home}{PROTECTED_RESOURCE}{path}""#);
    let words = match resource {
        Some(resource) => resource.scope.to_string(),
        None => discovery::api_scopes().join(" "),
    };
    let scope = if words.is_empty() { String::new() } else { format!(r#"scope="{words}", "#) };
    let with_bearer = extract::text(request.headers(), &header::AUTHORIZATION)
        .is_some_and(|value| value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer ")));
    match error {
        AppError::InsufficientScope { needed } => Some(format!(r#"Bearer error="insufficient_scope", scope="{needed}", {metadata}"#)),
        AppError::WrongResource => {
            let description = r#"error_description="The access token is for another resource""#;
            Some(format!(r#"Bearer error="invalid_token", {description}, {scope}{metadata}"#))
        }
        AppError::Unauthenticated if with_bearer => Some(format!(r#"Bearer error="invalid_token", {scope}{metadata}"#)),
        _ if exception.status == StatusCode::UNAUTHORIZED => Some(format!("Bearer {scope}{metadata}")),
        _ => None,
    }
}
