//! Documents that others name: whether they exist, and what is taken over from them. They are kept from being deleted or
//! renamed until what names them is stored.

use chrono_tz::Tz;

use super::filter::push_condition;
use super::scope::Scope;
use super::select::push_select;
use super::{Conn, Hold, Statement, StoreError, dialect, expression, push_name};
use crate::doctype::{DocType, Filter};

/// Most names asked about in one statement.
const NAMES_AT_ONCE: usize = 500;

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
        statement.sql(" WHERE ").sql(&expression(conn, doctype, "name")).sql(" IN (");
        for (index, name) in names.iter().enumerate() {
            statement.sql(if index == 0 { "" } else { ", " });
            push_name(&mut statement, doctype, name);
        }
        statement.sql(")");
        if !filter.is_always() {
            statement.sql(" AND ");
            push_condition(&mut statement, &Scope::new(conn, doctype, "d".to_owned(), zone), filter);
        }
        // Two that name the same documents wait for whoever deletes them in the same order.
        statement.sql(" ORDER BY ").sql(&expression(conn, doctype, "name")).sql(dialect::held(conn, Hold::Named)).sql(&end);
        found.extend(statement.load(conn)?);
    }
    Ok(found)
}
