//! Suggestions for a Link field: documents whose name, title or search fields contain what was typed.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::list::{self, ListParams};
use super::permissions::{self, Action};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{DocType, FieldType, Kind};
use crate::error::AppError;

/// What somebody typed into a Link field.
pub struct Typed {
    pub doctype: String,
    pub text: String,
    /// Conditions of the form, as a list takes them.
    pub filters: Option<Value>,
    /// The one field to look into; else name, title and search fields.
    pub field: Option<String>,
    pub limit: u64,
}

/// A document that may be meant.
#[derive(Debug, PartialEq)]
pub struct Suggestion {
    pub name: Value,
    /// What its search fields say, without what the name or title says already.
    pub description: String,
    /// Its title, for doctypes whose links show it.
    pub title: Option<String>,
}

/// Documents that may be meant; of those found, the ones whose name contains the text come first.
///
/// # Errors
/// As [`super::list()`].
pub fn suggest(cx: &mut Cx, caller: &Caller, typed: &Typed) -> Result<Vec<Suggestion>, AppError> {
    let (doctype, action) = permissions::open_list(cx, caller, &typed.doctype)?;
    let doctype = &doctype;
    let mut filters = conditions(typed.filters.as_ref())?;
    // Frappe: what is switched off is never suggested, here: it is to who may only select, because the switch is a field
    // that they may not use.
    if action == Action::Read {
        filters.extend(alive(doctype));
    }
    let pattern = format!("%{}%", typed.text);
    let fields = searched(caller, doctype, action, typed);
    let or_filters = fields.iter().map(|field| json!([field, "like", pattern])).collect::<Vec<_>>();
    let params = ListParams {
        fields: Some(Value::from(shown_fields(doctype))),
        filters: Some(filters.into()),
        or_filters: Some(or_filters.into()),
        limit: Some(typed.limit),
        ..ListParams::default()
    };
    let mut found: Vec<Map<String, Value>> =
        serde_json::from_str(&list::list(cx, caller, &doctype.name, &params)?).map_err(AppError::internal)?;
    let typed = typed.text.to_lowercase();
    found.sort_by_key(|row| !row.get("name").and_then(Value::as_str).is_some_and(|name| name.to_lowercase().contains(&typed)));
    let by_title = shows_title(doctype);
    Ok(found.into_iter().map(|row| suggestion(doctype, row, by_title)).collect())
}

/// The fields to look into; none where nothing was typed, which finds all documents.
fn searched<'a>(caller: &Caller, doctype: &'a DocType, action: Action, typed: &'a Typed) -> Vec<&'a str> {
    if typed.text.is_empty() {
        return Vec::new();
    }
    if let Some(field) = &typed.field {
        return vec![field.as_str()];
    }
    let mut fields = vec!["name"];
    for fieldname in doctype.title_field.iter().chain(&doctype.search_fields).map(String::as_str) {
        let Some((field, kind)) = doctype.column(fieldname) else { continue };
        let is_text = matches!(kind, Kind::Text { .. }) && field.fieldtype != FieldType::DynamicLink;
        if is_text && !fields.contains(&fieldname) && permissions::may_use(caller, doctype, field, action) {
            fields.push(fieldname);
        }
    }
    fields
}

/// Name, search fields, title: what a suggestion is made of.
fn shown_fields(doctype: &DocType) -> Vec<&str> {
    let mut shown = vec!["name"];
    for fieldname in doctype.search_fields.iter().chain(&doctype.title_field).map(String::as_str) {
        if doctype.column(fieldname).is_some() && !shown.contains(&fieldname) {
            shown.push(fieldname);
        }
    }
    shown
}

/// The form's own conditions as a list of them.
fn conditions(filters: Option<&Value>) -> Result<Vec<Value>, AppError> {
    match filters {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list.clone()),
        Some(Value::Object(map)) => Ok(map
            .iter()
            .map(|(fieldname, value)| match value {
                Value::Array(pair) => Value::Array([vec![fieldname.as_str().into()], pair.clone()].concat()),
                value => json!([fieldname, "=", value]),
            })
            .collect()),
        Some(_) => Err(AppError::InvalidData("filters must be a JSON object or a list of lists".into())),
    }
}

/// What is switched off is not suggested.
fn alive(doctype: &DocType) -> Vec<Value> {
    let is_switch = |name: &str| doctype.field(name).is_some_and(|field| field.fieldtype == FieldType::Check);
    [("enabled", "=", 1), ("disabled", "=", 0)]
        .into_iter()
        .filter(|(name, ..)| is_switch(name))
        .map(|(name, is, on)| json!([name, is, on]))
        .collect()
}

fn shows_title(doctype: &DocType) -> bool {
    #[derive(Deserialize)]
    struct Switches {
        #[serde(default)]
        show_title_field_in_link: Value,
    }
    let switches = serde_json::from_str::<Switches>(&doctype.definition);
    doctype.title_field.is_some() && switches.is_ok_and(|switches| switches.show_title_field_in_link == 1)
}

fn suggestion(doctype: &DocType, mut row: Map<String, Value>, by_title: bool) -> Suggestion {
    let name = row.shift_remove("name").unwrap_or_default();
    let title = doctype.title_field.as_ref().filter(|_| by_title).and_then(|title| row.shift_remove(title)).map(|title| text_of(&title));
    let title = title.filter(|title| !title.is_empty());
    let mut parts: Vec<String> = Vec::new();
    if title.is_some() {
        parts.push(text_of(&name));
    }
    for part in row.values().map(text_of) {
        if !part.is_empty() && !parts.contains(&part) {
            parts.push(part);
        }
    }
    Suggestion { name, description: parts.join(", "), title }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
