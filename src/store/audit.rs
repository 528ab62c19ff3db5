//! The audit log: append only.

use diesel::prelude::*;

use super::schema::audit_log;
use super::{Conn, StoreError};
use crate::domain::Instant;

/// One event to append.
pub struct NewEvent<'a> {
    pub id: String,
    pub at: Instant,
    pub event: &'a str,
    pub user: Option<&'a str>,
    pub client_id: Option<&'a str>,
    pub ip: Option<&'a str>,
    pub detail: Option<&'a str>,
}

/// Appends an event.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn insert_event(conn: &mut Conn, event: &NewEvent) -> Result<(), StoreError> {
    diesel::insert_into(audit_log::table)
        .values((
            audit_log::id.eq(&event.id),
            audit_log::at.eq(event.at.naive_utc()),
            audit_log::event.eq(event.event),
            audit_log::user_name.eq(event.user),
            audit_log::client_id.eq(event.client_id),
            audit_log::ip.eq(event.ip),
            audit_log::detail.eq(event.detail),
        ))
        .execute(conn)?;
    Ok(())
}

/// Removes events from before an instant. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn purge_before(conn: &mut Conn, before: Instant) -> Result<usize, StoreError> {
    Ok(diesel::delete(audit_log::table.filter(audit_log::at.lt(before.naive_utc()))).execute(conn)?)
}
