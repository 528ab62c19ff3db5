//! [`Db`]: the one facade behind which work reaches a database, and hides on which thread it runs.
//!
//! | | SQLite | Postgres |
//! | --- | --- | --- |
//! | [`Db::lookup`] | pooled read connection, inline on the caller's thread | blocking pool |
//! | [`Db::query`] | blocking pool, progress-handler deadline | blocking pool, `statement_timeout` |
//! | [`Db::write`] | one writer thread, group commit | blocking pool, one transaction per job |
//!
//! A job returns `Ok` to commit (a refusal that must be remembered is an `Ok` value) and `Err` to
//! roll back. What must happen after COMMIT is collected in [`Effects`] and carried out here.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant as Clock};

use diesel::connection::SimpleConnection as _;
use diesel::r2d2::{Pool, PooledConnection};
use tokio::sync::{Semaphore, oneshot};

use super::effects::{Effects, LaterJob, Shared};
use super::epochs::Epochs;
use super::pool::{self, Manager, Mode, Pooled};
use super::writer::{Queue, Reply};
use super::{Backend, Conn, DatabaseUrl, StoreError};
use crate::domain::Instant;
use crate::error::AppError;

/// How long a read by key and a write wait for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// What names of jobs begin with that make what a new database needs.
const SET_UP: &str = "set up: ";

/// Sizes and time limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Connections for reads by key.
    pub lookup_connections: u32,
    /// Connections for lists and searches; as many may run at once.
    pub query_connections: u32,
    /// Postgres connections for writes.
    pub write_connections: u32,
    /// Jobs that may wait for SQLite's writer before further ones are refused.
    pub write_queue: usize,
    /// After this long a list or search is stopped.
    pub query_deadline: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lookup_connections: 4,
            query_connections: 4,
            write_connections: 6,
            write_queue: 4096,
            query_deadline: Duration::from_secs(10),
        }
    }
}

/// The database of this process.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    url: DatabaseUrl,
    settings: Settings,
    epochs: Arc<Epochs>,
    lookups: Pool<Manager>,
    queries: Pool<Manager>,
    query_permits: Semaphore,
    lookup_permits: Semaphore,
    writer: Writer,
    generations: [AtomicU64; Shared::ALL.len()],
}

enum Writer {
    Sqlite(Queue),
    Postgres { pool: Pool<Manager>, permits: Semaphore },
}

impl Db {
    /// Opens the database: applies pending migrations under a lock, starts the writer.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be opened, is newer than this binary, or refuses a migration.
    pub fn open(url: &DatabaseUrl, settings: Settings) -> Result<Self, StoreError> {
        Self::open_after(url, settings, super::migrate::run)
    }

    /// Opens a database that is there and of this binary's version, and changes nothing: for
    /// commands beside a server, which must not migrate it under its feet.
    ///
    /// # Errors
    /// [`StoreError::Version`] when there is none or it is of another version.
    pub fn open_existing(url: &DatabaseUrl, settings: Settings) -> Result<Self, StoreError> {
        if let DatabaseUrl::Sqlite(path) = url
            && !path.exists()
        {
            // SQLite would make an empty file for every misspelt path.
            return Err(StoreError::Version(format!("there is no database at {}; make one with: ostiary migrate", path.display())));
        }
        Self::open_after(url, settings, |conn| super::migrate::check(conn).map(drop))
    }

