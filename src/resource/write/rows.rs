//! Rows of child tables: which of those that were sent are stored already, what they lack, and how
//! they get into their table.

use std::collections::HashSet;

use super::body;
use super::store::{Target, refusal};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{DocType, FieldValue, Rows, Values, validate};
use crate::error::AppError;
use crate::resource::{naming, values};
use crate::store::document_secrets;
use crate::store::documents::{self, Stamp};

/// Gives the rows of a document what they lack: a stored row what was not sent of it, a new row its
/// defaults, every row its name. A name that no row of this table has is not taken over: it may be a row of another document.
///
/// # Errors
/// Whatever is wrong with a default.
pub(super) fn settle(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &DocType,
    before: Option<&Values>,
    values: &mut Values,
) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    let context = body::context(cx, caller);
    for table in doctype.tables() {
        let Some(child) = registry.get(&table.options) else { continue };
        let stored = before.and_then(|before| before.rows(&table.fieldname)).unwrap_or_default();
        let Some(rows) = values.rows_mut(&table.fieldname) else { continue };
        let mut taken = HashSet::new();
        for row in rows {
            let known = row.text("name").and_then(|name| stored.iter().find(|stored| stored.text("name") == Some(name)));
            match known.filter(|stored| taken.insert(stored.text("name").map(str::to_owned))) {
                // Frappe: fields that a row does not name become empty, here: they stay, because whoever wants them empty says so.
                Some(stored) => {
                    for (fieldname, value) in stored.iter() {
                        if !row.has(fieldname) {
                            row.set(fieldname, value.clone());
                        }
                    }
                }
                None => {
                    validate::fill_defaults(child, row, context);
                    row.remove("name");
                    if child.rows == Rows::OwnTable {
                        let name = naming::name_row(cx, child)?;
                        row.set("name", FieldValue::Text(name));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Stores the rows of a new document.
///
/// # Errors
/// [`AppError::NotUnique`], and for a table of rows that are kept elsewhere [`AppError::Unsupported`].
pub(super) fn insert(cx: &mut Cx, target: Target<'_>, document: &mut Values) -> Result<(), AppError> {
    replace(cx, target, None, document)
}

/// Makes the stored rows what they are to be: one statement for the new ones, one for those that
/// are gone, one for each that changed.
///
/// # Errors
/// As [`insert`].
pub(super) fn replace(cx: &mut Cx, target: Target<'_>, before: Option<&Values>, document: &mut Values) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    let docstatus = document.int("docstatus").unwrap_or(0);
    for table in target.doctype.tables() {
        let Some(child) = registry.get(&table.options) else { continue };
        let stored = before.and_then(|before| before.rows(&table.fieldname)).unwrap_or_default();
        let Some(rows) = document.rows_mut(&table.fieldname) else { continue };
        if rows.is_empty() && stored.is_empty() {
            continue;
        }
        if child.rows == Rows::Typed {
            return Err(AppError::Unsupported(format!("writing rows of {} in a {}", child.name, target.doctype.name)));
        }
        let place = [("parent", target.name), ("parenttype", &target.doctype.name), ("parentfield", &table.fieldname)];
        for (index, row) in rows.iter_mut().enumerate() {
            if row.text("name").is_none() {
                // A hook added it.
                let name = naming::name_row(cx, child)?;
                row.set("name", FieldValue::Text(name));
            }
            row.set("idx", FieldValue::Int(i64::try_from(index + 1).unwrap_or(i64::MAX)));
            row.set("docstatus", FieldValue::Int(docstatus));
            for (fieldname, text) in place {
                row.set(fieldname, FieldValue::Text(text.to_owned()));
            }
        }
        store(cx, target, child, &place, stored, rows, docstatus)?;
    }
    Ok(())
}

fn store(
    cx: &mut Cx,
    target: Target<'_>,
    child: &DocType,
    place: &[(&str, &str)],
    stored: &[Values],
    rows: &[Values],
    docstatus: i64,
) -> Result<(), AppError> {
    let stamp = Stamp { user: target.caller.name(), at: target.at };
    let name = |row: &Values| row.text("name").unwrap_or_default().to_owned();
    let find = |rows: &[Values], wanted: &str| rows.iter().position(|row| row.text("name") == Some(wanted));
    let gone: Vec<String> = stored.iter().map(name).filter(|name| find(rows, name).is_none()).collect();
    let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
    if !gone.is_empty() {
        documents::delete_documents(cx.conn, child, &gone)?;
        if child.secrets().next().is_some() {
            document_secrets::delete_secrets(cx.conn, &child.name, &gone)?;
        }
    }
    if gone.len() < stored.len() {
        // Frappe: every row is written again with its parent, so all of them have its time.
        documents::touch_rows(cx.conn, child, place, stamp, docstatus)?;
    }
    let mut new = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let name = row.text("name").unwrap_or_default();
        match find(stored, name) {
            None => new.push((name, row)),
            Some(at) => {
                let changed = changes(child, &stored[at], row);
                if !changed.is_empty() {
                    documents::update_document(cx.conn, child, name, stamp, &changed)
                        .map_err(|error| refusal(child, name, error).in_row(index + 1))?;
                }
            }
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    documents::insert_documents(cx.conn, child, stamp, &new).map_err(|error| refusal(child, "", error))
}

fn changes(child: &DocType, stored: &Values, row: &Values) -> Values {
    let mut changed = Values::default();
    for fieldname in child.fields.iter().map(|field| field.fieldname.as_str()).chain(["idx"]) {
        if let Some(value) = row.get(fieldname).filter(|value| !values::same(stored.get(fieldname), Some(value))) {
            changed.set(fieldname, value.clone());
        }
    }
    changed
}
