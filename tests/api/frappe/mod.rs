//! The dialect: paths, verbs, envelopes, errors.

mod client;
mod cors;
mod desk;
mod routing;
mod run_method;
mod share;

use serde_json::{Value, json};

use crate::support::{Caller, Reply};

/// The texts of `_server_messages`.
#[track_caller]
fn messages(reply: &Reply) -> Vec<String> {
    let list: Vec<String> = serde_json::from_str(&reply.string("_server_messages")).expect("a JSON list of texts");
    let text = |entry: &String| serde_json::from_str::<Value>(entry).expect("each text is JSON")["message"].as_str().map(str::to_owned);
    list.iter().map(|entry| text(entry).expect("a message")).collect()
}

/// Fails unless this is a refusal of this class with this text.
#[track_caller]
fn assert_refused(reply: &Reply, status: u16, class: &str, text: &str) {
    assert_eq!((reply.status, reply.error().as_deref()), (status, Some(class)), "body: {}", reply.text());
    assert_eq!(messages(reply), [text]);
}

/// Defines a doctype; everybody may make documents of it, and System Managers do everything with them.
async fn define(administrator: &Caller, mut definition: Value, everybody: Value) {
    let mut manager = json!({ "role": "System Manager" });
    for right in ["read", "write", "create", "delete", "submit", "cancel", "amend", "share"] {
        manager[right] = json!(1);
    }
    definition["module"] = json!("Lodge");
    definition["permissions"] = json!([manager, everybody]);
    administrator.post("/api/resource/DocType").json(&definition).send().await.expect_status(200);
}
