//! Giving a document another name, or making one document of two (Frappe's `rename_doc`). Everything
//! that names it follows.

use serde_json::{Map, Value};

use super::hooks::forget_rules;
use super::permissions::{self, Action};
use super::{helpdesk, links, naming, read, searched, tree, values, versions, write};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::shorten;
use crate::doctype::{DocType, FieldType, Naming, Registry, Rows};
use crate::error::{AppError, Docstatus};
use crate::store::documents::{self, Hold};
use crate::store::{document_secrets, files};

/// Calls a document `new`; with `merge` lets everything that names it name the document that has
/// this name already, and deletes it. Returns the name.
///
/// # Errors
/// [`AppError::Validation`] where the doctype does not allow it, the name is taken (or, to merge, is not);
/// [`AppError::InvalidName`]; [`AppError::NotPermitted`] without the right to write (to merge: to write the one and delete the other).
pub fn rename(cx: &mut Cx, caller: &Caller, doctype: &str, old: &str, new: &str, merge: bool) -> Result<String, AppError> {
    let doctype = permissions::enter(cx, caller, doctype, Some(old), Action::Write)?;
    // Frappe: also with its code's help, here: what the server itself reasons about keeps its name, because it is named in
    // credentials and logs that nobody rewrites.
    let can = doctype.allow_rename && doctype.rows == Rows::OwnTable && !doctype.is_single && !doctype.has_numbers_for_names();
    if !can {
        return Err(AppError::Validation(format!("{} not allowed to be renamed", doctype.name)));
    }
    tree::lock(cx, &doctype)?;
    let current = read::whole(cx, &doctype, old, Hold::Removed)?;
    permissions::require_document(cx, caller, &doctype, Action::Write, &current)?;
    let new = new.trim();
    if new.is_empty() {
        return Err(AppError::Validation("Name is required".into()));
    }
    naming::check(&doctype, new)?;
    if new == old {
        return Err(AppError::Validation("No changes made because old and new name are the same.".into()));
    }
    match (find_taken(cx, &doctype, new)?, merge) {
        (Some(_), false) => {
            return Err(AppError::Validation(format!("Another {} with name {} exists, select another name", doctype.name, shorten(new))));
        }
        (None, true) => {
            return Err(AppError::Validation(format!("{} {} does not exist, select a new target to merge", doctype.name, shorten(new))));
        }
        (Some(target), true) => merge_into(cx, caller, &doctype, old, &current, new, &target)?,
        (None, false) => {
            call(cx, &doctype, old, new)?;
            follow(cx, &doctype, old, new)?;
            let renamed = read::whole(cx, &doctype, new, Hold::Nothing)?;
            permissions::require_document(cx, caller, &doctype, Action::Write, &renamed)?;
            searched::forget(cx, &doctype, old)?;
            searched::keep(cx, &doctype, new, None, &renamed)?;
        }
    }
    // Customers, contacts, teams and users are known there by name.
    helpdesk::standing::forget(cx)?;
    forget_rules(cx)?;
    let said = format!("renamed from <strong>{old}</strong> to <strong>{new}</strong>");
    versions::comment(cx, caller, &doctype, new, &said)?;
    Ok(new.to_owned())
}

/// The document that has a name, if there is one.
fn find_taken(cx: &mut Cx, doctype: &DocType, name: &str) -> Result<Option<Map<String, Value>>, AppError> {
    match read::whole(cx, doctype, name, Hold::Removed) {
        Ok(found) => Ok(Some(found)),
        Err(AppError::NotFound { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Changes the name itself, and what is kept under it.
fn call(cx: &mut Cx, doctype: &DocType, old: &str, new: &str) -> Result<(), AppError> {
    let mut set = vec![("name", Some(new))];
    if let Naming::Field(fieldname) = &doctype.naming {
        set.push((fieldname, Some(new)));
    }
    documents::update_where(cx.conn, doctype, &set, &[("name", old)]).map_err(|error| write::refusal(doctype, new, error))?;
    document_secrets::rename_secrets(cx.conn, &doctype.name, old, new)?;
    let registry = cx.env.doctypes();
    for child in child_tables(&registry, doctype) {
        documents::update_where(cx.conn, child, &[("parent", Some(new))], &[("parent", old), ("parenttype", &doctype.name)])?;
    }
    Ok(())
}

fn child_tables<'r>(registry: &'r Registry, doctype: &DocType) -> Vec<&'r DocType> {
    let mut names: Vec<&str> = doctype.tables().map(|table| table.options.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter_map(|name| registry.get(name)).filter(|child| child.rows == Rows::OwnTable).map(AsRef::as_ref).collect()
}

/// Lets everything that names the document name the other one.
fn follow(cx: &mut Cx, doctype: &DocType, old: &str, new: &str) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    for by in registry.iter().filter(|by| by.rows == Rows::OwnTable) {
        for field in &by.fields {
            let filter = match field.fieldtype {
                FieldType::Link if field.options == doctype.name => vec![(field.fieldname.as_str(), old)],
                FieldType::DynamicLink if by.field(&field.options).is_some() => {
                    vec![(field.fieldname.as_str(), old), (field.options.as_str(), doctype.name.as_str())]
                }
                _ => continue,
            };
            let changed = documents::update_where(cx.conn, by, &[(&field.fieldname, Some(new))], &filter)
                .map_err(|error| write::refusal(by, new, error))?;
            searched::note_changed(cx, by, &field.fieldname, changed)?;
        }
    }
    for (by, type_field, name_field) in links::DELETED_WITH {
        // Some of them keep the name as plain text.
        if let Some(by) = links::about(&registry, by, type_field, name_field) {
            let changed =
                documents::update_where(cx.conn, by, &[(name_field, Some(new))], &[(name_field, old), (type_field, &doctype.name)])?;
            searched::note_changed(cx, by, name_field, changed)?;
        }
    }
    Ok(files::rename_attached(cx.conn, &doctype.name, old, new)?)
}

fn merge_into(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &DocType,
    old: &str,
    current: &Map<String, Value>,
    new: &str,
    target: &Map<String, Value>,
) -> Result<(), AppError> {
    permissions::enter(cx, caller, &doctype.name, Some(old), Action::Delete)?;
    permissions::require_document(cx, caller, doctype, Action::Delete, current)?;
    permissions::require_document(cx, caller, doctype, Action::Write, target)?;
    if write::docstatus_of(current) == Docstatus::Submitted {
        return Err(AppError::Validation(format!("{} {old}: a submitted document cannot be merged into another one", doctype.name)));
    }
    tree::require_same_kind(doctype, current, target)?;
    follow(cx, doctype, old, new)?;
    let values = values::of_document(&cx.env.doctypes(), doctype, current, cx.env.config.site.time_zone)?;
    write::delete_rows(cx, doctype, old, &values)?;
    // What stood beneath the old one stands beneath the new one now.
    tree::rebuild(cx, doctype)
}
