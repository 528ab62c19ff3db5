//! Whether a cached credential may still be trusted.
//!
//! There is one counter. Revoking something bumps it and remembers the new value for the subject
//! (a user, or everybody). A cache entry remembers the counter as it stood *before* the SELECT
//! that filled it, and is valid only while its subject was not bumped after that; so a reader that
//! raced a revocation cannot put a stale entry back.
//!
//! Other processes hear of it by NOTIFY on Postgres and by watching the table on SQLite. While
//! LISTEN is down no entry is valid.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use diesel::prelude::*;

use super::schema::credential_epochs;
use super::{Conn, DatabaseUrl, Effects, Shared, StoreError, dialect};
use crate::domain::Instant;

/// The subject that stands for every credential, such as when a client or a role changed.
pub const EVERYBODY: &str = "*";
/// The subject that says that there is a new client, or another address of one: nothing that was granted is touched.
pub const CLIENTS: &str = "*clients";
/// The subject that says that the signing keys changed.
pub const SIGNING_KEYS: &str = "*keys";
/// The subject that says that definitions of doctypes changed.
pub const DOCTYPES: &str = "*doctypes";

const SLOTS: usize = 1 << 14;
/// Milliseconds without a word from the database after which nothing cached is trusted.
const MAX_SILENCE: u64 = 2000;

/// Milliseconds since this process looked first; only differences matter.
fn millis() -> u64 {
    static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
}

/// This process, so that it does not listen to itself.
static ORIGIN: LazyLock<String> = LazyLock::new(|| crate::secrets::mint::name(16));

/// When each subject was last bumped. Subjects share slots; a collision costs a needless miss, never a stale hit.
pub struct Epochs {
    counter: AtomicU64,
    everybody: AtomicU64,
    bypass: AtomicBool,
    /// Milliseconds (since this process looked first) at which the watcher last heard the database;
    /// `u64::MAX` while nothing is watched.
    heard: AtomicU64,
    slots: Box<[AtomicU64]>,
}

impl Epochs {
    pub(super) fn new() -> Self {
        Self {
            counter: AtomicU64::new(1),
            everybody: AtomicU64::new(0),
            bypass: AtomicBool::new(false),
            heard: AtomicU64::new(u64::MAX),
            slots: std::iter::repeat_with(|| AtomicU64::new(0)).take(SLOTS).collect(),
        }
    }

    /// The epoch to remember with an entry; read it before the SELECT that fills the entry.
    pub fn now(&self) -> u64 {
        self.counter.load(Ordering::SeqCst)
    }

    /// Whether an entry of `subject` that was read at `as_of` may still be trusted.
    pub fn is_current(&self, subject: &str, as_of: u64) -> bool {
        self.hears() && self.everybody.load(Ordering::SeqCst) <= as_of && self.slot(subject).load(Ordering::SeqCst) <= as_of
    }

    /// Makes every entry of `subject` that was read before now invalid.
    pub(super) fn bump(&self, subject: &str) {
        let slot = if subject == EVERYBODY { &self.everybody } else { self.slot(subject) };
        let epoch = self.counter.fetch_add(1, Ordering::SeqCst) + 1;
        slot.fetch_max(epoch, Ordering::SeqCst);
    }

    /// Whether revocations elsewhere would have been heard by now. A watcher that is stuck (a
    /// network that went silent) counts as deaf after two seconds.
    fn hears(&self) -> bool {
        let heard = self.heard.load(Ordering::Relaxed);
        !self.bypass.load(Ordering::SeqCst) && (heard == u64::MAX || millis().saturating_sub(heard) < MAX_SILENCE)
    }

    /// The database was heard just now.
    fn note_heard(&self) {
        let last = self.heard.load(Ordering::Relaxed);
        if last != u64::MAX && millis().saturating_sub(last) >= MAX_SILENCE {
            // What was cached before the silence may have been revoked during it; first that, then the word.
            self.bump(EVERYBODY);
        }
        self.heard.store(millis(), Ordering::SeqCst);
    }

    /// Whether revocations elsewhere may go unheard; then nothing cached is trusted.
    fn set_bypass(&self, bypass: bool) {
        if !bypass && self.bypass.load(Ordering::SeqCst) {
            // Before the flag falls: what was cached meanwhile must never pass.
            self.bump(EVERYBODY);
        }
        self.bypass.store(bypass, Ordering::SeqCst);
    }

