//! Frappe's envelopes: `message` and `data` around results, and the error bodies of both versions.

use serde_json::{Map, Value};

use super::call::Version;
use super::exceptions::Exception;

/// An object of one member whose JSON text is not parsed again, and of the members beside it; no
/// member where the text is `null`, as for a method that returns nothing.
pub fn object(key: &str, json: &str, beside: &Map<String, Value>) -> String {
    let mut body = String::with_capacity(json.len() + key.len() + 5);
    body.push('{');
    if json != "null" {
        body.push('"');
        body.push_str(key);
        body.push_str("\":");
        body.push_str(json);
    }
    for (name, value) in beside {
        if body.len() > 1 {
            body.push(',');
        }
        body.push_str(&Value::from(name.as_str()).to_string());
        body.push(':');
        body.push_str(&value.to_string());
    }
    body.push('}');
    body
}

/// The body of an error in the shape of a version.
pub fn error_body(version: Version, exception: &Exception, session_expired: bool) -> String {
    let mut body = Map::new();
    if session_expired {
        body.insert("session_expired".into(), 1.into());
    }
    if let Some(plain) = exception.plain {
        body.insert("message".into(), plain.into());
    }
    match version {
        Version::One => error_one(&mut body, exception),
        Version::Two => error_two(&mut body, exception),
    }
    Value::Object(body).to_string()
}

/// What stands in place of the last line of a trace.
pub fn exception_line(exception: &Exception) -> String {
    let class = format!("frappe.exceptions.{}", exception.exc_type);
    match &exception.text {
        Some(text) => format!("{class}: {text}"),
        None => class,
    }
}

/// Version 1 (contract 5.1). Frappe shows tracebacks; here `exc` holds the exception line alone, because clients
/// test for the key and traces leak.
fn error_one(body: &mut Map<String, Value>, exception: &Exception) {
    if exception.shows_exception {
        let line = exception_line(exception);
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
}

/// Version 2 (contract 5.2): real JSON. The message that was raised is part of the error, the others stand beside it.
fn error_two(body: &mut Map<String, Value>, exception: &Exception) {
    let mut error = Map::from_iter([("type".to_owned(), exception.exc_type.into())]);
    if exception.shows_exception {
        error.insert("exception".into(), exception_line(exception).into());
    }
    let own = exception.messages.iter().rposition(|message| message.raised);
    let raised = own.map(|own| &exception.messages[own]).map(|message| (&message.text, message.title));
    // Frappe: an error without a message may say nothing at all, here: what it is about, where nothing else shows it.
    let hidden = exception.text.as_ref().filter(|_| !exception.shows_exception).map(|text| (text, "Message"));
    if let Some((text, title)) = raised.or(hidden) {
        error.insert("message".into(), text.clone().into());
        error.insert("title".into(), title.into());
        error.insert("indicator".into(), "red".into());
    }
    body.insert("errors".into(), Value::Array(vec![error.into()]));
    let others = exception.messages.iter().enumerate().filter(|(index, _)| Some(*index) != own);
    let others: Vec<Value> = others.map(|(_, message)| message.to_json()).collect();
    if !others.is_empty() {
        body.insert("messages".into(), others.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{AppError, Denied};

    #[test]
    fn the_exception_line_stands_in_place_of_a_trace() {
        let body = error_body(Version::One, &Exception::from(&AppError::NotPermitted(Denied::Verb)), false);
        let parsed: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(parsed["exc_type"], "PermissionError");
        assert_eq!(parsed["exc"], "[\"frappe.exceptions.PermissionError: Not permitted\\n\"]");
        let messages: Vec<String> = serde_json::from_str(parsed["_server_messages"].as_str().expect("text")).expect("a list of texts");
        let first: Value = serde_json::from_str(&messages[0]).expect("JSON");
        assert_eq!(first["message"], "Not permitted");
        assert_eq!(first["raise_exception"], 1);
    }

    #[test]
    fn the_raised_message_is_part_of_the_error_in_version_two() {
        let parse = |error| -> Value { serde_json::from_str(&error_body(Version::Two, &Exception::from(&error), false)).expect("JSON") };
        let missing = AppError::not_found("ToDo", "nosuch");
        let error =
            serde_json::json!({"type": "DoesNotExistError", "message": "ToDo nosuch not found", "title": "Message", "indicator": "red"});
        assert_eq!(parse(missing), serde_json::json!({ "errors": [error] }));
        let told = parse(AppError::InsufficientScope { needed: "read:todo".into() });
        assert_eq!(told["errors"], serde_json::json!([{"type": "PermissionError", "exception": "frappe.exceptions.PermissionError"}]));
        assert_eq!(told["messages"][0]["title"], "Message");
        let both = parse(AppError::NoSuchMethod("nosuchapp.foo".into()));
        assert_eq!(both["messages"][0]["message"], "App nosuchapp is not installed");
        assert!(both["errors"][0]["message"].as_str().is_some_and(|text| text.starts_with("Failed to get method")), "{both}");
    }

    #[test]
    fn what_is_nothing_has_no_member() {
        assert_eq!(object("message", "null", &Map::new()), "{}");
        let beside = Map::from_iter([("has_next_page".to_owned(), Value::Bool(true))]);
        assert_eq!(object("data", "[1]", &beside), r#"{"data":[1],"has_next_page":true}"#);
        assert_eq!(object("data", "null", &beside), r#"{"has_next_page":true}"#);
    }

    #[test]
    fn causes_never_reach_the_caller() {
        let body = error_body(Version::One, &Exception::from(&AppError::Internal("password=hunter2".into())), false);
        assert!(!body.contains("hunter2"), "{body}");
        let body = error_body(Version::One, &Exception::from(&AppError::unavailable("host db.internal")), false);
        assert!(!body.contains("db.internal"), "{body}");
    }
}
