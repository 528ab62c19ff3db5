//! What has a path of its own, and so is no row of the method table: search and reports.

use serde_json::{Value, json};

use super::Answer::{Flat, FlatOrTable};
use super::What::{self, Number, OneOf, Text};
use super::{Described, Takes, may, needs, row};
use crate::frappe::openapi::shapes::wrapped;
use crate::frappe::registry::{self, Method};

/// The methods and what is said about them.
pub static OWN_PATHS: &[(&Method, Described)] = &[
    (
        &registry::REPORT,
        row(
            "/api/report/{name}",
            "Run a saved report, or save its rows as a file",
            &[
                needs("name", Text, "The report's name."),
                FILTERS,
                START,
                ROWS,
                may("format", OneOf(&["json", "csv"]), "What is answered; default by `Accept`, else `json`. A file has all rows."),
            ],
            FlatOrTable(|| wrapped("data", &report())),
        ),
    ),
    (
        &registry::SEARCH,
        row(
            "/api/search",
            "Search the texts of documents",
            &[
                needs("txt", Text, "What is looked for."),
                may("doctype", Text, "The doctype that is searched; all of them if it is left out."),
                may("start", Number, "Results to skip; 0 by default."),
                may("limit", Number, "Most results to answer with; 20 by default, no more than 100."),
            ],
            Flat(|| {
                let hit = json!({ "type": "object", "required": ["doctype", "name", "title", "rank", "content"] });
                let members = json!({ "data": { "type": "array", "items": hit }, "truncated": { "type": "boolean" } });
                json!({ "type": "object", "required": ["data", "truncated"], "properties": members })
            }),
        ),
    ),
];

pub(super) const FILTERS: Takes = may("filters", What::Filters, "Values of the report's filters, and further conditions.");
pub(super) const START: Takes = may("limit_start", Number, "Rows to skip; 0 by default.");
pub(super) const ROWS: Takes = may("limit", Number, "Most rows to answer with; 1,000 by default, and never more.");

/// Rows and columns; the totals are a row that is a list.
pub(super) fn report() -> Value {
    let column = json!({ "type": "object", "required": ["fieldname", "label", "fieldtype", "options", "width"] });
    let members = json!({
        "result": { "type": "array", "items": { "type": ["object", "array"] } },
        "columns": { "type": "array", "items": column },
        "execution_time": { "type": "number", "minimum": 0 },
        "add_total_row": { "type": "boolean" },
        "has_next_page": { "type": "boolean" },
    });
    json!({ "type": "object", "required": ["result", "columns", "add_total_row", "has_next_page"], "properties": members })
}
