//! Facts about the installation: one text value per name.

use diesel::prelude::*;

use super::schema::installation;
use super::{Conn, StoreError};

/// The value of a name, if it was ever set.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_value(conn: &mut Conn, name: &str) -> Result<Option<String>, StoreError> {
    Ok(installation::table.find(name).select(installation::value).get_result(conn).optional()?)
}

/// Lets one process at a time make what a new database lacks: what it then finds missing stays
/// missing until it commits. Several processes may start on a new Postgres at once.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn lock_set_up(conn: &mut Conn) -> Result<(), StoreError> {
    super::dialect::lock_set_up(conn)
}

/// Sets a name that was never set; another process that did so first wins, and `false` says so.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn insert_value(conn: &mut Conn, name: &str, value: &str) -> Result<bool, StoreError> {
    lock_set_up(conn)?;
    if find_value(conn, name)?.is_some() {
        return Ok(false);
    }
    diesel::insert_into(installation::table).values((installation::name.eq(name), installation::value.eq(value))).execute(conn)?;
    Ok(true)
}

/// Sets a name, whether it was set before or not.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn set_value(conn: &mut Conn, name: &str, value: &str) -> Result<(), StoreError> {
    if !insert_value(conn, name, value)? {
        diesel::update(installation::table.find(name)).set(installation::value.eq(value)).execute(conn)?;
    }
    Ok(())
}
