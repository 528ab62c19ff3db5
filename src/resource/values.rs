//! Documents between their two forms: as they are shown, and as values that are compared and stored.

use chrono_tz::Tz;
use serde_json::{Map, Number, Value};

use crate::doctype::validate::{self, read_name};
use crate::doctype::{DocType, FieldValue, Registry, Values};
use crate::error::AppError;

/// What every document has besides its own fields and hooks and names want to know.
const STANDARD: [&str; 6] = ["owner", "creation", "modified", "modified_by", "docstatus", "idx"];

/// A document as it is shown to someone who sees all of it, as values; its rows have their names.
///
/// # Errors
/// [`AppError::Internal`] when a stored value cannot be read.
pub(super) fn of_document(registry: &Registry, doctype: &DocType, document: &Map<String, Value>, zone: Tz) -> Result<Values, AppError> {
    let mut values = Values::default();
    let own = doctype.fields.iter().filter_map(|field| field.kind().map(|kind| (field, kind)));
    let standard = STANDARD.iter().filter_map(|fieldname| doctype.column(fieldname));
    for (field, kind) in own.chain(standard) {
        if let Some(stored) = document.get(&field.fieldname) {
            values.set(&field.fieldname, validate::read_value(field, kind, stored, zone)?);
        }
    }
    if let Some(name) = read_name(document) {
        values.set("name", FieldValue::Text(name));
    }
    for table in doctype.tables() {
        let (Some(child), Some(Value::Array(rows))) = (registry.get(&table.options), document.get(&table.fieldname)) else { continue };
        let rows = rows.iter().filter_map(Value::as_object).map(|row| of_document(registry, child, row, zone));
        values.set_rows(&table.fieldname, rows.collect::<Result<_, _>>()?);
    }
    Ok(values)
}

/// A value as it is shown.
pub(super) fn shown(value: &FieldValue, zone: Tz) -> Value {
    match value {
        FieldValue::Null => Value::Null,
        FieldValue::Int(number) => Value::from(*number),
        FieldValue::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
        FieldValue::Text(text) => Value::from(text.as_str()),
        FieldValue::Date(_) | FieldValue::Datetime(_) | FieldValue::Time(_) => Value::from(value.shown(zone)),
    }
}

/// Whether two values mean the same: nothing and an empty text do.
pub(super) fn same(old: Option<&FieldValue>, new: Option<&FieldValue>) -> bool {
    let empty = |value: Option<&FieldValue>| value.is_none_or(FieldValue::is_empty);
    old == new || (empty(old) && empty(new))
}
