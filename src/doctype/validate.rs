//! Which values a document accepts: defaults, required fields, types, options and lengths.
//!
//! Pure: what needs the database (links, uniqueness) is checked in `resource`.

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::fieldtype::{FieldType, Kind};
use super::meta::{DocType, Field, has_nul};
use super::value::{self, FieldValue, Values};
use super::{Registry, filter::shorten, format};
use crate::error::{AppError, FieldLabel, FieldPlace};

/// Digits after the point that numbers keep, as Frappe's columns do.
const MAX_PRECISION: u8 = 9;

/// What defaults are filled in with, and in which time zone texts are read.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub user: &'a str,
    /// UTC.
    pub now: NaiveDateTime,
    pub zone: Tz,
}

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
            let value = read_value(field, kind, sent, zone)?;
            check_value(field, kind, &value)?;
            values.set(&field.fieldname, normal(field, kind, value));
        } else {
            // A secret stays out of the values: its adapter takes what was gathered from it.
            read_secret(field, sent)?;
        }
    }
    Ok(values)
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
    if rows.len() > 1000 {
        return Err(AppError::InvalidData(format!("{} has more than 1000 rows", field.fieldname)));
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

/// Fills in what a new document lacks: defaults, and a Select's first option.
pub fn fill_defaults(doctype: &DocType, values: &mut Values, context: Context) -> Result<(), AppError> {
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
    Ok(())
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

fn read_secret(field: &Field, value: &Value) -> Result<(), AppError> {
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
fn check_value(field: &Field, kind: Kind, value: &FieldValue) -> Result<(), AppError> {
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
fn normal(field: &Field, kind: Kind, value: FieldValue) -> FieldValue {
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

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use serde_json::json;

    use super::*;
    use crate::doctype::Origin;

    fn context() -> Context<'static> {
        let now = NaiveDate::from_ymd_opt(2026, 11, 22).and_then(|day| day.and_hms_opt(20, 0, 0)).expect("valid");
        Context { user: "alice@example.com", now, zone: Tz::Asia__Kolkata }
    }

    fn read(doctype: &str, body: Value) -> Result<Values, AppError> {
        let registry = Registry::builtin();
        let Value::Object(body) = body else { panic!("an object") };
        read_body(&registry, registry.get(doctype).expect("builtin"), &body, Tz::UTC, &|_| true)
    }

    #[test]
    fn a_new_todo_gets_its_defaults_in_site_time() {
        let registry = Registry::builtin();
        let todo = registry.get("ToDo").expect("builtin");
        let mut values = read("ToDo", json!({"description": "first", "nosuch": 1})).expect("valid");
        fill_defaults(todo, &mut values, context()).expect("valid");
        require(todo, "x", &values).expect("complete");
        assert_eq!(values.text("status"), Some("Open"));
        assert_eq!(values.text("priority"), Some("Medium"));
        // 20:00 UTC is already the next day in Kolkata.
        assert_eq!(values.get("date"), Some(&FieldValue::Date(NaiveDate::from_ymd_opt(2026, 11, 23).expect("valid"))));
        assert_eq!(values.get("color"), Some(&FieldValue::Null));
        assert!(!values.has("nosuch"));
    }

    #[test]
    fn missing_fields_are_named_with_their_labels() {
        let registry = Registry::builtin();
        let todo = registry.get("ToDo").expect("builtin");
        for body in [json!({}), json!({"description": ""}), json!({"description": "<p> <br></p>"})] {
            let error = require(todo, "n1", &read("ToDo", body).expect("readable")).expect_err("must be refused");
            assert_eq!(error.to_string(), "[ToDo, n1]: missing description");
        }
        assert!(require(todo, "n1", &read("ToDo", json!({"description": "<img src=x>"})).expect("readable")).is_ok());
    }

    #[test]
    fn values_of_the_wrong_type_are_refused_by_field() {
        for (body, says) in [
            (json!({"status": "Banana"}), "Status cannot be"),
            (json!({"date": "notadate"}), "(date) must be a date"),
            (json!({"date": 5}), "(date) must be a date"),
            (json!({"description": {"a": 1}}), "cannot be a list or an object"),
            (json!({"description": "a\u{0}b"}), "description contains a NUL"),
            (json!({"sender": "x".repeat(141)}), "longer than 140"),
        ] {
            let said = read("ToDo", body).expect_err("must be refused").to_string();
            assert!(said.contains(says), "{said}");
        }
        assert!(read("Note", json!({"public": "maybe"})).is_err());
        assert!(read("User", json!({"email": "no address"})).is_err());
        assert!(read("User", json!({"email": "a@example.com,b@example.com"})).is_err());
        assert!(read("User", json!({"login_after": "noon"})).is_err());
        assert!(read("User", json!({"roles": 5})).is_err());
        let rows = read("User", json!({"roles": [{"role": "a"}, {"role": {}}]})).expect_err("must be refused").to_string();
        assert!(rows.starts_with("Row #2: "), "{rows}");
        assert!(read("User", json!({"new_password": ["x"]})).is_err());
    }

    #[test]
    fn numbers_are_read_from_text_and_never_missing() {
        let definition = r#"{"name": "N", "fields": [{"fieldname": "i", "fieldtype": "Int"}, {"fieldname": "f", "fieldtype": "Float", "non_negative": 1}, {"fieldname": "c", "fieldtype": "Check", "default": "1"}]}"#;
        let doctype = DocType::parse("n.json", definition, Origin::Site).expect("valid");
        let registry = Registry::default();
        let read = |body: Value| {
            let mut values = read_body(&registry, &doctype, body.as_object().expect("an object"), Tz::UTC, &|_| true)?;
            fill_defaults(&doctype, &mut values, context())?;
            Ok::<_, AppError>((values.int("i"), values.get("f").cloned(), values.check("c")))
        };
        assert_eq!(read(json!({})), Ok((Some(0), Some(FieldValue::Float(0.0)), Some(true))));
        assert_eq!(read(json!({"i": "7", "f": "1.5", "c": false})), Ok((Some(7), Some(FieldValue::Float(1.5)), Some(false))));
        assert_eq!(read(json!({"i": 5.7, "f": 2, "c": "0"})), Ok((Some(5), Some(FieldValue::Float(2.0)), Some(false))));
        for bad in [json!({"i": "1e400"}), json!({"f": "NaN"}), json!({"f": -1}), json!({"i": 1e300})] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn fields_that_may_not_be_written_are_left_out_silently() {
        let registry = Registry::builtin();
        let body = json!({"first_name": "A", "enabled": 0});
        let values =
            read_body(&registry, registry.get("User").expect("builtin"), body.as_object().expect("an object"), Tz::UTC, &|field| {
                field.permlevel == 0
            })
            .expect("valid");
        assert!(values.has("first_name"));
        assert!(!values.has("enabled"));
    }

    /// What a field of this definition keeps of a value.
    fn kept(definition: Value, sent: Value) -> Result<Option<FieldValue>, AppError> {
        let mut field = definition;
        field["fieldname"] = "f".into();
        let text = json!({"name": "T", "fields": [field]}).to_string();
        let doctype = DocType::parse("t.json", &text, Origin::Site).expect("valid");
        let body = json!({ "f": sent });
        let values = read_body(&Registry::default(), &doctype, body.as_object().expect("an object"), Tz::UTC, &|_| true)?;
        Ok(values.get("f").cloned())
    }

    #[test]
    fn numbers_are_rounded_to_their_precision() {
        let float = |value: f64| Ok(Some(FieldValue::Float(value)));
        for (field, sent, stored) in [
            (json!({"fieldtype": "Currency", "precision": "2"}), json!(2.675), 2.67),
            (json!({"fieldtype": "Currency", "precision": "2"}), json!("0.125"), 0.12),
            (json!({"fieldtype": "Float", "precision": 1}), json!(0.25), 0.2),
            (json!({"fieldtype": "Float", "precision": 1}), json!(0.75), 0.8),
            (json!({"fieldtype": "Float"}), json!(0.123_456_789_4), 0.123_456_789),
            (json!({"fieldtype": "Percent"}), json!(-0.000_000_000_1), 0.0),
            (json!({"fieldtype": "Float"}), json!(1e300), 1e300),
            (json!({"fieldtype": "Rating"}), json!(4), 1.0),
            (json!({"fieldtype": "Rating"}), json!(-0.5), 0.0),
            (json!({"fieldtype": "Rating"}), json!("0.8"), 0.8),
            (json!({"fieldtype": "Duration"}), json!(3_661), 3_661.0),
        ] {
            assert_eq!(kept(field.clone(), sent.clone()), float(stored), "{field} {sent}");
        }
    }

    #[test]
    fn every_type_refuses_what_is_no_value_of_it() {
        for (field, bad) in [
            (json!({"fieldtype": "Int"}), json!(9.3e18)),
            (json!({"fieldtype": "Int"}), json!(u64::MAX)),
            (json!({"fieldtype": "Int", "non_negative": 1}), json!(-1)),
            (json!({"fieldtype": "Float"}), json!("inf")),
            (json!({"fieldtype": "Currency", "non_negative": 1}), json!("-0.01")),
            (json!({"fieldtype": "Time"}), json!("25:00")),
            (json!({"fieldtype": "JSON"}), json!("{\"a\": ")),
            (json!({"fieldtype": "JSON"}), json!("{\"a\": \"\\u0000\"}")),
            (json!({"fieldtype": "Geolocation"}), json!({"a\u{0}": 1})),
            (json!({"fieldtype": "Phone"}), json!("nobody")),
            (json!({"fieldtype": "Data", "options": "IBAN"}), json!("DE00 3704 0044 0532 0130 00")),
            (json!({"fieldtype": "Data", "length": 3}), json!("four")),
            (json!({"fieldtype": "Select", "options": "a\nb"}), json!("c")),
            (json!({"fieldtype": "Small Text"}), json!("a\u{0}")),
            (json!({"fieldtype": "Table", "options": "Nothing"}), json!([{}])),
        ] {
            assert!(
                matches!(
                    kept(field.clone(), bad.clone()),
                    Err(AppError::Validation(_) | AppError::InvalidData(_) | AppError::TooLong { .. } | AppError::NotAnOption { .. })
                ),
                "{field} {bad}"
            );
        }
        for (field, good) in [
            (json!({"fieldtype": "Int"}), json!(i64::MAX)),
            (json!({"fieldtype": "Int"}), json!("-9223372036854775808")),
            (json!({"fieldtype": "JSON"}), json!({"a": [1, {}]})),
            (json!({"fieldtype": "JSON"}), json!("[\"\\\\u0000\"]")),
            (json!({"fieldtype": "Data", "options": "IBAN"}), json!("DE89 3704 0044 0532 0130 00")),
            (json!({"fieldtype": "Phone"}), json!("+91-9876543210")),
        ] {
            assert!(kept(field.clone(), good.clone()).is_ok_and(|kept| kept.is_some()), "{field} {good}");
        }
    }

    #[test]
    fn defaults_are_literals_the_moment_or_the_user() {
        let fields = json!([
            {"fieldname": "text", "fieldtype": "Data", "default": "a 'b'"},
            {"fieldname": "by", "fieldtype": "Link", "options": "User", "default": "__user"},
            {"fieldname": "day", "fieldtype": "Date", "default": "Today"},
            {"fieldname": "at", "fieldtype": "Datetime", "default": "Now"},
            {"fieldname": "clock", "fieldtype": "Time", "default": "Now"},
            {"fieldname": "company", "fieldtype": "Link", "options": "User", "default": ":Company"},
            {"fieldname": "count", "fieldtype": "Int", "default": "many"},
            {"fieldname": "kind", "fieldtype": "Select", "options": "a\nb", "default": "c"},
            {"fieldname": "rate", "fieldtype": "Percent", "default": 7.5}
        ]);
        let doctype = DocType::parse("t.json", &json!({"name": "T", "fields": fields}).to_string(), Origin::Site).expect("valid");
        let mut values = Values::default();
        fill_defaults(&doctype, &mut values, context()).expect("valid");
        let get = |name: &str| values.get(name).cloned().expect("filled");
        assert_eq!(get("text"), FieldValue::Text("a 'b'".into()));
        assert_eq!(get("by"), FieldValue::Text("alice@example.com".into()));
        assert_eq!(get("day"), FieldValue::Date(NaiveDate::from_ymd_opt(2026, 11, 23).expect("valid")));
        assert_eq!(get("at"), FieldValue::Datetime(context().now));
        assert_eq!(get("clock"), FieldValue::Time(90 * 60 * 1_000_000));
        assert_eq!((get("company"), get("count"), get("kind")), (FieldValue::Null, FieldValue::Int(0), FieldValue::Null));
        assert_eq!(get("rate"), FieldValue::Float(7.5));
        assert_eq!(unreadable_defaults(&doctype), [("company", ":Company"), ("count", "many"), ("kind", "c")]);
        let fixed = |name: &str| doctype.column(name).and_then(|(field, kind)| fixed_default(field, kind));
        assert_eq!((fixed("text"), fixed("rate")), (Some(get("text")), Some(get("rate"))));
        assert!(["by", "day", "at", "clock", "company", "count"].iter().all(|name| fixed(name).is_none()));
    }
}
