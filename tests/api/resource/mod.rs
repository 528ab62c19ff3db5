//! `/api/resource`: documents, lists, rights and scopes (contract 5 to 7).

mod activity_log;
mod bounds;
mod filters;
mod held;
mod levels;
mod list;
mod names;
mod oauth_client;
mod oauth_resource;
mod permissions;
mod permissions_model;
mod roles;
mod scopes;
mod semantics;
mod settings;
mod todo;
mod users;
mod writing;

use serde_json::{Map, Value, json};

use crate::support::{Caller, Reply, messages};

const TODO: &str = "/api/resource/ToDo";
const USER: &str = "/api/resource/User";
const ROLE: &str = "/api/resource/Role";
const CLIENT: &str = "/api/resource/OAuth%20Client";
const BEARER_TOKEN: &str = "/api/resource/OAuth%20Bearer%20Token";

/// Makes a document and returns its name.
async fn create(caller: &Caller, collection: &str, fields: Value) -> String {
    let created = caller.post(collection).json(&fields).send().await.expect_status(200).data();
    created["name"].as_str().expect("a name").to_owned()
}

/// Makes a `ToDo` of this text.
async fn todo(caller: &Caller, description: &str) -> String {
    create(caller, TODO, json!({ "description": description })).await
}

/// The path of a document.
fn path(collection: &str, name: &str) -> String {
    format!("{collection}/{name}")
}

/// What a list answers.
async fn list(caller: &Caller, collection: &str, parameters: &[(&str, &str)]) -> Value {
    caller.get(collection).query(parameters).send().await.expect_status(200).data()
}

/// One column of a list.
async fn column(caller: &Caller, collection: &str, fieldname: &str, parameters: &[(&str, &str)]) -> Vec<Value> {
    let fields = json!([fieldname]).to_string();
    let parameters: Vec<_> = parameters.iter().copied().chain([("fields", fields.as_str())]).collect();
    let rows = list(caller, collection, &parameters).await;
    rows.as_array().expect("a list").iter().map(|row| row[fieldname].clone()).collect()
}

/// A document's members in their order.
fn keys(document: &Value) -> Vec<&str> {
    document.as_object().map(Map::keys).expect("an object").map(String::as_str).collect()
}

/// Fails unless this is a refusal of this class whose exception has this text, shown as a message too.
#[track_caller]
fn assert_refused(reply: &Reply, status: u16, class: &str, text: &str) {
    assert_eq!(reply.status, status, "body: {}", reply.text());
    assert_eq!(reply.error().as_deref(), Some(class), "body: {}", reply.text());
    assert_eq!(reply.string("exception"), format!("frappe.exceptions.{class}: {text}"));
    assert_eq!(messages(reply), [text]);
}

/// Fails unless this is Frappe's 404 for a document.
#[track_caller]
fn assert_missing(reply: &Reply, text: &str) {
    assert_eq!(reply.status, 404, "body: {}", reply.text());
    assert_eq!(keys(&reply.json()), ["exc_type", "_server_messages"]);
    assert_eq!((reply.string("exc_type").as_str(), messages(reply)), ("DoesNotExistError", vec![text.to_owned()]));
}

/// Fails unless this is a 403 with this message.
#[track_caller]
fn assert_forbidden(reply: &Reply, message: &str) {
    assert_eq!(reply.status, 403, "body: {}", reply.text());
    let body = reply.json();
    assert_eq!((&body["exc_type"], &body["exception"]), (&json!("PermissionError"), &json!("frappe.exceptions.PermissionError")));
    assert_eq!(messages(reply), [message]);
}
