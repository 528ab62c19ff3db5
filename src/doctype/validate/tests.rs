//! The rules, definition by definition.

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
    fill_defaults(todo, &mut values, context());
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
        fill_defaults(&doctype, &mut values, context());
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
    let values = read_body(&registry, registry.get("User").expect("builtin"), body.as_object().expect("an object"), Tz::UTC, &|field| {
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
        (json!({"fieldtype": "Float"}), json!(999_999_999_999.5), 999_999_999_999.5),
        (json!({"fieldtype": "Rating"}), json!(1e300), 1.0),
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
        (json!({"fieldtype": "Float"}), json!(1e12)),
        (json!({"fieldtype": "Currency"}), json!("-1e300")),
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
    fill_defaults(&doctype, &mut values, context());
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
