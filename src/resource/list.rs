//! Lists and counts.

use serde_json::{Map, Value};

use super::permissions::{self, Action};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::{bare_fieldname, shorten};
use crate::doctype::{DocType, Filter, SortKey, meta};
use crate::error::AppError;
use crate::store::documents::{self, Selection};

/// Rows of a list that names no number, as in Frappe.
const DEFAULT_LIMIT: u64 = 20;
/// Most fields of a list.
const MAX_FIELDS: usize = 500;
/// Most columns a list is sorted by.
const MAX_SORT_KEYS: usize = 10;

/// What a list asks for, as the request wrote it: JSON values, or texts that hold JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct ListParams {
    /// Names of fields; default `["name"]`.
    pub fields: Option<Value>,
    pub filters: Option<Value>,
    /// `field asc|desc, …`; default the doctype's own order.
    pub order_by: Option<String>,
    pub limit_start: u64,
    /// `None`: no limit.
    pub limit: Option<u64>,
}

impl Default for ListParams {
    fn default() -> Self {
        Self { fields: None, filters: None, order_by: None, limit_start: 0, limit: Some(DEFAULT_LIMIT) }
    }
}

impl ListParams {
    /// Reads the request's parameters (contract 6.1). Unknown ones are ignored, as in Frappe.
    ///
    /// # Errors
    /// [`AppError::Unsupported`] for a parameter that Frappe knows and Ostiary does not yet,
    /// [`AppError::InvalidData`] for one that cannot be read.
    pub fn parse(params: &Map<String, Value>) -> Result<Self, AppError> {
        for name in ["or_filters", "group_by", "parent", "expand", "debug"] {
            if params.get(name).is_some_and(asks_for_something) {
                return Err(AppError::Unsupported(format!("the list parameter {name}")));
            }
        }
        match present(params, "as_dict").map(read_flag) {
            None | Some(Some(true)) => {}
            Some(Some(false)) => return Err(AppError::Unsupported("the list parameter as_dict=0".into())),
            Some(None) => return Err(AppError::InvalidData("parameter as_dict must be 0, 1, true or false".into())),
        }
        let limit = match read_number(params, "limit_page_length")? {
            Some(limit) => Some(limit),
            None => read_number(params, "limit")?,
        };
        Ok(Self {
            fields: present(params, "fields").cloned(),
            filters: read_filters(params.get("filters"))?,
            order_by: match present(params, "order_by") {
                None => None,
                Some(Value::String(text)) => Some(text.clone()),
                Some(_) => return Err(AppError::InvalidData("order_by must be a text".into())),
            },
            limit_start: read_number(params, "limit_start")?.unwrap_or(0),
            limit: Some(limit.unwrap_or(DEFAULT_LIMIT)).filter(|limit| *limit > 0),
        })
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

/// Whether a switch or a list is more than its absence; `0`, `false`, `[]` and `{}` are not.
fn asks_for_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.trim().to_lowercase().as_str(), "" | "0" | "false" | "none" | "null" | "[]" | "{}"),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
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
fn read_filters(value: Option<&Value>) -> Result<Option<Value>, AppError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => {
            serde_json::from_str(text).map(Some).map_err(|error| AppError::InvalidData(format!("filters is not JSON: {error}")))
        }
        Some(value) => Ok(Some(value.clone())),
    }
}

/// The documents a caller may read, as the text of a JSON array of objects.
///
/// # Errors
/// As [`super::permit`], and what the filters, fields and order refuse.
pub fn list(cx: &mut Cx, caller: &Caller, doctype: &str, params: &ListParams) -> Result<String, AppError> {
    Ok(join(&list_rows(cx, caller, doctype, params)?))
}

/// A part of a list, as version 2 answers it.
pub struct Page {
    /// The rows, as the text of a JSON array.
    pub rows: String,
    /// Whether more follow.
    pub has_more: bool,
}

