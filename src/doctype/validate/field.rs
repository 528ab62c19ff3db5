//! One value of one field: how it is read, what it may be, and the form in which it is stored.

use chrono_tz::Tz;
use serde_json::Value;

use crate::doctype::fieldtype::{FieldType, Kind};
use crate::doctype::filter::shorten;
use crate::doctype::format;
use crate::doctype::meta::{Field, has_nul};
use crate::doctype::value::{self, FieldValue};
use crate::error::AppError;

/// Digits after the point that numbers keep, as Frappe's columns do.
const MAX_PRECISION: u8 = 9;
/// What a number with a fraction stays below, as Frappe's columns of 21 digits do. No sum of such numbers is infinite.
pub const MAX_FLOAT: f64 = 1e12;

/// Reads a JSON value as a field's type.
///
/// # Errors
/// [`AppError::InvalidData`] or [`AppError::Validation`] naming the field.
pub fn read_value(field: &Field, kind: Kind, value: &Value, zone: Tz) -> Result<FieldValue, AppError> {
    let refuse = |expected: &str| {
        Err(AppError::Validation(format!("{} ({}) must be {expected}, not {}", field.label, field.fieldname, shorten(&value.to_string()))))
    };
    if field.fieldtype.holds_json() {
        return read_json(field, value).map_or_else(|| refuse("JSON"), Ok);
    }
    if let Value::Array(_) | Value::Object(_) = value {
        return Err(AppError::Validation(format!("Value for {} ({}) cannot be a list or an object", field.label, field.fieldname)));
    }
    if let Value::String(text) = value {
        refuse_nul(&field.fieldname, text)?;
    }
    let text = value.as_str().map(str::trim);
    if value.is_null() {
        return Ok(FieldValue::Null);
    }
    match kind {
        Kind::Text { .. } => Ok(FieldValue::Text(match value {
            Value::String(text) => text.clone(),
            Value::Bool(flag) => i32::from(*flag).to_string(),
            other => other.to_string(),
        })),
        Kind::Int => match (value, text) {
            (_, Some("")) => Ok(FieldValue::Null),
            (Value::Bool(flag), _) => Ok(FieldValue::Int(i64::from(*flag))),
            (Value::Number(number), _) => whole(number.as_i64(), number.as_f64()).map_or_else(|| refuse("a whole number"), Ok),
            (_, Some(text)) => whole(text.parse().ok(), text.parse().ok()).map_or_else(|| refuse("a whole number"), Ok),
            _ => refuse("a whole number"),
        },
        Kind::Check => match (value, text) {
            (_, Some("")) => Ok(FieldValue::Null),
            (Value::Bool(flag), _) => Ok(FieldValue::Int(i64::from(*flag))),
            (Value::Number(number), _) => Ok(FieldValue::Int(i64::from(number.as_f64() != Some(0.0)))),
            (_, Some(text)) => match text.to_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => Ok(FieldValue::Int(1)),
                "0" | "false" | "no" | "off" => Ok(FieldValue::Int(0)),
                _ => refuse("0 or 1"),
            },
            _ => refuse("0 or 1"),
        },
        Kind::Float => {
            let number = match (value, text) {
                (_, Some("")) => return Ok(FieldValue::Null),
                (Value::Bool(flag), _) => Some(f64::from(u8::from(*flag))),
                (Value::Number(number), _) => number.as_f64(),
                (_, Some(text)) => text.parse().ok(),
                _ => None,
            };
            // -0.0 would compare equal to 0.0 but be shown differently.
            number
                .filter(|number: &f64| number.is_finite())
                .map_or_else(|| refuse("a number"), |number| Ok(FieldValue::Float(number + 0.0)))
        }
        Kind::Date => match text {
            Some("") => Ok(FieldValue::Null),
            Some(text) => value::parse_date(text).map_or_else(|| refuse("a date as YYYY-MM-DD"), |day| Ok(FieldValue::Date(day))),
            None => refuse("a date as YYYY-MM-DD"),
        },
        Kind::Datetime => match text {
            Some("") => Ok(FieldValue::Null),
            Some(text) => value::parse_datetime(text, zone)
                .map_or_else(|| refuse("a date and time as YYYY-MM-DD HH:MM:SS"), |at| Ok(FieldValue::Datetime(at))),
            None => refuse("a date and time as YYYY-MM-DD HH:MM:SS"),
        },
        Kind::Time => match text {
            Some("") => Ok(FieldValue::Null),
            Some(text) => {
                value::parse_time(text).map_or_else(|| refuse("a time of day as HH:MM:SS"), |micros| Ok(FieldValue::Time(micros)))
            }
            None => refuse("a time of day as HH:MM:SS"),
        },
    }
}

