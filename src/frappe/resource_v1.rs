//! `/api/resource/{doctype}[/{name}]`, version 1.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Map, Value};

use super::call::{Body, Call, Reply, Verb};
use crate::auth::Caller;
use crate::error::AppError;
use crate::http::cookies::CookieChange;
use crate::http::{State, respond};
use crate::resource::{self, Action, Gathered, ListParams};

/// Handles a call on a collection or on one document.
///
/// # Errors
/// What the flows refuse; [`AppError::SessionExpired`] where a guest is refused because its session ran out.
pub async fn handle(call: Call<'_>, doctype: String, name: Option<String>) -> Result<Reply, AppError> {
    let expired = call.identity.session_expired;
    let outcome = match name {
        None => collection(call, doctype).await,
        Some(name) => document(call, doctype, name).await,
    };
    match outcome {
        // Frappe: 403 for an expired session too, here: 401, because the documents say so.
        Err(AppError::NotPermitted(_)) if expired => Err(AppError::SessionExpired),
        other => other,
    }
}

async fn collection(call: Call<'_>, doctype: String) -> Result<Reply, AppError> {
    let caller = call.identity.caller.clone();
    match call.verb {
        Verb::Get => {
            let params = ListParams::parse(&call.params.values)?;
            let rows = call.state.query(move |cx| resource::list(cx, &caller, &doctype, &params)).await?;
            Ok(Reply { body: Body::Data(StatusCode::OK, rows), cookies: CookieChange::Keep })
        }
        Verb::Post => {
            let body = call.params.into_document()?;
            let gathered = gather(call.state, &caller, &doctype, None, Action::Create, &body).await?;
            let document =
                call.state.write("create document", move |cx| resource::create(cx, &caller, &doctype, body.clone(), &gathered)).await?;
            Ok(shown(document))
        }
        _ => Ok(wrong_verb("GET, HEAD, POST")),
    }
}

async fn document(call: Call<'_>, doctype: String, name: String) -> Result<Reply, AppError> {
    let caller = call.identity.caller.clone();
    match call.verb {
        Verb::Get if call.params.values.contains_key("run_method") => Err(AppError::Unsupported("run_method".into())),
        Verb::Get => {
            if call.params.values.contains_key("expand_links") {
                return Err(AppError::Unsupported("parameter expand_links".into()));
            }
            let document = call.state.lookup(move |cx| resource::read(cx, &caller, &doctype, &name)).await?;
            Ok(shown(document))
        }
        Verb::Put => {
            let body = call.params.into_document()?;
            let gathered = gather(call.state, &caller, &doctype, Some(&name), Action::Write, &body).await?;
            let document = call
                .state
                .write("update document", move |cx| resource::update(cx, &caller, &doctype, &name, body.clone(), &gathered))
                .await?;
            Ok(shown(document))
        }
        Verb::Delete => {
            call.state.write("delete document", move |cx| resource::delete(cx, &caller, &doctype, &name)).await?;
            Ok(Reply { body: Body::Data(StatusCode::ACCEPTED, "\"ok\"".into()), cookies: CookieChange::Keep })
        }
        // Frappe runs a method of the document here; those come with the document engine.
        Verb::Post => {
            // The document is looked for first, as in Frappe (transcript 282).
            let run_method = call.params.text("run_method");
            call.state.lookup(move |cx| resource::read(cx, &caller, &doctype, &name)).await?;
            Err(match run_method {
                Some(method) => resource_method(&method),
                None => AppError::InvalidData("parameter run_method is required to POST to a document; use PUT to change it".into()),
            })
        }
        Verb::Patch | Verb::Options | Verb::Other => Err(AppError::NoSuchPath),
    }
}

/// `run_method` names itself, because methods of documents do not exist yet.
fn resource_method(method: &str) -> AppError {
    AppError::Unsupported(format!("run_method {method}"))
}

/// Computes what a write needs before its transaction, once the caller is known to have any right to ask.
async fn gather(
    state: &State,
    caller: &Caller,
    doctype: &str,
    name: Option<&str>,
    action: Action,
    body: &Map<String, Value>,
) -> Result<Gathered, AppError> {
    let Some(needs) = resource::needs(doctype, body) else { return Ok(Gathered::default()) };
    resource::permit(&state.env, caller, doctype, name, action)?;
    let env = std::sync::Arc::clone(&state.env);
    state.gate.run(move || needs.gather(&env.seal)).await?
}

/// A document under `data`, without what is null.
fn shown(document: Map<String, Value>) -> Reply {
    let secret = document.contains_key("client_secret") || document.contains_key("api_secret");
    let json = Value::Object(resource::strip_nulls(document)).to_string();
    if !secret {
        return Reply { body: Body::Data(StatusCode::OK, json), cookies: CookieChange::Keep };
    }
    // What is shown once must not stay in a cache.
    let mut response = super::envelope::data(StatusCode::OK, &json);
    respond::no_store(&mut response);
    Reply::response(response)
}

/// Frappe's HTTP layer answers a verb that a route does not take with a page.
fn wrong_verb(allow: &'static str) -> Reply {
    let html = "<!doctype html><title>405 Method Not Allowed</title><h1>Method Not Allowed</h1><p>The method is not allowed for the requested URL.</p>";
    let response = HttpResponse::MethodNotAllowed()
        .insert_header(("allow", allow))
        .insert_header(("content-type", "text/html; charset=utf-8"))
        .body(html);
    Reply::response(response)
}
