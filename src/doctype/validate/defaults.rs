//! What a new document gets where nothing was sent.

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use serde_json::Value;

use super::field::{check_value, normal, read_value};
use crate::doctype::fieldtype::{FieldType, Kind};
use crate::doctype::meta::{DocType, Field};
use crate::doctype::value::{self, FieldValue, Values};

/// What defaults are filled in with, and in which time zone texts are read.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub user: &'a str,
    /// UTC.
    pub now: NaiveDateTime,
    pub zone: Tz,
}

/// Fills in what a new document lacks: defaults, and a Select's first option.
pub fn fill_defaults(doctype: &DocType, values: &mut Values, context: Context) {
    for field in &doctype.fields {
        let Some(kind) = field.kind() else { continue };
        let missing = match values.get(&field.fieldname) {
            None | Some(FieldValue::Null) => true,
            Some(value) => value.is_empty() && field.fieldtype == FieldType::Select,
        };
        if missing {
            let value = default_value(field, kind, context);
            values.set(&field.fieldname, normal(field, kind, value));
        }
    }
}

fn default_value(field: &Field, kind: Kind, context: Context) -> FieldValue {
    let Some(default) = field.default.as_deref() else {
        return match field.fieldtype {
            FieldType::Select => match field.select_options().next().filter(|first| !first.is_empty()) {
                Some(first) => FieldValue::Text(first.to_owned()),
                None => FieldValue::Null,
            },
            _ => FieldValue::Null,
        };
    };
    match (read_default(kind, default), kind) {
        (Default::Now, Kind::Date) => FieldValue::Date(value::today(context.now, context.zone)),
        (Default::Now, Kind::Datetime) => FieldValue::Datetime(context.now),
        (Default::Now, _) => value::parse_time(&value::to_local(context.now, context.zone).time().format("%H:%M:%S").to_string())
            .map_or(FieldValue::Null, FieldValue::Time),
        (Default::User, _) => FieldValue::Text(context.user.to_owned()),
        (Default::Elsewhere, _) => FieldValue::Null,
        (Default::Literal(text), _) => literal_default(field, kind, text, context.zone).unwrap_or(FieldValue::Null),
    }
}

/// What the `default` of a definition means.
enum Default<'a> {
    /// `Today` or `Now` of a field that holds a time.
    Now,
    /// `__user`: who makes the document.
    User,
    /// Frappe: `:Company` takes the value from a document of that doctype, here: nothing, because which one depends on a
    /// user's settings that only Frappe's desk has.
    Elsewhere,
    Literal(&'a str),
}

fn read_default(kind: Kind, default: &str) -> Default<'_> {
    match (kind, default.trim().to_lowercase().as_str()) {
        (Kind::Date | Kind::Datetime, "today" | "now") | (Kind::Time, "now") => Default::Now,
        (Kind::Text { .. }, "__user" | "user") => Default::User,
        (_, text) if text.starts_with(':') => Default::Elsewhere,
        _ => Default::Literal(default),
    }
}

/// A literal default, if the field takes it.
fn literal_default(field: &Field, kind: Kind, text: &str, zone: Tz) -> Option<FieldValue> {
    let value = read_value(field, kind, &Value::String(text.to_owned()), zone).ok()?;
    check_value(field, kind, &value).ok()?;
    Some(normal(field, kind, value))
}

/// The default that is the same for every document, whoever makes it and when. Those of a Datetime depend on the time
/// zone and are left out.
pub fn fixed_default(field: &Field, kind: Kind) -> Option<FieldValue> {
    match read_default(kind, field.default.as_deref()?) {
        Default::Literal(text) if kind != Kind::Datetime => literal_default(field, kind, text, Tz::UTC),
        Default::Literal(_) | Default::Now | Default::User | Default::Elsewhere => None,
    }
}

/// Fields whose default is no value of theirs, with the default; documents get nothing there.
pub fn unreadable_defaults(doctype: &DocType) -> Vec<(&str, &str)> {
    let unreadable = |field: &&Field| match (field.kind(), field.default.as_deref()) {
        (Some(kind), Some(default)) => match read_default(kind, default) {
            Default::Literal(text) => literal_default(field, kind, text, Tz::UTC).is_none(),
            Default::Elsewhere => true,
            Default::Now | Default::User => false,
        },
        _ => false,
    };
    doctype.fields.iter().filter(unreadable).map(|field| (field.fieldname.as_str(), field.default.as_deref().unwrap_or_default())).collect()
}
