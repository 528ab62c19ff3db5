//! A filter as SQL.

use std::cmp::Ordering;

use chrono_tz::Tz;

use super::{Conn, Statement, dialect, expression};
use crate::doctype::filter::Operation;
use crate::doctype::{DocType, FieldValue, Filter, Kind, Rows};

pub(super) fn push_where(statement: &mut Statement, conn: &Conn, doctype: &DocType, filter: &Filter, zone: Tz) {
    if !filter.is_always() {
        statement.sql(" WHERE ");
        push_filter(statement, conn, doctype, filter, zone);
    }
}

/// Own tables declare their text columns so; typed tables do not.
pub(super) fn collation(conn: &Conn, doctype: &DocType, kind: Kind) -> &'static str {
    match (kind, doctype.rows) {
        (Kind::Text { .. }, Rows::Typed) => dialect::by_code_point(conn),
        _ => "",
    }
}

pub(super) fn may_be_missing(doctype: &DocType, fieldname: &str) -> bool {
    doctype.column(fieldname).is_some_and(|(field, _)| doctype.may_be_missing(field))
}

fn push_filter(statement: &mut Statement, conn: &Conn, doctype: &DocType, filter: &Filter, zone: Tz) {
    match filter {
        Filter::And(parts) => push_joined(statement, conn, doctype, parts, " AND ", "1 = 1", zone),
        Filter::Or(parts) => push_joined(statement, conn, doctype, parts, " OR ", "1 = 0", zone),
        Filter::Compare { fieldname, operation } => push_comparison(statement, conn, doctype, fieldname, operation, zone),
    }
}

fn push_joined(statement: &mut Statement, conn: &Conn, doctype: &DocType, parts: &[Filter], word: &str, none: &str, zone: Tz) {
    if parts.is_empty() {
        statement.sql(none);
        return;
    }
    statement.sql("(");
    for (index, part) in parts.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { word });
        push_filter(statement, conn, doctype, part, zone);
    }
    statement.sql(")");
}

/// A comparison in which a missing value counts as '' or 0 (contract 6.1): what it would make of
/// the comparison is worked out here, so that an index on the column still serves.
fn push_comparison(statement: &mut Statement, conn: &Conn, doctype: &DocType, fieldname: &str, operation: &Operation, zone: Tz) {
    let Some((_, kind)) = doctype.column(fieldname) else {
        statement.sql("1 = 0");
        return;
    };
    let column = expression(conn, doctype, fieldname);
    let missing = FieldValue::missing(kind);
    let collation = collation(conn, doctype, kind);
    let holds_for_missing = may_be_missing(doctype, fieldname) && holds(&missing, operation);
    let compare = |statement: &mut Statement, operator: &str, value: &FieldValue| {
        statement.sql(&format!("{column}{collation} {operator} ")).bind(kind, value);
    };
    statement.sql("(");
    match operation {
        Operation::Equal(value) => compare(statement, "=", value),
        Operation::NotEqual(value) => compare(statement, "<>", value),
        Operation::Greater(value) => compare(statement, ">", value),
        Operation::Less(value) => compare(statement, "<", value),
        Operation::GreaterOrEqual(value) => compare(statement, ">=", value),
        Operation::LessOrEqual(value) => compare(statement, "<=", value),
        Operation::Between(from, to) => {
            compare(statement, ">=", from);
            statement.sql(" AND ");
            compare(statement, "<=", to);
        }
        Operation::In(values) => push_in(statement, &column, "IN", kind, values, &missing),
        Operation::NotIn(values) => push_in(statement, &column, "NOT IN", kind, values, &missing),
        Operation::Like(pattern) | Operation::NotLike(pattern) => {
            let text = dialect::compared_text(conn, kind, &column, zone);
            let (before, after) = dialect::like(conn, &text, matches!(operation, Operation::NotLike(_)));
            statement.sql(&before).text(&closed_pattern(pattern)).sql(after);
        }
        Operation::IsSet | Operation::IsNotSet if !matches!(kind, Kind::Text { .. }) => {
            statement.sql(&format!("{column} IS {}NULL", if *operation == Operation::IsSet { "NOT " } else { "" }));
        }
        Operation::IsSet => {
            statement.sql(&format!("{column} <> ''"));
        }
        Operation::IsNotSet => {
            statement.sql(&format!("{column} = ''"));
        }
    }
    if holds_for_missing {
        statement.sql(&format!(" OR {column} IS NULL"));
    }
    statement.sql(")");
}

/// `in` an empty list means in what a missing value counts as, as in Frappe.
fn push_in(statement: &mut Statement, column: &str, operator: &str, kind: Kind, values: &[FieldValue], missing: &FieldValue) {
    statement.sql(&format!("{column} {operator} ("));
    let values = if values.is_empty() { std::slice::from_ref(missing) } else { values };
    for (index, value) in values.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { ", " }).bind(kind, value);
    }
    statement.sql(")");
}

/// Whether an operation holds for what a missing value counts as.
fn holds(missing: &FieldValue, operation: &Operation) -> bool {
    let is = |value: &FieldValue, wanted: &[Ordering]| order(missing, value).is_some_and(|found| wanted.contains(&found));
    match operation {
        Operation::Equal(value) => is(value, &[Ordering::Equal]),
        Operation::NotEqual(value) => !is(value, &[Ordering::Equal]),
        Operation::Greater(value) => is(value, &[Ordering::Greater]),
        Operation::Less(value) => is(value, &[Ordering::Less]),
        Operation::GreaterOrEqual(value) => is(value, &[Ordering::Greater, Ordering::Equal]),
        Operation::LessOrEqual(value) => is(value, &[Ordering::Less, Ordering::Equal]),
        Operation::Between(from, to) => is(from, &[Ordering::Greater, Ordering::Equal]) && is(to, &[Ordering::Less, Ordering::Equal]),
        Operation::In(values) => values.is_empty() || values.contains(missing),
        Operation::NotIn(values) => !values.is_empty() && !values.contains(missing),
        Operation::Like(pattern) => matches_nothing(pattern),
        Operation::NotLike(pattern) => !matches_nothing(pattern),
        Operation::IsSet => false,
        Operation::IsNotSet => true,
    }
}

fn matches_nothing(pattern: &str) -> bool {
    pattern.chars().all(|letter| letter == '%')
}

fn order(left: &FieldValue, right: &FieldValue) -> Option<Ordering> {
    match (left, right) {
        (FieldValue::Text(left), FieldValue::Text(right)) => Some(left.cmp(right)),
        (FieldValue::Int(left), FieldValue::Int(right)) => Some(left.cmp(right)),
        (FieldValue::Float(left), FieldValue::Float(right)) => left.partial_cmp(right),
        (FieldValue::Date(left), FieldValue::Date(right)) => Some(left.cmp(right)),
        (FieldValue::Datetime(left), FieldValue::Datetime(right)) => Some(left.cmp(right)),
        (FieldValue::Time(left), FieldValue::Time(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// A pattern whose last backslash escapes nothing is an error in Postgres; there it stands for itself.
fn closed_pattern(pattern: &str) -> String {
    let open = pattern.chars().rev().take_while(|letter| *letter == '\\').count() % 2 == 1;
    if open { format!("{pattern}\\") } else { pattern.to_owned() }
}
