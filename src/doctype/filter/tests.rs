use chrono_tz::Tz;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::doctype::column::ChildRows;
use crate::doctype::{Origin, Registry, value};
use crate::error::AppError;

/// Who may ask about everything.
struct Anyone;

impl Asker for Anyone {
    fn may_name(&mut self, _column: &Column) -> Result<bool, AppError> {
        Ok(true)
    }

    fn readable(&mut self, _doctype: &DocType) -> Result<Filter, AppError> {
        Ok(Filter::always())
    }
}

const PLACE: &str = r#"{"name": "Place", "is_tree": 1, "fields": [
    {"fieldname": "parent_place", "fieldtype": "Link", "options": "Place"},
    {"fieldname": "keeper", "fieldtype": "Link", "options": "User"},
    {"fieldname": "about", "fieldtype": "Dynamic Link", "options": "keeper"},
    {"fieldname": "visits", "fieldtype": "Table", "options": "Visit"}]}"#;
const VISIT: &str = r#"{"name": "Visit", "istable": 1, "fields": [{"fieldname": "note", "fieldtype": "Data"}]}"#;

fn registry() -> Registry {
    let mut registry = Registry::builtin();
    for text in [PLACE, VISIT] {
        registry.insert("x.json", DocType::parse("x.json", text, Origin::Site).expect("valid")).expect("new");
    }
    registry
}

fn parse_on(doctype: &str, filters: &Value) -> Result<Filter, AppError> {
    let registry = registry();
    let now = value::parse_local("2026-03-31 12:00:00").expect("valid");
    let subject = Subject { registry: &registry, doctype: registry.get(doctype).expect("known"), zone: Tz::UTC, now };
    Filter::parse_any(filters, &subject, &mut Anyone)?;
    Filter::parse(filters, &subject, &mut Anyone)
}

fn parse(filters: &Value) -> Result<Filter, AppError> {
    parse_on("ToDo", filters)
}

fn only(filter: Result<Filter, AppError>) -> (Column, Operation) {
    let Ok(Filter::And(mut parts)) = filter else { panic!("{filter:?}") };
    let Some(Filter::Compare { column, operation }) = parts.pop() else { panic!("a condition") };
    (column, operation)
}

fn text(text: &str) -> FieldValue {
    FieldValue::Text(text.into())
}

fn compare(fieldname: &str, operation: Operation) -> Filter {
    Filter::on(fieldname, operation)
}

#[test]
fn all_four_spellings_mean_the_same() {
    let expected = Filter::And(vec![compare("status", Operation::Equal(text("Open")))]);
    for filters in [
        json!({"status": "Open"}),
        json!({"status": ["=", "Open"]}),
        json!([["status", "=", "Open"]]),
        json!([["ToDo", "status", "=", "Open"]]),
        json!([["ToDo", "`tabToDo`.`status`", "=", "Open", false]]),
        json!([{"status": "Open"}]),
    ] {
        assert_eq!(parse(&filters), Ok(expected.clone()), "{filters}");
    }
}

#[test]
fn operators_are_typed_by_their_field() {
    let date = |text: &str| FieldValue::Date(value::parse_date(text).expect("valid"));
    for (filters, operation) in [
        (json!({"status": ["in", "Open, Closed"]}), Operation::In(vec![text("Open"), text("Closed")])),
        (json!({"status": ["NOT IN", ["Open"]]}), Operation::NotIn(vec![text("Open")])),
        (json!({"date": ["between", ["2026-01-01", "2026-02-01 10:00:00"]]}), Operation::Between(date("2026-01-01"), date("2026-02-01"))),
        (json!({"idx": [">", "5"]}), Operation::Greater(FieldValue::Int(5))),
        (json!({"idx": ""}), Operation::Equal(FieldValue::Int(0))),
        (json!({"status": null}), Operation::Equal(text(""))),
        (json!({"sender": ["is", "Not Set"]}), Operation::IsNotSet),
        (json!({"description": ["like", "%x%"]}), Operation::Like("%x%".into())),
    ] {
        let Ok(Filter::And(parts)) = parse(&filters) else { panic!("{filters}") };
        assert!(matches!(parts.as_slice(), [Filter::Compare { operation: found, .. }] if *found == operation), "{filters}: {parts:?}");
    }
}

#[test]
fn a_day_as_the_end_of_a_range_of_instants_is_included() {
    let Ok(Filter::And(parts)) = parse(&json!({"creation": ["between", ["2026-01-01", "2026-01-02"]]})) else { panic!() };
    let [Filter::Compare { operation: Operation::Between(_, FieldValue::Datetime(end)), .. }] = parts.as_slice() else { panic!() };
    assert_eq!(end.to_string(), "2026-01-02 23:59:59.999999");
}

