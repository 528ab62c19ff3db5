//! Work that no request waits for: purging what expired, in small batches; forgetting idle limits;
//! rotating signing keys by age, and reading again what is kept in memory after it changed.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::config::OAuthConfig;
use crate::cx::Env;
use crate::domain::Instant;
use crate::error::AppError;
use crate::store::blobs::SHELVES;
use crate::store::{self, Conn, Db, Effects, Shared, StoreError};

/// Rows that one batch removes at most, so that no writer waits long.
const BATCH: i64 = 500;
/// Time between two rounds.
const ROUND: Duration = Duration::from_secs(60);
/// Time after which documents are looked for that a search does not know, once it knew all.
const LOOK_FOR_DOCUMENTS: Duration = Duration::from_secs(5);
/// How long expired tokens and codes are kept: a replayed code must still find what it bought.
const KEEP_SPENT: Duration = Duration::from_secs(24 * 3600);
/// How long a retired signing key still verifies, or as long as an id token lives if that is longer.
const KEEP_KEYS: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a client that came by itself and that nobody allowed anything is kept: as long as its copy may be used at
/// all. Anybody can bring any number of them.
const KEEP_UNUSED_CLIENTS: Duration = Duration::from_secs(24 * 3600);
/// How long audit events are kept.
const KEEP_AUDIT: Duration = Duration::from_secs(90 * 24 * 3600);

/// How long a content is kept that no row names: an upload may be about to.
const KEEP_UNNAMED: Duration = Duration::from_secs(24 * 3600);

/// One kind of row to remove: deletes a batch, says how many.
type Purge = fn(&mut Conn, &mut Effects, Instant, &OAuthConfig) -> Result<usize, StoreError>;

/// Everything that expires. Grants go after their tokens, and a token's row stays for a while after
/// its end, so that what a replayed code bought is still found.
const PURGES: [(&str, Purge); 12] = [
    ("purge sessions", |conn, _, now, _| store::sessions::purge_expired(conn, now, BATCH)),
    ("purge pending requests", |conn, _, now, _| store::authorization_requests::purge_expired(conn, now, BATCH)),
    ("purge codes", |conn, _, now, _| store::codes::purge_made_before(conn, now.minus(KEEP_SPENT), BATCH)),
    ("purge access tokens", |conn, _, now, oauth| {
        store::tokens::purge_access(conn, now.minus(KEEP_SPENT), now.minus(KEEP_SPENT + oauth.access_token()), BATCH)
    }),
    ("purge refresh tokens", |conn, _, now, oauth| {
        store::tokens::purge_refresh(conn, now.minus(KEEP_SPENT), now.minus(KEEP_SPENT + oauth.refresh_idle()), BATCH)
    }),
    ("purge grants", |conn, _, now, _| store::grants::purge_expired(conn, now.minus(KEEP_SPENT), BATCH)),
    ("purge client documents", |conn, effects, now, _| {
        store::client_documents::purge_unused(conn, effects, now, now.minus(KEEP_UNUSED_CLIENTS), BATCH)
    }),
    ("purge client secrets", |conn, _, now, _| store::clients::purge_secrets(conn, now, BATCH)),
    ("purge assertions", |conn, _, now, _| store::assertions::purge_expired(conn, now, BATCH)),
    ("purge signing keys", |conn, _, now, oauth| store::signing_keys::purge_retired(conn, now.minus(KEEP_KEYS.max(oauth.access_token())))),
    ("purge epochs", |conn, _, now, _| store::epochs::purge_before(conn, now.minus(Duration::from_secs(3600)))),
    ("purge audit", |conn, _, now, _| store::audit::purge_before(conn, now.minus(KEEP_AUDIT))),
];

/// What is done for signing keys, doctypes and documents, which belong to other rooms.
#[derive(Clone, Copy)]
pub struct Work {
    /// Run when signing keys changed, here or in another process.
    pub reload_keys: fn(&Db, &Env) -> Result<(), AppError>,
    /// Run every round.
    pub rotate_due: fn(&Db, &Arc<Env>) -> Result<(), AppError>,
    /// Run when doctypes changed, here or in another process.
    pub reload_doctypes: fn(&Db, &Env) -> Result<(), AppError>,
    /// Run every few seconds, and at once as long as it says that there is more to do.
    pub index_documents: fn(&Db, &Arc<Env>) -> Result<bool, AppError>,
}