    fn slot(&self, subject: &str) -> &AtomicU64 {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(subject);
        &self.slots[usize::try_from(hash % SLOTS as u64).expect("a slot number fits")]
    }
}

/// Values read from the database, kept for as long as nothing about them can have changed.
///
/// A value is that of the last commit, or of an earlier job of the writer's batch. What a transaction changed itself it must
/// read anew: `Effects::forgets` says whether it did.
pub struct EpochCache<V> {
    entries: moka::sync::Cache<String, (u64, Arc<V>)>,
    epochs: Arc<Epochs>,
    subject: fn(&V) -> &str,
}

impl<V: Send + Sync + 'static> EpochCache<V> {
    /// An empty cache of at most `capacity` values; `subject` says whose epoch a value stands and falls with.
    pub fn new(epochs: Arc<Epochs>, capacity: u64, subject: fn(&V) -> &str) -> Self {
        Self { entries: moka::sync::Cache::new(capacity), epochs, subject }
    }

    /// The value under a key, if it is in memory and right.
    pub fn peek(&self, key: &str) -> Option<Arc<V>> {
        let (as_of, value) = self.entries.get(key)?;
        self.epochs.is_current((self.subject)(&value), as_of).then_some(value)
    }

    /// The value under a key, from memory or else by `load`.
    ///
    /// # Errors
    /// Whatever `load` returns.
    pub fn find<E>(&self, key: &str, load: impl FnOnce() -> Result<Option<V>, E>) -> Result<Option<Arc<V>>, E> {
        if let Some(value) = self.peek(key) {
            return Ok(Some(value));
        }
        // Read before the SELECT: whatever changes after this makes the entry stale.
        let as_of = self.epochs.now();
        let Some(value) = load()?.map(Arc::new) else { return Ok(None) };
        self.entries.insert(key.to_owned(), (as_of, Arc::clone(&value)));
        Ok(Some(value))
    }
}

/// Records in the caller's transaction that cached credentials of `subject` must not be trusted
/// any more: here after COMMIT, in other processes within a second.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn bump(conn: &mut Conn, effects: &mut Effects, now: Instant, subject: &str) -> Result<(), StoreError> {
    diesel::insert_into(credential_epochs::table)
        .values((
            credential_epochs::subject.eq(subject),
            credential_epochs::origin.eq(ORIGIN.as_str()),
            credential_epochs::at.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    dialect::notify(conn, &format!("{}:{subject}", *ORIGIN))?;
    match Shared::of_subject(subject) {
        Some(shared) => effects.changed(shared),
        None => effects.forget(subject),
    }
    Ok(())
}

/// Removes rows that every process has long seen. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn purge_before(conn: &mut Conn, before: Instant) -> Result<usize, StoreError> {
    Ok(diesel::delete(credential_epochs::table.filter(credential_epochs::at.lt(before.naive_utc()))).execute(conn)?)
}

/// The rows after `last`, oldest first, that other processes wrote.
fn list_after(conn: &mut Conn, last: i64) -> Result<Vec<(i64, String, String)>, StoreError> {
    Ok(credential_epochs::table
        .filter(credential_epochs::id.gt(last))
        .order(credential_epochs::id)
        .select((credential_epochs::id, credential_epochs::subject, credential_epochs::origin))
        .load(conn)?)
}

fn last_id(conn: &mut Conn) -> Result<i64, StoreError> {
    Ok(credential_epochs::table.order(credential_epochs::id.desc()).select(credential_epochs::id).first(conn).optional()?.unwrap_or(0))
}

