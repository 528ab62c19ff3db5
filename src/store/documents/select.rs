//! Single documents, and the lists that the server itself needs.

use chrono_tz::Tz;

use super::query::{Grouping, Order, Query, Shown, count_rows, list_rows};
use super::{Conn, Statement, StoreError, dialect, expression, push_name, table};
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
    list_rows(conn, &query)
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
    statement.sql(" WHERE ").sql(&expression(conn, doctype, "name")).sql(" = ");
    push_name(&mut statement, doctype, name);
    if lock {
        statement.sql(dialect::locked(conn));
    }
    statement.sql(&end);
    Ok(statement.load(conn)?.into_iter().next())
}

/// `SELECT … FROM table AS d`; returns what goes at the very end.
pub(super) fn push_select(statement: &mut Statement, conn: &Conn, doctype: &DocType, fields: &[(&str, &str)], zone: Tz) -> String {
    let columns: Vec<(&str, String)> = fields
        .iter()
        .filter_map(|(key, fieldname)| {
            let (field, kind) = doctype.column(fieldname)?;
            Some((*key, dialect::shown(conn, kind, &expression(conn, doctype, &field.fieldname), zone)))
        })
        .collect();
    let (start, end) = dialect::rows_as_json(conn, dialect::Rows { columns: &columns, as_arrays: false, before: &[] });
    statement.sql(&start).sql("FROM ").sql(&table(doctype)).sql(" AS d");
    end
}
