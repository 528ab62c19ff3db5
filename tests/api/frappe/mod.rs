//! The dialect: paths, verbs, envelopes, errors.

mod client;
mod cors;
mod desk;
mod routing;
mod run_method;
mod share;

use serde_json::{Value, json};

use crate::support::{self, Caller, Reply, all_rights, messages};

/// Fails unless this is a refusal of this class with this text.
#[track_caller]
fn assert_refused(reply: &Reply, status: u16, class: &str, text: &str) {
    assert_eq!((reply.status, reply.error().as_deref()), (status, Some(class)), "body: {}", reply.text());
    assert_eq!(messages(reply), [text]);
}

/// Defines a doctype; everybody may make documents of it, and System Managers do everything with them.
async fn define(administrator: &Caller, mut definition: Value, everybody: Value) {
    definition["permissions"] = json!([all_rights("System Manager"), everybody]);
    support::define(administrator, definition).await;
}
