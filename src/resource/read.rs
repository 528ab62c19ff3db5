//! One document.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::permissions::{self, Action};
use super::{child, single, system};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::shorten;
use crate::doctype::validate::read_name;
use crate::doctype::{DocType, Field, Filter, SortKey, Values};
use crate::error::AppError;
use crate::store::StoreError;
use crate::store::document_secrets;
use crate::store::documents::{self, Hold, Selection};

/// Most letters that are shown for a secret.
const MAX_STARS: usize = 100;

/// A document with all its fields, nulls included, then `doctype`, then its child tables.
///
/// # Errors
/// As [`super::permit`]; [`AppError::NotFound`]; [`AppError::NotPermitted`] for someone else's document.
pub fn read(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str) -> Result<Map<String, Value>, AppError> {
    if let Some(child) = child::find(cx, doctype) {
        return child::read_row(cx, caller, &child, name);
    }
    let (doctype, rights) = permissions::open(cx, caller, doctype, Some(name), Action::Read)?;
    let name = system::canonical_name(&doctype, name);
    let mut document = find_permitted(cx, caller, &doctype, &name, (Action::Read, &rights), Hold::Nothing)?;
    complete(cx, &doctype, &name, &mut document)?;
    hide(cx, caller, &doctype, &mut document);
    Ok(document)
}

/// Refuses whoever may not do `action` to one document, without reading more of it than that takes. Returns its doctype.
/// The document is held until the transaction ends.
///
/// # Errors
/// As [`read`].
pub fn require(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str, action: Action, hold: Hold) -> Result<Arc<DocType>, AppError> {
    let doctype = permissions::enter(cx, caller, doctype, Some(name), action)?;
    let name = system::canonical_name(&doctype, name);
    let document = find(cx, &doctype, &name, hold)?;
    permissions::require_document(cx, caller, &doctype, action, &document)?;
    Ok(doctype)
}

/// A document's own fields, whoever asks. It is held until the transaction ends.
///
/// # Errors
/// [`AppError::NotFound`].
pub(super) fn find(cx: &mut Cx, doctype: &DocType, name: &str, hold: Hold) -> Result<Map<String, Value>, AppError> {
    find_within(cx, doctype, name, &Filter::always(), hold)?.ok_or_else(|| missing(doctype, name))
}

/// The same, refused where the caller's rights to do an action do not hold for it.
pub(super) fn find_permitted(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &DocType,
    name: &str,
    (action, rights): (Action, &Filter),
    hold: Hold,
) -> Result<Map<String, Value>, AppError> {
    match find_within(cx, doctype, name, rights, hold)? {
        Some(document) => {
            permissions::ask_hooks(cx, caller, doctype, action, &document)?;
            Ok(document)
        }
        None if !rights.is_always() && permissions::holds(cx, doctype, name, &Filter::always())? => {
            Err(permissions::denied(caller, doctype, name, action))
        }
        None => Err(missing(doctype, name)),
    }
}

fn missing(doctype: &DocType, name: &str) -> AppError {
    AppError::not_found(&doctype.name, shorten(&name.replace('\0', "")))
}

/// A document's own fields, if a filter holds for it. A single that was never saved has nothing that could be withheld.
fn find_within(cx: &mut Cx, doctype: &DocType, name: &str, filter: &Filter, hold: Hold) -> Result<Option<Map<String, Value>>, AppError> {
    // Postgres cannot take a text with NUL, and no document has such a name.
    let found =
        if name.contains('\0') { None } else { documents::find_whole(cx.conn, doctype, name, filter, cx.env.config.site.time_zone, hold)? };
    match found {
        Some(text) if doctype.is_single => Ok(Some(single::shown(parse(&text)?))),
        Some(text) => parse(&text).map(Some),
        None if doctype.is_single && name == doctype.name && !permissions::holds(cx, doctype, name, &Filter::always())? => {
            single::unsaved(cx, doctype).map(Some)
        }
        None => Ok(None),
    }
}

/// A document with everything that belongs to it, whoever asks.
///
/// # Errors
/// As [`find`].
pub(super) fn whole(cx: &mut Cx, doctype: &DocType, name: &str, hold: Hold) -> Result<Map<String, Value>, AppError> {
    let mut document = find(cx, doctype, name, hold)?;
    complete(cx, doctype, name, &mut document)?;
    Ok(document)
}

/// [`whole`] of a document that was stored just now, from its own fields; it was stored with these rows.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn whole_stored(
    cx: &mut Cx,
    doctype: &DocType,
    name: &str,
    mut stored: Map<String, Value>,
    values: &Values,
) -> Result<Map<String, Value>, AppError> {
    complete_with(cx, doctype, name, &mut stored, |table| values.rows(table).is_some_and(|rows| !rows.is_empty()))?;
    Ok(stored)
}

pub(super) fn parse(text: &str) -> Result<Map<String, Value>, AppError> {
    serde_json::from_str(text).map_err(|error| StoreError::corrupt(error).into())
}

/// Leaves of a document that the caller has just written what they may see of it.
///
/// Frappe: whoever may write a document is shown it whole, here: without the right to read it only
/// what every document has, because the rest may come from others.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn show_written(cx: &mut Cx, caller: &Caller, doctype: &DocType, document: &mut Map<String, Value>) -> Result<(), AppError> {
    if permissions::allows(cx, caller, doctype, Action::Read, document)? {
        hide(cx, caller, doctype, document);
    } else {
        document.retain(|fieldname, _| doctype.field(fieldname).is_none());
    }
    Ok(())
}

