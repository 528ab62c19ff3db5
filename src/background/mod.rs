//! Work that no request waits for: purging what expired, in small batches; forgetting idle limits;
//! reading signing keys again after they changed.

use std::sync::Arc;
use std::time::Duration;

use crate::cx::Env;
use crate::domain::Instant;
use crate::error::AppError;
use crate::store::{self, Conn, Db, StoreError};

/// Rows that one batch removes at most, so that no writer waits long.
const BATCH: i64 = 500;
/// Time between two rounds.
const ROUND: Duration = Duration::from_secs(60);
/// How long expired tokens and codes are kept: a replayed code must still find what it bought.
const KEEP_SPENT: Duration = Duration::from_secs(24 * 3600);
/// How long audit events are kept.
const KEEP_AUDIT: Duration = Duration::from_secs(90 * 24 * 3600);

/// One kind of row to remove: deletes a batch, says how many.
type Purge = fn(&mut Conn, Instant) -> Result<usize, StoreError>;

/// Everything that expires.
const PURGES: [(&str, Purge); 3] = [
    ("purge sessions", |conn, now| store::sessions::purge_expired(conn, now, BATCH)),
    ("purge epochs", |conn, now| store::epochs::purge_before(conn, now.minus(Duration::from_secs(3600)))),
    ("purge audit", |conn, now| store::audit::purge_before(conn, now.minus(KEEP_AUDIT))),
];

/// Starts the background thread; it ends when the database is closed everywhere else.
pub fn start(db: &Db, env: &Arc<Env>) {
    let (db, env) = (db.clone(), Arc::downgrade(env));
    let run = move || {
        let mut waited = Duration::ZERO;
        let mut keys_generation = db.keys_generation();
        while let Some(env) = env.upgrade() {
            if db.keys_generation() != keys_generation {
                keys_generation = db.keys_generation();
                if let Err(error) = crate::oidc::keys::reload(&db, &env) {
                    tracing::error!(cause = %error, "signing keys not read again");
                }
            }
            if waited >= ROUND {
                waited = Duration::ZERO;
                env.limits.shrink();
                purge_all(&db, env.clock.now());
            }
            drop(env);
            std::thread::sleep(Duration::from_millis(250));
            waited += Duration::from_millis(250);
        }
    };
    if let Err(error) = std::thread::Builder::new().name("background".into()).spawn(run) {
        tracing::error!(cause = %error, "background work does not run");
    }
}

/// One round of purging; a kind that fails does not keep the others from running.
pub fn purge_all(db: &Db, now: Instant) {
    for (name, purge) in PURGES {
        loop {
            match db.write_blocking(name, move |conn, _| purge(conn, now).map_err(AppError::from)) {
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
