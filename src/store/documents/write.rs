//! Inserting, changing and deleting rows of a doctype's own table.

use chrono_tz::Tz;

use super::composed::composed;
use super::select::find_whole;
use super::{Conn, Hold, Statement, StoreError, ddl, dialect, push_name, table};
use crate::doctype::{DocType, Field, FieldValue, Filter, Kind, Rows, Values};
use crate::domain::Instant;

/// Most values bound in one statement; SQLite takes 32,766.
const BINDS_AT_ONCE: usize = 30_000;
/// Most names in one list.
const NAMES_AT_ONCE: usize = 500;

/// A unique value that another document has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    Name,
    Field(String),
}

/// Who writes, and when.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    pub user: &'a str,
    pub at: Instant,
}

/// Inserts a document into its doctype's own table. `docstatus` and `idx`, and where a row belongs,
/// are among the values; who made it and when is the stamp.
///
/// # Errors
/// [`StoreError::Unique`] when the name or a unique field is taken; see [`find_taken`].
pub fn insert_document(conn: &mut Conn, doctype: &DocType, name: &str, stamp: Stamp<'_>, values: &Values) -> Result<(), StoreError> {
    insert_documents(conn, doctype, stamp, &[(name, values)])
}

/// Inserts many documents, as many at once as a statement holds.
///
/// # Errors
/// As [`insert_document`].
pub fn insert_documents(conn: &mut Conn, doctype: &DocType, stamp: Stamp<'_>, rows: &[(&str, &Values)]) -> Result<(), StoreError> {
    own_table(doctype)?;
    let composed = composed(conn, doctype, Tz::UTC);
    for rows in rows.chunks(BINDS_AT_ONCE / doctype.columns().count().max(1)) {
        let mut statement = Statement::default();
        statement.sql(&composed.insert);
        for (index, (name, values)) in rows.iter().enumerate() {
            statement.sql(if index == 0 { "" } else { ", " });
            push_row(&mut statement, doctype, name, stamp, values);
        }
        statement.execute(conn)?;
    }
    Ok(())
}

/// What to do about a name that another document has, which may be being stored right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfTaken {
    Fail,
    /// Nothing is stored.
    Skip,
}

/// Inserts a document and returns all its columns as they are stored, as the text of a JSON object. `None` where its name
/// is taken and that is to be skipped.
///
/// # Errors
/// As [`insert_document`].
pub fn insert_new(
    conn: &mut Conn,
    doctype: &DocType,
    (name, taken): (&str, IfTaken),
    stamp: Stamp<'_>,
    values: &Values,
    zone: Tz,
) -> Result<Option<String>, StoreError> {
    own_table(doctype)?;
    let composed = composed(conn, doctype, zone);
    let mut statement = Statement::default();
    statement.sql(&composed.insert);
    push_row(&mut statement, doctype, name, stamp, values);
    if taken == IfTaken::Skip {
        statement.sql(" ON CONFLICT (\"name\") DO NOTHING");
    }
    if dialect::should_return(conn) {
        statement.sql(&composed.returning);
        return Ok(statement.load(conn)?.into_iter().next());
    }
    if statement.execute(conn)? == 0 { Ok(None) } else { find_whole(conn, doctype, name, &Filter::always(), zone, Hold::Nothing) }
}

fn push_row(statement: &mut Statement, doctype: &DocType, name: &str, stamp: Stamp<'_>, values: &Values) {
    for (index, (field, kind)) in doctype.columns().enumerate() {
        statement.sql(if index == 0 { "(" } else { ", " });
        push_column(statement, doctype, field, kind, name, stamp, values);
    }
    statement.sql(")");
}

fn push_column(statement: &mut Statement, doctype: &DocType, field: &Field, kind: Kind, name: &str, stamp: Stamp<'_>, values: &Values) {
    match field.fieldname.as_str() {
        "name" => push_name(statement, doctype, name),
        "owner" | "modified_by" => {
            statement.text(stamp.user);
        }
        "creation" | "modified" => {
            statement.bind(kind, &FieldValue::Datetime(stamp.at.naive_utc()));
        }
        fieldname => {
            statement.bind(kind, &stored(field, kind, values.get(fieldname).unwrap_or(&FieldValue::Null)));
        }
    }
}

/// Columns of numbers are never NULL, as in Frappe.
fn stored(field: &Field, kind: Kind, value: &FieldValue) -> FieldValue {
    if *value == FieldValue::Null && !field.fieldtype.may_be_missing() { FieldValue::missing(kind) } else { value.clone() }
}

