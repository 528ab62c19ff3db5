//! Rows of child tables by their own address: they are reached through the document that has them,
//! whose rights they have, and writing one writes that document (contract 6.4).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::permissions::{self, Action};
use super::{Gathered, read, write};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::shorten;
use crate::doctype::validate::read_name;
use crate::doctype::{DocType, Field};
use crate::error::{AppError, Denied};
use crate::store::documents::Hold;

/// Where a row stands.
struct Place {
    parenttype: Arc<DocType>,
    parent: String,
    parentfield: String,
}

/// The child doctype of this name, if it is one.
pub(super) fn find(cx: &Cx, doctype: &str) -> Option<Arc<DocType>> {
    cx.env.doctypes().find(doctype).filter(|doctype| doctype.is_child_table).cloned()
}

/// A row, to whoever may read its document.
///
/// # Errors
/// As [`super::read()`] of the document.
pub(super) fn read_row(cx: &mut Cx, caller: &Caller, child: &DocType, name: &str) -> Result<Map<String, Value>, AppError> {
    let place = place(cx, child, name)?;
    let document = read::read(cx, caller, &place.parenttype.name, &place.parent).map_err(|error| without_parent(child, error))?;
    take_row(child, document, &place, name)
}

/// Changes a row and with it its document; returns the row.
///
/// # Errors
/// As [`super::update()`] of the document.
pub(super) fn update(
    cx: &mut Cx,
    caller: &Caller,
    child: &DocType,
    name: &str,
    mut body: Map<String, Value>,
    gathered: &Gathered,
) -> Result<Map<String, Value>, AppError> {
    let place = place(cx, child, name)?;
    if read_name(&body).is_some_and(|other| other != name) {
        return Err(AppError::not_found(&child.name, shorten(&read_name(&body).unwrap_or_default())));
    }
    body.insert("name".into(), name.into());
    let changed = move |row: Value| if read_name_of(&row).as_deref() == Some(name) { Value::Object(body.clone()) } else { row };
    let rows = kept_rows(cx, caller, &place)?.into_iter().map(changed).collect();
    let document = save_rows(cx, caller, &place, rows, gathered).map_err(|error| without_parent(child, error))?;
    take_row(child, document, &place, name)
}

/// Takes a row out of its document.
///
/// # Errors
/// As [`super::update()`] of the document; of a table of a level that the caller lacks as [`read_row`], or
/// [`AppError::NotPermitted`] where they may read it.
pub(super) fn delete(cx: &mut Cx, caller: &Caller, child: &DocType, name: &str) -> Result<(), AppError> {
    let place = place(cx, child, name)?;
    let mut rows = kept_rows(cx, caller, &place)?;
    require_writable(caller, child, &place, name)?;
    rows.retain(|row| read_name_of(row).as_deref() != Some(name));
    save_rows(cx, caller, &place, rows, &Gathered::default()).map(drop).map_err(|error| without_parent(child, error))
}

/// Appends a row to the document that `parent`, `parenttype` and `parentfield` in it name; returns
/// the document (Frappe's `frappe.client.insert` of a child document).
///
/// # Errors
/// As [`super::update()`] of the document; [`AppError::Validation`] where it has no such table.
pub fn insert_row(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &str,
    body: Map<String, Value>,
    gathered: &Gathered,
) -> Result<Map<String, Value>, AppError> {
    let Some(child) = find(cx, doctype) else { return Err(AppError::Validation(format!("{} is no child table", shorten(doctype)))) };
    let place = place_of(cx, &child, &body)?;
    let mut rows = kept_rows(cx, caller, &place)?;
    rows.push(Value::Object(body));
    save_rows(cx, caller, &place, rows, gathered)
}

/// A change of what is not theirs would be undone silently (contract 7.4), which is no answer to a deletion.
fn require_writable(caller: &Caller, child: &DocType, place: &Place, name: &str) -> Result<(), AppError> {
    let Place { parenttype, parentfield, .. } = place;
    let may = |action| parenttype.field(parentfield).is_some_and(|table| permissions::may_use(caller, parenttype, table, action));
    match (may(Action::Read), may(Action::Write)) {
        (_, true) => Ok(()),
        (true, false) => Err(AppError::NotPermitted(Denied::ChildTable(child.name.clone()))),
        (false, false) => Err(AppError::not_found(&child.name, name)),
    }
}

fn place(cx: &mut Cx, child: &DocType, name: &str) -> Result<Place, AppError> {
    let row = read::find(cx, child, name, Hold::Nothing)?;
    place_of(cx, child, &row)
}

fn place_of(cx: &Cx, child: &DocType, row: &Map<String, Value>) -> Result<Place, AppError> {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
    let parent = match row.get("parent") {
        Some(Value::Number(number)) => number.to_string(),
        _ => text("parent").to_owned(),
    };
    let (parenttype, parentfield) = (text("parenttype"), text("parentfield"));
    if parent.is_empty() || parenttype.is_empty() || parentfield.is_empty() {
        return Err(AppError::Validation("Parenttype, Parent and Parentfield are required to insert a child record".into()));
    }
    let registry = cx.env.doctypes();
    let parenttype = registry.find(parenttype).ok_or_else(|| AppError::not_found("DocType", shorten(&parenttype.replace('\0', ""))))?;
    let is_table = |field: &&Field| field.is_table() && field.options == child.name;
    if parenttype.field(parentfield).filter(is_table).is_none() {
        let field = shorten(&parentfield.replace('\0', ""));
        return Err(AppError::Validation(format!("{} has no table {field} of {}", parenttype.name, child.name)));
    }
    Ok(Place { parenttype: Arc::clone(parenttype), parent, parentfield: parentfield.to_owned() })
}

/// Frappe: says which document it is that may not be read or changed, here: not, because whoever knows a row may not know its document.
fn without_parent(child: &DocType, error: AppError) -> AppError {
    match error {
        AppError::NotPermitted(Denied::Doctype { .. } | Denied::Document { .. }) => {
            AppError::NotPermitted(Denied::ChildTable(child.name.clone()))
        }
        other => other,
    }
}

/// The rows of the table by name alone, which leaves them as they are. The document stays locked, so that no row is lost
/// to somebody who appends one at the same time.
fn kept_rows(cx: &mut Cx, caller: &Caller, place: &Place) -> Result<Vec<Value>, AppError> {
    permissions::enter(cx, caller, &place.parenttype.name, Some(&place.parent), Action::Write)?;
    let document = read::whole(cx, &place.parenttype, &place.parent, Hold::Changed)?;
    let rows = document.get(&place.parentfield).and_then(Value::as_array).into_iter().flatten();
    Ok(rows.map(|row| json!({"name": row.get("name")})).collect())
}

fn save_rows(cx: &mut Cx, caller: &Caller, place: &Place, rows: Vec<Value>, gathered: &Gathered) -> Result<Map<String, Value>, AppError> {
    let body = Map::from_iter([(place.parentfield.clone(), Value::Array(rows))]);
    write::update(cx, caller, &place.parenttype.name, &place.parent, body, gathered)
}

fn read_name_of(row: &Value) -> Option<String> {
    row.as_object().and_then(read_name)
}

fn take_row(child: &DocType, mut document: Map<String, Value>, place: &Place, name: &str) -> Result<Map<String, Value>, AppError> {
    let rows = document.shift_remove(&place.parentfield);
    let rows = rows.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    let row = rows.into_iter().find(|row| read_name(row).as_deref() == Some(name));
    // A table of a level that the caller lacks is not shown.
    row.cloned().ok_or_else(|| AppError::not_found(&child.name, name))
}
