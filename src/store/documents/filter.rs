//! A filter as SQL (`docs/semantics.md`).

use std::cmp::Ordering;

use super::scope::{Path, Rendered, Scope};
use super::{Statement, dialect, expression_of, table};
use crate::doctype::column::{ChildRows, Missing};
use crate::doctype::filter::{NameSet, Operation, Relation};
use crate::doctype::{Column, DocType, FieldValue, Filter, Kind};

/// Adds a condition. Child rows that are not joined are chosen here: it holds if there is a row (or
/// none, in which everything is missing) for each path such that all that names the path holds.
pub(super) fn push_condition(statement: &mut Statement, scope: &Scope<'_>, filter: &Filter) {
    match filter {
        filter if scope.unjoined(filter).is_empty() => push_filter(statement, scope, filter),
        // There is a row for which one of them holds: for one of them there is a row.
        Filter::Or(parts) => push_joined(statement, parts, " OR ", |statement, part| push_condition(statement, scope, part)),
        Filter::And(_) => {
            let mut parts = Vec::new();
            flatten(filter, &mut parts);
            let sets = together(scope, parts);
            push_joined(statement, &sets, " AND ", |statement, (rows, parts)| match (rows.as_slice(), parts.as_slice()) {
                ([], parts) => push_joined(statement, parts, " AND ", |statement, part| push_filter(statement, scope, part)),
                (_, [one]) => push_condition(statement, scope, one),
                (rows, parts) => push_chosen(statement, scope, rows, parts),
            });
        }
        Filter::Compare { .. } => push_chosen(statement, scope, &scope.unjoined(filter), &[filter]),
    }
}

fn flatten<'f>(filter: &'f Filter, parts: &mut Vec<&'f Filter>) {
    match filter {
        Filter::And(inner) => inner.iter().for_each(|part| flatten(part, parts)),
        other => parts.push(other),
    }
}

/// Conditions that speak of the same rows, with these rows; first those that speak of none.
type Together<'f> = (Vec<&'f ChildRows>, Vec<&'f Filter>);

fn together<'f>(scope: &Scope<'_>, parts: Vec<&'f Filter>) -> Vec<Together<'f>> {
    let mut plain = Vec::new();
    let mut sets: Vec<Together<'f>> = Vec::new();
    for part in parts {
        let mut rows = scope.unjoined(part);
        if rows.is_empty() {
            plain.push(part);
            continue;
        }
        let (same, others): (Vec<_>, Vec<_>) = sets.into_iter().partition(|(known, _)| known.iter().any(|one| rows.contains(one)));
        let mut filters = Vec::new();
        for (known, earlier) in same {
            rows.extend(known.into_iter().filter(|one| !rows.contains(one)).collect::<Vec<_>>());
            filters.extend(earlier);
        }
        filters.push(part);
        sets = others;
        sets.push((rows, filters));
    }
    if !plain.is_empty() {
        sets.insert(0, (Vec::new(), plain));
    }
    sets
}

/// That there are child rows for which all of `parts` hold.
fn push_chosen(statement: &mut Statement, scope: &Scope<'_>, rows: &[&ChildRows], parts: &[&Filter]) {
    let mut inner = scope.clone();
    let offset = inner.joins.len();
    for (index, rows) in rows.iter().enumerate() {
        inner.joins.push((Path::Rows(rows), format!("{}c{}", scope.alias, offset + index)));
    }
    let conditions =
        |statement: &mut Statement| push_joined(statement, parts, " AND ", |statement, part| push_filter(statement, &inner, part));
    // Without the row that is missing, the database may also begin with the child rows.
    if let ([rows], Some(false)) = (rows, parts.iter().try_fold(true, |all, part| Some(all & holds_without_row(scope.doctype, part)?))) {
        let alias = &inner.joins[offset].1;
        let parent = expression_of(scope.conn, alias, &rows.doctype, "parent");
        statement.sql(&format!("{} IN (SELECT {parent} FROM {} AS {alias} WHERE ", scope.name_as_text(), table(&rows.doctype)));
        conditions(statement);
        scope.push_table(statement, rows, alias);
        statement.sql(")");
        return;
    }
    statement.sql(&format!("EXISTS (SELECT 1 FROM (SELECT 1 AS one) AS {}_one", scope.alias));
    for (path, alias) in &inner.joins[offset..] {
        let Path::Rows(rows) = path else { continue };
        statement.sql(&format!(" LEFT JOIN {} AS {alias} ON ", table(&rows.doctype)));
        scope.push_belongs(statement, rows, alias);
    }
    statement.sql(" WHERE ");
    conditions(statement);
    statement.sql(")");
}

