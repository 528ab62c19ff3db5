//! Definitions of doctypes as they are shown to whoever may read their documents.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::permissions::{self, Action};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::DocType;
use crate::error::{AppError, Denied};
use crate::store::StoreError;

/// A doctype's definition, as in Frappe's DocType JSON. That of a child table is shown to whoever may read a
/// doctype that has it.
///
/// # Errors
/// As [`super::permit`].
// Frappe: anyone logged in may read every definition, here: only whoever may read documents of it, because field
// names tell what a site is about.
pub fn definition(cx: &mut Cx, caller: &Caller, doctype: &str) -> Result<Map<String, Value>, AppError> {
    let doctype = permitted(cx, caller, doctype)?;
    show(&doctype)
}

/// A doctype's definition, followed by those of its child tables, as a form needs them.
///
/// # Errors
/// As [`definition`].
pub fn definitions(cx: &mut Cx, caller: &Caller, doctype: &str) -> Result<Vec<Map<String, Value>>, AppError> {
    let doctype = permitted(cx, caller, doctype)?;
    let registry = cx.env.doctypes();
    let mut shown = vec![show(&doctype)?];
    let mut known = vec![doctype.name.as_str()];
    for table in doctype.tables() {
        if let Some(child) = registry.get(&table.options).filter(|child| !known.contains(&child.name.as_str())) {
            known.push(&child.name);
            shown.push(show(child)?);
        }
    }
    Ok(shown)
}

fn permitted(cx: &mut Cx, caller: &Caller, doctype: &str) -> Result<Arc<DocType>, AppError> {
    let child = match permissions::open_list(cx, caller, doctype).map(|(doctype, _)| doctype) {
        Err(AppError::NotPermitted(Denied::ChildTable(child))) => child,
        other => return other,
    };
    let registry = cx.env.doctypes();
    let has_it = |parent: &&Arc<DocType>| parent.tables().any(|table| table.options == child);
    let readable = registry.iter().filter(has_it).any(|parent| permissions::enter(cx, caller, &parent.name, None, Action::Read).is_ok());
    match registry.get(&child).filter(|_| readable) {
        Some(doctype) => Ok(Arc::clone(doctype)),
        None => Err(AppError::NotPermitted(Denied::ChildTable(child))),
    }
}

fn show(doctype: &DocType) -> Result<Map<String, Value>, AppError> {
    let mut definition: Map<String, Value> = serde_json::from_str(&doctype.definition).map_err(StoreError::corrupt)?;
    // How Ostiary itself stores a doctype is no part of what it is.
    let own = |key: &String| key.starts_with("ostiary_");
    definition.retain(|key, _| !own(key));
    for field in definition.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
        field.retain(|key, _| !own(key));
    }
    definition.insert("doctype".into(), "DocType".into());
    Ok(definition)
}
