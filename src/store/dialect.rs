//! What differs between SQLite and Postgres: the only place besides the pool where a query asks
//! which one it talks to.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{Text, Timestamp};

use super::{Conn, StoreError};
use crate::domain::Instant;

/// Postgres's notification channel.
const CHANNEL: &str = "ostiary_epochs";

/// Registers the SQL functions that SQLite lacks and queries use.
///
/// # Errors
/// [`StoreError`] when SQLite refuses one.
pub(super) fn register_functions(_sqlite: &mut SqliteConnection) -> Result<(), StoreError> {
    Ok(())
}

/// Tells other processes, when the surrounding transaction commits. SQLite has no such thing; there they watch the table.
///
/// # Errors
/// [`StoreError`] from the database.
pub(super) fn notify(conn: &mut Conn, payload: &str) -> Result<(), StoreError> {
    match conn {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(postgres) => {
            // Engines that speak Postgres's protocol but have no NOTIFY are polled instead.
            diesel::sql_query("SELECT pg_notify($1, $2)").bind::<Text, _>(CHANNEL).bind::<Text, _>(payload).execute(postgres)?;
            Ok(())
        }
    }
}

/// Starts to listen on this connection.
///
/// # Errors
/// [`StoreError`] from the database.
pub(super) fn listen(conn: &mut Conn) -> Result<(), StoreError> {
    Ok(conn.batch_execute(&format!("LISTEN {CHANNEL}"))?)
}

/// What arrived on a listening connection since the last call; never waits.
///
/// # Errors
/// [`StoreError::Unavailable`] when the connection is lost.
pub(super) fn notifications(conn: &mut Conn) -> Result<Vec<String>, StoreError> {
    match conn {
        Conn::Sqlite(_) => Ok(Vec::new()),
        Conn::Postgres(postgres) => {
            let mut payloads = Vec::new();
            for notification in postgres.notifications_iter() {
                payloads.push(notification?.payload);
            }
            Ok(payloads)
        }
    }
}

/// A round trip.
///
/// # Errors
/// [`StoreError`] when the server is gone.
pub(super) fn ping(conn: &mut Conn) -> Result<(), StoreError> {
    Ok(conn.batch_execute("SELECT 1")?)
}

/// What the database thinks the time is.
///
/// # Errors
/// [`StoreError`] from the database.
pub(super) fn current_time(conn: &mut Conn) -> Result<Instant, StoreError> {
    #[derive(QueryableByName)]
    struct Now {
        #[diesel(sql_type = Timestamp)]
        now: chrono::NaiveDateTime,
    }
    let now = match conn {
        Conn::Sqlite(sqlite) => diesel::sql_query("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now') AS now").get_result::<Now>(sqlite)?,
        Conn::Postgres(postgres) => diesel::sql_query("SELECT (now() AT TIME ZONE 'UTC')::timestamp AS now").get_result::<Now>(postgres)?,
    };
    Ok(Instant::new(now.now))
}
