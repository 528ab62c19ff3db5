//! `GET /api/openapi.json`: what this caller may call, as OpenAPI 3.1.
//!
//! Nothing is written down twice: paths come from the method table and from the doctypes as they are now, and only those
//! are shown that the caller's roles and scopes reach. What the tables cannot say (what a method takes and answers)
//! stands in [`described`], one row a method; a test fails for a method without one.
//!
//! The document is put together as JSON values for each request. A crate that derives it from types at build time
//! (utoipa) could not know the doctypes.

mod described;
mod documents;
mod fields;
mod methods;
mod shapes;

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use super::call::{Call, Reply, Verb};
use super::registry::METHODS;
use super::resource_v1;
use crate::auth::Caller;
use crate::cx::Env;
use crate::domain::scope::ALL;
use crate::error::AppError;
use crate::http::respond;
use crate::resource;
use shapes::Shape;

/// Doctypes in one document: some megabytes of it. A site may have a thousand, and anybody who has an account may ask.
const MOST: usize = 150;

/// Answers `GET /api/openapi.json`.
///
/// # Errors
/// As [`document`].
pub async fn handle(call: Call<'_>) -> Result<Reply, AppError> {
    if call.verb != Verb::Get {
        return Ok(resource_v1::wrong_verb("GET, HEAD"));
    }
    let caller = call.identity.caller.clone();
    let only = call.params.text("doctypes");
    // Where there are a thousand doctypes this is work, so it is not done on the thread that serves others.
    let document = call.state.query(move |cx| Ok(document(cx.env, &caller, only.as_deref())?.to_string())).await?;
    Ok(Reply::response(respond::json_no_store(StatusCode::OK, document)))
}

/// The document for one caller; `only` names the doctypes that are wanted, where not all are.
///
/// # Errors
/// [`AppError::NotFound`] for a doctype that does not exist or that the caller does not reach; [`AppError::InvalidData`]
/// where too many are wanted.
pub fn document(env: &Env, caller: &Caller, only: Option<&str>) -> Result<Value, AppError> {
    let mut outlines = resource::outlines(env, caller);
    if let Some(only) = only {
        let wanted: Vec<&str> = only.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        if wanted.len() > MOST {
            return Err(AppError::InvalidData(format!("doctypes names {}; at most {MOST} are described at once", wanted.len())));
        }
        let reached = |name: &str| outlines.iter().any(|outline| outline.doctype.name == name);
        if let Some(unknown) = wanted.iter().find(|name| !reached(name)) {
            return Err(AppError::not_found("DocType", crate::doctype::filter::shorten(unknown)));
        }
        outlines.retain(|outline| wanted.contains(&outline.doctype.name.as_str()));
    }
    let mut paths = Map::new();
    paths.insert("/api/openapi.json".into(), own_path());
    for method in METHODS.iter().filter(|method| methods::may_call(env, method, caller)) {
        paths.insert(format!("/api/method/{}", method.path), methods::path_item(method));
    }
    for (method, described) in described::OWN_PATHS.iter().filter(|(method, _)| methods::may_call(env, method, caller)) {
        paths.insert(method.path.into(), methods::path_item_of(method, described));
    }
    let mut schemas = shapes::schemas();
    let names: Vec<&str> = outlines.iter().map(|outline| outline.doctype.name.as_str()).collect();
    schemas
        .insert("Doctype".into(), if names.is_empty() { json!({ "type": "string" }) } else { json!({ "type": "string", "enum": names }) });
    for outline in outlines.iter().take(MOST) {
        documents::add(env, caller, outline, &mut paths, &mut schemas);
    }
    let issuer = env.public_url.as_str();
    let left_out = outlines.len().saturating_sub(MOST);
    let more = format!(" {left_out} more doctypes are described where `doctypes` names them; the schema `Doctype` lists all.");
    let more = if left_out == 0 { "" } else { &more };
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": env.config.site.name,
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("Documents and methods in the dialect of Frappe Framework, as far as you may use them.{more}"),
        },
        "servers": [{ "url": issuer }],
        "paths": paths,
        "components": { "schemas": schemas, "responses": shapes::responses(), "securitySchemes": shapes::security_schemes(issuer) },
    }))
}

/// What the document says of itself.
fn own_path() -> Value {
    let only = json!({
        "name": "doctypes",
        "in": "query",
        "description": format!("Names of doctypes, separated by commas: only these are described. Default: all that you reach, but no more than {MOST}."),
        "schema": { "type": "string" },
    });
    let answer = shapes::answer("This document.", &json!({ "type": "object", "required": ["openapi", "paths"] }));
    json!({ "get": {
        "operationId": "openapi",
        "summary": "What you may call",
        "tags": ["API"],
        "parameters": [only],
        "security": shapes::security(true, &[ALL]),
        "responses": shapes::with_refusals([("200", answer)], Shape::One, &["400", "401", "404", "417", "429", "503"]),
    } })
}
