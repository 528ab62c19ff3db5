//! API keys: found by their public half, proven by a secret that is stored as a hash only.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::schema::api_keys;
use super::{Conn, StoreError};
use crate::domain::api_key::ApiKey;
use crate::domain::{Instant, Scope};
use crate::secrets::mint;

/// How the secret of a key is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretForm {
    /// SHA-256 of a secret that Ostiary minted.
    Sha256(String),
    /// HMAC-SHA-256 under the seal key of a secret that a caller chose.
    Hmac(String),
}

/// Purpose of the HMAC key for secrets that callers chose.
pub const HMAC_PURPOSE: &str = "api-secret";
/// The name of the classic Frappe pair.
pub const DEFAULT: &str = "default";

type KeyRow =
    (String, String, String, String, Option<String>, Option<NaiveDateTime>, Option<String>, Option<NaiveDateTime>, String, String);

fn to_domain(row: KeyRow) -> Result<(ApiKey, SecretForm), StoreError> {
    let (id, user, name, key, scopes, expires_at, ip_list, last_used_at, hash, kind) = row;
    let scope = scopes.map(|text| Scope::parse(&text)).transpose().map_err(StoreError::corrupt)?;
    let secret = match kind.as_str() {
        "sha256" => SecretForm::Sha256(hash),
        "hmac" => SecretForm::Hmac(hash),
        other => return Err(StoreError::corrupt(format!("secret kind {other:?}"))),
    };
    let (expires_at, last_used_at) = (expires_at.map(Instant::new), last_used_at.map(Instant::new));
    Ok((ApiKey { id, user, name, key, scope, expires_at, ip_list, last_used_at }, secret))
}

/// The key with this public half, and the form of its secret.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_by_key(conn: &mut Conn, key: &str) -> Result<Option<(ApiKey, SecretForm)>, StoreError> {
    let row: Option<KeyRow> = api_keys::table
        .filter(api_keys::api_key.eq(key))
        .select((
            api_keys::id,
            api_keys::user_name,
            api_keys::name,
            api_keys::api_key,
            api_keys::scopes,
            api_keys::expires_at,
            api_keys::ip_list,
            api_keys::last_used_at,
            api_keys::secret_hash,
            api_keys::secret_kind,
        ))
        .get_result(conn)
        .optional()?;
    row.map(to_domain).transpose()
}

/// The public half of a user's key of this name.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_key_of(conn: &mut Conn, user: &str, name: &str) -> Result<Option<String>, StoreError> {
    Ok(api_keys::table
        .filter(api_keys::user_name.eq(user).and(api_keys::name.eq(name)))
        .select(api_keys::api_key)
        .get_result(conn)
        .optional()?)
}

/// What may be shown of a key.
#[derive(Clone, Debug)]
pub struct KeySummary {
    pub name: String,
    pub key: String,
    pub created: Instant,
    pub last_used_at: Option<Instant>,
}

/// A user's keys, by name.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_keys_of(conn: &mut Conn, user: &str) -> Result<Vec<KeySummary>, StoreError> {
    let rows: Vec<(String, String, NaiveDateTime, Option<NaiveDateTime>)> = api_keys::table
        .filter(api_keys::user_name.eq(user))
        .order(api_keys::name)
        .select((api_keys::name, api_keys::api_key, api_keys::created, api_keys::last_used_at))
        .load(conn)?;
    let summary = |(name, key, created, used): (String, String, NaiveDateTime, Option<NaiveDateTime>)| KeySummary {
        name,
        key,
        created: Instant::new(created),
        last_used_at: used.map(Instant::new),
    };
    Ok(rows.into_iter().map(summary).collect())
}

/// A key to make, or whose secret to replace.
pub struct NewKey<'a> {
    pub user: &'a str,
    pub name: &'a str,
    pub key: &'a str,
    pub secret: SecretForm,
    pub scope: Option<&'a Scope>,
    pub expires_at: Option<Instant>,
}

/// Makes a user's key of this name, or replaces its public half, secret, scope and expiry.
///
/// # Errors
/// [`StoreError::Unique`] when another key has this public half.
pub fn upsert_key(conn: &mut Conn, now: Instant, new: &NewKey) -> Result<(), StoreError> {
    let (hash, kind) = match &new.secret {
        SecretForm::Sha256(hash) => (hash, "sha256"),
        SecretForm::Hmac(hash) => (hash, "hmac"),
    };
    let scopes = new.scope.map(ToString::to_string);
    let expires_at = new.expires_at.map(Instant::naive_utc);
    let existing = api_keys::table.filter(api_keys::user_name.eq(new.user).and(api_keys::name.eq(new.name)));
    let updated = diesel::update(existing)
        .set((
            api_keys::api_key.eq(new.key),
            api_keys::secret_hash.eq(hash),
            api_keys::secret_kind.eq(kind),
            api_keys::scopes.eq(&scopes),
            api_keys::expires_at.eq(expires_at),
            api_keys::last_used_at.eq(None::<NaiveDateTime>),
        ))
        .execute(conn)?;
    if updated == 0 {
        diesel::insert_into(api_keys::table)
            .values((
                api_keys::id.eq(mint::id(now)),
                api_keys::user_name.eq(new.user),
                api_keys::name.eq(new.name),
                api_keys::api_key.eq(new.key),
                api_keys::secret_hash.eq(hash),
                api_keys::secret_kind.eq(kind),
                api_keys::scopes.eq(&scopes),
                api_keys::expires_at.eq(expires_at),
                api_keys::created.eq(now.naive_utc()),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// Whether a user has a key of this name that is good for everything and does not end.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn is_lasting(conn: &mut Conn, user: &str, name: &str) -> Result<bool, StoreError> {
    let key = api_keys::table.filter(api_keys::user_name.eq(user).and(api_keys::name.eq(name)));
    let row: Option<(Option<String>, Option<NaiveDateTime>)> =
        key.select((api_keys::scopes, api_keys::expires_at)).get_result(conn).optional()?;
    Ok(row == Some((None, None)))
}

/// Remembers that a key was used.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn update_last_used(conn: &mut Conn, id: &str, at: Instant) -> Result<(), StoreError> {
    diesel::update(api_keys::table.find(id)).set(api_keys::last_used_at.eq(at.naive_utc())).execute(conn)?;
    Ok(())
}

/// Removes a user's key of this name. Returns whether it existed.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_key(conn: &mut Conn, user: &str, name: &str) -> Result<bool, StoreError> {
    Ok(diesel::delete(api_keys::table.filter(api_keys::user_name.eq(user).and(api_keys::name.eq(name)))).execute(conn)? == 1)
}
