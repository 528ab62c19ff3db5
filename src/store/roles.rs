//! Roles.

use diesel::prelude::*;

use super::schema::roles;
use super::{Conn, StoreError};
use crate::domain::Instant;

/// Makes a role unless it exists. Returns whether it was made.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn insert_role_if_missing(
    conn: &mut Conn,
    now: Instant,
    name: &str,
    desk_access: bool,
    is_custom: bool,
    owner: &str,
) -> Result<bool, StoreError> {
    if find_role(conn, name)?.is_some() {
        return Ok(false);
    }
    let at = now.naive_utc();
    diesel::insert_into(roles::table)
        .values((
            roles::name.eq(name),
            roles::disabled.eq(false),
            roles::desk_access.eq(desk_access),
            roles::is_custom.eq(is_custom),
            roles::two_factor_auth.eq(false),
            roles::owner.eq(owner),
            roles::creation.eq(at),
            roles::modified.eq(at),
            roles::modified_by.eq(owner),
        ))
        .execute(conn)?;
    Ok(true)
}

/// Whether a role opens the desk; `None` when there is no such role.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_role(conn: &mut Conn, name: &str) -> Result<Option<bool>, StoreError> {
    Ok(roles::table.find(name).select(roles::desk_access).get_result(conn).optional()?)
}

/// The names of all roles, sorted.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_roles(conn: &mut Conn) -> Result<Vec<String>, StoreError> {
    Ok(roles::table.select(roles::name).order(roles::name).load(conn)?)
}

/// Whether any of these roles opens the desk.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn any_opens_desk(conn: &mut Conn, names: &[String]) -> Result<bool, StoreError> {
    let found: Option<String> = roles::table
        .filter(roles::name.eq_any(names.to_vec()).and(roles::desk_access.eq(true)).and(roles::disabled.eq(false)))
        .select(roles::name)
        .first(conn)
        .optional()?;
    Ok(found.is_some())
}
