//! Reading the filters of a request, in the spellings that Frappe takes.
//!
//! | spelling | example |
//! | --- | --- |
//! | object | `{"status": "Open"}` |
//! | object with operator | `{"date": [">", "2026-01-01"]}` |
//! | triples | `[["status", "in", ["Open", "Closed"]]]` |
//! | quadruples | `[["ToDo", "status", "=", "Open"]]`; the doctype may be that of a child table |

use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use serde_json::Value;

use super::{Filter, NameSet, Operation, Relation, shorten, timespan};
use crate::doctype::column::Column;
use crate::doctype::fieldtype::Kind;
use crate::doctype::meta::{DocType, Field};
use crate::doctype::value::{self, FieldValue};
use crate::doctype::{Registry, validate};
use crate::error::AppError;

/// Most conditions of one request.
const MAX_CONDITIONS: usize = 100;
/// Most values of all conditions together; each is one bound variable of the query.
const MAX_VALUES: usize = 2000;
/// Longest pattern of `like`; the time of a match, which Postgres cannot stop, grows with it.
const MAX_PATTERN: usize = 250;

/// The operators there are, for the text of a refusal.
const KNOWN: &str = "=, !=, >, <, >=, <=, like, not like, in, not in, is, between, timespan, previous, next, ancestors of, \
                     descendants of, not ancestors of, not descendants of, descendants of (inclusive)";

/// What filters are about, and when and where they are asked.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub registry: &'a Registry,
    pub doctype: &'a Arc<DocType>,
    pub zone: Tz,
    /// UTC.
    pub now: NaiveDateTime,
}

/// What the one who asks may ask about.
pub trait Asker {
    /// Whether a field may be named in a condition.
    ///
    /// # Errors
    /// What refuses the whole doctype that has the field.
    fn may_name(&mut self, column: &Column) -> Result<bool, AppError>;

    /// Which documents of another doctype may be asked about.
    ///
    /// # Errors
    /// What refuses the whole doctype.
    fn readable(&mut self, doctype: &DocType) -> Result<Filter, AppError>;
}

/// Whether a word is an operator, in any case.
pub fn is_operator(text: &str) -> bool {
    KNOWN.split(", ").any(|known| known.eq_ignore_ascii_case(text.trim()))
}

impl Filter {
    /// Reads the `filters` of a request: all of them hold.
    ///
    /// # Errors
    /// [`AppError::FieldNotPermitted`] for unknown and secret fields, [`AppError::Validation`] for
    /// an unknown operator, whatever `asker` refuses, and [`AppError::InvalidData`] for anything
    /// else that cannot be read.
    pub fn parse(filters: &Value, subject: &Subject<'_>, asker: &mut dyn Asker) -> Result<Self, AppError> {
        Ok(Self::And(read_parts("filters", filters, subject, asker)?))
    }

    /// Reads the `or_filters` of a request: one of them holds, or there are none.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn parse_any(filters: &Value, subject: &Subject<'_>, asker: &mut dyn Asker) -> Result<Self, AppError> {
        let parts = read_parts("or_filters", filters, subject, asker)?;
        Ok(if parts.is_empty() { Self::always() } else { Self::Or(parts) })
    }
}

fn read_parts(parameter: &str, filters: &Value, subject: &Subject<'_>, asker: &mut dyn Asker) -> Result<Vec<Filter>, AppError> {
    let mut reader = Reader { subject, asker, values: 0 };
    match filters {
        Value::Null => Ok(Vec::new()),
        Value::Object(map) => {
            limit_conditions(parameter, map.len())?;
            map.iter().map(|(fieldname, value)| reader.entry(fieldname, value)).collect()
        }
        Value::Array(list) => {
            limit_conditions(parameter, list.len())?;
            list.iter().map(|item| reader.item(item)).collect()
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(AppError::InvalidData(format!("{parameter} must be a JSON object or a list of lists")))
        }
    }
}

fn limit_conditions(parameter: &str, count: usize) -> Result<(), AppError> {
    if count > MAX_CONDITIONS {
        return Err(AppError::InvalidData(format!("{parameter} has {count} conditions; at most {MAX_CONDITIONS} are accepted")));
    }
    Ok(())
}

struct Reader<'a> {
    subject: &'a Subject<'a>,
    asker: &'a mut dyn Asker,
    values: usize,
}

/// A field that a condition is about.
struct Named<'a> {
    column: &'a Column,
    field: &'a Field,
    kind: Kind,
}