/// Watches for other processes on a thread of its own until the last `Epochs` is gone.
pub(super) fn watch(url: &DatabaseUrl, epochs: &Arc<Epochs>, changed: impl Fn(Shared) + Send + 'static) {
    let url = url.clone();
    let weak = Arc::downgrade(epochs);
    // Nothing heard yet: until the watcher is up, nothing cached is trusted.
    epochs.set_bypass(true);
    let heard = move |epochs: &Epochs, subject: &str| match Shared::of_subject(subject) {
        Some(shared) => changed(shared),
        None => epochs.bump(subject),
    };
    let run = move || {
        while let Some(epochs) = weak.upgrade() {
            drop(epochs);
            let ended = match &url {
                DatabaseUrl::Sqlite(path) => {
                    super::pool::open_sqlite(path, super::pool::Mode::Read).and_then(|mut pooled| poll(&mut pooled.conn, &weak, &heard))
                }
                DatabaseUrl::Postgres(text) => {
                    super::pool::open_postgres(text, Duration::from_secs(5)).and_then(|mut pooled| listen(&mut pooled.conn, &weak, &heard))
                }
            };
            if let Some(epochs) = weak.upgrade() {
                epochs.set_bypass(true);
            }
            if let Err(error) = ended {
                tracing::warn!(cause = %error, "cannot hear revocations of other processes; cached credentials are not used");
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    };
    if let Err(error) = std::thread::Builder::new().name("epoch-watch".into()).spawn(run) {
        tracing::error!(cause = %error, "cannot start the epoch watcher; cached credentials are not used");
    }
}

type Heard = dyn Fn(&Epochs, &str);

/// What is kept in memory until it changes may have changed while nobody listened.
fn note_unheard(epochs: &std::sync::Weak<Epochs>, heard: &Heard) {
    if let Some(epochs) = epochs.upgrade() {
        heard(&epochs, DOCTYPES);
        heard(&epochs, SIGNING_KEYS);
    }
}

/// Reads the epoch table every 200 ms (SQLite, and engines without LISTEN).
fn poll(conn: &mut Conn, epochs: &std::sync::Weak<Epochs>, heard: &Heard) -> Result<(), StoreError> {
    let mut last = last_id(conn)?;
    note_unheard(epochs, heard);
    while let Some(epochs) = epochs.upgrade() {
        for (id, subject, origin) in list_after(conn, last)? {
            last = id;
            if origin != *ORIGIN {
                heard(&epochs, &subject);
            }
        }
        epochs.note_heard();
        epochs.set_bypass(false);
        drop(epochs);
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Listens for NOTIFY; falls back to polling when the server does not know LISTEN.
fn listen(conn: &mut Conn, epochs: &std::sync::Weak<Epochs>, heard: &Heard) -> Result<(), StoreError> {
    if let Err(error) = dialect::listen(conn) {
        return match error {
            StoreError::Fault(cause) => {
                tracing::info!(%cause, "the database has no LISTEN; watching the epoch table instead");
                poll(conn, epochs, heard)
            }
            other => Err(other),
        };
    }
    note_unheard(epochs, heard);
    let mut round = 0_u32;
    while let Some(epochs) = epochs.upgrade() {
        if round.is_multiple_of(5) {
            // A connection that was cut silently gives no notifications and no error; ask.
            dialect::ping(conn)?;
            epochs.note_heard();
        }
        // LISTEN is on, so nothing from here on is missed; what came before is forgotten by the bump.
        epochs.set_bypass(false);
        for payload in dialect::notifications(conn)? {
            if let Some((origin, subject)) = payload.split_once(':')
                && origin != ORIGIN.as_str()
            {
                heard(&epochs, subject);
            }
        }
        drop(epochs);
        std::thread::sleep(Duration::from_millis(100));
        round = round.wrapping_add(1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_read_before_a_bump_is_stale_and_one_read_after_is_not() {
        let epochs = Epochs::new();
        let before = epochs.now();
        assert!(epochs.is_current("alice", before));
        epochs.bump("alice");
        assert!(!epochs.is_current("alice", before));
        assert!(epochs.is_current("alice", epochs.now()));
        let later = epochs.now();
        epochs.bump(EVERYBODY);
        assert!(!epochs.is_current("alice", later));
        assert!(!epochs.is_current("bob", later));
    }

    #[test]
    fn while_other_processes_go_unheard_nothing_is_trusted() {
        let epochs = Epochs::new();
        let before = epochs.now();
        epochs.set_bypass(true);
        assert!(!epochs.is_current("alice", epochs.now()));
        epochs.set_bypass(false);
        assert!(!epochs.is_current("alice", before), "what was cached meanwhile may be stale");
        assert!(epochs.is_current("alice", epochs.now()));
    }
}