/// Whether a condition on nothing but child rows holds where there is none; `None` if it names other fields too.
fn holds_without_row(doctype: &DocType, filter: &Filter) -> Option<bool> {
    match filter {
        Filter::And(parts) => parts.iter().try_fold(true, |all, part| Some(all & holds_without_row(doctype, part)?)),
        Filter::Or(parts) => parts.iter().try_fold(false, |any, part| Some(any | holds_without_row(doctype, part)?)),
        Filter::Compare { column: column @ Column::Child { .. }, operation } => {
            let (_, kind) = column.field(doctype)?;
            Some(holds_for_missing(column.missing(doctype), kind, operation))
        }
        Filter::Compare { .. } => None,
    }
}

fn push_filter(statement: &mut Statement, scope: &Scope<'_>, filter: &Filter) {
    match filter {
        Filter::And(parts) if parts.is_empty() => {
            statement.sql("1 = 1");
        }
        Filter::Or(parts) if parts.is_empty() => {
            statement.sql("1 = 0");
        }
        Filter::And(parts) => push_joined(statement, parts, " AND ", |statement, part| push_filter(statement, scope, part)),
        Filter::Or(parts) => push_joined(statement, parts, " OR ", |statement, part| push_filter(statement, scope, part)),
        Filter::Compare { column, operation } => match scope.column(column) {
            Some(column) => push_comparison(statement, scope, &column, operation),
            // Every field was checked against the definition.
            None => {
                statement.sql("1 = 0");
            }
        },
    }
}

fn push_joined<T>(statement: &mut Statement, parts: &[T], word: &str, push: impl Fn(&mut Statement, &T)) {
    statement.sql("(");
    for (index, part) in parts.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { word });
        push(statement, part);
    }
    statement.sql(")");
}

/// A comparison in which a missing value counts as '' or 0 (contract 6.1): what it would make of
/// the comparison is worked out here, so that an index on the column still serves.
fn push_comparison(statement: &mut Statement, scope: &Scope<'_>, rendered: &Rendered, operation: &Operation) {
    let Rendered { sql: column, kind, collation, missing } = rendered;
    let kind = *kind;
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
        Operation::In(values) => push_in(statement, column, "IN", kind, values),
        Operation::NotIn(values) => push_in(statement, column, "NOT IN", kind, values),
        Operation::Like(pattern) | Operation::NotLike(pattern) => {
            let text = dialect::compared_text(scope.conn, kind, column, scope.zone);
            let (before, after) = dialect::like(scope.conn, &text, matches!(operation, Operation::NotLike(_)));
            let (open, close) = if scope.stops_between_patterns { dialect::stoppable(scope.conn) } else { ("", "") };
            statement.sql(open).sql(&before).text(&closed_pattern(pattern)).sql(&after).sql(close);
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
        Operation::InSet(set) => push_set(statement, scope, column, kind, "IN", set),
        Operation::NotInSet(set) => {
            // Even NULL is not in a set of nothing.
            if *missing == Missing::FulfilsNothing {
                statement.sql(&format!("{column} IS NOT NULL AND "));
            }
            push_set(statement, scope, column, kind, "NOT IN", set);
        }
    }
    if holds_for_missing(*missing, kind, operation) {
        statement.sql(&format!(" OR {column} IS NULL"));
    }
    statement.sql(")");
}

/// `in` an empty list means in what a missing value counts as, as in Frappe.
fn push_in(statement: &mut Statement, column: &str, operator: &str, kind: Kind, values: &[FieldValue]) {
    statement.sql(&format!("{column} {operator} ("));
    let missing = FieldValue::missing(kind);
    let values = if values.is_empty() { std::slice::from_ref(&missing) } else { values };
    for (index, value) in values.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { ", " }).bind(kind, value);
    }
    statement.sql(")");
}