impl Reader<'_> {
    /// `{"field": value}` or `{"field": ["op", value]}`.
    fn entry(&mut self, fieldname: &str, value: &Value) -> Result<Filter, AppError> {
        match value {
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(operator), value] => self.compare(None, fieldname, operator, value),
                _ => Err(AppError::InvalidData(format!("filter on {} must be a value or [operator, value]", shorten(fieldname)))),
            },
            value => self.compare(None, fieldname, "=", value),
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
            [Value::String(fieldname), Value::String(operator), value] => self.compare(None, fieldname, operator, value),
            [Value::String(doctype), Value::String(fieldname), Value::String(operator), value, ..] => {
                self.compare(Some(doctype), fieldname, operator, value)
            }
            _ => Err(not_a_filter(item)),
        }
    }

    fn compare(&mut self, doctype: Option<&str>, fieldname: &str, operator: &str, value: &Value) -> Result<Filter, AppError> {
        let own = self.subject.doctype;
        let refused = || AppError::FieldNotPermitted(shorten(fieldname));
        let column = match doctype.filter(|doctype| *doctype != own.name) {
            None => Column::read(self.subject.registry, own, fieldname),
            Some(child) if own.tables().any(|table| table.options == child) => {
                let bare = fieldname.rsplit_once('.').map_or(fieldname, |(_, bare)| bare).trim().trim_matches('`');
                Column::of_rows(self.subject.registry, child, None, bare)
            }
            Some(other) => {
                return Err(AppError::InvalidData(format!("a filter on {}: it is no child table of {}", shorten(other), own.name)));
            }
        };
        let column = column.ok_or_else(refused)?;
        if !self.asker.may_name(&column)? {
            return Err(refused());
        }
        let (field, kind) = column.field(own).ok_or_else(refused)?;
        let operation = self.operation(&Named { column: &column, field, kind }, operator, value)?;
        Ok(Filter::Compare { column, operation })
    }

    fn operation(&mut self, named: &Named<'_>, operator: &str, value: &Value) -> Result<Operation, AppError> {
        let word = operator.trim().to_lowercase();
        Ok(match word.as_str() {
            "" | "=" => Operation::Equal(self.name(named, value)?),
            "!=" => Operation::NotEqual(self.name(named, value)?),
            ">" => Operation::Greater(self.one(named, value)?),
            "<" => Operation::Less(self.one(named, value)?),
            ">=" => Operation::GreaterOrEqual(self.one(named, value)?),
            "<=" => Operation::LessOrEqual(self.one(named, value)?),
            "like" | "ilike" => Operation::Like(self.pattern(named, value)?),
            "not like" | "not ilike" => Operation::NotLike(self.pattern(named, value)?),
            "in" => Operation::In(self.many(named, value)?),
            "not in" => Operation::NotIn(self.many(named, value)?),
            "between" => self.between(named, value)?,
            "timespan" | "previous" | "next" => self.timespan(named, &word, value)?,
            "ancestors of" => Operation::InSet(self.tree(named, Relation::Ancestors, value)?),
            "not ancestors of" => Operation::NotInSet(self.tree(named, Relation::Ancestors, value)?),
            "descendants of" => Operation::InSet(self.tree(named, Relation::Descendants, value)?),
            "not descendants of" => Operation::NotInSet(self.tree(named, Relation::Descendants, value)?),
            "descendants of (inclusive)" => Operation::InSet(self.tree(named, Relation::DescendantsAndSelf, value)?),
            "is" => match value.as_str().map(|text| text.trim().to_lowercase()).as_deref() {
                Some("set") => Operation::IsSet,
                Some("not set") => Operation::IsNotSet,
                _ => return Err(AppError::Validation(format!("Filter on {}: `is` takes \"set\" or \"not set\"", named.field.label))),
            },
            // Frappe 17: a regular expression of the database, here: refused, because what it costs depends on the
            // pattern and the two databases write them differently.
            "regex" => return Err(AppError::Validation("The operator regex is not offered; use like, with % for any letters".into())),
            _ => return Err(AppError::Validation(format!("Operator must be one of {KNOWN}; not {:?}", shorten(operator)))),
        })
    }

    /// One value, read as the field's type; nothing is what a missing value counts as.
    fn one(&mut self, named: &Named<'_>, value: &Value) -> Result<FieldValue, AppError> {
        self.count(1)?;
        Ok(match validate::read_value(named.field, named.kind, value, self.subject.zone)? {
            empty if empty.is_empty() => FieldValue::missing(named.kind),
            value => value,
        })
    }

    /// One value that is looked for as it is, so in the form in which keys are stored.
    fn name(&mut self, named: &Named<'_>, value: &Value) -> Result<FieldValue, AppError> {
        Ok(named.column.fold(self.subject.doctype, self.one(named, value)?))
    }

    /// A list of values, or a text with commas.
    fn many(&mut self, named: &Named<'_>, value: &Value) -> Result<Vec<FieldValue>, AppError> {
        match value {
            Value::Array(list) => {
                self.count(list.len())?;
                list.iter().map(|value| self.name(named, value)).collect()
            }
            Value::String(text) => {
                self.count(text.split(',').count())?;
                text.split(',').map(|part| self.name(named, &Value::String(part.trim().to_owned()))).collect()
            }
            value => Ok(vec![self.name(named, value)?]),
        }
    }

    fn between(&mut self, named: &Named<'_>, value: &Value) -> Result<Operation, AppError> {
        let [first, last] = value.as_array().map_or(&[] as &[Value], Vec::as_slice) else {
            return Err(AppError::Validation(format!("Filter on {}: `between` takes a list of two values", named.field.label)));
        };
        let from = self.one(named, first)?;
        let mut to = self.one(named, last)?;
        // Frappe: a day alone as the upper end of a Datetime means until the end of that day.
        if let (Kind::Datetime, Some(text)) = (named.kind, last.as_str())
            && text.trim().len() == 10
            && let Some(day) = value::parse_date(text)
        {
            to = FieldValue::Datetime(end_of(day, self.subject.zone));
        }
        Ok(Operation::Between(from, to))
    }

    /// A word for a range of days.
    fn timespan(&mut self, named: &Named<'_>, operator: &str, value: &Value) -> Result<Operation, AppError> {
        self.count(1)?;
        let label = &named.field.label;
        let words = value.as_str().unwrap_or_default();
        let words = if operator == "timespan" { Some(words.to_owned()) } else { timespan::legacy(operator, words) };
        let zone = self.subject.zone;
        let days = words.and_then(|words| timespan::days(&words, value::today(self.subject.now, zone)));
        let Some((first, last)) = days else {
            let expected = if operator == "timespan" {
                "words such as \"last month\""
            } else {
                "\"1 week\", \"1 month\", \"3 months\", \"6 months\" or \"1 year\""
            };
            return Err(AppError::Validation(format!("Filter on {label}: `{operator}` takes {expected}")));
        };
        match named.kind {
            Kind::Date => Ok(Operation::Between(FieldValue::Date(first), FieldValue::Date(last))),
            Kind::Datetime => {
                let from = value::to_utc(first.and_time(NaiveTime::MIN), zone);
                Ok(Operation::Between(FieldValue::Datetime(from), FieldValue::Datetime(end_of(last, zone))))
            }
            Kind::Text { .. } | Kind::Int | Kind::Float | Kind::Check | Kind::Time => {
                Err(AppError::Validation(format!("Filter on {label}: `{operator}` takes a Date or a Datetime")))
            }
        }
    }

    /// Nodes of the tree whose documents the field names.
    fn tree(&mut self, named: &Named<'_>, relation: Relation, value: &Value) -> Result<NameSet, AppError> {
        self.count(1)?;
        let tree = named.column.names(self.subject.doctype).and_then(|name| self.subject.registry.get(name));
        let Some(tree) = tree.filter(|tree| tree.tree_parent.is_some()) else {
            return Err(AppError::Validation(format!("Filter on {}: it names no node of a tree", named.field.label)));
        };
        let (field, kind) = tree.column("name").ok_or_else(|| AppError::internal("a doctype without names"))?;
        let node = validate::read_value(field, kind, value, self.subject.zone)?;
        let readable = Box::new(self.asker.readable(tree)?);
        Ok(NameSet::Tree { doctype: Arc::clone(tree), node, relation, readable })
    }

    fn pattern(&mut self, named: &Named<'_>, value: &Value) -> Result<String, AppError> {
        self.count(1)?;
        let fieldname = &named.field.fieldname;
        let pattern = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => i32::from(*flag).to_string(),
            Value::Array(_) | Value::Object(_) => {
                return Err(AppError::InvalidData(format!("filter on {fieldname}: `like` takes a text")));
            }
        };
        validate::refuse_nul(fieldname, &pattern)?;
        if pattern.chars().count() > MAX_PATTERN {
            return Err(AppError::InvalidData(format!("filter on {fieldname}: a pattern has at most {MAX_PATTERN} characters")));
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

/// The last microsecond of a day.
fn end_of(day: NaiveDate, zone: Tz) -> NaiveDateTime {
    let next = day.checked_add_signed(TimeDelta::days(1)).unwrap_or(day);
    let end = value::to_utc(next.and_time(NaiveTime::MIN), zone);
    end.checked_sub_signed(TimeDelta::microseconds(1)).unwrap_or(end)
}

fn not_a_filter(item: &Value) -> AppError {
    AppError::InvalidData(format!(
        "a filter must be [field, operator, value] or [doctype, field, operator, value], not {}",
        shorten(&item.to_string())
    ))
}
