//! `Social Login Key` documents that registered an OAuth client, as Frappe's public documents use the doctype.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::schema::social_login_keys;
use super::{Conn, StoreError};
use crate::domain::Instant;

/// A `Social Login Key`: a name under which a client was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocialLoginKey {
    pub name: String,
    pub provider_name: String,
    pub client_id: String,
    pub redirect_url: String,
    pub owner: String,
    pub creation: Instant,
    pub modified: Instant,
    pub modified_by: String,
}

type KeyRow = (String, String, String, String, String, NaiveDateTime, NaiveDateTime, String);

fn to_domain((name, provider_name, client_id, redirect_url, owner, creation, modified, modified_by): KeyRow) -> SocialLoginKey {
    SocialLoginKey {
        name,
        provider_name,
        client_id,
        redirect_url,
        owner,
        creation: Instant::new(creation),
        modified: Instant::new(modified),
        modified_by,
    }
}

/// The key of a name.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_key(conn: &mut Conn, name: &str) -> Result<Option<SocialLoginKey>, StoreError> {
    let row: Option<KeyRow> = social_login_keys::table.find(name).select(social_login_keys::all_columns).get_result(conn).optional()?;
    Ok(row.map(to_domain))
}

/// Every key, by name.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_keys(conn: &mut Conn) -> Result<Vec<SocialLoginKey>, StoreError> {
    let rows: Vec<KeyRow> = social_login_keys::table.order(social_login_keys::name).select(social_login_keys::all_columns).load(conn)?;
    Ok(rows.into_iter().map(to_domain).collect())
}

/// Keeps a new key.
///
/// # Errors
/// [`StoreError::Unique`] when the name is taken.
pub fn insert_key(conn: &mut Conn, key: &SocialLoginKey) -> Result<(), StoreError> {
    diesel::insert_into(social_login_keys::table)
        .values((
            social_login_keys::name.eq(&key.name),
            social_login_keys::provider_name.eq(&key.provider_name),
            social_login_keys::client_id.eq(&key.client_id),
            social_login_keys::redirect_url.eq(&key.redirect_url),
            social_login_keys::owner.eq(&key.owner),
            social_login_keys::creation.eq(key.creation.naive_utc()),
            social_login_keys::modified.eq(key.modified.naive_utc()),
            social_login_keys::modified_by.eq(&key.modified_by),
        ))
        .execute(conn)?;
    Ok(())
}

/// Remembers another redirect URL. Returns whether the key exists.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn update_redirect_url(conn: &mut Conn, now: Instant, name: &str, redirect_url: &str, by: &str) -> Result<bool, StoreError> {
    let changed = diesel::update(social_login_keys::table.find(name))
        .set((
            social_login_keys::redirect_url.eq(redirect_url),
            social_login_keys::modified.eq(now.naive_utc()),
            social_login_keys::modified_by.eq(by),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}
