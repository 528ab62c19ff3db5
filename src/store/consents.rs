//! Remembered consent: what a user already allowed a client, per resource. Here `None` is this
//! server's own API, which the table keeps as the empty text.

use diesel::prelude::*;
use diesel::sql_types::{Text, Timestamp};

use super::schema::oauth_consents;
use super::{Conn, StoreError, dialect};
use crate::domain::{Instant, Scope};

/// How the table writes a resource: a primary key has no NULL.
fn key(resource: Option<&str>) -> &str {
    resource.unwrap_or_default()
}

/// Which consent: whose, to whom, and at which resource.
#[derive(Clone, Copy, Debug)]
pub struct ConsentKey<'a> {
    pub user: &'a str,
    pub client_id: &'a str,
    pub resource: Option<&'a str>,
}

/// What a user already allowed a client at a resource, if anything.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_scope(conn: &mut Conn, consent: ConsentKey<'_>) -> Result<Option<Scope>, StoreError> {
    let row = oauth_consents::table.find((consent.user, consent.client_id, key(consent.resource)));
    let text: Option<String> = row.select(oauth_consents::scopes).get_result(conn).optional()?;
    text.map(|text| Scope::parse(&text).map_err(StoreError::corrupt)).transpose()
}

/// [`find_scope`] for who acts on the answer: until the transaction ends nobody takes it back.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn hold_scope(conn: &mut Conn, consent: ConsentKey<'_>) -> Result<Option<Scope>, StoreError> {
    #[derive(QueryableByName)]
    struct Held {
        #[diesel(sql_type = Text)]
        scopes: String,
    }
    let lock = dialect::shared(conn);
    let sql = format!("SELECT scopes FROM oauth_consents WHERE user_name = $1 AND client_id = $2 AND resource = $3{lock}");
    let query = diesel::sql_query(sql).bind::<Text, _>(consent.user).bind::<Text, _>(consent.client_id);
    let held: Option<Held> = query.bind::<Text, _>(key(consent.resource)).get_result(conn).optional()?;
    held.map(|held| Scope::parse(&held.scopes).map_err(StoreError::corrupt)).transpose()
}

/// Remembers what a user allows a client at a resource from now on.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn replace_scope(conn: &mut Conn, now: Instant, consent: ConsentKey<'_>, scope: &Scope) -> Result<(), StoreError> {
    // Raw because diesel's two-backend connection has no ON CONFLICT; both databases read `$1`.
    diesel::sql_query(
        "INSERT INTO oauth_consents (user_name, client_id, resource, scopes, created, modified) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (user_name, client_id, resource) DO UPDATE SET scopes = excluded.scopes, modified = excluded.modified",
    )
    .bind::<Text, _>(consent.user)
    .bind::<Text, _>(consent.client_id)
    .bind::<Text, _>(key(consent.resource))
    .bind::<Text, _>(scope.to_string())
    .bind::<Timestamp, _>(now.naive_utc())
    .bind::<Timestamp, _>(now.naive_utc())
    .execute(conn)?;
    Ok(())
}

/// Forgets what a user allowed a client, at every resource. Returns whether there was anything.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_consent(conn: &mut Conn, user: &str, client_id: &str) -> Result<bool, StoreError> {
    let target = oauth_consents::table.filter(oauth_consents::user_name.eq(user).and(oauth_consents::client_id.eq(client_id)));
    Ok(diesel::delete(target).execute(conn)? > 0)
}

/// Forgets what anybody allowed a client. Returns how many consents there were.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_consents_of_client(conn: &mut Conn, client_id: &str) -> Result<usize, StoreError> {
    Ok(diesel::delete(oauth_consents::table.filter(oauth_consents::client_id.eq(client_id))).execute(conn)?)
}

/// Forgets what anybody allowed any client at a resource. Returns how many consents there were.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_consents_of_resource(conn: &mut Conn, resource: &str) -> Result<usize, StoreError> {
    Ok(diesel::delete(oauth_consents::table.filter(oauth_consents::resource.eq(resource))).execute(conn)?)
}

/// What a user allowed a client at one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Consent {
    pub client_id: String,
    /// `None` for this server's own API.
    pub resource: Option<String>,
    pub scope: Scope,
    /// When it was first allowed.
    pub created: Instant,
}

/// What a user allowed any client; a client may be there once per resource.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_of_user(conn: &mut Conn, user: &str) -> Result<Vec<Consent>, StoreError> {
    let rows: Vec<(String, String, String, chrono::NaiveDateTime)> = oauth_consents::table
        .filter(oauth_consents::user_name.eq(user))
        .select((oauth_consents::client_id, oauth_consents::resource, oauth_consents::scopes, oauth_consents::created))
        .load(conn)?;
    rows.into_iter()
        .map(|(client_id, resource, scopes, created)| {
            Ok(Consent {
                client_id,
                resource: (!resource.is_empty()).then_some(resource),
                scope: Scope::parse(&scopes).map_err(StoreError::corrupt)?,
                created: Instant::new(created),
            })
        })
        .collect()
}
