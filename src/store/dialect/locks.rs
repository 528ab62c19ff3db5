//! What keeps others out until a transaction ends. SQLite has one writer at a time, so most of it is for Postgres alone.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::store::schema::oauth_clients;
use crate::store::{Conn, StoreError};

/// Keeps these clients, and what refers to them, from being changed by others until the transaction ends. SQLite has one
/// writer at a time.
///
/// # Errors
/// [`StoreError`] from the database.
pub(in crate::store) fn lock_clients(conn: &mut Conn, client_ids: &[String]) -> Result<(), StoreError> {
    if let Conn::Postgres(postgres) = conn {
        let named = oauth_clients::table.filter(oauth_clients::client_id.eq_any(client_ids)).select(oauth_clients::client_id);
        named.order(oauth_clients::client_id).for_update().load::<String>(postgres)?;
    }
    Ok(())
}

/// Waits until no other process makes what a new database needs, and keeps them from it until the
/// transaction ends. SQLite's write transaction does so by itself.
///
/// # Errors
/// [`StoreError`] from the database.
pub(in crate::store) fn lock_set_up(conn: &mut Conn) -> Result<(), StoreError> {
    if let Conn::Postgres(postgres) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock(7165916214)").execute(postgres)?;
    }
    Ok(())
}

/// Waits until no other process changes tables, and keeps them from it until the transaction
/// ends. SQLite's write transaction does so by itself.
///
/// # Errors
/// [`StoreError`] from the database.
pub(in crate::store) fn lock_tables(conn: &mut Conn) -> Result<(), StoreError> {
    if let Conn::Postgres(postgres) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock(7165916213)").execute(postgres)?;
    }
    Ok(())
}

/// Keeps everybody else from reading and writing a (quoted) table until the transaction ends.
///
/// # Errors
/// [`StoreError`] from the database, see [`is_lock_timeout`].
pub(in crate::store) fn lock_table(conn: &mut Conn, table: &str) -> Result<(), StoreError> {
    match conn {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(postgres) => Ok(postgres.batch_execute(&format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))?),
    }
}

/// Waits until no other process moves documents of a tree, and keeps them from it until the
/// transaction ends. SQLite's write transaction does so by itself.
///
/// # Errors
/// [`StoreError`] from the database.
pub(in crate::store) fn lock_tree(conn: &mut Conn, doctype: &str) -> Result<(), StoreError> {
    if let Conn::Postgres(postgres) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock(716591621, hashtext($1))").bind::<Text, _>(doctype).execute(postgres)?;
    }
    Ok(())
}

/// Waits until nobody else holds this word, and keeps it from them until the transaction ends. SQLite's write
/// transaction does so by itself.
///
/// # Errors
/// [`StoreError`] from the database.
pub(in crate::store) fn lock_word(conn: &mut Conn, word: &str) -> Result<(), StoreError> {
    if let Conn::Postgres(postgres) = conn {
        let lock = diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 7165916215))");
        lock.bind::<Text, _>(word).execute(postgres)?;
    }
    Ok(())
}

/// Keeps a change of tables from waiting for, and so holding up, everybody who uses them; and lets it take its
/// time once it runs. Until the transaction ends. SQLite has one writer at a time, which waits for nobody.
///
/// # Errors
/// [`StoreError`] from the database.
pub(in crate::store) fn limit_waiting_for_tables(conn: &mut Conn) -> Result<(), StoreError> {
    match conn {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(postgres) => Ok(postgres.batch_execute("SET LOCAL lock_timeout = '3s'; SET LOCAL statement_timeout = '10min'")?),
    }
}

/// Whether the database gave up waiting for a lock.
pub(in crate::store) fn is_lock_timeout(cause: &str) -> bool {
    cause.contains("lock timeout")
}

/// What a transaction does with a row that it read, and so what it keeps others from until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It only looks.
    Nothing,
    /// It writes a link to it: nobody deletes, renames or cancels it.
    Named,
    /// It changes it, though not its name: nobody else does, or deletes it. Links to it may be written.
    Changed,
    /// It deletes, renames or cancels it: nobody does anything with it, and no link to it is being written.
    Removed,
}

/// Keeps a row from others until the transaction ends. SQLite has one writer at a time.
pub(in crate::store) fn held(conn: &Conn, hold: Hold) -> &'static str {
    match (conn, hold) {
        (Conn::Sqlite(_), _) | (Conn::Postgres(_), Hold::Nothing) => "",
        (Conn::Postgres(_), Hold::Named) => " FOR KEY SHARE",
        (Conn::Postgres(_), Hold::Changed) => " FOR NO KEY UPDATE",
        (Conn::Postgres(_), Hold::Removed) => " FOR UPDATE",
    }
}

/// Keeps a row from being changed by others until the transaction ends. SQLite has one writer at a time.
pub(in crate::store) fn locked(conn: &Conn) -> &'static str {
    match conn {
        Conn::Sqlite(_) => "",
        Conn::Postgres(_) => " FOR UPDATE",
    }
}

/// Keeps a row from being changed or removed by others until the transaction ends, though not from being held like this by others too.
pub(in crate::store) fn shared(conn: &Conn) -> &'static str {
    match conn {
        Conn::Sqlite(_) => "",
        Conn::Postgres(_) => " FOR SHARE",
    }
}
