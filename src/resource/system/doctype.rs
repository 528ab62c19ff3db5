//! `DocType`: definitions as documents.
//!
//! What is kept is Frappe's DocType JSON as it was sent, so that keys which only concern a form come back too; fields and
//! permissions are shown as child rows by views over it. The rules of a definition are those of an import.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Created, Draft, SystemDoctype};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{DocType, Origin, Registry, is_standard_field};
use crate::error::AppError;
use crate::resource::doctypes::{self, Kept};
use crate::store::{self, StoreError};

/// The adapter. Every change is guarded like a credential (the default of
/// [`SystemDoctype::guards_credentials`]): a definition says which roles reach its documents, which fields are secrets,
/// and at which level a field is seen, so a token whose scope is `write` could otherwise give its holder, or anybody,
/// more than the scope does.
pub struct DocTypeDoctype;

impl SystemDoctype for DocTypeDoctype {
    fn doctype(&self) -> &'static str {
        "DocType"
    }

    fn create(&self, cx: &mut Cx, draft: &Draft<'_>) -> Result<Created, AppError> {
        let name = draft.name.to_owned();
        if store::doctypes::find_definition(cx.conn, &name)?.is_some() {
            return Err(AppError::Duplicate { doctype: self.doctype().into(), name });
        }
        let mut definition = Map::new();
        definition.insert("doctype".into(), self.doctype().into());
        definition.insert("name".into(), draft.name.into());
        keep(cx, draft, definition)?;
        Ok(Created { name, shown_once: Map::new() })
    }

    fn update(&self, cx: &mut Cx, draft: &Draft<'_>, _: &Map<String, Value>) -> Result<Map<String, Value>, AppError> {
        let found = store::doctypes::find_definition(cx.conn, draft.name)?;
        let (before, _) = found.ok_or_else(|| AppError::not_found(self.doctype(), draft.name))?;
        keep(cx, draft, serde_json::from_str(&before).map_err(StoreError::corrupt)?)?;
        Ok(Map::new())
    }

    fn delete(&self, cx: &mut Cx, caller: &Caller, name: &str) -> Result<(), AppError> {
        doctypes::remove(cx, name, caller.name())
    }
}

/// Keeps a definition with what was sent over it.
fn keep(cx: &mut Cx, draft: &Draft<'_>, mut definition: Map<String, Value>) -> Result<Kept, AppError> {
    for (key, value) in draft.body {
        if is_own(key) || key.starts_with("__") {
            continue;
        }
        match read(draft.doctype, key, value)? {
            Value::Null => drop(definition.shift_remove(key)),
            value => drop(definition.insert(key.clone(), value)),
        }
    }
    // What is Ostiary's alone to say, such as that a doctype has a typed table.
    definition.retain(|key, _| !key.starts_with("ostiary_"));
    let text = Value::Object(definition).to_string();
    let refuse = |error: crate::doctype::InvalidDefinition| AppError::Validation(format!("{}: {}", error.file, error.what));
    let doctype = Arc::new(DocType::parse(draft.name, &text, Origin::Site).map_err(refuse)?);
    let mut registry = Registry::clone(&cx.env.doctypes());
    registry.insert(draft.name, Arc::clone(&doctype)).map_err(refuse)?;
    doctypes::keep(cx, &doctype, draft.caller.name())
}

/// What the server keeps of a document and a row, and a definition does not have.
fn is_own(key: &str) -> bool {
    is_standard_field(key) || ["doctype", "cmd"].contains(&key)
}

/// A member of the definition: rows of a table without what the server keeps of them, which a form sends as JSON text.
fn read(doctype: &DocType, key: &str, value: &Value) -> Result<Value, AppError> {
    if !doctype.field(key).is_some_and(crate::doctype::Field::is_table) {
        return Ok(value.clone());
    }
    let parsed = match value {
        Value::String(text) if !text.trim().is_empty() => serde_json::from_str(text).ok(),
        Value::Null | Value::String(_) => Some(Value::Array(Vec::new())),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(value.clone()),
    };
    let Some(Value::Array(rows)) = parsed else { return Err(AppError::InvalidData(format!("{key} must be a list of objects"))) };
    let clean = |row: Value| match row {
        Value::Object(mut row) => {
            row.retain(|key, value| !is_own(key) && !key.starts_with("__") && !key.starts_with("ostiary_") && !value.is_null());
            Value::Object(row)
        }
        other => other,
    };
    Ok(Value::Array(rows.into_iter().map(clean).collect()))
}
