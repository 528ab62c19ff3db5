//! The steps that every door to documents takes: what must be computed before a write, the flow, and how its
//! result is told. `/api/resource`, `/api/v2/document` and `frappe.client.*` differ only around these.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::call::Reply;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::error::AppError;
use crate::http::State;
use crate::http::params::Params;
use crate::resource::{self, Action, Gathered, SentName};

/// A document: its fields, its doctype, its child rows.
pub type Document = Map<String, Value>;

/// Reads one document with linked documents in place of their names where `expand_links` asks for them.
pub async fn read_expanded(state: &State, caller: &Caller, doctype: String, name: String, params: &Params) -> Result<Document, AppError> {
    if !params.flag("expand_links")? {
        return read(state, caller, doctype, name).await;
    }
    let caller = caller.clone();
    let expand = move |cx: &mut Cx| {
        let mut document = resource::read(cx, &caller, &doctype, &name)?;
        resource::expand_links(cx, &caller, &mut document)?;
        Ok(document)
    };
    state.query(expand).await
}

/// Reads one document, nulls included.
pub async fn read(state: &State, caller: &Caller, doctype: String, name: String) -> Result<Document, AppError> {
    let caller = caller.clone();
    state.lookup(move |cx| resource::read(cx, &caller, &doctype, &name)).await
}

/// Creates a document and returns it as it is stored.
pub async fn create(state: &State, caller: &Caller, doctype: String, body: Document, sent_name: SentName) -> Result<Document, AppError> {
    let gathered = gather(state, caller, &doctype, None, Action::Create, &body).await?;
    let caller = caller.clone();
    state.write("create document", move |cx| resource::create_named(cx, &caller, &doctype, body.clone(), sent_name, &gathered)).await
}

/// Changes the fields that were sent and returns the whole document.
pub async fn update(state: &State, caller: &Caller, doctype: String, name: String, body: Document) -> Result<Document, AppError> {
    let gathered = gather(state, caller, &doctype, Some(&name), Action::Write, &body).await?;
    let caller = caller.clone();
    state.write("update document", move |cx| resource::update(cx, &caller, &doctype, &name, body.clone(), &gathered)).await
}

/// Deletes a document.
pub async fn delete(state: &State, caller: &Caller, doctype: String, name: String) -> Result<(), AppError> {
    let caller = caller.clone();
    state.write("delete document", move |cx| resource::delete(cx, &caller, &doctype, &name)).await
}

/// Computes what a write needs before its transaction, once the caller is known to have any right to ask.
pub async fn gather(
    state: &State,
    caller: &Caller,
    doctype: &str,
    name: Option<&str>,
    action: Action,
    body: &Document,
) -> Result<Gathered, AppError> {
    let Some(needs) = resource::needs(doctype, body) else { return Ok(Gathered::default()) };
    resource::permit(&state.env, caller, doctype, name, action)?;
    let env = Arc::clone(&state.env);
    state.gate.run(move || needs.gather(&env.seal)).await?
}

/// Whether a document shows a secret that was just made; no cache may keep such an answer.
pub fn shows_secret(document: &Document) -> bool {
    document.contains_key("client_secret") || document.contains_key("api_secret")
}

/// A document under `data`.
pub fn data(document: Document) -> Reply {
    let secret = shows_secret(&document);
    Reply::data(Value::Object(document).to_string()).secret(secret)
}

/// A document that a method returns.
pub fn message(document: Document) -> Reply {
    let secret = shows_secret(&document);
    Reply::message(document).secret(secret)
}
