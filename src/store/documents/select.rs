//! Single documents, and the lists that the server itself needs.

use chrono_tz::Tz;

use super::composed::composed;
use super::filter::push_condition;
use super::query::{Grouping, Order, Query, Shown, count_rows, list_all_rows};
use super::scope::Scope;
use super::{Conn, Hold, Statement, StoreError, dialect, expression, push_name, table};
use crate::doctype::{Column, DocType, Filter, SortKey, Term};

/// No further condition.
static ALWAYS: Filter = Filter::And(Vec::new());

/// What a list of the server's own is made of.
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

/// The rows of a list, each as the text of a JSON object. What it leaves equal is sorted by name.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_documents(conn: &mut Conn, selection: &Selection<'_>) -> Result<Vec<String>, StoreError> {
    let shown = |(key, fieldname): &(&str, &str)| Shown {
        key: (*key).to_owned(),
        term: Term::Column(Column::from(*fieldname)),
        expanded: Vec::new(),
    };
    let fields: Vec<Shown> = selection.fields.iter().map(shown).collect();
    let by_name = SortKey { fieldname: "name".to_owned(), descending: selection.order.last().is_some_and(|key| key.descending) };
    let order: Vec<Order> = selection
        .order
        .iter()
        .chain([&by_name])
        .map(|key| Order { term: Term::Column(Column::from(key.fieldname.as_str())), descending: key.descending })
        .collect();
    let query = Query {
        fields: &fields,
        order: &order,
        start: selection.start,
        limit: selection.limit,
        ..everything(selection.doctype, selection.filter, selection.zone)
    };
    list_all_rows(conn, &query)
}

/// How many documents a filter of the server's own holds for.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn count_documents(conn: &mut Conn, doctype: &DocType, filter: &Filter, zone: Tz) -> Result<i64, StoreError> {
    count_rows(conn, &everything(doctype, filter, zone))
}

/// All documents that a filter holds for, with nothing of them shown.
fn everything<'a>(doctype: &'a DocType, filter: &'a Filter, zone: Tz) -> Query<'a> {
    Query {
        doctype,
        fields: &[],
        rights: filter,
        filter: &ALWAYS,
        links: &[],
        grouping: Grouping::Nothing,
        order: &[],
        start: 0,
        limit: None,
        zone,
        as_arrays: false,
        with_keys: false,
        after: None,
    }
}

/// One document by name, as the text of a JSON object with the given keys and fields, if a filter
/// (the caller's rights) holds for it. It is held until the transaction ends.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_document(
    conn: &mut Conn,
    doctype: &DocType,
    fields: &[(&str, &str)],
    name: &str,
    filter: &Filter,
    zone: Tz,
    hold: Hold,
) -> Result<Option<String>, StoreError> {
    let mut statement = Statement::default();
    let end = push_select(&mut statement, conn, doctype, fields, zone);
    push_named(&mut statement, conn, doctype, name, filter, zone);
    statement.sql(dialect::held(conn, hold)).sql(&end);
    Ok(statement.load(conn)?.into_iter().next())
}

/// One document by name with all columns, as the text of a JSON object, if a filter (the caller's rights) holds for it. It
/// is held until the transaction ends.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_whole(
    conn: &mut Conn,
    doctype: &DocType,
    name: &str,
    filter: &Filter,
    zone: Tz,
    hold: Hold,
) -> Result<Option<String>, StoreError> {
    let composed = composed(conn, doctype, zone);
    let mut statement = Statement::default();
    statement.sql(&composed.select);
    push_named(&mut statement, conn, doctype, name, filter, zone);
    statement.sql(dialect::held(conn, hold)).sql(&composed.select_end);
    Ok(statement.load(conn)?.into_iter().next())
}

/// Whether a document is there and a filter holds for it.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn holds(conn: &mut Conn, doctype: &DocType, name: &str, filter: &Filter, zone: Tz) -> Result<bool, StoreError> {
    let mut statement = Statement::default();
    statement.sql("SELECT '1' FROM ").sql(&table(doctype)).sql(" AS d");
    push_named(&mut statement, conn, doctype, name, filter, zone);
    Ok(!statement.load(conn)?.is_empty())
}

/// The different rows of a list, in no order and without a limit.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_distinct(conn: &mut Conn, selection: &Selection<'_>) -> Result<Vec<String>, StoreError> {
    let Selection { doctype, fields, filter, zone, .. } = *selection;
    let mut statement = Statement::default();
    let end = push_select(&mut statement, conn, doctype, fields, zone);
    statement.sql(" WHERE ");
    push_condition(&mut statement, &Scope::new(conn, doctype, "d".to_owned(), zone), filter);
    for (index, (_, fieldname)) in fields.iter().enumerate() {
        statement.sql(if index == 0 { " GROUP BY " } else { ", " }).sql(&expression(conn, doctype, fieldname));
    }
    statement.sql(&end);
    statement.load(conn)
}

/// The document of a name, if a filter holds for it.
fn push_named(statement: &mut Statement, conn: &Conn, doctype: &DocType, name: &str, filter: &Filter, zone: Tz) {
    statement.sql(" WHERE ").sql(&expression(conn, doctype, "name")).sql(" = ");
    push_name(statement, doctype, name);
    if !filter.is_always() {
        statement.sql(" AND ");
        push_condition(statement, &Scope::new(conn, doctype, "d".to_owned(), zone), filter);
    }
}

/// `SELECT … FROM table AS d`; returns what goes at the very end.
pub(super) fn push_select(statement: &mut Statement, conn: &Conn, doctype: &DocType, fields: &[(&str, &str)], zone: Tz) -> String {
    let columns = columns(conn, doctype, fields, zone);
    let (start, end) = dialect::rows_as_json(conn, dialect::Rows { columns: &columns, as_arrays: false, before: &[], size: None });
    statement.sql(&start).sql("FROM ").sql(&table(doctype)).sql(" AS d");
    end
}

/// The keys of a row's object, and what they show.
pub(super) fn columns<'k>(conn: &Conn, doctype: &DocType, fields: &[(&'k str, &str)], zone: Tz) -> Vec<(&'k str, String)> {
    fields
        .iter()
        .filter_map(|(key, fieldname)| {
            let (field, kind) = doctype.column(fieldname)?;
            Some((*key, dialect::shown(conn, kind, &expression(conn, doctype, &field.fieldname), zone)))
        })
        .collect()
}
