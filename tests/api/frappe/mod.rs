//! The dialect: paths, verbs, envelopes, errors.

mod client;
mod cors;
mod desk;
mod routing;
mod run_method;
mod share;

use serde_json::{Value, json};

use crate::support::{Caller, Reply, messages};

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