    fn open_after(
        url: &DatabaseUrl,
        settings: Settings,
        prepare: impl Fn(&mut Conn) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let epochs = Arc::new(Epochs::new());
        let statement_timeout = Duration::from_secs(30);
        let writer = match url {
            DatabaseUrl::Sqlite(path) => {
                let mut connection = pool::open_sqlite(path, Mode::Write)?;
                prepare(&mut connection.conn)?;
                Writer::Sqlite(Queue::start(connection, settings.write_queue, Arc::clone(&epochs))?)
            }
            DatabaseUrl::Postgres(text) => {
                let mut connection = pool::open_postgres(text, Duration::ZERO)?;
                prepare(&mut connection.conn)?;
                let permits = Semaphore::new(settings.write_connections as usize);
                Writer::Postgres { pool: pool::pool(url, Mode::Write, settings.write_connections, statement_timeout), permits }
            }
        };
        Ok(Self(Arc::new(Inner {
            url: url.clone(),
            lookups: pool::pool(url, Mode::Read, settings.lookup_connections, Duration::from_secs(5)),
            queries: pool::pool(url, Mode::Query, settings.query_connections, settings.query_deadline),
            query_permits: Semaphore::new(settings.query_connections as usize),
            lookup_permits: Semaphore::new(settings.lookup_connections as usize),
            settings,
            epochs,
            writer,
            generations: Shared::ALL.map(|_| AtomicU64::new(0)),
        })))
    }

    /// Which database this is.
    pub fn backend(&self) -> Backend {
        self.0.url.backend()
    }

    /// The epochs that cached credentials are checked against.
    pub fn epochs(&self) -> &Arc<Epochs> {
        &self.0.epochs
    }

    /// Grows whenever this changed, here or in another process.
    pub fn generation(&self, shared: Shared) -> u64 {
        self.0.generations[shared as usize].load(Ordering::Acquire)
    }

    /// Starts to watch for revocations made by other processes: LISTEN on Postgres, the epoch
    /// table every 200 ms on SQLite. Runs until the process ends.
    pub fn watch_other_processes(&self) {
        let inner = Arc::downgrade(&self.0);
        let changed = move |shared: Shared| {
            if let Some(inner) = inner.upgrade() {
                inner.generations[shared as usize].fetch_add(1, Ordering::AcqRel);
            }
        };
        super::epochs::watch(&self.0.url, &self.0.epochs, changed);
    }

