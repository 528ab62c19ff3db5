//! What a list asks for: a tree of typed comparisons, read from the four spellings Frappe takes.
//!
//! | spelling | example |
//! | --- | --- |
//! | object | `{"status": "Open"}` |
//! | object with operator | `{"date": [">", "2026-01-01"]}` |
//! | triples | `[["status", "in", ["Open", "Closed"]]]` |
//! | quadruples | `[["ToDo", "status", "=", "Open"]]` |
//!
//! To add an operator, add a variant to [`Operation`]; the compiler leads to `store/documents.rs`.

use chrono::{NaiveTime, TimeDelta};
use chrono_tz::Tz;
use serde_json::Value;

use super::fieldtype::Kind;
use super::meta::{DocType, Field};
use super::validate;
use super::value::{self, FieldValue};
use crate::error::AppError;

/// Most conditions of one request.
const MAX_CONDITIONS: usize = 100;
/// Most values of all conditions together; each is one bound variable of the query.
const MAX_VALUES: usize = 2000;
/// Longest pattern of `like`; the time of a match grows with it.
const MAX_PATTERN: usize = 1000;

/// A condition on a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of these; an empty list is true.
    And(Vec<Filter>),
    /// One of these; an empty list is false.
    Or(Vec<Filter>),
    Compare {
        fieldname: String,
        operation: Operation,
    },
}

/// A comparison with values of the field's own type.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    Equal(FieldValue),
    NotEqual(FieldValue),
    Greater(FieldValue),
    Less(FieldValue),
    GreaterOrEqual(FieldValue),
    LessOrEqual(FieldValue),
    /// `%` and `_` as in SQL, `\` escapes, ASCII letters without regard to case.
    Like(String),
    NotLike(String),
    In(Vec<FieldValue>),
    NotIn(Vec<FieldValue>),
    /// Both ends included.
    Between(FieldValue, FieldValue),
    IsSet,
    IsNotSet,
}

/// Operators that Frappe knows and Ostiary does not yet.
const NOT_YET: [&str; 10] = [
    "timespan",
    "previous",
    "next",
    "ancestors of",
    "descendants of",
    "not ancestors of",
    "not descendants of",
    "descendants of (inclusive)",
    "ilike",
    "regex",
];
/// The operators there are, for the text of a refusal.
const KNOWN: &str = "=, !=, >, <, >=, <=, like, not like, in, not in, is, between";

impl Filter {
    /// The condition that holds for every document.
    pub fn always() -> Self {
        Self::And(Vec::new())
    }

    /// Whether it is [`Filter::always`].
    pub fn is_always(&self) -> bool {
        matches!(self, Self::And(parts) if parts.is_empty())
    }

    /// A field equals a text.
    pub fn equals(fieldname: &str, text: &str) -> Self {
        Self::Compare { fieldname: fieldname.to_owned(), operation: Operation::Equal(FieldValue::Text(text.to_owned())) }
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (left, right) if left.is_always() => right,
            (left, right) if right.is_always() => left,
            (Self::And(mut parts), right) => {
                parts.push(right);
                Self::And(parts)
            }
            (left, right) => Self::And(vec![left, right]),
        }
    }

    /// Reads the filters of a request. `may_query` says which fields the caller may ask about.
    ///
    /// # Errors
    /// [`AppError::FieldNotPermitted`] for unknown and secret fields, [`AppError::Validation`] for
    /// an unknown operator, [`AppError::Unsupported`] for one that is not there yet, and
    /// [`AppError::InvalidData`] for anything else that cannot be read.
    pub fn parse(doctype: &DocType, filters: &Value, zone: Tz, may_query: &dyn Fn(&Field) -> bool) -> Result<Self, AppError> {
        let mut reader = Reader { doctype, zone, may_query, values: 0 };
        let parts = match filters {
            Value::Null => Vec::new(),
            Value::Object(map) => {
                limit_conditions(map.len())?;
                map.iter().map(|(fieldname, value)| reader.entry(fieldname, value)).collect::<Result<_, _>>()?
            }
            Value::Array(list) => {
                limit_conditions(list.len())?;
                list.iter().map(|item| reader.item(item)).collect::<Result<_, _>>()?
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(AppError::InvalidData("filters must be a JSON object or a list of lists".into()));
            }
        };
        Ok(Self::And(parts))
    }
}

