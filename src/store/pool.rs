//! Opening connections and keeping them: SQLite's settings, Postgres's time-outs, the r2d2 pools.

use std::cell::Cell;
use std::ffi::{c_char, c_int};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant as Clock};

use diesel::connection::SimpleConnection as _;
use diesel::r2d2::{ManageConnection, Pool};
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, SqliteConnection};
use libsqlite3_sys as ffi;

use super::statement::Statement;
use super::watch::Watch;
use super::{Conn, StoreError};

/// Longest value or row of SQLite, in bytes.
const MAX_VALUE: c_int = 96 * 1024 * 1024;

/// Which database a URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// A database URL, parsed: `sqlite://PATH` or `postgres://…`. Printing it hides the password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(String),
}

/// Neither `sqlite://` nor `postgres://`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("database URL must be sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME")]
pub struct InvalidDatabaseUrl;

impl DatabaseUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`InvalidDatabaseUrl`] for any other scheme or an empty path.
    pub fn parse(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        if let Some(path) = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")) {
            if path.is_empty() || path.contains('\0') {
                return Err(InvalidDatabaseUrl);
            }
            Ok(Self::Sqlite(PathBuf::from(path)))
        } else if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Ok(Self::Postgres(text.to_owned()))
        } else {
            Err(InvalidDatabaseUrl)
        }
    }

    /// Which database it names.
    pub fn backend(&self) -> Backend {
        match self {
            Self::Sqlite(_) => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
        }
    }
}

impl std::fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => match url::Url::parse(url) {
                Ok(mut parsed) => {
                    if parsed.password().is_some() {
                        let _ = parsed.set_password(Some("redacted"));
                    }
                    parsed.set_query(None);
                    write!(f, "{parsed}")
                }
                Err(_) => f.write_str("postgres://…"),
            },
        }
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// A connection with what diesel does not give: SQLite's raw handle, and whether it is still usable.
pub(super) struct Pooled {
    pub conn: Conn,
    raw: Option<RawSqlite>,
    broken: bool,
    used: Clock,
    /// SQLite's counter of changed tables, as it was after the last rollback.
    schema_version: Option<String>,
}

/// SQLite's own handle of a connection that [`Pooled`] owns, for what diesel does not offer.
struct RawSqlite {
    handle: NonNull<ffi::sqlite3>,
    watch: Arc<Watch>,
}

// SAFETY: the handle is used only together with the connection it belongs to (`Pooled` owns both
// and hands out `&mut`), and SQLite is built in serialized mode.
unsafe impl Send for RawSqlite {}

impl Pooled {
    /// Runs `work` with a deadline after which SQLite stops the running statement. Postgres
    /// connections carry `statement_timeout` instead.
    pub fn with_deadline<T>(&mut self, limit: Duration, work: impl FnOnce(&mut Conn) -> T) -> T {
        let Self { conn, raw: Some(raw), .. } = self else { return work(&mut self.conn) };
        raw.watch.during(raw.handle, limit, || work(conn))
    }

    /// Whether SQLite is outside any transaction (it rolls back by itself on a full disk or an I/O
    /// error). Always false on Postgres, where the transaction stays open until it is ended.
    pub fn left_transaction(&self) -> bool {
        // SAFETY: the handle belongs to the connection that `self` owns.
        self.raw.as_ref().is_some_and(|raw| unsafe { ffi::sqlite3_get_autocommit(raw.handle.as_ptr()) != 0 })
    }

    /// How many rows this SQLite connection has changed since it was opened.
    pub fn changes(&self) -> i64 {
        // SAFETY: the handle belongs to the connection that `self` owns.
        self.raw.as_ref().map_or(0, |raw| unsafe { ffi::sqlite3_total_changes64(raw.handle.as_ptr()) })
    }

    /// Undoes SQLite's transaction.
    pub fn roll_back(&mut self) -> Result<(), StoreError> {
        self.conn.batch_execute("ROLLBACK")?;
        // As it is outside any transaction: a table made in a later one makes it another.
        self.schema_version = self.read_schema_version();
        Ok(())
    }

