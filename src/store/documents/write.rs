//! Inserting, changing and deleting rows of a doctype's own table.

use super::{Conn, Statement, StoreError, ddl, table};
use crate::doctype::{DocType, Field, FieldValue, Kind, Rows, Values};
use crate::domain::Instant;

/// A unique value that another document has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    Name,
    Field(String),
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
                None => empty(field, kind),
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
fn empty(field: &Field, kind: Kind) -> FieldValue {
    if field.fieldtype.may_be_missing() { FieldValue::Null } else { FieldValue::missing(kind) }
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

fn own_table(doctype: &DocType) -> Result<String, StoreError> {
    match doctype.rows {
        Rows::OwnTable => Ok(table(doctype)),
        Rows::Typed => Err(StoreError::Fault(format!("{} has no table of its own", doctype.name))),
    }
}