fn limit_conditions(count: usize) -> Result<(), AppError> {
    if count > MAX_CONDITIONS {
        return Err(AppError::InvalidData(format!("filters has {count} conditions; at most {MAX_CONDITIONS} are accepted")));
    }
    Ok(())
}

struct Reader<'a> {
    doctype: &'a DocType,
    zone: Tz,
    may_query: &'a dyn Fn(&Field) -> bool,
    values: usize,
}

impl Reader<'_> {
    /// `{"field": value}` or `{"field": ["op", value]}`.
    fn entry(&mut self, fieldname: &str, value: &Value) -> Result<Filter, AppError> {
        match value {
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(operator), value] => self.compare(fieldname, operator, value),
                _ => Err(AppError::InvalidData(format!("filter on {fieldname} must be a value or [operator, value]"))),
            },
            value => self.compare(fieldname, "=", value),
        }
    }

    /// `["field", "op", value]` or `["DocType", "field", "op", value]`; Frappe's own pages send a fifth entry.
    fn item(&mut self, item: &Value) -> Result<Filter, AppError> {
        let list = match item {
            Value::Object(map) if map.len() == 1 => {
                let (fieldname, value) = map.iter().next().expect("one entry was counted");
                return self.entry(fieldname, value);
            }
            Value::Array(list) => list.as_slice(),
            _ => return Err(not_a_filter(item)),
        };
        match list {
            [Value::String(fieldname), Value::String(operator), value] => self.compare(fieldname, operator, value),
            [Value::String(doctype), Value::String(fieldname), Value::String(operator), value, ..] => {
                if doctype != &self.doctype.name {
                    return Err(AppError::Unsupported(format!("a filter on another doctype ({})", shorten(doctype))));
                }
                self.compare(fieldname, operator, value)
            }
            _ => Err(not_a_filter(item)),
        }
    }

    fn compare(&mut self, fieldname: &str, operator: &str, value: &Value) -> Result<Filter, AppError> {
        let fieldname = bare_fieldname(self.doctype, fieldname);
        let refused = || AppError::FieldNotPermitted(shorten(fieldname));
        let (field, kind) = self.doctype.column(fieldname).ok_or_else(refused)?;
        if !(self.may_query)(field) {
            return Err(refused());
        }
        let operation = self.operation(field, kind, operator, value)?;
        Ok(Filter::Compare { fieldname: field.fieldname.clone(), operation })
    }

    fn operation(&mut self, field: &Field, kind: Kind, operator: &str, value: &Value) -> Result<Operation, AppError> {
        let word = operator.trim().to_lowercase();
        Ok(match word.as_str() {
            "" | "=" => Operation::Equal(self.one(field, kind, value)?),
            "!=" => Operation::NotEqual(self.one(field, kind, value)?),
            ">" => Operation::Greater(self.one(field, kind, value)?),
            "<" => Operation::Less(self.one(field, kind, value)?),
            ">=" => Operation::GreaterOrEqual(self.one(field, kind, value)?),
            "<=" => Operation::LessOrEqual(self.one(field, kind, value)?),
            "like" => Operation::Like(self.pattern(field, value)?),
            "not like" => Operation::NotLike(self.pattern(field, value)?),
            "in" => Operation::In(self.many(field, kind, value)?),
            "not in" => Operation::NotIn(self.many(field, kind, value)?),
            "between" => self.between(field, kind, value)?,
            "is" => match value.as_str().map(|text| text.trim().to_lowercase()).as_deref() {
                Some("set") => Operation::IsSet,
                Some("not set") => Operation::IsNotSet,
                _ => return Err(AppError::Validation(format!("Filter on {}: `is` takes \"set\" or \"not set\"", field.label))),
            },
            known if NOT_YET.contains(&known) => return Err(AppError::Unsupported(format!("the filter operator {known:?}"))),
            _ => return Err(AppError::Validation(format!("Operator must be one of {KNOWN}; not {:?}", shorten(operator)))),
        })
    }

    /// One value, read as the field's type; nothing is what a missing value counts as.
    fn one(&mut self, field: &Field, kind: Kind, value: &Value) -> Result<FieldValue, AppError> {
        self.count(1)?;
        Ok(match validate::read_value(field, kind, value, self.zone)? {
            empty if empty.is_empty() => FieldValue::missing(kind),
            value => value,
        })
    }

    /// A list of values, or a text with commas.
    fn many(&mut self, field: &Field, kind: Kind, value: &Value) -> Result<Vec<FieldValue>, AppError> {
        match value {
            Value::Array(list) => {
                self.count(list.len())?;
                list.iter().map(|value| self.one(field, kind, value)).collect()
            }
            Value::String(text) => {
                self.count(text.split(',').count())?;
                text.split(',').map(|part| self.one(field, kind, &Value::String(part.trim().to_owned()))).collect()
            }
            value => Ok(vec![self.one(field, kind, value)?]),
        }
    }

    fn between(&mut self, field: &Field, kind: Kind, value: &Value) -> Result<Operation, AppError> {
        let [first, last] = value.as_array().map_or(&[] as &[Value], Vec::as_slice) else {
            return Err(AppError::Validation(format!("Filter on {}: `between` takes a list of two values", field.label)));
        };
        let from = self.one(field, kind, first)?;
        let mut to = self.one(field, kind, last)?;
        // Frappe: a day alone as the upper end of a Datetime means until the end of that day.
        if let (Kind::Datetime, Some(text)) = (kind, last.as_str())
            && text.trim().len() == 10
            && let Some(day) = value::parse_date(text)
            && let Some(next) = day.checked_add_signed(TimeDelta::days(1))
        {
            let end = value::to_utc(next.and_time(NaiveTime::MIN), self.zone);
            to = FieldValue::Datetime(end.checked_sub_signed(TimeDelta::microseconds(1)).unwrap_or(end));
        }
        Ok(Operation::Between(from, to))
    }

    fn pattern(&mut self, field: &Field, value: &Value) -> Result<String, AppError> {
        self.count(1)?;
        let pattern = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => i32::from(*flag).to_string(),
            Value::Array(_) | Value::Object(_) => {
                return Err(AppError::InvalidData(format!("filter on {}: `like` takes a text", field.fieldname)));
            }
        };
        validate::refuse_nul(&field.fieldname, &pattern)?;
        if pattern.chars().count() > MAX_PATTERN {
            return Err(AppError::InvalidData(format!("filter on {}: a pattern has at most {MAX_PATTERN} characters", field.fieldname)));
        }
        Ok(pattern)
    }

    fn count(&mut self, more: usize) -> Result<(), AppError> {
        self.values += more;
        if self.values > 2 * MAX_VALUES {
            return Err(AppError::InvalidData(format!("filters have more than {MAX_VALUES} values")));
        }
        Ok(())
    }
}

