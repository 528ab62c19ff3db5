//! Databases for unit tests: a SQLite file, and a schema of the Postgres that the suite started, if it did.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};

use super::{DatabaseUrl, Db, Settings};

/// A new, migrated database; removed when dropped.
pub(crate) struct TestDatabase {
    pub db: Db,
    place: Place,
}

enum Place {
    File(PathBuf),
    Schema { server: String, name: String },
}

/// One of each kind that is there.
#[expect(clippy::disallowed_methods, reason = "tests learn from the environment where Postgres is; config/ is for the server")]
pub(crate) fn databases() -> Vec<TestDatabase> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("unit_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let file = std::env::temp_dir().join(format!("ostiary-{name}.db"));
    let mut databases = vec![open(&format!("sqlite://{}", file.display()), Place::File(file))];
    if let Ok(server) = std::env::var("OSTIARY_TEST_POSTGRES_URL") {
        execute(&server, &format!("CREATE SCHEMA {name}"));
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-csearch_path%3D{name}");
        databases.push(open(&url, Place::Schema { server, name }));
    }
    databases
}

fn open(url: &str, place: Place) -> TestDatabase {
    let db = Db::open(&DatabaseUrl::parse(url).expect("a database URL"), Settings::default()).expect("a migrated database");
    TestDatabase { db, place }
}

fn execute(server: &str, sql: &str) {
    let mut connection = PgConnection::establish(server).expect("the suite's Postgres answers");
    connection.batch_execute(sql).expect(sql);
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        match &self.place {
            Place::File(file) => {
                for suffix in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
                }
            }
            // What a failed test left behind is worth a look.
            Place::Schema { .. } if std::thread::panicking() => {}
            Place::Schema { server, name } => {
                execute(server, &format!("SET client_min_messages = warning; DROP SCHEMA {name} CASCADE"));
            }
        }
    }
}

/// How SQLite would run a statement.
pub(crate) fn explain(conn: &mut super::Conn, sql: &str) -> Result<String, super::StoreError> {
    use diesel::prelude::*;
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = diesel::sql_types::Text)]
        detail: String,
    }
    let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(conn)?;
    Ok(steps.into_iter().map(|step| step.detail).collect::<Vec<_>>().join("\n"))
}
