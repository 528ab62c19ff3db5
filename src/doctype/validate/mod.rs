//! Which values a document accepts: defaults, required fields, types, options and lengths.
//!
//! Pure: what needs the database (links, uniqueness) is checked in `resource`. A rule about the value of one field goes to
//! [`field`], one about a whole document or its rows here.

mod defaults;
mod field;
#[cfg(test)]
mod tests;

use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::meta::{DocType, Field};
use super::value::{FieldValue, Values};
use super::{Kind, Registry};
use crate::error::{AppError, FieldLabel, FieldPlace};

pub use defaults::{Context, fill_defaults, fixed_default, unreadable_defaults};
pub use field::{MAX_FLOAT, read_value, refuse_nul};

use field::{check_value, normal, read_secret};

/// Most rows that one table is sent with.
const MAX_TABLE_ROWS: usize = 1_000;

/// Reads the fields of a request's body that the doctype has; unknown keys are ignored, as in
/// Frappe. Fields that `may_write` refuses are left out silently: Frappe restores their old value.
///
/// # Errors
/// [`AppError::InvalidData`] or [`AppError::Validation`] naming the field that cannot be read, and
/// whatever the checks of a value refuse.
pub fn read_body(
    registry: &Registry,
    doctype: &DocType,
    body: &Map<String, Value>,
    zone: Tz,
    may_write: &dyn Fn(&Field) -> bool,
) -> Result<Values, AppError> {
    let mut values = Values::default();
    for field in doctype.fields.iter().filter(|field| !field.managed && may_write(field)) {
        let Some(sent) = body.get(&field.fieldname) else { continue };
        if field.is_table() {
            values.set_rows(&field.fieldname, read_rows(registry, field, sent, zone, may_write)?);
        } else if let Some(kind) = field.kind() {
            values.set(&field.fieldname, read_kept(field, kind, sent, zone)?);
        } else {
            // A secret stays out of the values: its adapter takes what was gathered from it.
            read_secret(field, sent)?;
        }
    }
    Ok(values)
}

/// A value as its field keeps it: read, checked, and rounded where it is a number.
///
/// # Errors
/// As [`read_body`].
pub fn read_kept(field: &Field, kind: Kind, sent: &Value, zone: Tz) -> Result<FieldValue, AppError> {
    let value = read_value(field, kind, sent, zone)?;
    check_value(field, kind, &value)?;
    Ok(normal(field, kind, value))
}

/// Rows of a child table: a list of objects; a form sends it as JSON text. A row that was stored
/// before comes with its `name`.
fn read_rows(
    registry: &Registry,
    field: &Field,
    sent: &Value,
    zone: Tz,
    may_write: &dyn Fn(&Field) -> bool,
) -> Result<Vec<Values>, AppError> {
    let refuse = || AppError::InvalidData(format!("{} must be a list of objects", field.fieldname));
    let parsed;
    let sent = match sent {
        Value::String(text) if !text.trim().is_empty() => {
            parsed = serde_json::from_str::<Value>(text).map_err(|_| refuse())?;
            &parsed
        }
        other => other,
    };
    let rows = match sent {
        Value::Null => return Ok(Vec::new()),
        Value::String(_) => return Ok(Vec::new()),
        Value::Array(rows) => rows,
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => return Err(refuse()),
    };
    if rows.len() > MAX_TABLE_ROWS {
        return Err(AppError::InvalidData(format!("{} has more than {MAX_TABLE_ROWS} rows", field.fieldname)));
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let child = registry.get(&field.options).filter(|child| child.is_child_table).ok_or_else(|| {
        AppError::Validation(format!("{} ({}) takes rows of {}, which is no child table", field.label, field.fieldname, field.options))
    })?;
    rows.iter()
        .enumerate()
        .map(|(index, row)| {
            let row = row.as_object().ok_or_else(refuse)?;
            let mut values = read_body(registry, child, row, zone, may_write).map_err(|error| error.in_row(index + 1))?;
            if let Some(name) = read_name(row) {
                values.set("name", FieldValue::Text(name));
            }
            Ok(values)
        })
        .collect()
}

/// The `name` in a body; a number where names are numbers. No document has a name with NUL.
pub fn read_name(body: &Map<String, Value>) -> Option<String> {
    match body.get("name")? {
        Value::String(name) => Some(name.trim().to_owned()).filter(|name| !name.is_empty() && !name.contains('\0')),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Checks values that did not come from a request as if they had: those that a hook set.
///
/// # Errors
/// Whatever the checks of a value refuse.
pub fn check_values(doctype: &DocType, values: &Values) -> Result<(), AppError> {
    for (fieldname, value) in values.iter() {
        if let Some(field) = doctype.field(fieldname)
            && let Some(kind) = field.kind()
        {
            check_value(field, kind, value)?;
        }
    }
    Ok(())
}

/// Refuses a document that lacks required fields, naming all of them.
///
/// # Errors
/// [`AppError::Mandatory`].
pub fn require(doctype: &DocType, name: &str, values: &Values) -> Result<(), AppError> {
    let missing: Vec<FieldLabel> = doctype
        .fields
        .iter()
        .filter(|field| field.required && is_missing(field, values))
        .map(|field| FieldLabel {
            fieldname: field.fieldname.clone(),
            label: field.label.clone(),
            place: if field.is_table() { FieldPlace::Table } else { FieldPlace::Document },
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(AppError::Mandatory { doctype: doctype.name.clone(), name: name.to_owned(), fields: missing })
}

fn is_missing(field: &Field, values: &Values) -> bool {
    if field.is_table() {
        return values.rows(&field.fieldname).is_none_or(<[Values]>::is_empty);
    }
    match values.get(&field.fieldname) {
        None | Some(FieldValue::Null) => true,
        // Frappe: the text an editor leaves behind when everything was deleted counts as missing.
        Some(FieldValue::Text(text)) => is_blank(text),
        Some(_) => false,
    }
}

fn is_blank(text: &str) -> bool {
    let mut in_tag = false;
    let mut has_media = false;
    let rest = text.chars().any(|letter| match letter {
        '<' => {
            in_tag = true;
            false
        }
        '>' => {
            in_tag = false;
            false
        }
        letter => !in_tag && !letter.is_whitespace(),
    });
    for media in ["<img", "<video", "<audio", "<iframe"] {
        has_media |= text.contains(media);
    }
    !rest && !has_media
}
