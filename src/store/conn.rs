//! One connection, to either database.

use diesel::{PgConnection, SqliteConnection};

/// A connection to SQLite or Postgres. Only this file, `pool.rs`, `db.rs` and `dialect/` may
/// look which one it is.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}
