//! Authorization requests that wait for their user's Allow or Deny, bound to the session they were shown to.

use diesel::prelude::*;

use super::schema::authorization_requests as requests;
use super::{Conn, StoreError};
use crate::domain::Instant;

/// A request as it was validated, waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRequest {
    pub id: String,
    pub session_id: String,
    /// The request's parameters, in whatever text form the flow chose.
    pub parameters: String,
    pub created: Instant,
    pub expires_at: Instant,
}

/// Keeps a request until it is decided.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn insert_request(conn: &mut Conn, request: &PendingRequest) -> Result<(), StoreError> {
    diesel::insert_into(requests::table)
        .values((
            requests::id.eq(&request.id),
            requests::session_id.eq(&request.session_id),
            requests::parameters.eq(&request.parameters),
            requests::created.eq(request.created.naive_utc()),
            requests::expires_at.eq(request.expires_at.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Takes a request of this session out, to be decided. Of any number of callers exactly one gets it.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn consume_request(conn: &mut Conn, now: Instant, id: &str, session_id: &str) -> Result<Option<String>, StoreError> {
    let target =
        requests::table.filter(requests::id.eq(id).and(requests::session_id.eq(session_id)).and(requests::expires_at.gt(now.naive_utc())));
    Ok(diesel::delete(target).returning(requests::parameters).get_result(conn).optional()?)
}

/// Removes up to `limit` requests that expired before an instant. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn purge_expired(conn: &mut Conn, before: Instant, limit: i64) -> Result<usize, StoreError> {
    let ids: Vec<String> =
        requests::table.filter(requests::expires_at.lt(before.naive_utc())).select(requests::id).limit(limit).load(conn)?;
    Ok(diesel::delete(requests::table.filter(requests::id.eq_any(ids))).execute(conn)?)
}
