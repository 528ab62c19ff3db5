//! What differs between SQLite and Postgres: the only place besides the pool where a query asks
//! which one it talks to.
//!
//! What keeps others out is in [`locks`], how rows are written in [`rows`], everything else here.

mod locks;
mod rows;

use chrono_tz::Tz;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text, Timestamp};

use super::pool::Backend;
use super::{Conn, StoreError};
use crate::doctype::{Kind, value};
use crate::domain::Instant;

pub use locks::Hold;
pub(super) use locks::{
    held, is_lock_timeout, limit_waiting_for_tables, lock_clients, lock_set_up, lock_table, lock_tables, lock_tree, lock_word, locked,
    shared,
};
pub(super) use rows::{Rows, expanded, load_within, remembered, row_as_json, row_as_list, rows_as_json, shown, size_of};

/// Postgres's notification channel.
const CHANNEL: &str = "ostiary_epochs";

/// Registers the SQL functions that SQLite lacks and queries use.
///
/// # Errors
/// [`StoreError`] when SQLite refuses one.
pub(super) fn register_functions(sqlite: &mut SqliteConnection) -> Result<(), StoreError> {
    ostiary_local_utils::register_impl(sqlite, |at: Option<String>, zone: String| at.map(|at| local_text(&at, &zone)))?;
    Ok(())
}

#[declare_sql_function]
extern "SQL" {
    /// A stored UTC time as Frappe shows it in a time zone; SQLite only.
    fn ostiary_local(at: Nullable<Text>, zone: Text) -> Nullable<Text>;
}

/// A text that is no time is shown as it is: better than hiding what is stored.
fn local_text(stored: &str, zone: &str) -> String {
    match (value::parse_stored(stored), zone.parse::<Tz>()) {
        (Some(at), Ok(zone)) => value::format_local(value::to_local(at, zone)),
        _ => stored.to_owned(),
    }
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

/// A text as the number it spells in digits; nothing where it spells none.
pub(super) fn as_number(conn: &Conn, text: &str) -> String {
    match conn {
        Conn::Sqlite(_) => {
            format!("CASE WHEN {text} <> '' AND length({text}) < 19 AND {text} NOT GLOB '*[^0-9]*' THEN CAST({text} AS INTEGER) END")
        }
        Conn::Postgres(_) => format!("CASE WHEN {text} ~ '^[0-9]{{1,18}}$' THEN {text}::bigint END"),
    }
}

/// A whole number in digits, with zeros before them where it has fewer.
pub(super) fn zero_padded(conn: &Conn, number: &str, digits: usize) -> String {
    match conn {
        Conn::Sqlite(_) => format!("printf('%0{digits}d', {number})"),
        Conn::Postgres(_) => {
            let text = format!("CAST({number} AS TEXT)");
            format!("lpad({text}, greatest({digits}, length({text})), '0')")
        }
    }
}

/// A column that no index is looked up by. Postgres counts its values and chooses better by itself.
pub(super) fn without_index(conn: &Conn, column: String) -> String {
    match conn {
        Conn::Sqlite(_) => format!("+{column}"),
        Conn::Postgres(_) => column,
    }
}

/// `sum` and `avg` as a Float on both databases.
pub(super) fn float_of(conn: &Conn, column: &str) -> String {
    format!("CAST({column} AS {})", pick(conn, "REAL", "DOUBLE PRECISION"))
}

/// A column as the text that `like` compares.
pub(super) fn compared_text(conn: &Conn, kind: Kind, column: &str, zone: Tz) -> String {
    match (conn, kind) {
        (_, Kind::Text { .. }) => column.to_owned(),
        (Conn::Postgres(_), Kind::Date) => format!("to_char({column}, 'YYYY-MM-DD')"),
        (Conn::Postgres(_), Kind::Float) => format!("{}::text", shown(conn, kind, column, zone)),
        (_, Kind::Int | Kind::Check | Kind::Float | Kind::Date) => format!("CAST({column} AS TEXT)"),
        (_, Kind::Datetime | Kind::Time) => shown(conn, kind, column, zone),
    }
}

/// The parts of `column LIKE pattern` around the pattern: ASCII letters match in either case, `\` escapes.
pub(super) fn like(conn: &Conn, column: &str, negated: bool) -> (String, String) {
    let not = if negated { "NOT " } else { "" };
    match conn {
        // SQLite's own cannot be stopped; see `store::watch`.
        Conn::Sqlite(_) => (format!("{not}ostiary_like("), format!(", {column})")),
        // The "C" collation makes `lower` fold ASCII only, which is what SQLite does.
        Conn::Postgres(_) => (format!("lower({column} COLLATE \"C\") {not}LIKE lower("), " COLLATE \"C\") ESCAPE '\\'".to_owned()),
    }
}

/// What is put around a comparison for the database to see before it whether its time is up. Postgres looks once for
/// each row and each part of its plan, so a hundred patterns on one row are one step; a query of its own is such a part.
/// It costs about as much as a comparison with a short text.
pub(super) fn stoppable(conn: &Conn) -> (&'static str, &'static str) {
    match conn {
        Conn::Sqlite(_) => ("", ""),
        Conn::Postgres(_) => ("(SELECT ", ")"),
    }
}

/// Whether the words of documents are in a table of their own; else in a column beside their names.
pub(super) fn has_term_table(conn: &Conn) -> bool {
    matches!(conn, Conn::Sqlite(_))
}

/// The text that full text is searched by: all of `words`, and a word with this beginning. They are letters and digits only.
pub(super) fn match_text(conn: &Conn, words: &[String], beginning: Option<&str>) -> String {
    let (quote, between, open_end) = match conn {
        Conn::Sqlite(_) => ('"', " AND ", "*"),
        Conn::Postgres(_) => ('\'', " & ", ":*"),
    };
    let words = words.iter().map(|word| format!("{quote}{word}{quote}"));
    let beginning = beginning.map(|beginning| format!("{quote}{beginning}{quote}{open_end}"));
    words.chain(beginning).collect::<Vec<_>>().join(between)
}

/// What makes text sort by code point where the column does not do so by itself.
pub(super) fn by_code_point(conn: &Conn) -> &'static str {
    match conn {
        Conn::Sqlite(_) => "",
        Conn::Postgres(_) => " COLLATE \"C\"",
    }
}

