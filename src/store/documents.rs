//! Documents of every doctype: lists, single documents, inserts, updates, deletes, links.
//!
//! This file and `ddl.rs` are the only ones that compose SQL by hand. Identifiers come from the
//! validated definition or from `document_sources`, every value is bound, and each row comes back
//! as the text of a JSON object that the database put together.

use std::cmp::Ordering;

use chrono_tz::Tz;

use super::document_sources::{expression, table};
use super::statement::Statement;
use super::{Conn, StoreError, ddl, dialect};
use crate::doctype::filter::Operation;
use crate::doctype::{DocType, FieldValue, Filter, Kind, Rows, SortKey, Values};
use crate::domain::Instant;

/// Most links asked about in one statement; SQLite joins at most 500 SELECTs.
const LINKS_AT_ONCE: usize = 100;

/// What a list is made of.
pub struct Selection<'a> {
    pub doctype: &'a DocType,
    /// The keys of each row's object and the fields they show.
    pub fields: &'a [(&'a str, &'a str)],
    pub filter: &'a Filter,
    pub order: &'a [SortKey],
    pub start: u64,
    pub limit: Option<u64>,
    /// The time zone in which times are shown.
    pub zone: Tz,
}

/// A unique value that another document has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    Name,
    Field(String),
}

/// A column of one doctype that may name documents of another.
pub struct LinkColumn<'a> {
    pub doctype: &'a DocType,
    pub fieldname: &'a str,
    /// For a Dynamic Link: the field that says which doctype it names.
    pub type_field: Option<&'a str>,
}

/// The rows of a list, each as the text of a JSON object.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_documents(conn: &mut Conn, selection: &Selection<'_>) -> Result<Vec<String>, StoreError> {
    let mut statement = Statement::default();
    let end = push_select(&mut statement, conn, selection.doctype, selection.fields, selection.zone);
    push_where(&mut statement, conn, selection.doctype, selection.filter, selection.zone);
    push_order(&mut statement, conn, selection.doctype, selection.order);
    if selection.limit.is_some() || selection.start > 0 {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        statement.sql(" LIMIT ").int(selection.limit.map_or(i64::MAX, number));
        if selection.start > 0 {
            statement.sql(" OFFSET ").int(number(selection.start));
        }
    }
    statement.sql(end);
    statement.load(conn)
}

/// How many documents a filter holds for.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn count_documents(conn: &mut Conn, doctype: &DocType, filter: &Filter, zone: Tz) -> Result<i64, StoreError> {
    let mut statement = Statement::default();
    statement.sql("SELECT CAST(count(*) AS TEXT) FROM ").sql(&table(doctype)).sql(" AS d");
    push_where(&mut statement, conn, doctype, filter, zone);
    let rows = statement.load(conn)?;
    rows.first().and_then(|count| count.parse().ok()).ok_or_else(|| StoreError::corrupt("count"))
}

/// One document by name, as the text of a JSON object with the given keys and fields. `lock` keeps
/// others from changing it until the transaction ends.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_document(
    conn: &mut Conn,
    doctype: &DocType,
    fields: &[(&str, &str)],
    name: &str,
    zone: Tz,
    lock: bool,
) -> Result<Option<String>, StoreError> {
    let mut statement = Statement::default();
    let end = push_select(&mut statement, conn, doctype, fields, zone);
    statement.sql(" WHERE ").sql(&expression(conn, doctype, "name")).sql(" = ").text(name);
    if lock {
        statement.sql(dialect::locked(conn));
    }
    statement.sql(end);
    Ok(statement.load(conn)?.into_iter().next())
}

/// Those of `names` that are documents of the doctype.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_existing(conn: &mut Conn, doctype: &DocType, names: &[&str]) -> Result<Vec<String>, StoreError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let name = expression(conn, doctype, "name");
    let mut statement = Statement::default();
    statement.sql("SELECT ").sql(&name).sql(" FROM ").sql(&table(doctype)).sql(" AS d WHERE ").sql(&name).sql(" IN (");
    for (index, wanted) in names.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { ", " }).text(wanted);
    }
    statement.sql(")");
    statement.load(conn)
}

