//! `/api/v2`: documents, doctypes and methods in the shapes of Frappe 16 (contract 5.2 and 6b).

mod bulk;
mod documents;
mod errors;
mod methods;

use serde_json::{Map, Value, json};

use crate::support::{Caller, Reply, TestApp};

const TODO: &str = "/api/v2/document/ToDo";

async fn amina(app: &TestApp) -> Caller {
    app.user("amina@example.com").await.api_key().await
}

/// Makes a `ToDo` of this text and returns its name.
async fn todo(caller: &Caller, description: &str) -> String {
    let created = caller.post(TODO).json(&json!({ "description": description })).send().await.expect_status(200).data();
    created["name"].as_str().expect("a name").to_owned()
}

fn path(name: &str) -> String {
    format!("{TODO}/{name}")
}

/// The members of an object in their order.
fn keys(object: &Value) -> Vec<&str> {
    object.as_object().map(Map::keys).expect("an object").map(String::as_str).collect()
}

/// The one error of an answer, whose shape is checked.
#[track_caller]
fn error(reply: &Reply, status: u16, class: &str) -> Value {
    assert_eq!(reply.status, status, "body: {}", reply.text());
    let body = reply.json();
    assert!(body.get("exc_type").is_none() && body.get("_server_messages").is_none(), "{body}");
    let errors = body["errors"].as_array().unwrap_or_else(|| panic!("no errors in {body}"));
    assert_eq!((errors.len(), errors[0]["type"].as_str()), (1, Some(class)), "{body}");
    errors[0].clone()
}