/// Changes the given fields of a document in its doctype's own table; false when it is not there.
///
/// # Errors
/// [`StoreError::Unique`] when a unique field is taken; see [`find_taken`].
pub fn update_document(conn: &mut Conn, doctype: &DocType, name: &str, stamp: Stamp<'_>, values: &Values) -> Result<bool, StoreError> {
    let mut statement = Statement::default();
    statement.sql("UPDATE ").sql(&own_table(doctype)?).sql(" SET \"modified_by\" = ").text(stamp.user).sql(", \"modified\" = ");
    statement.bind(Kind::Datetime, &FieldValue::Datetime(stamp.at.naive_utc()));
    for (fieldname, value) in values.iter() {
        let Some((field, kind)) = doctype.column(fieldname) else { continue };
        statement.sql(&format!(", \"{fieldname}\" = ")).bind(kind, &stored(field, kind, value));
    }
    statement.sql(" WHERE \"name\" = ");
    push_name(&mut statement, doctype, name);
    Ok(statement.execute(conn)? > 0)
}

/// Changes texts (`None` empties them) of every document that has these texts in these fields,
/// without touching its `modified`. Returns how many.
///
/// # Errors
/// [`StoreError::Unique`] when a unique field is taken.
pub fn update_where(
    conn: &mut Conn,
    doctype: &DocType,
    set: &[(&str, Option<&str>)],
    filter: &[(&str, &str)],
) -> Result<usize, StoreError> {
    let mut statement = Statement::default();
    statement.sql("UPDATE ").sql(&own_table(doctype)?).sql(" SET ");
    for (index, (fieldname, text)) in set.iter().enumerate() {
        let text = text.map_or(FieldValue::Null, |text| FieldValue::Text(text.to_owned()));
        statement.sql(if index == 0 { "" } else { ", " }).sql(&format!("\"{fieldname}\" = "));
        statement.bind(Kind::Text { limit: None }, &text);
    }
    statement.sql(" WHERE ");
    push_texts(&mut statement, doctype, filter, " AND ");
    statement.execute(conn)
}

/// Deletes every document that has these texts in these fields. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn delete_where(conn: &mut Conn, doctype: &DocType, filter: &[(&str, &str)]) -> Result<usize, StoreError> {
    let mut statement = Statement::default();
    statement.sql("DELETE FROM ").sql(&own_table(doctype)?).sql(" WHERE ");
    push_texts(&mut statement, doctype, filter, " AND ");
    statement.execute(conn)
}

fn push_texts(statement: &mut Statement, doctype: &DocType, texts: &[(&str, &str)], between: &str) {
    for (index, (fieldname, text)) in texts.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { between }).sql(&format!("\"{fieldname}\" = "));
        match *fieldname {
            "name" => push_name(statement, doctype, text),
            _ => {
                statement.text(text);
            }
        }
    }
}

/// Stamps all rows of a parent in one child table, and gives them its `docstatus`.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn touch_rows(conn: &mut Conn, child: &DocType, place: &[(&str, &str)], stamp: Stamp<'_>, docstatus: i64) -> Result<(), StoreError> {
    let mut statement = Statement::default();
    statement.sql("UPDATE ").sql(&own_table(child)?).sql(" SET \"modified_by\" = ").text(stamp.user).sql(", \"modified\" = ");
    statement.bind(Kind::Datetime, &FieldValue::Datetime(stamp.at.naive_utc()));
    statement.sql(", \"docstatus\" = ").int(docstatus).sql(" WHERE ");
    push_texts(&mut statement, child, place, " AND ");
    statement.execute(conn)?;
    Ok(())
}

/// Deletes a document from its doctype's own table; false when it is not there.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn delete_document(conn: &mut Conn, doctype: &DocType, name: &str) -> Result<bool, StoreError> {
    Ok(delete_documents(conn, doctype, &[name])? > 0)
}

/// Deletes these documents. Returns how many there were.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn delete_documents(conn: &mut Conn, doctype: &DocType, names: &[&str]) -> Result<usize, StoreError> {
    let mut deleted = 0;
    for names in names.chunks(NAMES_AT_ONCE) {
        let mut statement = Statement::default();
        statement.sql("DELETE FROM ").sql(&own_table(doctype)?).sql(" WHERE \"name\" IN (");
        for (index, name) in names.iter().enumerate() {
            statement.sql(if index == 0 { "" } else { ", " });
            push_name(&mut statement, doctype, name);
        }
        statement.sql(")");
        deleted += statement.execute(conn)?;
    }
    Ok(deleted)
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

fn own_table(doctype: &DocType) -> Result<String, StoreError> {
    match doctype.rows {
        Rows::OwnTable => Ok(table(doctype)),
        Rows::Typed => Err(StoreError::Fault(format!("{} has no table of its own", doctype.name))),
    }
}
