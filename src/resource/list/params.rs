//! The parameters of a list, as a request writes them.

use serde_json::{Map, Value};

use crate::doctype::filter::shorten;
use crate::error::AppError;

/// Rows of a list that names no number, as in Frappe.
const DEFAULT_LIMIT: u64 = 20;
/// Longest cursor that is looked at; ours are much shorter unless a sort key is a long text.
const MAX_CURSOR: usize = 100_000;

/// What a list asks for, as the request wrote it: JSON values, or texts that hold JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct ListParams {
    /// Names of fields, aggregates; default `["name"]`.
    pub fields: Option<Value>,
    /// All of these hold.
    pub filters: Option<Value>,
    /// One of these holds too.
    pub or_filters: Option<Value>,
    /// `field asc|desc, …`; default the doctype's own order.
    pub order_by: Option<String>,
    pub group_by: Vec<String>,
    pub distinct: bool,
    pub limit_start: u64,
    /// `None`: no limit.
    pub limit: Option<u64>,
    /// Rows are lists of values (`as_dict=0`).
    pub as_arrays: bool,
    /// Whose rows a child table's are.
    pub parent: Option<String>,
    /// Links with an object in their place.
    pub expand: Vec<String>,
    /// Whether the answer says if there are more rows, and where they begin.
    pub pages: bool,
    /// Where an earlier page ended.
    pub cursor: Option<String>,
}

impl Default for ListParams {
    fn default() -> Self {
        Self {
            fields: None,
            filters: None,
            or_filters: None,
            order_by: None,
            group_by: Vec::new(),
            distinct: false,
            limit_start: 0,
            limit: Some(DEFAULT_LIMIT),
            as_arrays: false,
            parent: None,
            expand: Vec::new(),
            pages: false,
            cursor: None,
        }
    }
}

impl ListParams {
    /// Reads the request's parameters (contract 6.1). Unknown ones are ignored, as in Frappe.
    ///
    /// # Errors
    /// [`AppError::InvalidData`] for one that cannot be read.
    pub fn parse(params: &Map<String, Value>) -> Result<Self, AppError> {
        // Frappe: `debug` shows the statement in `_debug_messages`, here: it is ignored, because a statement
        // tells how rights are kept.
        let limit = match read_number(params, "limit_page_length")? {
            Some(limit) => Some(limit),
            None => read_number(params, "limit")?,
        };
        Ok(Self {
            fields: present(params, "fields").cloned(),
            filters: read_filters("filters", params.get("filters"))?,
            or_filters: read_filters("or_filters", params.get("or_filters"))?,
            order_by: read_text(params, "order_by")?,
            group_by: read_names(params, "group_by")?,
            distinct: flag(params, "distinct")?.unwrap_or(false),
            limit_start: read_number(params, "limit_start")?.unwrap_or(0),
            limit: Some(limit.unwrap_or(DEFAULT_LIMIT)).filter(|limit| *limit > 0),
            as_arrays: !flag(params, "as_dict")?.unwrap_or(true),
            parent: read_text(params, "parent")?,
            expand: read_names(params, "expand")?,
            pages: false,
            cursor: None,
        })
    }

    /// The same of a list that is turned page by page; `cursor` counts here only.
    ///
    /// # Errors
    /// As [`ListParams::parse`].
    pub fn parse_pages(params: &Map<String, Value>) -> Result<Self, AppError> {
        let cursor = read_text(params, "cursor")?;
        if cursor.as_ref().is_some_and(|cursor| cursor.len() > MAX_CURSOR) {
            return Err(AppError::InvalidData("cursor is too long".into()));
        }
        Ok(Self { pages: true, cursor, ..Self::parse(params)? })
    }
}

/// A parameter that was sent and is not empty.
fn present<'a>(params: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    params.get(name).filter(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        _ => true,
    })
}

/// A flag as clients spell it.
fn read_flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => number.as_u64().filter(|number| *number < 2).map(|number| number == 1),
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn flag(params: &Map<String, Value>, name: &str) -> Result<Option<bool>, AppError> {
    let Some(value) = present(params, name) else { return Ok(None) };
    match read_flag(value) {
        Some(flag) => Ok(Some(flag)),
        None => Err(AppError::InvalidData(format!("parameter {name} must be 0, 1, true or false"))),
    }
}

