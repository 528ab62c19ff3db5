//! Linked documents in place of their names.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::read;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::FieldType;
use crate::error::AppError;

/// Most documents that one answer takes in.
const MAX_LINKED: usize = 200;

/// Puts every linked document that the caller may read in the place of its name, in child rows too. What they may
/// not read stays a name.
///
/// # Errors
/// Database errors.
pub fn expand_links(cx: &mut Cx, caller: &Caller, document: &mut Map<String, Value>) -> Result<(), AppError> {
    let mut known = HashMap::new();
    expand(cx, caller, document, &mut known)?;
    for value in document.values_mut() {
        for row in value.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            expand(cx, caller, row, &mut known)?;
        }
    }
    Ok(())
}

/// Documents by doctype and name that were looked for already; `None` stays a name.
type Known = HashMap<(String, String), Option<Value>>;

fn expand(cx: &mut Cx, caller: &Caller, document: &mut Map<String, Value>, known: &mut Known) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    let Some(doctype) = document.get("doctype").and_then(Value::as_str).and_then(|name| registry.get(name)) else { return Ok(()) };
    let mut linked = Vec::new();
    for field in &doctype.fields {
        let target = match field.fieldtype {
            FieldType::Link => Some(field.options.as_str()),
            FieldType::DynamicLink => document.get(&field.options).and_then(Value::as_str),
            _ => continue,
        };
        let name = document.get(&field.fieldname).and_then(read_name);
        if let (Some(target), Some(name)) = (target, name) {
            linked.push((&field.fieldname, target.to_owned(), name));
        }
    }
    for (fieldname, target, name) in linked {
        let place = (target, name);
        if !known.contains_key(&place) && known.len() < MAX_LINKED {
            let found = find(cx, caller, &place.0, &place.1)?;
            known.insert(place.clone(), found);
        }
        if let Some(Some(found)) = known.get(&place) {
            document.insert(fieldname.clone(), found.clone());
        }
    }
    Ok(())
}

fn read_name(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn find(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str) -> Result<Option<Value>, AppError> {
    match read::read(cx, caller, doctype, name) {
        Ok(found) => Ok(Some(Value::Object(found))),
        Err(AppError::NotPermitted(_) | AppError::InsufficientScope { .. } | AppError::NotFound { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}
