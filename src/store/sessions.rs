//! Browser sessions. The `sid` is stored as a hash only.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::schema::sessions;
use super::{Conn, StoreError};
use crate::domain::Instant;
use crate::domain::session::Session;
use crate::secrets::SecretHash;

type SessionRow = (String, String, NaiveDateTime, NaiveDateTime, NaiveDateTime, NaiveDateTime, bool);

fn to_domain((id, user, created, auth_time, last_seen, expires_at, csrf_issued): SessionRow) -> Session {
    Session {
        id,
        user,
        created: Instant::new(created),
        auth_time: Instant::new(auth_time),
        last_seen: Instant::new(last_seen),
        expires_at: Instant::new(expires_at),
        csrf_issued,
    }
}

/// The session of a `sid`, expired or not.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_by_hash(conn: &mut Conn, sid: &SecretHash) -> Result<Option<Session>, StoreError> {
    let row: Option<SessionRow> = sessions::table
        .filter(sessions::sid_hash.eq(sid.to_text()))
        .select((
            sessions::id,
            sessions::user_name,
            sessions::created,
            sessions::auth_time,
            sessions::last_seen,
            sessions::expires_at,
            sessions::csrf_issued,
        ))
        .get_result(conn)
        .optional()?;
    Ok(row.map(to_domain))
}

/// Starts a session.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn insert_session(
    conn: &mut Conn,
    session: &Session,
    sid: &SecretHash,
    ip: Option<&str>,
    user_agent: Option<&str>,
) -> Result<(), StoreError> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(&session.id),
            sessions::sid_hash.eq(sid.to_text()),
            sessions::user_name.eq(&session.user),
            sessions::created.eq(session.created.naive_utc()),
            sessions::auth_time.eq(session.auth_time.naive_utc()),
            sessions::last_seen.eq(session.last_seen.naive_utc()),
            sessions::expires_at.eq(session.expires_at.naive_utc()),
            sessions::ip.eq(ip),
            sessions::user_agent.eq(user_agent),
            sessions::csrf_issued.eq(session.csrf_issued),
        ))
        .execute(conn)?;
    Ok(())
}

/// Slides the expiry of a session that is in use.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn update_seen(conn: &mut Conn, id: &str, last_seen: Instant, expires_at: Instant) -> Result<(), StoreError> {
    diesel::update(sessions::table.find(id))
        .set((sessions::last_seen.eq(last_seen.naive_utc()), sessions::expires_at.eq(expires_at.naive_utc())))
        .execute(conn)?;
    Ok(())
}

/// Remembers that a page handed the session its CSRF token. Returns whether this call was the first.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn update_csrf_issued(conn: &mut Conn, id: &str) -> Result<bool, StoreError> {
    let target = sessions::table.filter(sessions::id.eq(id).and(sessions::csrf_issued.eq(false)));
    Ok(diesel::update(target).set(sessions::csrf_issued.eq(true)).execute(conn)? == 1)
}

/// Ends one session. Returns whether it existed.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_session(conn: &mut Conn, id: &str) -> Result<bool, StoreError> {
    Ok(diesel::delete(sessions::table.find(id)).execute(conn)? == 1)
}

/// Ends every session of a user but one. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_sessions_of(conn: &mut Conn, user: &str, but: Option<&str>) -> Result<usize, StoreError> {
    let of_user = sessions::table.filter(sessions::user_name.eq(user));
    Ok(match but {
        Some(kept) => diesel::delete(of_user.filter(sessions::id.ne(kept))).execute(conn)?,
        None => diesel::delete(of_user).execute(conn)?,
    })
}

/// Removes up to `limit` sessions that expired before an instant. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn purge_expired(conn: &mut Conn, before: Instant, limit: i64) -> Result<usize, StoreError> {
    let ids: Vec<String> =
        sessions::table.filter(sessions::expires_at.lt(before.naive_utc())).select(sessions::id).limit(limit).load(conn)?;
    Ok(diesel::delete(sessions::table.filter(sessions::id.eq_any(ids))).execute(conn)?)
}
