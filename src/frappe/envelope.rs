//! Frappe's envelopes: `message` and `data` around results, and the error body of v1.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Map, Value};

use super::exceptions::Exception;
use crate::http::respond;

/// `{"message": …}`; a method that returns nothing answers `{}`.
pub fn message(value: &Value) -> HttpResponse {
    if value.is_null() { respond::json(StatusCode::OK, "{}") } else { respond::json(StatusCode::OK, wrap("message", &value.to_string())) }
}

/// `{"data": …}` around JSON text that is not parsed again.
pub fn data(status: StatusCode, json: &str) -> HttpResponse {
    respond::json(status, wrap("data", json))
}

fn wrap(key: &str, json: &str) -> String {
    let mut body = String::with_capacity(json.len() + key.len() + 5);
    body.push_str("{\"");
    body.push_str(key);
    body.push_str("\":");
    body.push_str(json);
    body.push('}');
    body
}

/// The body of an error in v1's shape (contract 5.1). Frappe shows tracebacks; here `exc` holds
/// the exception line alone, because clients test for the key and traces leak.
pub fn error_body(exception: &Exception, session_expired: bool) -> String {
    let mut body = Map::new();
    if session_expired {
        body.insert("session_expired".into(), 1.into());
    }
    if let Some(plain) = exception.plain {
        body.insert("message".into(), plain.into());
    }
    if exception.shows_exception {
        let class = format!("frappe.exceptions.{}", exception.exc_type);
        let line = exception.text.as_ref().map_or_else(|| class.clone(), |text| format!("{class}: {text}"));
        body.insert("exception".into(), line.clone().into());
        body.insert("exc_type".into(), exception.exc_type.into());
        body.insert("exc".into(), Value::from(vec![format!("{line}\n")]).to_string().into());
    } else {
        body.insert("exc_type".into(), exception.exc_type.into());
    }
    if !exception.messages.is_empty() {
        // Doubly encoded: a JSON list of JSON texts, in a text.
        let messages: Vec<String> = exception.messages.iter().map(|message| message.to_json().to_string()).collect();
        body.insert("_server_messages".into(), Value::from(messages).to_string().into());
    }
    if let Some(text) = &exception.error_message {
        body.insert("_error_message".into(), text.clone().into());
    }
    Value::Object(body).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{AppError, Denied};

    #[test]
    fn the_exception_line_stands_in_place_of_a_trace() {
        let body = error_body(&Exception::from(&AppError::NotPermitted(Denied::Verb)), false);
        let parsed: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(parsed["exc_type"], "PermissionError");
        assert_eq!(parsed["exc"], "[\"frappe.exceptions.PermissionError: Not permitted\\n\"]");
        let messages: Vec<String> = serde_json::from_str(parsed["_server_messages"].as_str().expect("text")).expect("a list of texts");
        let first: Value = serde_json::from_str(&messages[0]).expect("JSON");
        assert_eq!(first["message"], "Not permitted");
        assert_eq!(first["raise_exception"], 1);
    }

    #[test]
    fn causes_never_reach_the_caller() {
        let body = error_body(&Exception::from(&AppError::Internal("password=hunter2".into())), false);
        assert!(!body.contains("hunter2"), "{body}");
        let body = error_body(&Exception::from(&AppError::unavailable("host db.internal")), false);
        assert!(!body.contains("db.internal"), "{body}");
    }
}