/// Missing values come first when sorting upwards, as in SQLite and MariaDB.
pub(super) fn missing_first(conn: &Conn, descending: bool) -> &'static str {
    match (conn, descending) {
        (Conn::Sqlite(_), _) => "",
        (Conn::Postgres(_), false) => " NULLS FIRST",
        (Conn::Postgres(_), true) => " NULLS LAST",
    }
}

/// Which database this is.
pub(super) fn backend(conn: &Conn) -> Backend {
    match conn {
        Conn::Sqlite(_) => Backend::Sqlite,
        Conn::Postgres(_) => Backend::Postgres,
    }
}

/// Whether a statement should tell what it wrote (`RETURNING`) where another one could ask. Postgres is spared a round
/// trip; in SQLite it makes a savepoint, at which FTS5 writes out what it has of the transaction.
pub(super) fn should_return(conn: &Conn) -> bool {
    match conn {
        Conn::Sqlite(_) => false,
        Conn::Postgres(_) => true,
    }
}

/// Of two spellings of an expression, the one for this database.
pub(super) fn pick<'a>(conn: &Conn, sqlite: &'a str, postgres: &'a str) -> &'a str {
    match conn {
        Conn::Sqlite(_) => sqlite,
        Conn::Postgres(_) => postgres,
    }
}

