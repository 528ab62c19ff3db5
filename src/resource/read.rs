//! One document.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::permissions::{self, Action};
use super::system;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{DocType, Field, Filter, SortKey};
use crate::error::AppError;
use crate::store::StoreError;
use crate::store::documents::{self, Selection};

/// A document with all its fields, nulls included, then `doctype`, then its child tables.
///
/// # Errors
/// As [`super::permit`]; [`AppError::NotFound`]; [`AppError::NotPermitted`] for someone else's document.
pub fn read(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str) -> Result<Map<String, Value>, AppError> {
    let doctype = permissions::permit(cx.env, caller, doctype, Some(name), Action::Read)?;
    let name = system::canonical_name(&doctype, name);
    let mut document = find(cx, &doctype, &name, false)?;
    permissions::require_document(caller, &doctype, Action::Read, &document)?;
    hide(caller, &doctype, &mut document);
    finish(cx, caller, &doctype, &name, &mut document)?;
    Ok(document)
}

/// Refuses whoever may not do `action` to one document, without reading more of it than that takes. Returns its doctype.
///
/// # Errors
/// As [`read`].
pub fn require(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str, action: Action) -> Result<Arc<DocType>, AppError> {
    let doctype = permissions::permit(cx.env, caller, doctype, Some(name), action)?;
    let name = system::canonical_name(&doctype, name);
    let document = find(cx, &doctype, &name, false)?;
    permissions::require_document(caller, &doctype, action, &document)?;
    Ok(doctype)
}

/// A document's own fields, whoever asks. `lock` keeps others from changing it until the transaction ends.
pub(super) fn find(cx: &mut Cx, doctype: &DocType, name: &str, lock: bool) -> Result<Map<String, Value>, AppError> {
    let fields: Vec<(&str, &str)> = doctype.columns().map(|(field, _)| (field.fieldname.as_str(), field.fieldname.as_str())).collect();
    // Postgres cannot take a text with NUL, and no document has such a name.
    let found = if name.contains('\0') {
        None
    } else {
        documents::find_document(cx.conn, doctype, &fields, name, cx.env.config.site.time_zone, lock)?
    };
    let text = found.ok_or_else(|| AppError::not_found(&doctype.name, crate::doctype::filter::shorten(&name.replace('\0', ""))))?;
    parse(&text)
}

/// A document as the caller may see it after writing it.
pub(super) fn show(cx: &mut Cx, caller: &Caller, doctype: &DocType, name: &str) -> Result<Map<String, Value>, AppError> {
    let mut document = find(cx, doctype, name, false)?;
    hide(caller, doctype, &mut document);
    finish(cx, caller, doctype, name, &mut document)?;
    Ok(document)
}

fn parse(text: &str) -> Result<Map<String, Value>, AppError> {
    serde_json::from_str(text).map_err(|error| StoreError::corrupt(error).into())
}

/// Leaves out the fields of levels that the caller lacks.
fn hide(caller: &Caller, doctype: &DocType, document: &mut Map<String, Value>) {
    for field in doctype.fields.iter().filter(|field| !permissions::may_use(caller, doctype, field, Action::Read)) {
        document.shift_remove(&field.fieldname);
    }
}

/// Adds the doctype and the child tables.
fn finish(cx: &mut Cx, caller: &Caller, doctype: &DocType, name: &str, document: &mut Map<String, Value>) -> Result<(), AppError> {
    document.insert("doctype".into(), Value::String(doctype.name.clone()));
    for table in doctype.tables().filter(|table| permissions::may_use(caller, doctype, table, Action::Read)) {
        let rows = list_rows(cx, doctype, table, name)?;
        document.insert(table.fieldname.clone(), Value::Array(rows));
    }
    Ok(())
}

fn list_rows(cx: &mut Cx, doctype: &DocType, table: &Field, name: &str) -> Result<Vec<Value>, AppError> {
    let registry = cx.env.doctypes();
    let child = registry.get(&table.options).ok_or_else(|| AppError::internal(format!("no child doctype {}", table.options)))?;
    let fields: Vec<(&str, &str)> = child.columns().map(|(field, _)| (field.fieldname.as_str(), field.fieldname.as_str())).collect();
    let filter = Filter::And(vec![
        Filter::equals("parent", name),
        Filter::equals("parenttype", &doctype.name),
        Filter::equals("parentfield", &table.fieldname),
    ]);
    let order = [SortKey { fieldname: "idx".into(), descending: false }];
    let zone = cx.env.config.site.time_zone;
    let selection = Selection { doctype: child, fields: &fields, filter: &filter, order: &order, start: 0, limit: None, zone };
    documents::list_documents(cx.conn, &selection)?
        .iter()
        .map(|row| {
            let mut row = parse(row)?;
            row.insert("doctype".into(), Value::String(child.name.clone()));
            Ok(Value::Object(row))
        })
        .collect()
}
