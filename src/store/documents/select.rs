//! Lists, counts and single documents.

use chrono_tz::Tz;

use super::filter::{collation, may_be_missing, push_where};
use super::{Conn, Statement, StoreError, dialect, expression, push_name, table};
use crate::doctype::{DocType, Filter, SortKey};

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
    statement.sql(" WHERE ").sql(&expression(conn, doctype, "name")).sql(" = ");
    push_name(&mut statement, doctype, name);
    if lock {
        statement.sql(dialect::locked(conn));
    }
    statement.sql(end);
    Ok(statement.load(conn)?.into_iter().next())
}

/// `SELECT … FROM table AS d`; returns what goes at the very end.
pub(super) fn push_select(statement: &mut Statement, conn: &Conn, doctype: &DocType, fields: &[(&str, &str)], zone: Tz) -> &'static str {
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
    if may_be_missing(doctype, &key.fieldname) {
        statement.sql(dialect::missing_first(conn, key.descending));
    }
}