/// A text that holds JSON, or the JSON itself; kept as the text. NUL is refused in its escaped form too.
fn read_json(field: &Field, value: &Value) -> Option<FieldValue> {
    match value {
        Value::Null => Some(FieldValue::Null),
        Value::String(text) if text.trim().is_empty() => Some(FieldValue::Null),
        Value::String(text) => {
            refuse_nul(&field.fieldname, text).ok()?;
            serde_json::from_str::<Value>(text).ok().filter(|value| !has_nul(value)).map(|_| FieldValue::Text(text.clone()))
        }
        other => (!has_nul(other)).then(|| FieldValue::Text(other.to_string())),
    }
}

/// A whole number; a fraction is cut off, as Frappe does.
fn whole(exact: Option<i64>, rounded: Option<f64>) -> Option<FieldValue> {
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let cut = |number: f64| (number.abs() < 9.0e15).then_some(number as i64);
    exact.or_else(|| rounded.and_then(cut)).map(FieldValue::Int)
}

pub(super) fn read_secret(field: &Field, value: &Value) -> Result<(), AppError> {
    match value {
        Value::Null => Ok(()),
        Value::String(text) => refuse_nul(&field.fieldname, text),
        _ => Err(AppError::Validation(format!("{} ({}) must be a text", field.label, field.fieldname))),
    }
}

/// Refuses NUL, which Postgres cannot store and which has no place in a text.
///
/// # Errors
/// [`AppError::InvalidData`] naming the parameter.
pub fn refuse_nul(parameter: &str, text: &str) -> Result<(), AppError> {
    if text.contains('\0') {
        return Err(AppError::InvalidData(format!("{} contains a NUL character", shorten(parameter).replace('\0', ""))));
    }
    Ok(())
}

/// Options, length, sign and the format of addresses.
pub(super) fn check_value(field: &Field, kind: Kind, value: &FieldValue) -> Result<(), AppError> {
    match value {
        FieldValue::Text(text) => {
            if field.fieldtype == FieldType::Select {
                check_option(field, text)?;
            }
            if let Kind::Text { limit: Some(max) } = kind
                && text.chars().count() > max
            {
                return Err(AppError::TooLong { label: field.label.clone(), max });
            }
            check_format(field, text.trim())?;
            Ok(())
        }
        FieldValue::Int(number) if field.non_negative && *number < 0 => Err(negative(field)),
        FieldValue::Float(number) if field.non_negative && *number < 0.0 => Err(negative(field)),
        // Ratings are cut to what they may be.
        FieldValue::Float(number) if number.abs() >= MAX_FLOAT && field.fieldtype != FieldType::Rating => {
            Err(AppError::Validation(format!("Value for {} must lie between -1e12 and 1e12", field.label)))
        }
        _ => Ok(()),
    }
}

fn negative(field: &Field) -> AppError {
    AppError::Validation(format!("Value cannot be negative for {}", field.label))
}

fn check_option(field: &Field, text: &str) -> Result<(), AppError> {
    let text = text.trim();
    if text.is_empty() || field.options.is_empty() || field.select_options().any(|option| option == text) {
        return Ok(());
    }
    let options = field.select_options().filter(|option| !option.is_empty()).map(str::to_owned).collect();
    Err(AppError::NotAnOption { label: field.label.clone(), value: shorten(text), options, row: None })
}

/// The form that a field's type or, of a Data field, its `options` ask for.
fn check_format(field: &Field, text: &str) -> Result<(), AppError> {
    let asked = match field.fieldtype {
        FieldType::Data => field.options.as_str(),
        FieldType::Phone => "Phone",
        _ => return Ok(()),
    };
    if text.is_empty() {
        return Ok(());
    }
    format::check(asked, text).map_err(|what| AppError::Validation(format!("{} is not a valid {what}", shorten(text))))
}

/// The stored form: numbers are never missing (Frappe's columns default to 0), Select options are
/// trimmed, numbers rounded, and an empty text in a unique field is nothing, or two documents could not lack it.
pub(super) fn normal(field: &Field, kind: Kind, value: FieldValue) -> FieldValue {
    match (kind, value) {
        (_, FieldValue::Null) if !field.fieldtype.may_be_missing() => FieldValue::missing(kind),
        (Kind::Text { .. }, FieldValue::Text(text)) => {
            let trimmed = if field.fieldtype == FieldType::Select || field.unique { text.trim().to_owned() } else { text };
            if trimmed.is_empty() && field.unique { FieldValue::Null } else { FieldValue::Text(trimmed) }
        }
        // Frappe clamps a rating silently; stars are its fraction of 1.
        (Kind::Float, FieldValue::Float(number)) if field.fieldtype == FieldType::Rating => {
            FieldValue::Float(value::round(number.clamp(0.0, 1.0), MAX_PRECISION))
        }
        (Kind::Float, FieldValue::Float(number)) => FieldValue::Float(value::round(number, field.precision.unwrap_or(MAX_PRECISION))),
        (_, value) => value,
    }
}
