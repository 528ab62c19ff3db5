//! Where a page of a list begins, when it begins behind a row.

use super::Statement;
use super::query::{Grouping, Order, Query, value};
use super::scope::{Rendered, Scope};
use crate::doctype::FieldValue;
use crate::doctype::column::Missing;

/// Which of the rows behind a row a statement finds.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stretch {
    Whole,
    /// Those that have the first key.
    Present,
    /// Those that lack it.
    Missing,
}

/// One statement or two, one behind the other.
pub(super) struct Stretches {
    pub first: Stretch,
    pub last: Option<Stretch>,
}

impl Stretches {
    /// Downwards, what has no first key comes last. "Less, or missing" is no range of an index, but each of the two is.
    pub fn of(query: &Query<'_>) -> Self {
        let split = match (query.order.first(), query.after.and_then(<[FieldValue]>::first)) {
            (Some(Order { term, descending: true }), Some(value)) if *value != FieldValue::Null => {
                term.column().is_some_and(|column| column.missing(query.doctype) != Missing::Never)
            }
            _ => false,
        };
        if split { Self { first: Stretch::Present, last: Some(Stretch::Missing) } } else { Self { first: Stretch::Whole, last: None } }
    }
}

/// Adds the condition that a row sorts behind the one with these keys.
///
/// Where all keys go one way and none may be missing, it is one comparison of rows, which both
/// databases answer from an index. Else the keys are compared one by one, and the first also alone,
/// so that an index on it still says where to begin.
pub(super) fn push_after(statement: &mut Statement, scope: &Scope<'_>, order: &[Order], after: &[FieldValue], stretch: Stretch) {
    let rendered = order.iter().filter_map(|order| value(scope, Grouping::Nothing, &order.term));
    let mut keys: Vec<Key<'_>> =
        rendered.zip(order).zip(after).map(|((column, order), value)| Key { column, descending: order.descending, value }).collect();
    let Some(first) = keys.first_mut() else {
        statement.sql("1 = 1");
        return;
    };
    match stretch {
        Stretch::Whole => {}
        Stretch::Present => first.column.missing = Missing::Never,
        Stretch::Missing => {
            statement.sql(&format!("{} IS NULL", first.column.sql));
            return;
        }
    }
    let first = &keys[0];
    if keys.iter().all(|key| key.descending == first.descending && key.column.missing == Missing::Never) {
        let columns: Vec<String> = keys.iter().map(Key::sql).collect();
        statement.sql(&format!("({}) {} (", columns.join(", "), first.operator()));
        for (index, key) in keys.iter().enumerate() {
            statement.sql(if index == 0 { "" } else { ", " }).bind(key.column.kind, key.value);
        }
        statement.sql(")");
        return;
    }
    statement.sql("(");
    first.push_not_before(statement);
    statement.sql(" AND (");
    for index in 0..keys.len() {
        statement.sql(if index == 0 { "(" } else { " OR (" });
        for equal in &keys[..index] {
            equal.push_equal(statement);
            statement.sql(" AND ");
        }
        keys[index].push_behind(statement);
        statement.sql(")");
    }
    statement.sql("))");
}

struct Key<'a> {
    column: Rendered,
    descending: bool,
    value: &'a FieldValue,
}

impl Key<'_> {
    fn sql(&self) -> String {
        format!("{}{}", self.column.sql, self.column.collation)
    }

    fn operator(&self) -> &'static str {
        if self.descending { "<" } else { ">" }
    }

    fn is_missing(&self) -> bool {
        *self.value == FieldValue::Null
    }

    fn may_be_missing(&self) -> bool {
        self.column.missing != Missing::Never
    }

    fn push_equal(&self, statement: &mut Statement) {
        if self.is_missing() {
            statement.sql(&format!("{} IS NULL", self.column.sql));
        } else {
            statement.sql(&format!("{} = ", self.sql())).bind(self.column.kind, self.value);
        }
    }

    /// A missing value is less than every other.
    fn push_behind(&self, statement: &mut Statement) {
        match (self.is_missing(), self.descending) {
            (true, true) => statement.sql("1 = 0"),
            (true, false) => statement.sql(&format!("{} IS NOT NULL", self.column.sql)),
            (false, _) => self.push_compared(statement, self.operator()),
        };
    }

    fn push_not_before(&self, statement: &mut Statement) {
        match (self.is_missing(), self.descending) {
            (true, true) => statement.sql(&format!("{} IS NULL", self.column.sql)),
            (true, false) => statement.sql("1 = 1"),
            (false, _) => self.push_compared(statement, if self.descending { "<=" } else { ">=" }),
        };
    }

    fn push_compared<'s>(&self, statement: &'s mut Statement, operator: &str) -> &'s mut Statement {
        statement.sql(&format!("({} {operator} ", self.sql())).bind(self.column.kind, self.value);
        if self.descending && self.may_be_missing() {
            statement.sql(&format!(" OR {} IS NULL", self.column.sql));
        }
        statement.sql(")")
    }
}
