//! A database per test: a file in a temporary directory, or a schema or database in the suite's Postgres.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};
use ostiary::app::{Parts, Workshop};
use ostiary::store::Backend;

use super::app::settings;
use super::setting;

/// A database; removed when dropped.
pub struct Database {
    url: String,
    place: Place,
}

enum Place {
    File(TemporaryDirectory),
    Schema { server: String, name: String },
    Whole { server: String, name: String },
}

/// What a first start makes, made once: a test that only wants a server copies it.
static FIRST_START_SQLITE: LazyLock<Database> = LazyLock::new(|| first_start(Database::new(Backend::Sqlite), Backend::Sqlite));
static FIRST_START_POSTGRES: LazyLock<Database> = LazyLock::new(|| first_start(Database::whole(None), Backend::Postgres));

fn first_start(database: Database, backend: Backend) -> Database {
    let workshop = Workshop::open(settings(&database, backend), Parts::default(), ([127, 0, 0, 1], 8000).into()).expect("a first start");
    workshop.db.fold_log().expect("the log is folded in");
    database
}

impl Database {
    /// One on which a server was started before, as [`settings`] have it.
    pub fn started(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let (model, copy) = (FIRST_START_SQLITE.directory(), Self::new(backend));
                for file in ["ostiary.db", "ostiary.key"] {
                    std::fs::copy(model.join(file), copy.directory().join(file)).expect("a copy of the first start");
                }
                copy
            }
            Backend::Postgres => {
                let Place::Whole { name, .. } = &FIRST_START_POSTGRES.place else { unreachable!("it was made as one") };
                Self::whole(Some(name))
            }
        }
    }

    /// A database of its own in the suite's Postgres, empty or a copy of another.
    fn whole(model: Option<&str>) -> Self {
        let (server, name) = (postgres(), unique("test"));
        execute(&server, &format!("CREATE DATABASE {name} {}", model.map(|model| format!("TEMPLATE {model}")).unwrap_or_default()));
        let mut url = url::Url::parse(&server).expect("the URL of the suite's Postgres");
        url.set_path(&name);
        Self { url: url.to_string(), place: Place::Whole { server, name } }
    }

    fn directory(&self) -> &Path {
        match &self.place {
            Place::File(directory) => directory.path(),
            Place::Schema { .. } | Place::Whole { .. } => unreachable!("Postgres has no directory"),
        }
    }

    /// Makes an empty one.
    pub fn new(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let directory = TemporaryDirectory::new();
                Self { url: format!("sqlite://{}", directory.path().join("ostiary.db").display()), place: Place::File(directory) }
            }
            Backend::Postgres => {
                let (server, name) = (postgres(), unique("test"));
                execute(&server, &format!("CREATE SCHEMA {name}"));
                let separator = if server.contains('?') { '&' } else { '?' };
                Self { url: format!("{server}{separator}options=-csearch_path%3D{name}"), place: Place::Schema { server, name } }
            }
        }
    }

    /// What `--database-url` takes.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file of a SQLite database.
    pub fn file(&self) -> Option<PathBuf> {
        match &self.place {
            Place::File(directory) => Some(directory.path().join("ostiary.db")),
            Place::Schema { .. } | Place::Whole { .. } => None,
        }
    }
}

fn postgres() -> String {
    setting("OSTIARY_TEST_POSTGRES_URL")
        .expect("tests on Postgres need OSTIARY_TEST_POSTGRES_URL; ./scripts/test starts a server of its own and sets it")
}

impl Drop for Database {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        match &self.place {
            Place::File(_) => {}
            Place::Schema { server, name } => {
                execute(server, &format!("SET lock_timeout = '5s'; SET client_min_messages = warning; DROP SCHEMA {name} CASCADE"));
            }
            Place::Whole { server, name } => execute(server, &format!("DROP DATABASE {name} WITH (FORCE)")),
        }
    }
}

fn execute(server: &str, sql: &str) {
    let mut connection = PgConnection::establish(server).expect("the suite's Postgres answers");
    connection.batch_execute(sql).expect(sql);
}

/// A name that no other test of this run or of one beside it has.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A directory that is removed when dropped.
pub struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    /// Makes one.
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(unique("ostiary-test"));
        // Left over from a killed run whose process id came round again.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
