//! Client assertions that were used (RFC 7523 section 3, `jti`), so that none is used twice.

use diesel::prelude::*;
use diesel::sql_types::{Text, Timestamp};

use super::schema::oauth_assertions;
use super::{Conn, StoreError};
use crate::domain::Instant;
use crate::secrets::SecretHash;

/// Uses an assertion up: one of several that bring the same wins. Returns whether it is this one.
/// `expires_at` must lie after the last moment at which the assertion would be accepted.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn consume_assertion(conn: &mut Conn, id: &SecretHash, expires_at: Instant) -> Result<bool, StoreError> {
    // Raw because diesel's two-backend connection has no ON CONFLICT; both databases read `$1`.
    let inserted = diesel::sql_query("INSERT INTO oauth_assertions (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
        .bind::<Text, _>(id.to_text())
        .bind::<Timestamp, _>(expires_at.naive_utc())
        .execute(conn)?;
    Ok(inserted == 1)
}

/// Removes up to `limit` that nobody could use again. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn purge_expired(conn: &mut Conn, now: Instant, limit: i64) -> Result<usize, StoreError> {
    let ids: Vec<String> = oauth_assertions::table
        .filter(oauth_assertions::expires_at.lt(now.naive_utc()))
        .select(oauth_assertions::id)
        .limit(limit)
        .load(conn)?;
    Ok(diesel::delete(oauth_assertions::table.filter(oauth_assertions::id.eq_any(ids))).execute(conn)?)
}
