//! Clients that describe themselves at their own client id: what is known of each description, which itself is
//! the client's row.

use chrono::NaiveDateTime;
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text, Timestamp};

use super::schema::{oauth_client_documents, oauth_client_roles, oauth_clients, oauth_consents, oauth_grants};
use super::{Conn, Effects, StoreError, dialect, epochs};
use crate::domain::Instant;

/// The copy of a client's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientDocument {
    /// The URL it was fetched from, which is the client's id.
    pub client_id: String,
    /// When its host last answered for it.
    pub fetched_at: Instant,
    /// Until when it is used without asking again.
    pub expires_at: Instant,
    /// What the host is asked with: whether the copy is still right (RFC 9110 section 8.8).
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// The copy of a client's description, if it is one that describes itself.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_document(conn: &mut Conn, client_id: &str) -> Result<Option<ClientDocument>, StoreError> {
    type Row = (String, NaiveDateTime, NaiveDateTime, Option<String>, Option<String>);
    let row: Option<Row> = oauth_client_documents::table.find(client_id).get_result(conn).optional()?;
    Ok(row.map(|(client_id, fetched_at, expires_at, etag, last_modified)| ClientDocument {
        client_id,
        fetched_at: Instant::new(fetched_at),
        expires_at: Instant::new(expires_at),
        etag,
        last_modified,
    }))
}

/// Keeps the first copy. Returns whether it is that; the client's own row must be there when the transaction ends.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn insert_document(conn: &mut Conn, document: &ClientDocument) -> Result<bool, StoreError> {
    // Raw because diesel's two-backend connection has no ON CONFLICT; both databases read `$1`.
    let inserted = diesel::sql_query(
        "INSERT INTO oauth_client_documents (client_id, fetched_at, expires_at, etag, last_modified) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (client_id) DO NOTHING",
    )
    .bind::<Text, _>(&document.client_id)
    .bind::<Timestamp, _>(document.fetched_at.naive_utc())
    .bind::<Timestamp, _>(document.expires_at.naive_utc())
    .bind::<Nullable<Text>, _>(&document.etag)
    .bind::<Nullable<Text>, _>(&document.last_modified)
    .execute(conn)?;
    Ok(inserted == 1)
}

/// Replaces what is known of a copy. Returns whether there is one.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn update_document(conn: &mut Conn, document: &ClientDocument) -> Result<bool, StoreError> {
    let changed = diesel::update(oauth_client_documents::table.find(&document.client_id))
        .set((
            oauth_client_documents::fetched_at.eq(document.fetched_at.naive_utc()),
            oauth_client_documents::expires_at.eq(document.expires_at.naive_utc()),
            oauth_client_documents::etag.eq(&document.etag),
            oauth_client_documents::last_modified.eq(&document.last_modified),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Removes up to `limit` clients that described themselves, were last asked for before an instant, and that nobody
/// uses: no user allowed them anything, nothing granted to them is kept, and no administrator did anything to them.
/// What is cached of them is not trusted any more. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn purge_unused(conn: &mut Conn, effects: &mut Effects, now: Instant, before: Instant, limit: i64) -> Result<usize, StoreError> {
    let found = list_unused(conn, before, limit)?;
    if found.is_empty() {
        return Ok(0);
    }
    // Somebody may be allowing one of them something just now: whoever is at it is waited for, then looked at again.
    dialect::lock_clients(conn, &found)?;
    let mut unused = list_unused(conn, before, limit)?;
    unused.retain(|id| found.contains(id));
    let removed = diesel::delete(oauth_clients::table.filter(oauth_clients::client_id.eq_any(&unused))).execute(conn)?;
    for subject in unused.iter().map(String::as_str).chain((removed > 0).then_some(epochs::CLIENTS)) {
        epochs::bump(conn, effects, now, subject)?;
    }
    Ok(removed)
}

fn list_unused(conn: &mut Conn, before: Instant, limit: i64) -> Result<Vec<String>, StoreError> {
    let id = oauth_client_documents::client_id;
    Ok(oauth_client_documents::table
        .inner_join(oauth_clients::table)
        .filter(oauth_client_documents::fetched_at.lt(before.naive_utc()))
        .filter(oauth_clients::verified.eq(false).and(oauth_clients::modified_by.eq(oauth_clients::owner)))
        .filter(not(exists(oauth_consents::table.filter(oauth_consents::client_id.eq(id)).select(oauth_consents::client_id))))
        .filter(not(exists(oauth_grants::table.filter(oauth_grants::client_id.eq(id)).select(oauth_grants::id))))
        .filter(not(exists(oauth_client_roles::table.filter(oauth_client_roles::client_id.eq(id)).select(oauth_client_roles::id))))
        .select(id)
        .order(oauth_client_documents::fetched_at)
        .limit(limit)
        .load(conn)?)
}