/// The same as [`list`], with whether more rows follow.
///
/// # Errors
/// As [`list`].
pub fn list_page(cx: &mut Cx, caller: &Caller, doctype: &str, params: &ListParams) -> Result<Page, AppError> {
    let one_more = ListParams { limit: params.limit.map(|limit| limit.saturating_add(1)), ..params.clone() };
    let mut rows = list_rows(cx, caller, doctype, &one_more)?;
    let limit = params.limit.map_or(rows.len(), |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    Ok(Page { rows: join(&rows), has_more })
}

fn list_rows(cx: &mut Cx, caller: &Caller, doctype: &str, params: &ListParams) -> Result<Vec<String>, AppError> {
    let doctype = permissions::permit(cx.env, caller, doctype, None, Action::Read)?;
    let zone = cx.env.config.site.time_zone;
    let fields = read_fields(caller, &doctype, params.fields.as_ref())?;
    let fields: Vec<(&str, &str)> = fields.iter().map(|(key, fieldname)| (key.as_str(), fieldname.as_str())).collect();
    let order = read_order(caller, &doctype, params.order_by.as_deref())?;
    let filter = whole_filter(cx, caller, &doctype, params.filters.as_ref())?;
    let selection = Selection {
        doctype: &doctype,
        fields: &fields,
        filter: &filter,
        order: &order,
        start: params.limit_start,
        limit: params.limit,
        zone,
    };
    Ok(documents::list_documents(cx.conn, &selection)?)
}

fn join(rows: &[String]) -> String {
    let mut text = String::with_capacity(rows.iter().map(|row| row.len() + 1).sum::<usize>() + 2);
    text.push('[');
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(row);
    }
    text.push(']');
    text
}

/// How many documents a caller may read.
///
/// # Errors
/// As [`list`].
pub fn count(cx: &mut Cx, caller: &Caller, doctype: &str, filters: Option<&Value>) -> Result<i64, AppError> {
    let doctype = permissions::permit(cx.env, caller, doctype, None, Action::Read)?;
    let filters = read_filters(filters)?;
    let filter = whole_filter(cx, caller, &doctype, filters.as_ref())?;
    Ok(documents::count_documents(cx.conn, &doctype, &filter, cx.env.config.site.time_zone)?)
}

/// What the request asks for, within what the caller may read.
fn whole_filter(cx: &Cx, caller: &Caller, doctype: &DocType, filters: Option<&Value>) -> Result<Filter, AppError> {
    let rights = permissions::filter(caller, doctype, Action::Read);
    match filters {
        None => Ok(rights),
        Some(filters) => {
            let may_query = |field: &meta::Field| permissions::may_use(caller, doctype, field, Action::Read);
            Ok(rights.and(Filter::parse(doctype, filters, cx.env.config.site.time_zone, &may_query)?))
        }
    }
}

/// The keys of each row and the fields they show. Fields of a level the caller lacks are left out
/// silently, as in Frappe.
fn read_fields(caller: &Caller, doctype: &DocType, fields: Option<&Value>) -> Result<Vec<(String, String)>, AppError> {
    let parsed;
    let fields = match fields {
        Some(Value::String(text)) if text.trim_start().starts_with(['[', '"', '{']) => {
            parsed = serde_json::from_str::<Value>(text).map_err(|error| AppError::InvalidData(format!("fields is not JSON: {error}")))?;
            Some(&parsed)
        }
        other => other,
    };
    let items: Vec<&str> = match fields {
        None | Some(Value::Null) => vec!["name"],
        Some(Value::String(text)) => text.split(',').collect(),
        Some(Value::Array(list)) if list.is_empty() => vec!["name"],
        Some(Value::Array(list)) => list.iter().map(item_text).collect::<Result<_, _>>()?,
        Some(_) => return Err(AppError::InvalidData("fields must be a list of names".into())),
    };
    if items.len() > MAX_FIELDS {
        return Err(AppError::InvalidData(format!("fields has {} entries; at most {MAX_FIELDS} are accepted", items.len())));
    }
    let mut shown: Vec<(String, String)> = Vec::new();
    for item in items {
        let item = item.trim();
        if bare_fieldname(doctype, item) == "*" {
            for (field, _) in doctype.columns() {
                show(caller, doctype, &mut shown, &field.fieldname, field);
            }
            continue;
        }
        let (name, key) = split_alias(item);
        let fieldname = bare_fieldname(doctype, name);
        let refused = || AppError::FieldNotPermitted(shorten(item));
        let Some((field, _)) = doctype.column(fieldname) else {
            return Err(match fieldname.split_once('.') {
                Some((first, second)) if meta::is_fieldname(first) && meta::is_fieldname(second) => {
                    AppError::Unsupported(format!("the field path {}", shorten(item)))
                }
                _ => refused(),
            });
        };
        let key = key.unwrap_or(&field.fieldname);
        if !meta::is_fieldname(key) {
            return Err(refused());
        }
        show(caller, doctype, &mut shown, key, field);
    }
    Ok(shown)
}

