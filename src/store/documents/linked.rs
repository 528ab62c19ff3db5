//! Documents that others name: whether they exist, and what is taken over from them.

use chrono_tz::Tz;

use super::select::push_select;
use super::{Conn, Statement, StoreError, expression, push_name};
use crate::doctype::DocType;

/// Most names asked about in one statement.
const NAMES_AT_ONCE: usize = 500;

/// Those of `names` that are documents of the doctype, each as the text of a JSON object with the given keys and fields.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_linked(
    conn: &mut Conn,
    doctype: &DocType,
    fields: &[(&str, &str)],
    names: &[&str],
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
        statement.sql(")").sql(&end);
        found.extend(statement.load(conn)?);
    }
    Ok(found)
}
