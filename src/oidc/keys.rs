//! The life of signing keys: next, current, retired; one next and one current per algorithm.
//!
//! A key is published before it signs and after it has stopped, so that verifiers with a copy of the
//! key set never meet a stranger. Generating one is slow and happens outside every transaction.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::audit::{self, AuditEvent};
use crate::cx::{Cx, Env};
use crate::domain::Instant;
use crate::domain::client::SigningAlgorithm;
use crate::error::AppError;
use crate::secrets::keys::{SigningKey, generate};
use crate::secrets::{SealKey, mint};
use crate::store::epochs::{self, SIGNING_KEYS};
use crate::store::installation;
use crate::store::signing_keys::{self, KeyState, StoredKey};
use crate::store::{Conn, Db, Effects};

/// What private keys are sealed for.
const PURPOSE: &str = "signing-key";

/// The key set document (RFC 7517): every key that may still verify something.
pub fn jwks(keys: &[SigningKey]) -> Value {
    json!({"keys": keys.iter().map(|key| &key.jwk).collect::<Vec<_>>()})
}

/// Makes a key, sealed. Slow.
pub fn make(seal: &SealKey, now: Instant, algorithm: SigningAlgorithm, state: KeyState) -> StoredKey {
    StoredKey {
        kid: mint::name(20),
        algorithm,
        state,
        sealed: seal.seal(PURPOSE, &generate(algorithm)),
        created: now,
        activated_at: (state == KeyState::Current).then_some(now),
        retired_at: None,
    }
}

/// Makes and keeps what is missing, at first start a current and a next key of every algorithm, and
/// puts all into the environment.
///
/// # Errors
/// [`AppError`] from the database.
pub fn ensure(db: &Db, env: &Env) -> Result<(), AppError> {
    for algorithm in SigningAlgorithm::ALL {
        for state in [KeyState::Current, KeyState::Next] {
            let has = move |keys: &[StoredKey]| keys.iter().any(|key| key.algorithm == algorithm && key.state == state);
            if db.lookup_blocking(|conn, _| Ok(has(&signing_keys::list_keys(conn)?)))? {
                continue;
            }
            let now = env.clock.now();
            let key = make(&env.seal, now, algorithm, state);
            db.write_blocking("set up: signing key", move |conn, effects| {
                // Another process may have been faster; its key will do.
                installation::lock_set_up(conn)?;
                if has(&signing_keys::list_keys(conn)?) {
                    return Ok(());
                }
                signing_keys::insert_key(conn, &key)?;
                Ok(epochs::bump(conn, effects, now, SIGNING_KEYS)?)
            })?;
        }
    }
    reload(db, env)
}

/// Reads the keys into the environment again, after they changed here or elsewhere.
///
/// # Errors
/// [`AppError`] from the database, and when a key does not open with this seal key.
pub fn reload(db: &Db, env: &Env) -> Result<(), AppError> {
    env.set_signing_keys(db.lookup_blocking(|conn, _| load(conn, &env.seal))?);
    Ok(())
}

/// Moves every key of an algorithm one step on; `fresh` (from [`make`], state next) waits from now on.
///
/// # Errors
/// [`AppError`] from the database, and when another rotation was faster.
pub fn rotate(conn: &mut Conn, effects: &mut Effects, now: Instant, fresh: &StoredKey) -> Result<(), AppError> {
    let keys = signing_keys::list_keys(conn)?;
    let of = |state| keys.iter().find(|key| key.algorithm == fresh.algorithm && key.state == state);
    let moved = |moved: bool| if moved { Ok(()) } else { Err(AppError::unavailable("another rotation is under way")) };
    if let Some(current) = of(KeyState::Current) {
        moved(signing_keys::update_state(conn, now, &current.kid, KeyState::Current, KeyState::Retired)?)?;
    }
    if let Some(next) = of(KeyState::Next) {
        moved(signing_keys::update_state(conn, now, &next.kid, KeyState::Next, KeyState::Current)?)?;
    }
    signing_keys::insert_key(conn, fresh)?;
    Ok(epochs::bump(conn, effects, now, SIGNING_KEYS)?)
}

/// Rotates the keys that have signed for longer than the settings allow. Run it as often as you like.
///
/// # Errors
/// [`AppError`] from the database.
pub fn rotate_due(db: &Db, env: &Arc<Env>) -> Result<(), AppError> {
    let Some(lifetime) = env.config.oauth.signing_key() else { return Ok(()) };
    let now = env.clock.now();
    let is_due = move |keys: &[StoredKey], algorithm| {
        let current = keys.iter().find(|key| key.algorithm == algorithm && key.state == KeyState::Current);
        current.is_some_and(|key| key.activated_at.unwrap_or(key.created).plus(lifetime) <= now)
    };
    let mut rotated = false;
    for algorithm in SigningAlgorithm::ALL {
        if !db.lookup_blocking(|conn, _| Ok(is_due(&signing_keys::list_keys(conn)?, algorithm)))? {
            continue;
        }
        let fresh = make(&env.seal, now, algorithm, KeyState::Next);
        let shared = Arc::clone(env);
        rotated |= db.write_blocking("rotate signing keys", move |conn, effects| {
            // Another process may have been faster.
            installation::lock_set_up(conn)?;
            let due = is_due(&signing_keys::list_keys(conn)?, algorithm);
            if due {
                rotate(conn, effects, now, &fresh)?;
                audit::record(&mut Cx { conn, now, env: &shared, effects }, None, &AuditEvent::SigningKeysRotated)?;
            }
            Ok(due)
        })?;
    }
    if rotated { reload(db, env) } else { Ok(()) }
}

/// Reads and opens every key: current ones first, then next, then retired.
///
/// # Errors
/// [`AppError::Internal`] when a key does not open with this seal key.
pub fn load(conn: &mut Conn, seal: &SealKey) -> Result<Vec<SigningKey>, AppError> {
    let stored = signing_keys::list_keys(conn)?;
    let mut keys = Vec::with_capacity(stored.len());
    for state in [KeyState::Current, KeyState::Next, KeyState::Retired] {
        for key in stored.iter().filter(|key| key.state == state) {
            let pkcs8 = seal.open(PURPOSE, &key.sealed).map_err(|error| AppError::internal(format!("signing key {}: {error}", key.kid)))?;
            keys.push(SigningKey::from_pkcs8(&key.kid, key.algorithm, &pkcs8).map_err(AppError::internal)?);
        }
    }
    Ok(keys)
}