#[test]
fn paths_name_linked_documents_and_child_rows() {
    let child = |table: Option<&str>| {
        let registry = registry();
        let rows = ChildRows { doctype: Arc::clone(registry.get("Visit").expect("known")), table: table.map(str::to_owned) };
        Column::Child { rows, fieldname: "note".into() }
    };
    assert_eq!(only(parse_on("Place", &json!([["Visit", "note", "=", "x"]]))).0, child(None));
    assert_eq!(only(parse_on("Place", &json!([["Visit", "`tabVisit`.`note`", "=", "x"]]))).0, child(None));
    assert_eq!(only(parse_on("Place", &json!({"`tabVisit`.note": "x"}))).0, child(None));
    assert_eq!(only(parse_on("Place", &json!({"visits.note": "x"}))).0, child(Some("visits")));
    let (column, operation) = only(parse_on("Place", &json!([["Place", "keeper.email", "=", "Ann@Example.com"]])));
    assert!(matches!(&column, Column::Linked { link, fieldname, .. } if link == "keeper" && fieldname == "email"), "{column:?}");
    // Addresses are stored in lower case.
    assert_eq!(operation, Operation::Equal(text("ann@example.com")));
    assert_eq!(only(parse_on("Place", &json!({"keeper": "ADMINistrator"}))).1, Operation::Equal(text("Administrator")));
    for none in ["about.name", "visits", "visits.nosuch", "parent_place.keeper.name", "keeper.", ".note", "`tabUser`.`name`"] {
        assert!(matches!(parse_on("Place", &json!({none: "x"})), Err(AppError::FieldNotPermitted(_))), "{none}");
    }
}

#[test]
fn timespans_and_trees_are_worked_out() {
    let (_, operation) = only(parse(&json!({"date": ["Timespan", "last month"]})));
    let date = |text: &str| FieldValue::Date(value::parse_date(text).expect("valid"));
    assert_eq!(operation, Operation::Between(date("2026-02-01"), date("2026-02-28")));
    assert_eq!(only(parse(&json!({"date": ["previous", "1 month"]}))).1, operation);
    let (_, operation) = only(parse(&json!({"creation": ["timespan", "today"]})));
    let Operation::Between(FieldValue::Datetime(from), FieldValue::Datetime(to)) = operation else { panic!("{operation:?}") };
    assert_eq!((from.to_string(), to.to_string()), ("2026-03-31 00:00:00".into(), "2026-03-31 23:59:59.999999".into()));
    for fieldname in ["name", "parent_place"] {
        let (_, operation) = only(parse_on("Place", &json!({fieldname: ["not descendants of", "x"]})));
        assert!(matches!(operation, Operation::NotInSet(NameSet::Tree { relation: Relation::Descendants, .. })), "{operation:?}");
    }
}

#[test]
fn refusals_name_what_they_refuse() {
    for (filters, says) in [
        (json!({"nosuch": 1}), "field nosuch is not permitted"),
        (json!({"status; drop table x": 1}), "is not permitted"),
        (json!({"status": ["banana", 1]}), "Operator must be one of"),
        (json!({"creation": ["timespan", "sometimes"]}), "last month"),
        (json!({"creation": ["previous", "2 weeks"]}), "3 months"),
        (json!({"status": ["timespan", "today"]}), "Date or a Datetime"),
        (json!({"status": ["regex", ".*"]}), "regex is not offered"),
        (json!({"role": ["descendants of", "x"]}), "no node of a tree"),
        (json!([["User", "name", "=", "x"]]), "User: it is no child table of ToDo"),
        (json!({"reference_name.status": 1}), "not permitted"),
        (json!({"allocated_to.owner.name": 1}), "not permitted"),
        (json!({"date": "notadate"}), "date"),
        (json!({"idx": "many"}), "idx"),
        (json!([["status"]]), "must be [field"),
        (json!("status"), "JSON object"),
        (json!({"date": ["between", "2026-01-01"]}), "between"),
        (json!({"status": "a\u{0}b"}), "status"),
    ] {
        let said = parse(&filters).expect_err("must be refused").to_string();
        assert!(said.contains(says), "{filters}: {said}");
    }
}

#[test]
fn too_many_conditions_and_values_are_refused() {
    let many: Vec<Value> = (0..200).map(|_| json!(["status", "=", "Open"])).collect();
    assert!(parse(&Value::Array(many)).is_err());
    let long: Vec<i32> = (0..10_000).collect();
    assert!(parse(&json!({"idx": ["in", long]})).is_err());
    assert!(parse(&json!({"description": ["like", "%".repeat(2000)]})).is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = prop_oneof![
        Just("status"),
        Just("date"),
        Just("creation"),
        Just("idx"),
        Just("ToDo"),
        Just("="),
        Just("in"),
        Just("between"),
        Just("is"),
        Just("set"),
        Just("like"),
        Just("timespan"),
        Just("last quarter"),
        Just("descendants of"),
        Just("Visit"),
        Just("keeper.full_name"),
        Just("visits.note"),
        Just("2026-01-01"),
        Just("10000-99-99"),
        Just("\u{e9}\u{20ac}10 chars")
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::String),
        words.prop_map(|word| Value::String(word.to_owned())),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::hash_map("(status|date|idx|creation|.{0,6})", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_filters_make_the_parser_panic(filters in any_json()) {
        let _ = parse(&filters);
        let _ = parse_on("Place", &filters);
    }
}