    /// Whether rows were changed since [`Pooled::changes`] said `before`, or perhaps tables made or
    /// altered since the last rollback, which that number does not count.
    pub fn has_changed_since(&mut self, before: i64) -> bool {
        if self.changes() != before {
            return true;
        }
        let version = self.read_schema_version();
        version.is_none() || version != self.schema_version
    }

    fn read_schema_version(&mut self) -> Option<String> {
        let version = diesel::sql_query("SELECT CAST(schema_version AS TEXT) AS value FROM pragma_schema_version");
        version.get_result::<Pragma>(&mut self.conn).map(|pragma| pragma.value).ok()
    }

    /// Runs a statement without parameters that the connection keeps prepared.
    pub fn execute_kept(&mut self, sql: &'static str) -> Result<(), StoreError> {
        Statement::fixed(sql).execute(&mut self.conn).map(drop)
    }

    /// Keeps a lost connection from going back into the pool.
    pub fn mark_broken(&mut self) {
        self.broken = true;
    }
}

thread_local! {
    /// The handle of the connection that this thread opened last; filled by SQLite's auto extension.
    static OPENED: Cell<*mut ffi::sqlite3> = const { Cell::new(std::ptr::null_mut()) };
}

unsafe extern "C" fn remember_handle(db: *mut ffi::sqlite3, _error: *mut *mut c_char, _api: *const ffi::sqlite3_api_routines) -> c_int {
    OPENED.set(db);
    ffi::SQLITE_OK
}

/// Diesel keeps SQLite's handle to itself; SQLite hands it to "auto extensions" when a connection opens.
fn learn_handles() {
    static ONCE: Once = Once::new();
    // SAFETY: registering a function of the documented signature; done once before any connection.
    ONCE.call_once(|| unsafe {
        ffi::sqlite3_auto_extension(Some(remember_handle));
    });
}

/// Plans a statement once, whatever is bound to it (SQLite's query planner stability guarantee).
/// Without it every `LIMIT ?`, which is in every `first()`, is parsed and planned anew at each use,
/// because the planner peeked at its value: that cost more than the lookup itself.
fn keep_plans(raw: &RawSqlite) {
    let on: c_int = 1;
    // SAFETY: the handle is open; this option takes an int and a pointer that may be null.
    unsafe { ffi::sqlite3_db_config(raw.handle.as_ptr(), ffi::SQLITE_DBCONFIG_ENABLE_QPSG, on, std::ptr::null_mut::<c_int>()) };
}

/// Bounds a value, a row and what a query makes of one: a few copies of the largest document fit, and memory for no more.
fn limit_values(raw: &RawSqlite) {
    // SAFETY: the handle is open; SQLite takes any number here.
    unsafe { ffi::sqlite3_limit(raw.handle.as_ptr(), ffi::SQLITE_LIMIT_LENGTH, MAX_VALUE) };
}

/// What a SQLite connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Reads by key.
    Read,
    /// Reads lists.
    Query,
    Write,
}

#[derive(QueryableByName)]
struct Pragma {
    #[diesel(sql_type = diesel::sql_types::Text)]
    value: String,
}

fn unavailable(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// Makes a new database file that only its owner can read; SQLite gives its log the same rights.
fn make_private(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Unavailable(format!("cannot make {}: {error}", path.display()))),
    }
}

