//! Documents that others name: whether they exist, and what is taken over from them. They are kept from being deleted or
//! renamed until what names them is stored.

use chrono_tz::Tz;

use super::filter::push_condition;
use super::scope::Scope;
use super::select::push_select;
use super::{Conn, Hold, Statement, StoreError, dialect, expression, push_name, table};
use crate::doctype::{DocType, Filter};

/// Most names asked about in one statement.
const NAMES_AT_ONCE: usize = 500;
/// Most doctypes asked about in one; SQLite takes 500 parts of a union.
const PARTS_AT_ONCE: usize = 50;

/// Which of these documents are there, each as the text of a JSON list: the place of its doctype among those asked about, its
/// name, its docstatus. All are asked about at once. Nobody deletes or renames them until the transaction ends.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_existing(conn: &mut Conn, asked: &[(&DocType, Vec<&str>)]) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let mut statement = Statement::default();
    let (mut room, mut parts) = (NAMES_AT_ONCE, 0);
    for (place, (doctype, names)) in asked.iter().enumerate() {
        for names in names.chunks(NAMES_AT_ONCE) {
            if names.len() > room || parts == PARTS_AT_ONCE {
                found.extend(std::mem::take(&mut statement).load(conn)?);
                (room, parts) = (NAMES_AT_ONCE, 0);
            }
            // A part of its own, because Postgres holds no rows of a union.
            statement.sql(if parts == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
            let shown = [place.to_string(), expression(conn, doctype, "name"), expression(conn, doctype, "docstatus")];
            statement.sql(&format!("SELECT {} AS shown FROM {} AS d", dialect::row_as_list(conn, &shown), table(doctype)));
            push_names(&mut statement, conn, doctype, names);
            push_held(&mut statement, conn, doctype);
            statement.sql(&format!(") AS t{place}"));
            room -= names.len();
            parts += 1;
        }
    }
    if parts > 0 {
        found.extend(statement.load(conn)?);
    }
    Ok(found)
}

fn push_names(statement: &mut Statement, conn: &Conn, doctype: &DocType, names: &[&str]) {
    statement.sql(" WHERE ").sql(&expression(conn, doctype, "name")).sql(" IN (");
    for (index, name) in names.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { ", " });
        push_name(statement, doctype, name);
    }
    statement.sql(")");
}

/// Two that name the same documents wait for whoever deletes them in the same order.
fn push_held(statement: &mut Statement, conn: &Conn, doctype: &DocType) {
    statement.sql(" ORDER BY ").sql(&expression(conn, doctype, "name")).sql(dialect::held(conn, Hold::Named));
}

/// Those of `names` that are documents of the doctype for which the filter holds, each as the text of a JSON object with
/// the given keys and fields.
/// Nobody deletes or renames them until the transaction ends, so that what is written now names documents that are there.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_linked(
    conn: &mut Conn,
    doctype: &DocType,
    fields: &[(&str, &str)],
    names: &[&str],
    filter: &Filter,
    zone: Tz,
) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for names in names.chunks(NAMES_AT_ONCE) {
        let mut statement = Statement::default();
        let end = push_select(&mut statement, conn, doctype, fields, zone);
        push_names(&mut statement, conn, doctype, names);
        if !filter.is_always() {
            statement.sql(" AND ");
            push_condition(&mut statement, &Scope::new(conn, doctype, "d".to_owned(), zone), filter);
        }
        push_held(&mut statement, conn, doctype);
        statement.sql(&end);
        found.extend(statement.load(conn)?);
    }
    Ok(found)
}
