//! `/api/resource/{doctype}[/{name}]`, version 1.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::call::{Body, Call, Reply, Verb};
use super::document_methods::{self, Asked};
use super::documents::{self, Document};
use super::refusal::after_session;
use crate::error::AppError;
use crate::resource::{self, ListParams, SentName};

/// A collection, or one document.
pub struct Address {
    pub doctype: String,
    pub name: Option<String>,
}

impl Address {
    /// The pattern of the path, for logs.
    pub fn route(&self) -> &'static str {
        match self.name {
            None => "/api/resource/{doctype}",
            Some(_) => "/api/resource/{doctype}/{name}",
        }
    }
}

/// Handles a call on a collection or on one document.
///
/// # Errors
/// What the flows refuse; [`AppError::SessionExpired`] where a guest is refused because its session ran out.
pub async fn handle(call: Call<'_>, address: Address) -> Result<Reply, AppError> {
    let expired = call.identity.session_expired;
    let outcome = match address.name {
        None => collection(call, address.doctype).await,
        Some(name) => document(call, address.doctype, name).await,
    };
    outcome.map_err(|error| after_session(error, expired))
}

async fn collection(call: Call<'_>, doctype: String) -> Result<Reply, AppError> {
    let caller = call.identity.caller;
    match call.verb {
        Verb::Get => {
            let params = ListParams::parse(&call.params.values)?;
            Ok(Reply::data(call.state.query(move |cx| resource::list(cx, &caller, &doctype, &params)).await?))
        }
        Verb::Post => {
            let body = call.params.into_document()?;
            documents::create(call.state, &caller, doctype, body, SentName::WhereAsked).await.map(shown)
        }
        Verb::Put | Verb::Delete | Verb::Patch | Verb::Options | Verb::Other => Ok(wrong_verb("GET, HEAD, POST")),
    }
}

async fn document(call: Call<'_>, doctype: String, name: String) -> Result<Reply, AppError> {
    let caller = call.identity.caller.clone();
    match call.verb {
        Verb::Get if call.params.values.contains_key("run_method") => run_method(call, doctype, name).await,
        Verb::Get => documents::read_expanded(call.state, &caller, doctype, name, &call.params).await.map(shown),
        Verb::Put => {
            let body = call.params.into_document()?;
            documents::update(call.state, &caller, doctype, name, body).await.map(shown)
        }
        Verb::Delete => {
            documents::delete(call.state, &caller, doctype, name).await?;
            Ok(deleted())
        }
        Verb::Post => run_method(call, doctype, name).await,
        Verb::Patch | Verb::Options | Verb::Other => Err(AppError::NoSuchPath),
    }
}

/// A method of the document, by POST, or by GET if it only reads.
async fn run_method(call: Call<'_>, doctype: String, name: String) -> Result<Reply, AppError> {
    let Some(method) = call.params.text("run_method") else {
        // The document is looked for first, as in Frappe (transcript 282).
        documents::read(call.state, &call.identity.caller, doctype, name).await?;
        let text = "parameter run_method is required to POST to a document; use PUT to change it";
        return Err(AppError::InvalidData(text.into()));
    };
    let result = document_methods::run(&call, Asked { doctype, name, method, sent: Document::new() }).await?;
    Ok(Reply::data(result.to_string()))
}

/// A document under `data`, without what is null.
fn shown(document: Document) -> Reply {
    documents::data(resource::strip_nulls(document))
}

/// What both versions answer to a deletion.
pub fn deleted() -> Reply {
    Body::Data(StatusCode::ACCEPTED, "\"ok\"".into()).into()
}

/// Frappe's HTTP layer answers a verb that a route does not take with a page.
pub fn wrong_verb(allow: &'static str) -> Reply {
    let html = "<!doctype html><title>405 Method Not Allowed</title><h1>Method Not Allowed</h1><p>The method is not allowed for the requested URL.</p>";
    let response = HttpResponse::MethodNotAllowed()
        .insert_header(("allow", allow))
        .insert_header(("content-type", "text/html; charset=utf-8"))
        .body(html);
    Reply::response(response)
}
