//! Building answers, and the headers every answer carries.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};

/// A JSON answer. Frappe's content type has no charset, and clients compare it.
pub fn json(status: StatusCode, body: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status).insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json"))).body(body.into())
}

/// A JSON answer that no cache may keep (RFC 6749 section 5.1).
pub fn json_no_store(status: StatusCode, body: impl Into<String>) -> HttpResponse {
    let mut response = json(status, body);
    no_store(&mut response);
    response
}

/// Forbids caches to keep an answer.
pub fn no_store(response: &mut HttpResponse) {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
}

/// A redirect (302) that no cache may keep.
pub fn redirect(to: &str) -> HttpResponse {
    let mut response = HttpResponse::Found().finish();
    no_store(&mut response);
    if let Ok(location) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Tells the caller when to come back; at least a second.
pub fn retry_after(response: &mut HttpResponse, after: std::time::Duration) {
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    if let Ok(value) = HeaderValue::from_str(&seconds.max(1).to_string()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
}

/// What every answer carries.
pub fn finish(response: &mut HttpResponse) {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// A header by a literal lower-case name.
pub fn set(response: &mut HttpResponse, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}