    /// Reads by key: bounded, fast.
    ///
    /// # Errors
    /// Whatever the job returns, and [`AppError::Unavailable`] when no connection can be had.
    pub async fn lookup<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Conn, &mut Effects) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        match self.backend() {
            Backend::Sqlite => self.lookup_blocking(job),
            Backend::Postgres => {
                let _permit = permit(&self.0.lookup_permits, PATIENCE, busy).await?;
                let db = self.clone();
                blocking(move || db.lookup_blocking(job)).await
            }
        }
    }

    /// [`Db::lookup`] for callers without an async runtime (commands, background threads).
    ///
    /// # Errors
    /// As [`Db::lookup`].
    pub fn lookup_blocking<T>(&self, job: impl FnOnce(&mut Conn, &mut Effects) -> Result<T, AppError>) -> Result<T, AppError> {
        let mut pooled = checkout(&self.0.lookups)?;
        let mut effects = Effects::default();
        let result = contained(|| job(&mut pooled.conn, &mut effects));
        note_loss(&mut pooled, &result);
        drop(pooled);
        if result.is_ok() {
            self.carry_out(effects);
        }
        result
    }

    /// Lists, counts, searches: bounded in number and in time.
    ///
    /// # Errors
    /// As [`Db::lookup`], and [`AppError::QueryTimeout`] past the deadline.
    pub async fn query<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Conn, &mut Effects) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        // Waiting counts: a query ends at its deadline, wherever it is by then.
        let (asked, deadline) = (Clock::now(), self.0.settings.query_deadline);
        let _permit = permit(&self.0.query_permits, deadline, || AppError::QueryTimeout).await?;
        let left = deadline.saturating_sub(asked.elapsed());
        let db = self.clone();
        blocking(move || {
            let mut pooled = checkout(&db.0.queries)?;
            let mut effects = Effects::default();
            let result = contained(|| pooled.with_deadline(left, |conn| job(conn, &mut effects)));
            note_loss(&mut pooled, &result);
            drop(pooled);
            if result.is_ok() {
                db.carry_out(effects);
            }
            result
        })
        .await
    }

    /// Changes, in one transaction that is durable before this returns `Ok`. The job may be run
    /// again (after a serialization failure, or with its batch), so it must not consume what it captured.
    ///
    /// # Errors
    /// As [`Db::lookup`]; [`AppError::Unavailable`] also when the queue is full or the disk is.
    pub async fn write<T: Send + 'static>(
        &self,
        name: &'static str,
        job: impl FnMut(&mut Conn, &mut Effects) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        match &self.0.writer {
            Writer::Sqlite(queue) => {
                let (reply, answer) = oneshot::channel();
                queue.push(self.clone(), name, job, Reply::Async(reply))?;
                answer.await.unwrap_or_else(|_| Err(AppError::unavailable("the writer ended")))
            }
            Writer::Postgres { permits, .. } => {
                let _permit = permit(permits, PATIENCE, busy).await?;
                let db = self.clone();
                blocking(move || db.write_postgres(name, job)).await
            }
        }
    }

    /// [`Db::write`] for callers without an async runtime. Jobs of the start, before anybody is served, have names that
    /// begin with [`SET_UP`]: making tables takes its time, and nobody waits.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub fn write_blocking<T: Send + 'static>(
        &self,
        name: &'static str,
        job: impl FnMut(&mut Conn, &mut Effects) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        match &self.0.writer {
            Writer::Sqlite(queue) => {
                let (reply, answer) = sync_channel(1);
                queue.push(self.clone(), name, job, Reply::Blocking(reply))?;
                answer.recv().unwrap_or_else(|_| Err(AppError::unavailable("the writer ended")))
            }
            Writer::Postgres { .. } => self.write_postgres(name, job),
        }
    }

    fn write_postgres<T>(
        &self,
        name: &'static str,
        mut job: impl FnMut(&mut Conn, &mut Effects) -> Result<T, AppError>,
    ) -> Result<T, AppError> {
        let Writer::Postgres { pool, .. } = &self.0.writer else { return Err(AppError::internal("not a Postgres database")) };
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut pooled = checkout(pool)?;
            let mut effects = Effects::default();
            let started = Clock::now();
            pooled.conn.batch_execute("BEGIN").map_err(StoreError::from).inspect_err(|_| pooled.mark_broken())?;
            let result = contained(|| job(&mut pooled.conn, &mut effects));
            let ended = match &result {
                Ok(_) => pooled.conn.batch_execute("COMMIT"),
                Err(_) => pooled.conn.batch_execute("ROLLBACK"),
            };
            warn_if_slow(name, started);
            if ended.is_err() {
                pooled.mark_broken();
                if result.is_ok() {
                    // The server may have committed without being able to say so; our own notice would be ignored.
                    self.0.epochs.bump(super::epochs::EVERYBODY);
                }
            }
            note_loss(&mut pooled, &result);
            drop(pooled);
            let outcome = result.and_then(|value| ended.map(|()| value).map_err(|error| StoreError::from(error).into()));
            match outcome {
                Ok(value) => {
                    self.carry_out(effects);
                    return Ok(value);
                }
                // Only a conflict is worth running again; `From<StoreError>` gives both kinds the same shape.
                Err(AppError::Unavailable { ref cause, .. }) if attempt < 4 && is_conflict(cause) => {
                    std::thread::sleep(Duration::from_millis(5 * attempt))
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// SQLite's writer itself, for its own tests.
    #[cfg(test)]
    pub(super) fn queue(&self) -> &Queue {
        match &self.0.writer {
            Writer::Sqlite(queue) => queue,
            Writer::Postgres { .. } => panic!("Postgres has no write queue"),
        }
    }

    /// A write that nobody waits for.
    fn write_later(&self, name: &'static str, mut job: LaterJob) {
        let run = move |conn: &mut Conn, _: &mut Effects| job(conn).map_err(AppError::from);
        match &self.0.writer {
            Writer::Sqlite(queue) => {
                if queue.push(self.clone(), name, run, Reply::Nobody).is_err() {
                    tracing::debug!(name, "the writer is busy: a write that may be dropped was dropped");
                }
            }
            Writer::Postgres { .. } => {
                let db = self.clone();
                let work = move || {
                    if let Err(error) = db.write_postgres(name, run) {
                        tracing::debug!(name, cause = %error, "a write that may be dropped was dropped");
                    }
                };
                match tokio::runtime::Handle::try_current() {
                    Ok(runtime) => drop(runtime.spawn_blocking(work)),
                    Err(_) => work(),
                }
            }
        }
    }

    /// Lets nothing be trusted any more that was remembered of what a job changed.
    pub(super) fn forget(&self, effects: &Effects) {
        for subject in &effects.forget {
            self.0.epochs.bump(subject);
        }
    }

    /// Carries out what a committed job wanted done.
    pub fn carry_out(&self, mut effects: Effects) {
        for note in effects.committed.drain(..) {
            note();
        }
        self.forget(&effects);
        for shared in effects.changed {
            self.0.generations[shared as usize].fetch_add(1, Ordering::AcqRel);
        }
        for (name, job) in effects.later {
            self.write_later(name, job);
        }
    }

    /// Whether the database answers and all migrations are applied; for readiness.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] when it does not answer.
    pub async fn ready(&self) -> Result<bool, AppError> {
        self.lookup(|conn, _| Ok(super::migrate::is_current(conn)?)).await
    }

    /// Copies SQLite's write-ahead log into the database file and empties it; for the end of the process.
    /// Does nothing on Postgres.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be opened or written; the log then stays beside it, and nothing is lost.
    pub fn fold_log(&self) -> Result<(), StoreError> {
        let DatabaseUrl::Sqlite(path) = &self.0.url else { return Ok(()) };
        // A connection of its own: the writer's is inside its thread.
        let mut connection = pool::open_sqlite(path, Mode::Write)?;
        Ok(connection.conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?)
    }

    /// How many migrations are applied; for `doctor`.
    ///
    /// # Errors
    /// As [`Db::lookup`].
    pub fn migrations(&self) -> Result<usize, AppError> {
        self.lookup_blocking(|conn, _| Ok(super::migrate::check(conn)?))
    }

    /// Asks Postgres's lookup pool or SQLite's reader for the current time offset; used by `doctor`.
    ///
    /// # Errors
    /// As [`Db::lookup`].
    pub fn clock_skew(&self, now: Instant) -> Result<Duration, AppError> {
        self.lookup_blocking(move |conn, _| {
            let theirs = super::dialect::current_time(conn)?;
            Ok(if theirs > now { theirs.since(now) } else { now.since(theirs) })
        })
    }
}

fn is_conflict(cause: &str) -> bool {
    cause.contains("could not serialize") || cause.contains("deadlock")
}

fn busy() -> AppError {
    AppError::unavailable("all database connections are busy")
}

async fn permit(permits: &Semaphore, patience: Duration, late: fn() -> AppError) -> Result<tokio::sync::SemaphorePermit<'_>, AppError> {
    match tokio::time::timeout(patience, permits.acquire()).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) => Err(AppError::unavailable("shutting down")),
        Err(_) => Err(late()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, AppError> + Send + 'static) -> Result<T, AppError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(AppError::internal(error)))
}

fn checkout(pool: &Pool<Manager>) -> Result<PooledConnection<Manager>, AppError> {
    pool.get().map_err(|error| AppError::unavailable(format!("no database connection: {error}")))
}

/// Runs a job so that a panic in it fails that job only.
pub(super) fn contained<T>(job: impl FnOnce() -> Result<T, AppError>) -> Result<T, AppError> {
    catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|panic| Err(AppError::Internal(format!("a job panicked: {}", panic_text(&*panic)))))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn note_loss<T>(pooled: &mut Pooled, result: &Result<T, AppError>) {
    if matches!(result, Err(AppError::Unavailable { .. } | AppError::Internal(_))) {
        pooled.mark_broken();
    }
}

pub(super) fn warn_if_slow(name: &'static str, started: Clock) {
    let elapsed = started.elapsed();
    if elapsed > Duration::from_millis(50) {
        let milliseconds = elapsed.as_millis();
        if name.starts_with(SET_UP) {
            tracing::debug!(name, milliseconds, "slow write job");
        } else {
            tracing::warn!(name, milliseconds, "slow write job");
        }
    }
}
