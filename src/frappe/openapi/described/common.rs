//! What several families share: parameters that mean the same in each, and shapes of answers.

use serde_json::{Value, json};

use super::What::{Filters, Flag, Text};
use super::{Takes, What, may, needs};
use crate::frappe::openapi::shapes::schema;

pub(super) const DOCTYPE: Takes = needs("doctype", What::Doctype, "The name of a doctype.");
pub(super) const NAME: Takes = needs("name", Text, "The document's name.");
pub(super) const DOCNAME: Takes = may("docname", Text, "The document's name.");
pub(super) const DOC: Takes = needs("doc", What::Document, "The document.");
pub(super) const FILTERS: Takes = may("filters", Filters, "Conditions that all hold.");
pub(super) const PARENT: Takes = may("parent", What::TextIfAny, "The doctype whose rows are asked for, where they are a table's.");
pub(super) const PRIVATE: Takes = may("is_private", Flag, "Whether only who may read what it is attached to sees it.");
pub(super) const FOLDER: Takes = may("folder", Text, "The folder it is kept in.");
pub(super) const ATTACHED_TO: Takes = may("doctype", Text, "The doctype of the document that it is attached to.");
pub(super) const ATTACHED_NAME: Takes = may("docname", Text, "The name of that document.");

pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

pub(super) fn document() -> Value {
    schema("Document")
}

pub(super) fn docs() -> Value {
    json!({ "type": "object", "required": ["docs"], "properties": { "docs": { "type": "array", "items": { "type": "object" } } } })
}

pub(super) fn pong() -> Value {
    json!({ "const": "pong" })
}

/// An object with these texts in it.
pub(super) fn object(members: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> = members.iter().map(|member| ((*member).to_owned(), text())).collect();
    json!({ "type": "object", "required": members, "properties": properties })
}
