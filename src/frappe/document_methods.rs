//! Methods of documents: `run_method` of version 1, `…/method/{method}` of version 2, and `run_doc_method`.
//!
//! To add one: a function here and its row in [`DOCUMENT_METHODS`].

use std::future::Future;
use std::pin::Pin;

use serde_json::{Map, Value};

use super::arguments::{name_text, take_name, wrong};
use super::call::{Answer, Call, Reply, Verb, Version};
use super::documents::{self, Document};
use super::exceptions::escape;
use super::resource_v1::wrong_verb;
use crate::auth::Caller;
use crate::domain::scope::Access;
use crate::error::{AppError, Denied};
use crate::http::State;
use crate::resource;

/// A method that documents have.
pub struct DocumentMethod {
    pub name: &'static str,
    /// What it does; one that writes is never run by a GET.
    pub access: Access,
    run: for<'a> fn(On<'a>) -> Running<'a>,
}

/// What a method is run on.
struct On<'a> {
    state: &'a State,
    caller: &'a Caller,
    doctype: String,
    name: String,
    /// The document as the client has it, where it sent one: what differs is saved with it.
    sent: Document,
}

/// What it returns.
type Running<'a> = Pin<Box<dyn Future<Output = Result<Value, AppError>> + 'a>>;

/// Every method of documents, whatever their doctype.
pub static DOCUMENT_METHODS: &[DocumentMethod] = &[
    DocumentMethod { name: "cancel", access: Access::Write, run: |on| set_docstatus(on, 2) },
    DocumentMethod { name: "submit", access: Access::Write, run: |on| set_docstatus(on, 1) },
];

/// What Frappe's documents can do in Python and no request may ask for.
const INTERNAL: [&str; 12] = [
    "add_comment",
    "add_tag",
    "db_set",
    "delete",
    "get_password",
    "has_permission",
    "insert",
    "load_from_db",
    "notify_update",
    "reload",
    "run_method",
    "save",
];

/// Saves a document with a new state.
fn set_docstatus(on: On<'_>, docstatus: u8) -> Running<'_> {
    Box::pin(async move {
        let mut body = on.sent;
        body.insert("docstatus".into(), docstatus.into());
        documents::update(on.state, on.caller, on.doctype, on.name, body).await.map(Value::Object)
    })
}

/// A method asked for on a document, before it is known whether either exists.
pub struct Asked {
    pub doctype: String,
    pub name: String,
    pub method: String,
    pub sent: Document,
}

/// Runs a method of a document that the caller may read.
///
/// # Errors
/// As reading the document; [`AppError::Validation`] for a method that does not exist, [`Denied::Method`] for one
/// that is none of the API, [`Denied::Verb`] for one that writes by GET.
pub async fn run(call: &Call<'_>, asked: Asked) -> Result<Value, AppError> {
    let Asked { doctype, name, method, sent } = asked;
    let (state, caller) = (call.state, &call.identity.caller);
    // The document is looked for first, as in Frappe (transcript 282).
    documents::read(state, caller, doctype.clone(), name.clone()).await?;
    if INTERNAL.contains(&method.as_str()) {
        return Err(AppError::NotPermitted(Denied::Method(format!("{doctype}.{method}"))));
    }
    let row = DOCUMENT_METHODS.iter().find(|row| row.name == method);
    let row = row.ok_or_else(|| AppError::Validation(format!("Method {} not found", shorten(&method))))?;
    if row.access == Access::Write && !matches!(call.verb, Verb::Post | Verb::Put) {
        return Err(AppError::NotPermitted(Denied::Verb));
    }
    (row.run)(On { state, caller, doctype, name, sent }).await
}

fn shorten(method: &str) -> String {
    escape(&method.chars().take(140).collect::<String>())
}

/// `…/method/{method}` of version 2: the result under `data`, the document as it is then beside it.
///
/// # Errors
/// As [`run`].
pub async fn answer(call: Call<'_>, doctype: String, name: String, method: String) -> Result<Reply, AppError> {
    if !matches!(call.verb, Verb::Get | Verb::Post) {
        return Ok(wrong_verb("GET, HEAD, POST"));
    }
    let result = run(&call, Asked { doctype: doctype.clone(), name: name.clone(), method, sent: Map::new() }).await?;
    let document = documents::read(call.state, &call.identity.caller, doctype, name).await?;
    Ok(Reply::data(result.to_string()).beside("docs", vec![Value::Object(document)]))
}

/// `run_doc_method`: on the document `dn` of doctype `dt`, or on the one that was sent as `docs` (in version 2
/// `document`), whose changes the method saves.
pub fn run_doc_method(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let method = call.params.required("method")?;
        let (doctype, name, sent) = target(&call)?;
        let result = run(&call, Asked { doctype: doctype.clone(), name: name.clone(), method, sent }).await?;
        let document = documents::read(call.state, &call.identity.caller, doctype, name).await?;
        Ok(Reply::message(result).beside("docs", vec![Value::Object(resource::strip_nulls(document))]))
    })
}

fn target(call: &Call<'_>) -> Result<(String, String, Document), AppError> {
    if let Some(doctype) = call.params.text("dt").filter(|text| !text.is_empty()) {
        // A single document has the name of its doctype.
        let name = call.params.values.get("dn").filter(|name| !name.is_null());
        let name = name.map_or_else(|| Ok(doctype.clone()), |name| name_text("dn", name))?;
        return Ok((doctype, name, Map::new()));
    }
    let argument = match call.version {
        Version::One => "docs",
        Version::Two => "document",
    };
    let mut document = match call.params.json(argument)? {
        Some(Value::Object(document)) => document,
        None => return Err(AppError::InvalidData(format!("parameter dt or {argument} is required"))),
        Some(other) => return Err(wrong(argument, "dict", &other)),
    };
    Ok((take_name(&mut document, "doctype")?, take_name(&mut document, "name")?, document))
}