/// That a column names a document of a set.
fn push_set(statement: &mut Statement, scope: &Scope<'_>, column: &str, kind: Kind, operator: &str, set: &NameSet) {
    let doctype = match set {
        NameSet::Documents { doctype, .. } | NameSet::Tree { doctype, .. } => doctype,
        NameSet::Values { .. } | NameSet::Beneath { .. } => {
            // These hold names of any doctype, so they are texts.
            let column = if matches!(kind, Kind::Text { .. }) { column.to_owned() } else { format!("CAST({column} AS TEXT)") };
            statement.sql(&format!("{column} {operator} ("));
            push_names(statement, scope, set);
            statement.sql(")");
            return;
        }
    };
    let inner = Scope::new(scope.conn, doctype, format!("{}n", scope.alias), scope.zone);
    // A Link is a text, also where it names a document by number.
    let name = if matches!(kind, Kind::Text { .. }) { inner.name_as_text() } else { inner.own("name") };
    statement.sql(&format!("{column} {operator} (SELECT {name} FROM {} AS {}", table(doctype), inner.alias));
    match set {
        NameSet::Documents { filter, .. } => {
            statement.sql(" WHERE ");
            push_condition(statement, &inner, filter);
        }
        NameSet::Tree { node, relation, readable, .. } => {
            let of = Scope { alias: format!("{}m", scope.alias), ..inner.clone() };
            statement.sql(&format!(", {} AS {} WHERE {} = ", table(doctype), of.alias, of.own("name")));
            let name_kind = doctype.column("name").map_or(kind, |(_, kind)| kind);
            statement.bind(name_kind, node).sql(" AND ");
            let (left, right, of_left, of_right) = (inner.own("lft"), inner.own("rgt"), of.own("lft"), of.own("rgt"));
            statement.sql(&match relation {
                Relation::Ancestors => format!("{left} < {of_left} AND {right} > {of_right}"),
                // Sets of a tree are nested or apart, so its left end tells where a node is.
                Relation::Descendants => format!("{left} > {of_left} AND {left} < {of_right}"),
                Relation::DescendantsAndSelf => format!("{left} >= {of_left} AND {left} < {of_right}"),
            });
            for nodes in [&inner, &of] {
                statement.sql(" AND ");
                push_condition(statement, nodes, readable);
            }
        }
        NameSet::Values { .. } | NameSet::Beneath { .. } => {}
    }
    statement.sql(")");
}

/// The SELECT of a set of texts that has no row of the outer statement in it.
fn push_names(statement: &mut Statement, scope: &Scope<'_>, set: &NameSet) {
    match set {
        NameSet::Documents { doctype, filter } => push_values(statement, scope, doctype, "name", filter),
        NameSet::Values { doctype, fieldname, filter } => push_values(statement, scope, doctype, fieldname, filter),
        NameSet::Beneath { tree, nodes } => {
            let beneath = Scope::new(scope.conn, tree, format!("{}b", scope.alias), scope.zone);
            let node = Scope { alias: format!("{}a", scope.alias), ..beneath.clone() };
            let (from, to, left, right) = (node.own("lft"), node.own("rgt"), beneath.own("lft"), beneath.own("rgt"));
            let (name, node_name, table) = (beneath.name_as_text(), node.name_as_text(), table(tree));
            statement.sql(&format!(
                "SELECT {name} FROM {table} AS {} WHERE EXISTS (SELECT 1 FROM {table} AS {} WHERE {from} < {left} AND {right} < {to} AND {node_name} IN (",
                beneath.alias, node.alias
            ));
            push_names(statement, &node, nodes);
            statement.sql("))");
        }
        // A tree is asked about by itself, never as a part of another set.
        NameSet::Tree { .. } => {
            statement.sql("SELECT NULL WHERE 1 = 0");
        }
    }
}

fn push_values(statement: &mut Statement, scope: &Scope<'_>, doctype: &DocType, fieldname: &str, filter: &Filter) {
    let inner = Scope::new(scope.conn, doctype, format!("{}v", scope.alias), scope.zone);
    let column = inner.own(fieldname);
    let is_text = doctype.column(fieldname).is_none_or(|(_, kind)| matches!(kind, Kind::Text { .. }));
    let shown = if is_text { column.clone() } else { format!("CAST({column} AS TEXT)") };
    // One NULL in a set would make every `not in` unknown.
    statement.sql(&format!("SELECT {shown} FROM {} AS {} WHERE {column} IS NOT NULL AND ", table(doctype), inner.alias));
    push_condition(statement, &inner, filter);
}

/// Whether an operation holds for a missing value.
fn holds_for_missing(missing: Missing, kind: Kind, operation: &Operation) -> bool {
    match missing {
        Missing::Never => false,
        Missing::FulfilsNothing => *operation == Operation::IsNotSet,
        Missing::Counts => holds(&FieldValue::missing(kind), operation),
    }
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
        Operation::IsSet | Operation::InSet(_) => false,
        Operation::IsNotSet | Operation::NotInSet(_) => true,
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