/// Opens a SQLite file with the settings every promise about durability rests on.
pub(super) fn open_sqlite(path: &Path, mode: Mode) -> Result<Pooled, StoreError> {
    learn_handles();
    if mode == Mode::Write {
        make_private(path)?;
    }
    OPENED.set(std::ptr::null_mut());
    let text = path.to_str().ok_or_else(|| StoreError::Unavailable("database path is not UTF-8".into()))?;
    let mut sqlite = SqliteConnection::establish(text).map_err(|error| unavailable(&error))?;
    // Without its handle neither a lost transaction nor a deadline would be noticed.
    let handle = NonNull::new(OPENED.get()).ok_or_else(|| StoreError::Unavailable("SQLite did not tell its handle".into()))?;
    let raw = RawSqlite { handle, watch: Watch::over(handle)? };
    keep_plans(&raw);
    limit_values(&raw);
    sqlite.batch_execute(
        "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA recursive_triggers = OFF;",
    )?;
    super::dialect::register_functions(&mut sqlite)?;
    match mode {
        // Small page caches: the system's own holds the file once for all connections.
        Mode::Read => sqlite.batch_execute("PRAGMA query_only = ON; PRAGMA cache_size = -1000;")?,
        // Rows that lie all over a large file are found through the same inner pages again and again.
        Mode::Query => sqlite.batch_execute("PRAGMA query_only = ON; PRAGMA cache_size = -8000;")?,
        Mode::Write => {
            sqlite.batch_execute("PRAGMA cache_size = -4000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 2000; PRAGMA journal_size_limit = 67108864;")?;
            // Read back: an answered token or a spent code must survive power loss.
            let read = |sqlite: &mut SqliteConnection, sql: &str| -> Result<String, StoreError> {
                Ok(diesel::sql_query(sql).get_result::<Pragma>(sqlite)?.value)
            };
            let journal = read(&mut sqlite, "SELECT journal_mode AS value FROM pragma_journal_mode")?;
            let synchronous = read(&mut sqlite, "SELECT CAST(synchronous AS TEXT) AS value FROM pragma_synchronous")?;
            if journal != "wal" || synchronous != "2" {
                return Err(StoreError::Unavailable(format!(
                    "SQLite refused WAL with full synchronisation (journal_mode={journal}, synchronous={synchronous})"
                )));
            }
        }
    }
    Ok(Pooled { conn: Conn::Sqlite(sqlite), raw: Some(raw), broken: false, used: Clock::now(), schema_version: None })
}

/// Opens a Postgres connection whose statements end after `statement_timeout`.
pub(super) fn open_postgres(url: &str, statement_timeout: Duration) -> Result<Pooled, StoreError> {
    let mut postgres = PgConnection::establish(&with_connect_timeout(url)).map_err(|error| unavailable(&error))?;
    // Whatever the server's default is: a snapshot that is older than a lock would be remembered as if it were new.
    postgres.batch_execute(&format!(
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; SET statement_timeout = {}; SET idle_in_transaction_session_timeout = 30000; SET application_name = 'ostiary';",
        statement_timeout.as_millis()
    ))?;
    Ok(Pooled { conn: Conn::Postgres(postgres), raw: None, broken: false, used: Clock::now(), schema_version: None })
}

/// libpq waits for minutes on a silent host unless told otherwise.
fn with_connect_timeout(url: &str) -> String {
    if url.contains("connect_timeout=") {
        url.to_owned()
    } else {
        format!(
            "{url}{}connect_timeout=3&tcp_user_timeout=5000&keepalives_idle=15&keepalives_interval=5&keepalives_count=3",
            if url.contains('?') { '&' } else { '?' }
        )
    }
}

/// Opens connections for a pool.
pub(super) struct Manager {
    pub url: DatabaseUrl,
    /// What for, on SQLite.
    pub mode: Mode,
    pub statement_timeout: Duration,
}

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = StoreError;

    fn connect(&self) -> Result<Pooled, StoreError> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => open_sqlite(path, self.mode),
            DatabaseUrl::Postgres(url) => open_postgres(url, self.statement_timeout),
        }
    }

    /// A Postgres connection that lay idle may have lost its server; asking costs a round trip, so
    /// a busy connection is not asked.
    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), StoreError> {
        if matches!(pooled.conn, Conn::Postgres(_)) && pooled.used.elapsed() > Duration::from_secs(2) {
            pooled.conn.batch_execute("SELECT 1")?;
        }
        pooled.used = Clock::now();
        Ok(())
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        pooled.broken
    }
}

/// Builds a pool without opening a connection yet.
pub(super) fn pool(url: &DatabaseUrl, mode: Mode, size: u32, statement_timeout: Duration) -> Pool<Manager> {
    Pool::builder()
        .max_size(size)
        .min_idle(Some(0))
        .test_on_check_out(true)
        .connection_timeout(Duration::from_secs(2))
        .error_handler(Box::new(diesel::r2d2::NopErrorHandler))
        .build_unchecked(Manager { url: url.clone(), mode, statement_timeout })
}
