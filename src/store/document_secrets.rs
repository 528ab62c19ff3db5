//! What the Password fields of documents hold: sealed, by doctype, name and field. The rows of a
//! child table have theirs under the child doctype and their own names.

use diesel::prelude::*;

use super::schema::document_secrets;
use super::statement::Statement;
use super::{Conn, StoreError};

/// Most names asked about in one statement.
const NAMES_AT_ONCE: usize = 500;

/// Keeps a secret, replacing an earlier one. `length` is in letters.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn put_secret(conn: &mut Conn, doctype: &str, name: &str, fieldname: &str, sealed: &str, length: i64) -> Result<(), StoreError> {
    let mut statement = Statement::default();
    statement.sql("INSERT INTO document_secrets (doctype, name, fieldname, sealed, length) VALUES (").text(doctype).sql(", ").text(name);
    statement.sql(", ").text(fieldname).sql(", ").text(sealed).sql(", ").int(length);
    statement.sql(") ON CONFLICT (doctype, name, fieldname) DO UPDATE SET sealed = excluded.sealed, length = excluded.length");
    statement.execute(conn)?;
    Ok(())
}

/// A sealed secret, if the field holds one.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_secret(conn: &mut Conn, doctype: &str, name: &str, fieldname: &str) -> Result<Option<String>, StoreError> {
    let secret = document_secrets::table.find((doctype, name, fieldname)).select(document_secrets::sealed);
    Ok(secret.get_result(conn).optional()?)
}

/// Which fields of these documents hold a secret: name, field and length in letters.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_lengths(conn: &mut Conn, doctype: &str, names: &[&str]) -> Result<Vec<(String, String, i64)>, StoreError> {
    let mut found = Vec::new();
    for names in names.chunks(NAMES_AT_ONCE) {
        let of_these = document_secrets::doctype.eq(doctype).and(document_secrets::name.eq_any(names.to_vec()));
        let columns = (document_secrets::name, document_secrets::fieldname, document_secrets::length);
        found.extend(document_secrets::table.filter(of_these).select(columns).load::<(String, String, i64)>(conn)?);
    }
    Ok(found)
}

/// Forgets one secret.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn delete_secret(conn: &mut Conn, doctype: &str, name: &str, fieldname: &str) -> Result<(), StoreError> {
    diesel::delete(document_secrets::table.find((doctype, name, fieldname))).execute(conn)?;
    Ok(())
}

/// Forgets all secrets of these documents.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn delete_secrets(conn: &mut Conn, doctype: &str, names: &[&str]) -> Result<(), StoreError> {
    for names in names.chunks(NAMES_AT_ONCE) {
        let of_these = document_secrets::doctype.eq(doctype).and(document_secrets::name.eq_any(names.to_vec()));
        diesel::delete(document_secrets::table.filter(of_these)).execute(conn)?;
    }
    Ok(())
}

/// Moves all secrets of a document to its new name.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn rename_secrets(conn: &mut Conn, doctype: &str, old: &str, new: &str) -> Result<(), StoreError> {
    let of_it = document_secrets::doctype.eq(doctype).and(document_secrets::name.eq(old));
    diesel::update(document_secrets::table.filter(of_it)).set(document_secrets::name.eq(new)).execute(conn)?;
    Ok(())
}