fn read_text(params: &Map<String, Value>, name: &str) -> Result<Option<String>, AppError> {
    match present(params, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(AppError::InvalidData(format!("{name} must be a text"))),
    }
}

/// Names in a list, in a text that holds one, or between commas.
fn read_names(params: &Map<String, Value>, name: &str) -> Result<Vec<String>, AppError> {
    let refuse = || AppError::InvalidData(format!("{name} must be a list of names"));
    let parsed;
    let value = match present(params, name) {
        None => return Ok(Vec::new()),
        Some(Value::String(text)) if text.trim_start().starts_with('[') => {
            parsed = serde_json::from_str::<Value>(text).map_err(|_| refuse())?;
            &parsed
        }
        Some(other) => other,
    };
    match value {
        Value::String(text) => Ok(text.split(',').map(|name| name.trim().to_owned()).collect()),
        Value::Array(list) => list.iter().map(|name| name.as_str().map(str::to_owned).ok_or_else(refuse)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(refuse()),
    }
}

fn read_number(params: &Map<String, Value>, name: &str) -> Result<Option<u64>, AppError> {
    let Some(value) = present(params, name) else { return Ok(None) };
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number.filter(|number| i64::try_from(*number).is_ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(AppError::InvalidData(format!("{name} must be a whole number from 0 on, not {}", shorten(&value.to_string())))),
    }
}

/// Filters as JSON, or as a text that holds JSON.
pub(super) fn read_filters(name: &str, value: Option<&Value>) -> Result<Option<Value>, AppError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => {
            serde_json::from_str(text).map(Some).map_err(|error| AppError::InvalidData(format!("{name} is not JSON: {error}")))
        }
        Some(value) => Ok(Some(value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(params: Value) -> Result<ListParams, AppError> {
        ListParams::parse(params.as_object().expect("an object"))
    }

    #[test]
    fn limits_have_their_default_and_zero_means_none() {
        assert_eq!(parse(json!({})).map(|params| params.limit), Ok(Some(20)));
        assert_eq!(parse(json!({"limit_page_length": "0"})).map(|params| params.limit), Ok(None));
        assert_eq!(parse(json!({"limit": "2"})).map(|params| params.limit), Ok(Some(2)));
        assert_eq!(
            parse(json!({"limit": 2, "limit_page_length": 5, "limit_start": "3"})).map(|p| (p.limit, p.limit_start)),
            Ok((Some(5), 3))
        );
        for bad in
            [json!({"limit": "x"}), json!({"limit_start": -1}), json!({"limit_page_length": [1]}), json!({"limit": "99999999999999999999"})]
        {
            assert!(matches!(parse(bad.clone()), Err(AppError::InvalidData(_))), "{bad}");
        }
    }

    #[test]
    fn names_and_switches_are_read_in_every_spelling() {
        for group_by in [json!("a, b"), json!(["a", "b"]), json!("[\"a\", \"b\"]")] {
            assert_eq!(parse(json!({"group_by": group_by})).map(|params| params.group_by), Ok(vec!["a".to_owned(), "b".to_owned()]));
        }
        assert_eq!(parse(json!({"as_dict": "0", "distinct": "True"})).map(|params| (params.as_arrays, params.distinct)), Ok((true, true)));
        let nothing = json!({"banana": 1, "pluck": "name", "debug": "1", "as_dict": 1, "or_filters": "", "group_by": "", "expand": "[]", "cursor": "x"});
        assert_eq!(parse(nothing), Ok(ListParams::default()));
        for bad in [
            json!({"as_dict": "perhaps"}),
            json!({"expand": "[1]"}),
            json!({"group_by": {}}),
            json!({"parent": 1}),
            json!({"order_by": []}),
        ] {
            assert!(matches!(parse(bad.clone()), Err(AppError::InvalidData(_))), "{bad}");
        }
    }

    #[test]
    fn filters_that_are_no_json_are_refused() {
        assert!(matches!(parse(json!({"filters": "[[name"})), Err(AppError::InvalidData(text)) if text.contains("filters")));
        assert_eq!(parse(json!({"filters": "{\"a\":1}"})).map(|params| params.filters), Ok(Some(json!({"a": 1}))));
    }
}