/// Runs `reload` when `shared` changed since it last did; one that fails is tried again.
fn keep_current(db: &Db, env: &Env, shared: Shared, seen: &mut u64, reload: fn(&Db, &Env) -> Result<(), AppError>) {
    let generation = db.generation(shared);
    if generation == *seen {
        return;
    }
    match reload(db, env) {
        Ok(()) => *seen = generation,
        Err(error) => tracing::error!(cause = %error, what = ?shared, "not read again"),
    }
}

/// How often a thread looks whether there is something to do.
const LOOK: Duration = Duration::from_millis(250);

/// Starts the background threads; they end when the environment is gone. What other processes changed is read again by a
/// thread of its own, so that it is known within a second, however long the rest takes.
pub fn start(db: &Db, env: &Arc<Env>, work: Work) {
    let (db, env) = (db.clone(), Arc::downgrade(env));
    let (same_db, same_env) = (db.clone(), env.clone());
    spawn("background reload", move || follow_changes(&db, &env, work));
    spawn("background", move || do_rounds(&same_db, &same_env, work));
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) {
    if let Err(error) = std::thread::Builder::new().name(name.into()).spawn(run) {
        tracing::error!(cause = %error, "{name} does not run");
    }
}

fn follow_changes(db: &Db, env: &Weak<Env>, work: Work) {
    let (mut keys, mut doctypes) = (db.generation(Shared::SigningKeys), db.generation(Shared::Doctypes));
    while let Some(env) = env.upgrade() {
        keep_current(db, &env, Shared::SigningKeys, &mut keys, work.reload_keys);
        keep_current(db, &env, Shared::Doctypes, &mut doctypes, work.reload_doctypes);
        drop(env);
        std::thread::sleep(LOOK);
    }
}

fn do_rounds(db: &Db, env: &Weak<Env>, work: Work) {
    let (mut waited, mut last_look) = (Duration::ZERO, Duration::ZERO);
    let mut indexing = true;
    while let Some(env) = env.upgrade() {
        if indexing || last_look >= LOOK_FOR_DOCUMENTS {
            last_look = Duration::ZERO;
            indexing = (work.index_documents)(db, &env).unwrap_or_else(|error| {
                tracing::warn!(cause = %error, "documents not indexed for search");
                false
            });
        }
        if waited >= ROUND {
            waited = Duration::ZERO;
            env.limits.shrink();
            if let Err(error) = (work.rotate_due)(db, &env) {
                tracing::warn!(cause = %error, "signing keys not rotated");
            }
            purge_all(db, &env);
            // One shelf a round, another one each minute: all of them within five hours.
            sweep_files(db, &env, shelf_of(env.clock.now()));
        }
        drop(env);
        std::thread::sleep(LOOK);
        waited += LOOK;
        last_look += LOOK;
    }
}

/// Which shelf is looked at now.
fn shelf_of(now: Instant) -> u8 {
    u8::try_from(now.unix().div_euclid(60).rem_euclid(i64::from(SHELVES))).unwrap_or_default()
}

/// Removes contents of one shelf that no row names: a process died between writing one and committing its row, or
/// before removing it after its row had gone.
pub fn sweep_files(db: &Db, env: &Env, shelf: u8) {
    let before = env.clock.now().minus(KEEP_UNNAMED);
    env.blobs.purge_incoming(before);
    for hash in env.blobs.list_shelf(shelf, before) {
        // Most are in use; finding that out takes no writer.
        let used = db.lookup_blocking(|conn, _| Ok(store::files::is_content_used(conn, &hash)?));
        if used.is_ok_and(|used| !used) {
            let blobs = env.blobs.clone();
            let removed = db.write_blocking("collect a file's content", move |conn, _| {
                store::files::remove_unused(conn, &blobs, &hash).map_err(AppError::from)
            });
            if let Err(error) = removed {
                tracing::warn!(cause = %error, "a file's content that nobody names stays");
            }
        }
    }
}

/// One round of purging; a kind that fails does not keep the others from running.
pub fn purge_all(db: &Db, env: &Env) {
    let now = env.clock.now();
    for (name, purge) in PURGES {
        loop {
            let oauth = env.config.oauth.clone();
            match db.write_blocking(name, move |conn, effects| purge(conn, effects, now, &oauth).map_err(AppError::from)) {
                Ok(removed) if i64::try_from(removed).is_ok_and(|removed| removed >= BATCH) => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(name, cause = %error, "purging failed");
                    break;
                }
            }
        }
    }
}