/// Leaves out the fields of levels that the caller lacks, in the rows too: their levels are those of the parent's permissions.
pub(super) fn hide(cx: &Cx, caller: &Caller, doctype: &DocType, document: &mut Map<String, Value>) {
    let registry = cx.env.doctypes();
    for field in &doctype.fields {
        if !permissions::may_use(caller, doctype, field, Action::Read) {
            document.shift_remove(&field.fieldname);
            continue;
        }
        let Some(child) = field.is_table().then(|| registry.get(&field.options)).flatten() else { continue };
        let hidden: Vec<&str> = child
            .fields
            .iter()
            .filter(|field| !permissions::may_use(caller, doctype, field, Action::Read))
            .map(|field| field.fieldname.as_str())
            .collect();
        let rows = document.get_mut(&field.fieldname).and_then(Value::as_array_mut).filter(|_| !hidden.is_empty());
        for row in rows.into_iter().flatten().filter_map(Value::as_object_mut) {
            row.retain(|key, _| !hidden.contains(&key.as_str()));
        }
    }
}

/// Adds the doctype, stars for secrets, and the child tables.
fn complete(cx: &mut Cx, doctype: &DocType, name: &str, document: &mut Map<String, Value>) -> Result<(), AppError> {
    complete_with(cx, doctype, name, document, |_| true)
}

/// The same, where it may be known of a table that it has no rows.
fn complete_with(
    cx: &mut Cx,
    doctype: &DocType,
    name: &str,
    document: &mut Map<String, Value>,
    may_have_rows: impl Fn(&str) -> bool,
) -> Result<(), AppError> {
    document.insert("doctype".into(), Value::String(doctype.name.clone()));
    show_secrets(cx, doctype, &mut [document])?;
    for table in doctype.tables() {
        let rows = if may_have_rows(&table.fieldname) { list_rows(cx, doctype, table, name)? } else { Vec::new() };
        document.insert(table.fieldname.clone(), Value::Array(rows));
    }
    Ok(())
}

/// The rows of one table field.
fn list_rows(cx: &mut Cx, doctype: &DocType, table: &Field, name: &str) -> Result<Vec<Value>, AppError> {
    let registry = cx.env.doctypes();
    // A site may define a table before the doctype of its rows; until then there can be none.
    let Some(child) = registry.get(&table.options).filter(|child| child.is_child_table) else { return Ok(Vec::new()) };
    let fields: Vec<(&str, &str)> = child.columns().map(|(field, _)| (field.fieldname.as_str(), field.fieldname.as_str())).collect();
    let filter = Filter::And(vec![
        Filter::equals("parent", name),
        Filter::equals("parenttype", &doctype.name),
        Filter::equals("parentfield", &table.fieldname),
    ]);
    let order = [SortKey { fieldname: "idx".into(), descending: false }];
    let zone = cx.env.config.site.time_zone;
    let selection = Selection { doctype: child, fields: &fields, filter: &filter, order: &order, start: 0, limit: None, zone };
    let found = documents::list_documents(cx.conn, &selection)?;
    let mut rows = found.iter().map(|row| parse(row)).collect::<Result<Vec<_>, _>>()?;
    for row in &mut rows {
        row.insert("doctype".into(), Value::String(child.name.clone()));
    }
    show_secrets(cx, child, &mut rows.iter_mut().collect::<Vec<_>>())?;
    Ok(rows.into_iter().map(Value::Object).collect())
}

/// Shows as many stars as each secret has letters, where the definition has the field.
fn show_secrets(cx: &mut Cx, doctype: &DocType, documents: &mut [&mut Map<String, Value>]) -> Result<(), AppError> {
    if doctype.rows == crate::doctype::Rows::Typed || doctype.secrets().next().is_none() || documents.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = documents.iter().map(|document| read_name(document).unwrap_or_default()).collect();
    let lengths = document_secrets::list_lengths(cx.conn, &doctype.name, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
    for (document, name) in documents.iter_mut().zip(&names) {
        for field in doctype.secrets() {
            let length =
                lengths.iter().find(|(of, fieldname, _)| of == name && *fieldname == field.fieldname).map(|(_, _, length)| *length);
            let stars = length.map_or(Value::Null, |length| "*".repeat(usize::try_from(length).unwrap_or(0).min(MAX_STARS)).into());
            place(doctype, document, field.fieldname.clone(), stars);
        }
    }
    Ok(())
}

/// Puts a field where the definition has it.
pub(super) fn place(doctype: &DocType, document: &mut Map<String, Value>, key: String, value: Value) {
    let place = |fieldname: &str| doctype.fields.iter().position(|field| field.fieldname == fieldname);
    document.shift_remove(&key);
    let own = place(&key);
    // What follows a document's own fields.
    let follows = |other: &str| place(other).is_none() && matches!(other, "doctype" | "parent" | "parentfield" | "parenttype");
    let at = document.keys().position(|other| follows(other) || place(other) > own).unwrap_or(document.len());
    document.shift_insert(at, key, value);
}
