//! Which documents name a document.

use super::{Conn, Statement, StoreError, expression, push_name, table};
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

/// Which of the documents that name another one count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linking {
    All,
    /// Those that are submitted.
    Submitted,
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
    linking: Linking,
) -> Result<Option<(String, String)>, StoreError> {
    for columns in columns.chunks(LINKS_AT_ONCE) {
        let mut statement = Statement::default();
        for (index, column) in columns.iter().enumerate() {
            push_link(&mut statement, conn, doctype, name, column, linking, index);
        }
        let found = statement.load(conn)?;
        if let Some((by_doctype, by_name)) = found.first().and_then(|found| found.split_once('/')) {
            return Ok(Some((by_doctype.to_owned(), by_name.to_owned())));
        }
    }
    Ok(None)
}

fn push_link(
    statement: &mut Statement,
    conn: &Conn,
    doctype: &DocType,
    name: &str,
    column: &LinkColumn<'_>,
    linking: Linking,
    index: usize,
) {
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
    if linking == Linking::Submitted {
        statement.sql(&format!(" AND {} = 1", sql("docstatus")));
    }
    if by.name == doctype.name {
        statement.sql(&format!(" AND {} <> ", sql("name")));
        push_name(statement, by, name);
    } else if by.is_child_table {
        // A document's own rows may name it.
        statement.sql(&format!(" AND NOT ({} = ", sql("parenttype"))).text(&doctype.name);
        statement.sql(&format!(" AND {} = ", sql("parent"))).text(name).sql(")");
    }
    statement.sql(&format!(" LIMIT 1) AS found{index}"));
}