/// Inserts a document into its doctype's own table.
///
/// # Errors
/// [`StoreError::Unique`] when the name or a unique field is taken; see [`find_taken`].
pub fn insert_document(conn: &mut Conn, doctype: &DocType, name: &str, user: &str, at: Instant, values: &Values) -> Result<(), StoreError> {
    let text = |text: &str| FieldValue::Text(text.to_owned());
    let now = FieldValue::Datetime(at.naive_utc());
    let mut columns: Vec<(&str, Kind, FieldValue)> = Vec::with_capacity(doctype.fields.len() + 7);
    for (field, kind) in doctype.columns() {
        let value = match field.fieldname.as_str() {
            "name" => text(name),
            "owner" | "modified_by" => text(user),
            "creation" | "modified" => now.clone(),
            "docstatus" | "idx" => FieldValue::Int(0),
            fieldname => match values.get(fieldname) {
                Some(value) => value.clone(),
                None => empty(kind),
            },
        };
        columns.push((&field.fieldname, kind, value));
    }
    let mut statement = Statement::default();
    statement.sql("INSERT INTO ").sql(&own_table(doctype)?).sql(" (");
    for (index, (column, _, _)) in columns.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { ", " }).sql(&format!("\"{column}\""));
    }
    statement.sql(") VALUES (");
    for (index, (_, kind, value)) in columns.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { ", " }).bind(*kind, value);
    }
    statement.sql(")");
    statement.execute(conn)?;
    Ok(())
}

/// Columns of numbers are never NULL, as in Frappe.
fn empty(kind: Kind) -> FieldValue {
    match kind {
        Kind::Int | Kind::Check | Kind::Float => FieldValue::missing(kind),
        Kind::Text { .. } | Kind::Date | Kind::Datetime => FieldValue::Null,
    }
}

/// Changes the given fields of a document in its doctype's own table; false when it is not there.
///
/// # Errors
/// [`StoreError::Unique`] when a unique field is taken; see [`find_taken`].
pub fn update_document(
    conn: &mut Conn,
    doctype: &DocType,
    name: &str,
    user: &str,
    at: Instant,
    values: &Values,
) -> Result<bool, StoreError> {
    let mut statement = Statement::default();
    statement.sql("UPDATE ").sql(&own_table(doctype)?).sql(" SET \"modified_by\" = ").text(user).sql(", \"modified\" = ");
    statement.bind(Kind::Datetime, &FieldValue::Datetime(at.naive_utc()));
    for (fieldname, value) in values.iter() {
        let Some((_, kind)) = doctype.column(fieldname) else { continue };
        statement.sql(&format!(", \"{fieldname}\" = ")).bind(kind, value);
    }
    statement.sql(" WHERE \"name\" = ").text(name);
    Ok(statement.execute(conn)? > 0)
}

/// Deletes a document from its doctype's own table; false when it is not there.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn delete_document(conn: &mut Conn, doctype: &DocType, name: &str) -> Result<bool, StoreError> {
    let mut statement = Statement::default();
    statement.sql("DELETE FROM ").sql(&own_table(doctype)?).sql(" WHERE \"name\" = ").text(name);
    Ok(statement.execute(conn)? > 0)
}

/// Which value of an insert or update was already taken, if that is what failed.
pub fn find_taken(doctype: &DocType, error: &StoreError) -> Option<Taken> {
    let StoreError::Unique(text) = error else { return None };
    let is = |column: &str| {
        // SQLite names the column, Postgres the index.
        text.ends_with(&format!("tab{}.{column}", doctype.name)) || *text == ddl::unique_index(doctype, column)
    };
    if is("name") {
        return Some(Taken::Name);
    }
    doctype.fields.iter().find(|field| field.unique && is(&field.fieldname)).map(|field| Taken::Field(field.fieldname.clone()))
}

/// A document that names `name` of `doctype` in one of these columns: its doctype and name. For a
/// child row it is the parent. The document itself does not count.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_link(
    conn: &mut Conn,
    doctype: &DocType,
    name: &str,
    columns: &[LinkColumn<'_>],
) -> Result<Option<(String, String)>, StoreError> {
    for columns in columns.chunks(LINKS_AT_ONCE) {
        let mut statement = Statement::default();
        for (index, column) in columns.iter().enumerate() {
            push_link(&mut statement, conn, doctype, name, column, index);
        }
        let found = statement.load(conn)?;
        if let Some((by_doctype, by_name)) = found.first().and_then(|found| found.split_once('/')) {
            return Ok(Some((by_doctype.to_owned(), by_name.to_owned())));
        }
    }
    Ok(None)
}