/// The type of a column that holds values of a kind. Text sorts by code point on both.
pub(super) fn column_type(conn: &Conn, kind: Kind) -> &'static str {
    match (conn, kind) {
        (Conn::Sqlite(_), Kind::Text { .. } | Kind::Date | Kind::Datetime) => "TEXT",
        (Conn::Sqlite(_), Kind::Int | Kind::Check | Kind::Time) => "INTEGER",
        (Conn::Sqlite(_), Kind::Float) => "REAL",
        (Conn::Postgres(_), Kind::Text { .. }) => "TEXT COLLATE \"C\"",
        (Conn::Postgres(_), Kind::Int | Kind::Time) => "BIGINT",
        (Conn::Postgres(_), Kind::Check) => "SMALLINT",
        (Conn::Postgres(_), Kind::Float) => "DOUBLE PRECISION",
        (Conn::Postgres(_), Kind::Date) => "DATE",
        (Conn::Postgres(_), Kind::Datetime) => "TIMESTAMP",
    }
}

/// A column without indexes that gets another type.
pub(super) struct Retype<'a> {
    /// Quoted.
    pub table: &'a str,
    pub name: &'a str,
    /// The new column's type and constraints.
    pub column: &'a str,
    /// The old value in the new type; names the column in quotes.
    pub value: &'a str,
    pub new_type: &'a str,
    /// The same as `CAST` takes it.
    pub cast_type: &'a str,
}

/// The statements of a [`Retype`].
pub(super) fn retype_column(conn: &Conn, change: &Retype<'_>) -> String {
    let Retype { table, name, column, value, new_type, cast_type } = change;
    match conn {
        // A dot is in no field's name.
        Conn::Sqlite(_) => {
            let old = format!("\"{name}.old\"");
            let value = value.replace(&format!("\"{name}\""), &old);
            format!(
                "ALTER TABLE {table} RENAME COLUMN \"{name}\" TO {old}; ALTER TABLE {table} ADD COLUMN \"{name}\" {column}; \
                 UPDATE {table} SET \"{name}\" = {value}; ALTER TABLE {table} DROP COLUMN {old};"
            )
        }
        Conn::Postgres(_) => {
            let mut sql = format!(
                "ALTER TABLE {table} ALTER COLUMN \"{name}\" DROP DEFAULT, ALTER COLUMN \"{name}\" DROP NOT NULL, \
                 ALTER COLUMN \"{name}\" TYPE {new_type} USING CAST({value} AS {cast_type});"
            );
            if column.contains(" NOT NULL") {
                sql.push_str(&format!(" ALTER TABLE {table} ALTER COLUMN \"{name}\" SET DEFAULT 0, ALTER COLUMN \"{name}\" SET NOT NULL;"));
            }
            sql
        }
    }
}

/// A member of a JSON object as text. `object` is a column that holds JSON.
pub(super) fn json_text(conn: &Conn, object: &str, key: &str) -> String {
    match conn {
        Conn::Sqlite(_) => format!("CAST({object} ->> '{key}' AS TEXT)"),
        Conn::Postgres(_) => format!("(CAST({object} AS json) ->> '{key}')"),
    }
}

/// The whole number that a text begins with, 0 where there is none.
pub(super) fn leading_number(conn: &Conn, text: &str) -> String {
    match conn {
        Conn::Sqlite(_) => format!("COALESCE(CAST({text} AS INTEGER), 0)"),
        Conn::Postgres(_) => format!("COALESCE(CAST(substring({text} FROM '^[0-9]{{1,15}}') AS BIGINT), 0)"),
    }
}

/// The names of a table's columns; none when there is no such table.
///
/// # Errors
/// [`StoreError`] from the database.
pub(super) fn list_columns(conn: &mut Conn, table: &str) -> Result<Vec<String>, StoreError> {
    #[derive(QueryableByName)]
    struct Column {
        #[diesel(sql_type = Text)]
        name: String,
    }
    let columns = match conn {
        Conn::Sqlite(sqlite) => diesel::sql_query("SELECT name FROM pragma_table_info(?)").bind::<Text, _>(table).load::<Column>(sqlite)?,
        Conn::Postgres(postgres) => diesel::sql_query(
            "SELECT column_name::text AS name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1",
        )
        .bind::<Text, _>(table)
        .load::<Column>(postgres)?,
    };
    Ok(columns.into_iter().map(|column| column.name).collect())
}
