//! `frappe.desk.*`: what forms and lists of a desk ask for.

use serde_json::json;

use super::Answer::{Flat, Message};
use super::What::{Fields, Json, Number, OneOf, Text};
use super::common::{DOC, DOCTYPE, FILTERS, NAME, docs};
use super::{Described, Takes, may, needs, own_paths, row};

pub(super) static DESCRIBED: &[Described] = &[
    row("frappe.desk.form.load.getdoc", "Read a document for a form", &[DOCTYPE, NAME], Flat(docs)),
    row("frappe.desk.form.load.getdoctype", "A doctype's definition, and those of its tables", &[DOCTYPE], Flat(docs)),
    row(
        "frappe.desk.form.save.savedocs",
        "Save a form",
        &[DOC, needs("action", OneOf(&["Save", "Submit", "Update", "Cancel"]), "What to do with it.")],
        Flat(docs),
    ),
    row(
        "frappe.desk.query_report.run",
        "Run a saved report",
        &[needs("report_name", Text, "The report's name."), own_paths::FILTERS, own_paths::START, own_paths::ROWS],
        Message(own_paths::report),
    ),
    row(
        "frappe.desk.reportview.get",
        "List documents, names of fields and values apart",
        VIEW,
        Message(|| json!({ "type": ["object", "array"] })),
    ),
    row("frappe.desk.reportview.get_count", "Count documents", &[DOCTYPE, FILTERS], Message(|| json!({ "type": "integer", "minimum": 0 }))),
    row("frappe.desk.reportview.get_list", "List documents", VIEW, Message(|| json!({ "type": "array" }))),
    row(
        "frappe.desk.search.search_link",
        "Documents to choose from, by part of their name or title",
        &[
            DOCTYPE,
            may("txt", Json, "What is looked for."),
            FILTERS,
            may("searchfield", Json, "The field that is looked at besides."),
            may("page_length", Number, "Most documents to answer with; 10 by default."),
        ],
        Message(|| {
            let texts = json!({ "value": { "type": ["string", "integer"] }, "description": { "type": "string" } });
            json!({ "type": "array", "items": { "type": "object", "required": ["value", "description"], "properties": texts } })
        }),
    ),
];

const VIEW: &[Takes] = &[
    DOCTYPE,
    may("fields", Fields, "Names of fields."),
    FILTERS,
    may("order_by", Text, "A field, and `asc` or `desc`."),
    may("start", Number, "Rows to skip; 0 by default."),
    may("page_length", Number, "Most rows to answer with; 20 by default."),
];
