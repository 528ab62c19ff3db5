//! `/api/v2/document/…` and `/api/v2/doctype/…`: version 2, in the shapes of Frappe 16 (contract 6b).

use serde_json::{Map, Value};

use super::call::{Call, Reply, Verb};
use super::refusal::after_session;
use super::resource_v1::{deleted, wrong_verb};
use super::target::decode;
use super::{bulk, document_methods, documents};
use crate::error::AppError;
use crate::http::params::Params;
use crate::resource::{self, ListParams, SentName};

/// What a path of version 2 names.
pub enum Address {
    Collection {
        doctype: String,
    },
    /// One document. A POST to the names `bulk_update` and `bulk_delete` means several.
    Document {
        doctype: String,
        name: String,
    },
    Copy {
        doctype: String,
        name: String,
    },
    Method {
        doctype: String,
        name: String,
        method: String,
    },
    Meta {
        doctype: String,
    },
    Count {
        doctype: String,
    },
}

impl Address {
    /// Reads what follows `document/` or `doctype/`, still percent-encoded. A name may have slashes, encoded or
    /// plain; only plain ones part it from `copy` and `method`.
    ///
    /// # Errors
    /// As [`decode`].
    pub fn read(kind: &str, doctype: &str, rest: &str) -> Result<Option<Self>, AppError> {
        let doctype = decode(doctype)?;
        if doctype.is_empty() {
            return Ok(None);
        }
        if kind == "doctype" {
            return Ok(match rest {
                "meta" => Some(Self::Meta { doctype }),
                "count" => Some(Self::Count { doctype }),
                _ => None,
            });
        }
        if let Some(name) = rest.strip_suffix("/copy") {
            return Ok(Some(Self::Copy { doctype, name: decode(name)? }));
        }
        if let Some((name, method)) = rest.rsplit_once('/')
            && let Some(name) = name.strip_suffix("/method")
        {
            return Ok(Some(Self::Method { doctype, name: decode(name)?, method: decode(method)? }));
        }
        Ok(Some(if rest.is_empty() { Self::Collection { doctype } } else { Self::Document { doctype, name: decode(rest)? } }))
    }

    /// The pattern of the path, for logs.
    pub fn route(&self) -> &'static str {
        match self {
            Self::Collection { .. } => "/api/v2/document/{doctype}",
            Self::Document { .. } => "/api/v2/document/{doctype}/{name}",
            Self::Copy { .. } => "/api/v2/document/{doctype}/{name}/copy",
            Self::Method { .. } => "/api/v2/document/{doctype}/{name}/method/{method}",
            Self::Meta { .. } => "/api/v2/doctype/{doctype}/meta",
            Self::Count { .. } => "/api/v2/doctype/{doctype}/count",
        }
    }
}

/// Handles a call on what a path names.
///
/// # Errors
/// What the flows refuse; [`AppError::SessionExpired`] where a guest is refused because its session ran out.
pub async fn handle(call: Call<'_>, address: Address) -> Result<Reply, AppError> {
    let expired = call.identity.session_expired;
    let outcome = match address {
        Address::Collection { doctype } => collection(call, doctype).await,
        Address::Document { doctype, name } => document(call, doctype, name).await,
        Address::Copy { doctype, name } => copy(call, doctype, name).await,
        Address::Method { doctype, name, method } => document_methods::answer(call, doctype, name, method).await,
        Address::Meta { doctype } => meta(call, doctype).await,
        Address::Count { doctype } => count(call, doctype).await,
    };
    outcome.map_err(|error| after_session(error, expired))
}

async fn collection(call: Call<'_>, doctype: String) -> Result<Reply, AppError> {
    let caller = call.identity.caller;
    match call.verb {
        Verb::Get => {
            let params = list_params(&call.params)?;
            let page = call.state.query(move |cx| resource::list_page(cx, &caller, &doctype, &params)).await?;
            let reply = Reply::data(page.to_json()).beside("has_next_page", page.has_next_page);
            Ok(match page.next_cursor {
                Some(cursor) => reply.beside("next_cursor", cursor),
                None => reply,
            })
        }
        Verb::Post => {
            let body = call.params.into_document()?;
            documents::create(call.state, &caller, doctype, body, SentName::Honoured).await.map(documents::data)
        }
        Verb::Put | Verb::Delete | Verb::Patch | Verb::Options | Verb::Other => Ok(wrong_verb("GET, HEAD, POST")),
    }
}

/// The list's parameters under the names that they have in version 1. Unknown ones are ignored, as in Frappe.
fn list_params(params: &Params) -> Result<ListParams, AppError> {
    let same = ["fields", "filters", "or_filters", "order_by", "group_by", "distinct", "as_dict", "parent", "expand", "cursor"];
    let values: Map<String, Value> =
        same.into_iter().filter_map(|name| Some((name.to_owned(), params.values.get(name)?.clone()))).collect();
    let mut list = ListParams::parse_pages(&values)?;
    list.limit_start = params.number("start")?.unwrap_or(list.limit_start);
    // As in Frappe, no rows at all are asked for by 0; version 1 means all of them.
    list.limit = params.number("limit")?.or(list.limit);
    Ok(list)
}

async fn document(call: Call<'_>, doctype: String, name: String) -> Result<Reply, AppError> {
    let caller = call.identity.caller.clone();
    match call.verb {
        Verb::Get => documents::read_expanded(call.state, &caller, doctype, name, &call.params).await.map(documents::data),
        Verb::Patch | Verb::Put => {
            let body = call.params.into_document()?;
            documents::update(call.state, &caller, doctype, name, body).await.map(documents::data)
        }
        Verb::Delete => {
            documents::delete(call.state, &caller, doctype, name).await?;
            Ok(deleted())
        }
        Verb::Post if name == "bulk_update" => bulk::update(call, doctype).await,
        Verb::Post if name == "bulk_delete" => bulk::delete(call, doctype).await,
        Verb::Post | Verb::Options | Verb::Other => Ok(wrong_verb("DELETE, GET, HEAD, PATCH, PUT")),
    }
}

/// What a new document would begin with that is to be like this one.
async fn copy(call: Call<'_>, doctype: String, name: String) -> Result<Reply, AppError> {
    if call.verb != Verb::Get {
        return Ok(wrong_verb("GET, HEAD"));
    }
    let caller = call.identity.caller;
    call.state.lookup(move |cx| resource::copy(cx, &caller, &doctype, &name)).await.map(documents::data)
}

async fn meta(call: Call<'_>, doctype: String) -> Result<Reply, AppError> {
    if call.verb != Verb::Get {
        return Ok(wrong_verb("GET, HEAD"));
    }
    let caller = call.identity.caller.clone();
    let definition = call.state.lookup(move |cx| resource::definition(cx, &caller, &doctype)).await?;
    Ok(Reply::data(Value::Object(definition).to_string()))
}

async fn count(call: Call<'_>, doctype: String) -> Result<Reply, AppError> {
    if call.verb != Verb::Get {
        return Ok(wrong_verb("GET, HEAD"));
    }
    let caller = call.identity.caller;
    let filters = call.params.values.get("filters").cloned();
    let count = call.state.query(move |cx| resource::count(cx, &caller, &doctype, filters.as_ref())).await?;
    Ok(Reply::data(count.to_string()))
}