/// Repeated keys count once: an object cannot have them twice.
fn show(caller: &Caller, doctype: &DocType, shown: &mut Vec<(String, String)>, key: &str, field: &meta::Field) {
    if permissions::may_use(caller, doctype, field, Action::Read) && !shown.iter().any(|(known, _)| known == key) {
        shown.push((key.to_owned(), field.fieldname.clone()));
    }
}

fn item_text(item: &Value) -> Result<&str, AppError> {
    match item {
        Value::String(text) => Ok(text),
        Value::Object(_) => Err(AppError::Unsupported("an object in fields".into())),
        other => Err(AppError::InvalidData(format!("fields must be a list of names, not of {}", shorten(&other.to_string())))),
    }
}

/// `field as key`. The name may have spaces: `` `tabOdd Thing`.`name` ``.
fn split_alias(item: &str) -> (&str, Option<&str>) {
    match item.to_ascii_lowercase().rfind(" as ") {
        Some(at) => (item[..at].trim(), Some(item[at + 4..].trim().trim_matches(|quote| matches!(quote, '`' | '\'' | '"')))),
        None => (item, None),
    }
}

/// `field`, `field asc` or `field desc`.
fn split_direction(part: &str) -> (&str, bool) {
    match part.rsplit_once(char::is_whitespace) {
        Some((name, direction)) if direction.eq_ignore_ascii_case("asc") => (name.trim(), false),
        Some((name, direction)) if direction.eq_ignore_ascii_case("desc") => (name.trim(), true),
        _ => (part, false),
    }
}

/// `field asc|desc, …`.
fn read_order(caller: &Caller, doctype: &DocType, order_by: Option<&str>) -> Result<Vec<SortKey>, AppError> {
    let Some(order_by) = order_by.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(doctype.default_order.clone());
    };
    let parts: Vec<&str> = order_by.split(',').collect();
    if parts.len() > MAX_SORT_KEYS {
        return Err(AppError::InvalidData(format!("order_by has {} fields; at most {MAX_SORT_KEYS} are accepted", parts.len())));
    }
    parts
        .into_iter()
        .map(|part| {
            let (name, descending) = split_direction(part.trim());
            let fieldname = bare_fieldname(doctype, name);
            match doctype.column(fieldname) {
                Some((field, _)) if permissions::may_use(caller, doctype, field, Action::Read) => {
                    Ok(SortKey { fieldname: field.fieldname.clone(), descending })
                }
                _ => Err(AppError::FieldNotPermitted(shorten(name))),
            }
        })
        .collect()
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
    fn known_parameters_that_are_missing_here_name_themselves_and_unknown_ones_are_ignored() {
        for (params, name) in [
            (json!({"or_filters": "[[\"a\",\"=\",1]]"}), "or_filters"),
            (json!({"group_by": "priority"}), "group_by"),
            (json!({"as_dict": "0"}), "as_dict"),
            (json!({"as_dict": false}), "as_dict"),
            (json!({"parent": "User"}), "parent"),
            (json!({"expand": ["x"]}), "expand"),
            (json!({"debug": "True"}), "debug"),
        ] {
            let said = parse(params).expect_err("must be refused");
            assert!(matches!(&said, AppError::Unsupported(what) if what.contains(name)), "{said}");
        }
        assert!(parse(json!({"banana": 1, "pluck": "name", "debug": "0", "as_dict": 1, "or_filters": "[]", "group_by": ""})).is_ok());
    }

    #[test]
    fn filters_that_are_no_json_are_refused() {
        assert!(matches!(parse(json!({"filters": "[[name"})), Err(AppError::InvalidData(text)) if text.contains("filters")));
        assert_eq!(parse(json!({"filters": "{\"a\":1}"})).map(|params| params.filters), Ok(Some(json!({"a": 1}))));
    }
}
