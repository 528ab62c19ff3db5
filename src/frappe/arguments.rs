//! Arguments of methods. They come as JSON, or as form fields that hold JSON in a text; both mean the same.

use serde_json::{Map, Value};

use crate::error::AppError;
use crate::http::params::{MAX_DEPTH, Params, nests_too_deep};

impl Params {
    /// An argument that was sent and is not null; a text that holds a JSON object or list counts as that.
    ///
    /// # Errors
    /// [`AppError::InvalidData`] for a text that begins as one and is none.
    pub(super) fn json(&self, name: &str) -> Result<Option<Value>, AppError> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.trim_start().starts_with(['{', '[']) => {
                if nests_too_deep(text.as_bytes()) {
                    return Err(AppError::InvalidData(format!("{name} nests deeper than {MAX_DEPTH}")));
                }
                serde_json::from_str(text).map(Some).map_err(|error| AppError::InvalidData(format!("{name} is not JSON: {error}")))
            }
            Some(value) => Ok(Some(value.clone())),
        }
    }

    /// A JSON object that must be there.
    ///
    /// # Errors
    /// [`AppError::InvalidData`] naming it when it is absent, [`AppError::WrongArgument`].
    pub(super) fn object(&self, name: &str) -> Result<Map<String, Value>, AppError> {
        match self.json(name)?.ok_or_else(|| missing(name))? {
            Value::Object(object) => Ok(object),
            other => Err(wrong(name, "dict", &other)),
        }
    }

    /// A JSON list that must be there.
    ///
    /// # Errors
    /// As [`Params::object`].
    pub(super) fn list(&self, name: &str) -> Result<Vec<Value>, AppError> {
        match self.json(name)?.ok_or_else(|| missing(name))? {
            Value::Array(list) => Ok(list),
            other => Err(wrong(name, "list", &other)),
        }
    }

    /// A whole number from 0 on.
    ///
    /// # Errors
    /// [`AppError::WrongArgument`].
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, AppError> {
        let number = match self.values.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(value) => value.as_u64(),
        };
        match number.filter(|number| i64::try_from(*number).is_ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(wrong(name, "int", &self.values[name])),
        }
    }

    /// A switch: `1`, `true`, `0`, `false` in any spelling; absent and empty are off.
    ///
    /// # Errors
    /// [`AppError::WrongArgument`].
    pub(super) fn flag(&self, name: &str) -> Result<bool, AppError> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(value @ Value::Number(number)) => match number.as_u64() {
                Some(0) => Ok(false),
                Some(1) => Ok(true),
                _ => Err(wrong(name, "bool", value)),
            },
            Some(value @ Value::String(text)) => match text.trim().to_lowercase().as_str() {
                "" | "0" | "false" => Ok(false),
                "1" | "true" => Ok(true),
                _ => Err(wrong(name, "bool", value)),
            },
            Some(value) => Err(wrong(name, "bool", value)),
        }
    }
}

fn missing(name: &str) -> AppError {
    AppError::InvalidData(format!("parameter {name} is required"))
}

/// An argument of another type than the method takes; the types have the names that Frappe's texts have.
pub fn wrong(name: &str, expected: &'static str, value: &Value) -> AppError {
    let got = match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    };
    AppError::WrongArgument { name: name.to_owned(), expected, got }
}

/// A name as clients send it: a text, or a number where names are numbers.
pub fn name_text(name: &str, value: &Value) -> Result<String, AppError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(wrong(name, "str", other)),
    }
}

/// Takes a member out of an object, as a name.
///
/// # Errors
/// [`AppError::InvalidData`] naming it when it is absent or empty, [`AppError::WrongArgument`].
pub fn take_name(object: &mut Map<String, Value>, member: &str) -> Result<String, AppError> {
    let value = object.shift_remove(member).unwrap_or_default();
    let text = if value.is_null() { String::new() } else { name_text(member, &value)? };
    if text.is_empty() { Err(missing(member)) } else { Ok(text) }
}
