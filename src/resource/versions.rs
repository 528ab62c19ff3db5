//! What changed in a document, kept as a `Version` where its doctype tracks changes.

use serde_json::{Map, Value, json};

use super::naming;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{DocType, FieldValue, Registry, Rows, Values};
use crate::error::AppError;
use crate::store::documents::{self, Stamp};

/// Keeps the differences between a document as it was and as it is, both whole. As in Frappe, a
/// document that is made has no version.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn keep(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &DocType,
    name: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> Result<(), AppError> {
    if !doctype.track_changes || doctype.name == "Version" {
        return Ok(());
    }
    let registry = cx.env.doctypes();
    let Some(data) = differences(&registry, doctype, before, after) else { return Ok(()) };
    insert(cx, caller, "Version", &[("ref_doctype", &doctype.name), ("docname", name), ("data", &data.to_string())])
}

/// Notes on a document what happened to it.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn comment(cx: &mut Cx, caller: &Caller, doctype: &DocType, name: &str, content: &str) -> Result<(), AppError> {
    let full_name = caller.user.user.full_name.clone();
    let texts = [
        ("comment_type", "Info"),
        ("comment_email", caller.name()),
        ("comment_by", full_name.as_str()),
        ("reference_doctype", &doctype.name),
        ("reference_name", name),
        ("content", content),
    ];
    insert(cx, caller, "Comment", &texts)
}

/// Makes a document of the server's own, where there is such a doctype.
fn insert(cx: &mut Cx, caller: &Caller, doctype: &str, texts: &[(&str, &str)]) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    let Some(doctype) = registry.get(doctype).filter(|doctype| doctype.rows == Rows::OwnTable) else { return Ok(()) };
    let mut values = Values::default();
    for (fieldname, text) in texts {
        values.set(fieldname, FieldValue::Text((*text).to_owned()));
    }
    let name = naming::name_row(cx, doctype)?;
    let stamp = Stamp { user: caller.name(), at: cx.now };
    Ok(documents::insert_document(cx.conn, doctype, &name, stamp, &values)?)
}

/// Frappe's form of a difference; `None` when there is none.
fn differences(registry: &Registry, doctype: &DocType, before: &Map<String, Value>, after: &Map<String, Value>) -> Option<Value> {
    let mut changed = changed_fields(doctype, before, after);
    if before.get("docstatus") != after.get("docstatus") {
        changed.push(json!(["docstatus", before.get("docstatus"), after.get("docstatus")]));
    }
    let (mut added, mut removed, mut row_changed) = (Vec::new(), Vec::new(), Vec::new());
    for table in doctype.tables() {
        let Some(child) = registry.get(&table.options) else { continue };
        let rows = |document: &'_ Map<String, Value>| -> Vec<Map<String, Value>> {
            let rows = document.get(&table.fieldname).and_then(Value::as_array).into_iter().flatten();
            rows.filter_map(Value::as_object).cloned().collect()
        };
        let (old, new) = (rows(before), rows(after));
        for row in &new {
            match old.iter().find(|old| old.get("name") == row.get("name")) {
                None => added.push(json!([table.fieldname, row])),
                Some(old) => {
                    let fields = changed_fields(child, old, row);
                    if !fields.is_empty() {
                        row_changed.push(json!([table.fieldname, row.get("idx"), row.get("name"), fields]));
                    }
                }
            }
        }
        let gone = old.iter().filter(|old| !new.iter().any(|row| row.get("name") == old.get("name")));
        removed.extend(gone.map(|row| json!([table.fieldname, row])));
    }
    let is_empty = changed.is_empty() && added.is_empty() && removed.is_empty() && row_changed.is_empty();
    (!is_empty).then(|| {
        json!({
            "added": added, "changed": changed, "data_import": null, "removed": removed, "row_changed": row_changed,
            "updater_reference": null,
        })
    })
}

fn changed_fields(doctype: &DocType, before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Value> {
    let empty = |value: &Value| value.is_null() || value == "";
    let mut changed = Vec::new();
    // Where a document stands in its tree changes with others, and a secret is nobody's to see.
    for field in doctype.fields.iter().filter(|field| !field.is_table() && !field.is_secret() && !field.managed) {
        let (old, new) = (before.get(&field.fieldname).unwrap_or(&Value::Null), after.get(&field.fieldname).unwrap_or(&Value::Null));
        if old != new && !(empty(old) && empty(new)) {
            changed.push(json!([field.fieldname, old, new]));
        }
    }
    changed
}
