//! Signing keys of id tokens: sealed at rest, each in one state of its life.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::schema::signing_keys;
use super::{Conn, StoreError};
use crate::domain::Instant;
use crate::domain::client::SigningAlgorithm;

/// Where a key is in its life. It moves forward only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, so that verifiers know it before the first token it signs.
    Next,
    /// Signs now; one per algorithm.
    Current,
    /// Signs no more; published until what it signed has expired.
    Retired,
}

impl KeyState {
    const ALL: [KeyState; 3] = [Self::Next, Self::Current, Self::Retired];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Retired => "retired",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A signing key as it is stored: the private half is sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredKey {
    pub kid: String,
    pub algorithm: SigningAlgorithm,
    pub state: KeyState,
    pub sealed: String,
    pub created: Instant,
    pub activated_at: Option<Instant>,
    pub retired_at: Option<Instant>,
}

type KeyRow = (String, String, String, String, NaiveDateTime, Option<NaiveDateTime>, Option<NaiveDateTime>);

fn to_domain((kid, algorithm, state, sealed, created, activated_at, retired_at): KeyRow) -> Result<StoredKey, StoreError> {
    Ok(StoredKey {
        kid,
        algorithm: SigningAlgorithm::from_text(&algorithm).ok_or_else(|| StoreError::corrupt(&algorithm))?,
        state: KeyState::from_text(&state).ok_or_else(|| StoreError::corrupt(&state))?,
        sealed,
        created: Instant::new(created),
        activated_at: activated_at.map(Instant::new),
        retired_at: retired_at.map(Instant::new),
    })
}

/// Every key, oldest first.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_keys(conn: &mut Conn) -> Result<Vec<StoredKey>, StoreError> {
    let rows: Vec<KeyRow> = signing_keys::table
        .order((signing_keys::created, signing_keys::kid))
        .select((
            signing_keys::kid,
            signing_keys::algorithm,
            signing_keys::state,
            signing_keys::sealed,
            signing_keys::created,
            signing_keys::activated_at,
            signing_keys::retired_at,
        ))
        .load(conn)?;
    rows.into_iter().map(to_domain).collect()
}

/// Keeps a new key.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn insert_key(conn: &mut Conn, key: &StoredKey) -> Result<(), StoreError> {
    diesel::insert_into(signing_keys::table)
        .values((
            signing_keys::kid.eq(&key.kid),
            signing_keys::algorithm.eq(key.algorithm.as_str()),
            signing_keys::state.eq(key.state.as_str()),
            signing_keys::sealed.eq(&key.sealed),
            signing_keys::created.eq(key.created.naive_utc()),
            signing_keys::activated_at.eq(key.activated_at.map(Instant::naive_utc)),
            signing_keys::retired_at.eq(key.retired_at.map(Instant::naive_utc)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Moves a key on to `current` or `retired`, if it is still in the state before. Returns whether it moved.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn update_state(conn: &mut Conn, now: Instant, kid: &str, from: KeyState, to: KeyState) -> Result<bool, StoreError> {
    let target = signing_keys::table.filter(signing_keys::kid.eq(kid).and(signing_keys::state.eq(from.as_str())));
    let at = now.naive_utc();
    let changed = match to {
        KeyState::Next => 0,
        KeyState::Current => {
            diesel::update(target).set((signing_keys::state.eq(to.as_str()), signing_keys::activated_at.eq(at))).execute(conn)?
        }
        KeyState::Retired => {
            diesel::update(target).set((signing_keys::state.eq(to.as_str()), signing_keys::retired_at.eq(at))).execute(conn)?
        }
    };
    Ok(changed == 1)
}

/// Removes keys that were retired before an instant. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn purge_retired(conn: &mut Conn, before: Instant) -> Result<usize, StoreError> {
    let target =
        signing_keys::table.filter(signing_keys::state.eq(KeyState::Retired.as_str()).and(signing_keys::retired_at.lt(before.naive_utc())));
    Ok(diesel::delete(target).execute(conn)?)
}
