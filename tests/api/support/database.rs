//! A database per test: a file in a temporary directory, or a schema in the suite's Postgres.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};
use ostiary::store::Backend;

use super::setting;

/// An empty database; removed when dropped.
pub struct Database {
    url: String,
    place: Place,
}

enum Place {
    File(TemporaryDirectory),
    Schema { server: String, name: String },
}

impl Database {
    /// Makes one.
    pub fn new(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let directory = TemporaryDirectory::new();
                Self { url: format!("sqlite://{}", directory.path().join("ostiary.db").display()), place: Place::File(directory) }
            }
            Backend::Postgres => {
                let server = setting("OSTIARY_TEST_POSTGRES_URL")
                    .expect("tests on Postgres need OSTIARY_TEST_POSTGRES_URL; ./scripts/test starts a server of its own and sets it");
                let name = unique("test");
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
            Place::Schema { .. } => None,
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Place::Schema { server, name } = &self.place
            && !std::thread::panicking()
        {
            execute(server, &format!("SET lock_timeout = '5s'; SET client_min_messages = warning; DROP SCHEMA {name} CASCADE"));
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