fn not_a_filter(item: &Value) -> AppError {
    AppError::InvalidData(format!(
        "a filter must be [field, operator, value] or [doctype, field, operator, value], not {}",
        shorten(&item.to_string())
    ))
}

/// What a refusal repeats of a request: enough to find it, never a page of it.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(140) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// A fieldname as clients write it: alone, in backticks, or behind `` `tabDocType`. ``
pub fn bare_fieldname<'a>(doctype: &DocType, text: &'a str) -> &'a str {
    let text = text.trim();
    let field = match text.rsplit_once('.') {
        Some((table, field)) if unquoted(table).strip_prefix("tab") == Some(doctype.name.as_str()) => field,
        _ => text,
    };
    unquoted(field)
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::doctype::Registry;

    fn parse(filters: &Value) -> Result<Filter, AppError> {
        let registry = Registry::builtin();
        Filter::parse(registry.get("ToDo").expect("builtin"), filters, Tz::UTC, &|_| true)
    }

    fn text(text: &str) -> FieldValue {
        FieldValue::Text(text.into())
    }

    fn compare(fieldname: &str, operation: Operation) -> Filter {
        Filter::Compare { fieldname: fieldname.into(), operation }
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
            (
                json!({"date": ["between", ["2026-01-01", "2026-02-01 10:00:00"]]}),
                Operation::Between(date("2026-01-01"), date("2026-02-01")),
            ),
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
    fn refusals_name_what_they_refuse() {
        for (filters, says) in [
            (json!({"nosuch": 1}), "field nosuch is not permitted"),
            (json!({"status; drop table x": 1}), "is not permitted"),
            (json!({"status": ["banana", 1]}), "Operator must be one of"),
            (json!({"creation": ["timespan", "today"]}), "\"timespan\""),
            (json!([["User", "name", "=", "x"]]), "another doctype (User)"),
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
        }
    }
}
