//! Remembered consent: what a user already allowed a client.

use diesel::prelude::*;
use diesel::sql_types::{Text, Timestamp};

use super::schema::oauth_consents;
use super::{Conn, StoreError};
use crate::domain::{Instant, Scope};

/// What a user already allowed a client, if anything.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_scope(conn: &mut Conn, user: &str, client_id: &str) -> Result<Option<Scope>, StoreError> {
    let text: Option<String> = oauth_consents::table.find((user, client_id)).select(oauth_consents::scopes).get_result(conn).optional()?;
    text.map(|text| Scope::parse(&text).map_err(StoreError::corrupt)).transpose()
}

/// Remembers what a user allows a client from now on.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn replace_scope(conn: &mut Conn, now: Instant, user: &str, client_id: &str, scope: &Scope) -> Result<(), StoreError> {
    // Raw because diesel's two-backend connection has no ON CONFLICT; both databases read `$1`.
    diesel::sql_query(
        "INSERT INTO oauth_consents (user_name, client_id, scopes, created, modified) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (user_name, client_id) DO UPDATE SET scopes = excluded.scopes, modified = excluded.modified",
    )
    .bind::<Text, _>(user)
    .bind::<Text, _>(client_id)
    .bind::<Text, _>(scope.to_string())
    .bind::<Timestamp, _>(now.naive_utc())
    .bind::<Timestamp, _>(now.naive_utc())
    .execute(conn)?;
    Ok(())
}

/// Forgets what a user allowed a client. Returns whether there was anything.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_consent(conn: &mut Conn, user: &str, client_id: &str) -> Result<bool, StoreError> {
    Ok(diesel::delete(oauth_consents::table.find((user, client_id))).execute(conn)? == 1)
}

/// Forgets what anybody allowed a client. Returns how many had.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_consents_of_client(conn: &mut Conn, client_id: &str) -> Result<usize, StoreError> {
    Ok(diesel::delete(oauth_consents::table.filter(oauth_consents::client_id.eq(client_id))).execute(conn)?)
}

/// What a user allowed any client, as (client id, scope, when it was last changed), newest first.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_of_user(conn: &mut Conn, user: &str) -> Result<Vec<(String, Scope, Instant)>, StoreError> {
    let rows: Vec<(String, String, chrono::NaiveDateTime)> = oauth_consents::table
        .filter(oauth_consents::user_name.eq(user))
        .order(oauth_consents::modified.desc())
        .select((oauth_consents::client_id, oauth_consents::scopes, oauth_consents::modified))
        .load(conn)?;
    rows.into_iter()
        .map(|(client_id, scopes, modified)| Ok((client_id, Scope::parse(&scopes).map_err(StoreError::corrupt)?, Instant::new(modified))))
        .collect()
}
