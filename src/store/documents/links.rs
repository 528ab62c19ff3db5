//! Which documents name a document.

use super::{Conn, Statement, StoreError, expression, table};
use crate::doctype::DocType;

/// Most links asked about in one statement; SQLite joins at most 500 SELECTs.
const LINKS_AT_ONCE: usize = 100;

/// A column of one doctype that may name documents of another.
pub struct LinkColumn<'a> {
    pub doctype: &'a DocType,
    pub fieldname: &'a str,
    /// For a Dynamic Link: the field that says which doctype it names.
    pub type_field: Option<&'a str>,
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
