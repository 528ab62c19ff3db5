//! What a new document begins with that is to be like another one.

use serde_json::{Map, Value};

use super::read;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{DocType, Registry};
use crate::error::AppError;

/// What every document has of its own; a row's place in its table is not among it.
const OWN: [&str; 7] = ["name", "owner", "creation", "modified", "modified_by", "docstatus", "amended_from"];
/// What ties a row to its parent.
const TIES: [&str; 3] = ["parent", "parentfield", "parenttype"];

/// A document without what makes it that one: name, owner, times and state, secrets, and fields that are not copied
/// (`no_copy`), in its rows too.
///
/// # Errors
/// As [`super::read()`].
// Frappe: fields with `no_copy` are in it unless `ignore_no_copy=0` is sent, here: never, because the definition says so.
pub fn copy(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str) -> Result<Map<String, Value>, AppError> {
    let document = read::read(cx, caller, doctype, name)?;
    let registry = cx.env.doctypes();
    Ok(match registry.find(doctype) {
        Some(doctype) => clean(&registry, doctype, document),
        None => document,
    })
}

fn clean(registry: &Registry, doctype: &DocType, mut document: Map<String, Value>) -> Map<String, Value> {
    document.retain(|key, _| is_copied(doctype, key) && key != "idx");
    for table in doctype.tables() {
        let Some(child) = registry.get(&table.options) else { continue };
        let rows = document.get_mut(&table.fieldname).and_then(Value::as_array_mut);
        for row in rows.into_iter().flatten().filter_map(Value::as_object_mut) {
            row.retain(|key, _| is_copied(child, key));
        }
    }
    document
}

fn is_copied(doctype: &DocType, key: &str) -> bool {
    let is_tie = doctype.is_child_table && TIES.contains(&key);
    !OWN.contains(&key) && !is_tie && !doctype.field(key).is_some_and(|field| field.no_copy || field.is_secret())
}