fn push_link(statement: &mut Statement, conn: &Conn, doctype: &DocType, name: &str, column: &LinkColumn<'_>, index: usize) {
    let by = column.doctype;
    let sql = |fieldname: &str| expression(conn, by, fieldname);
    // A doctype's name has no slash, so the first one ends it.
    let shown = if by.is_child_table {
        format!("{} || '/' || {}", sql("parenttype"), sql("parent"))
    } else {
        format!("'{}/' || {}", by.name, sql("name"))
    };
    statement.sql(if index == 0 { "" } else { " UNION ALL " });
    statement.sql(&format!(
        "SELECT found{index}.hit FROM (SELECT {shown} AS hit FROM {} AS d WHERE {} = ",
        table(by),
        sql(column.fieldname)
    ));
    statement.text(name);
    if let Some(type_field) = column.type_field {
        statement.sql(&format!(" AND {} = ", sql(type_field))).text(&doctype.name);
    }
    if by.name == doctype.name {
        statement.sql(&format!(" AND {} <> ", sql("name"))).text(name);
    }
    statement.sql(&format!(" LIMIT 1) AS found{index}"));
}

fn own_table(doctype: &DocType) -> Result<String, StoreError> {
    match doctype.rows {
        Rows::OwnTable => Ok(table(doctype)),
        Rows::Typed => Err(StoreError::Fault(format!("{} has no table of its own", doctype.name))),
    }
}

/// `SELECT … FROM table AS d`; returns what goes at the very end.
fn push_select(statement: &mut Statement, conn: &Conn, doctype: &DocType, fields: &[(&str, &str)], zone: Tz) -> &'static str {
    let columns: Vec<(&str, String)> = fields
        .iter()
        .filter_map(|(key, fieldname)| {
            let (field, kind) = doctype.column(fieldname)?;
            Some((*key, dialect::shown(conn, kind, &expression(conn, doctype, &field.fieldname), zone)))
        })
        .collect();
    let (start, end) = dialect::rows_as_json(conn, &columns);
    statement.sql(&start).sql("FROM ").sql(&table(doctype)).sql(" AS d");
    end
}

fn push_where(statement: &mut Statement, conn: &Conn, doctype: &DocType, filter: &Filter, zone: Tz) {
    if !filter.is_always() {
        statement.sql(" WHERE ");
        push_filter(statement, conn, doctype, filter, zone);
    }
}

/// The order asked for, and the name in the same direction where that leaves documents equal: an
/// index on (modified, name) then serves the default order without sorting.
fn push_order(statement: &mut Statement, conn: &Conn, doctype: &DocType, order: &[SortKey]) {
    let by_name = SortKey { fieldname: "name".to_owned(), descending: order.last().is_some_and(|key| key.descending) };
    let named = order.iter().any(|key| key.fieldname == by_name.fieldname);
    statement.sql(" ORDER BY ");
    for (index, key) in order.iter().chain((!named).then_some(&by_name)).enumerate() {
        statement.sql(if index == 0 { "" } else { ", " });
        push_sort_key(statement, conn, doctype, key);
    }
}

fn push_sort_key(statement: &mut Statement, conn: &Conn, doctype: &DocType, key: &SortKey) {
    // Every key was checked against the definition; an unknown one would sort by nothing.
    let Some((_, kind)) = doctype.column(&key.fieldname) else {
        statement.sql("NULL");
        return;
    };
    statement.sql(&expression(conn, doctype, &key.fieldname));
    statement.sql(collation(conn, doctype, kind));
    statement.sql(if key.descending { " DESC" } else { "" });
    if may_be_missing(doctype, &key.fieldname, kind) {
        statement.sql(dialect::missing_first(conn, key.descending));
    }
}

/// Own tables declare their text columns so; typed tables do not.
fn collation(conn: &Conn, doctype: &DocType, kind: Kind) -> &'static str {
    match (kind, doctype.rows) {
        (Kind::Text { .. }, Rows::Typed) => dialect::by_code_point(conn),
        _ => "",
    }
}

fn may_be_missing(doctype: &DocType, fieldname: &str, kind: Kind) -> bool {
    match doctype.rows {
        Rows::OwnTable => doctype.field(fieldname).is_some() && !matches!(kind, Kind::Int | Kind::Check | Kind::Float),
        Rows::Typed => doctype.field(fieldname).is_some(),
    }
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
    let holds_for_missing = may_be_missing(doctype, fieldname, kind) && holds(&missing, operation);
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
        _ => None,
    }
}

/// A pattern whose last backslash escapes nothing is an error in Postgres; there it stands for itself.
fn closed_pattern(pattern: &str) -> String {
    let open = pattern.chars().rev().take_while(|letter| *letter == '\\').count() % 2 == 1;
    if open { format!("{pattern}\\") } else { pattern.to_owned() }
}
