//! What differs between SQLite and Postgres: the only place besides the pool where a query asks
//! which one it talks to.

use chrono_tz::Tz;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text, Timestamp};

use super::schema::oauth_clients;
use super::{Conn, StoreError};
use crate::doctype::{Kind, value};
use crate::domain::Instant;

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

/// How the rows of a query are written.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// The keys and what they show; no key is there twice.
    pub columns: &'a [(&'a str, String)],
    /// Lists of values instead of objects.
    pub as_arrays: bool,
    /// What stands before each row as a JSON list and a line feed, which JSON text has none of; nothing if empty.
    pub before: &'a [String],
}

/// The two ends of a query whose rows are each one JSON object (or list) with these keys; `FROM …` goes between them.
pub(super) fn rows_as_json(conn: &Conn, rows: Rows<'_>) -> (String, String) {
    let joined = |parts: &mut dyn Iterator<Item = String>| parts.collect::<Vec<_>>().join(", ");
    match conn {
        Conn::Sqlite(_) => {
            let before = match rows.before {
                [] => String::new(),
                before => format!("json_array({}) || char(10) || ", before.join(", ")),
            };
            let row = if rows.as_arrays {
                format!("json_array({})", joined(&mut rows.columns.iter().map(|(_, expression)| expression.clone())))
            } else {
                format!("json_object({})", joined(&mut rows.columns.iter().map(|(key, expression)| format!("'{key}', {expression}"))))
            };
            (format!("SELECT {before}{row} "), String::new())
        }
        // `row_to_json` writes compact JSON in the order of the columns; `json_build_object` puts spaces into it.
        Conn::Postgres(_) => {
            let list = |names: &[String]| {
                let values: Vec<String> = names.iter().map(|name| format!("coalesce(to_json(shown.{name})::text, 'null')")).collect();
                format!("'[' || {} || ']'", values.join(" || ',' || "))
            };
            let names: Vec<String> = rows.columns.iter().map(|(key, _)| format!("\"{key}\"")).collect();
            let hidden: Vec<String> = (0..rows.before.len()).map(|index| format!("\"~{index}\"")).collect();
            let row = match (rows.as_arrays, hidden.as_slice()) {
                (true, _) if names.is_empty() => "'[]'".to_owned(),
                (true, _) => list(&names),
                (false, []) => "row_to_json(shown)::text".to_owned(),
                (false, _) => {
                    let own = joined(&mut names.iter().map(|name| format!("shown.{name}")));
                    format!("(SELECT row_to_json(own)::text FROM (SELECT {own}) AS own)")
                }
            };
            let before = if hidden.is_empty() { String::new() } else { format!("{} || chr(10) || ", list(&hidden)) };
            let inner = joined(
                &mut rows
                    .columns
                    .iter()
                    .map(|(_, expression)| expression)
                    .chain(rows.before)
                    .zip(names.iter().chain(&hidden))
                    .map(|(expression, name)| format!("{expression} AS {name}")),
            );
            (format!("SELECT {before}{row} FROM (SELECT {inner} "), ") AS shown".to_owned())
        }
    }
}

/// A sort key as it is remembered in a cursor: nothing of it is lost, and it is the same on both.
pub(super) fn remembered(conn: &Conn, kind: Kind, column: &str) -> String {
    match (conn, kind) {
        (Conn::Sqlite(_), Kind::Float) => format!("format('%!.17g', {column})"),
        (Conn::Postgres(_), Kind::Float) => format!("{column}::text"),
        (_, Kind::Time) => column.to_owned(),
        (_, Kind::Text { .. } | Kind::Int | Kind::Check | Kind::Date | Kind::Datetime) => shown(conn, kind, column, Tz::UTC),
    }
}

/// A link with an object in its place, where there is a document to show: `present` is missing where there is none.
pub(super) fn expanded(conn: &Conn, link: &str, present: &str, fields: &[(&str, String)]) -> String {
    match conn {
        Conn::Sqlite(_) => {
            let pairs: Vec<String> = fields.iter().map(|(key, expression)| format!("'{key}', {expression}")).collect();
            format!("json(CASE WHEN {present} IS NULL THEN json_quote({link}) ELSE json_object({}) END)", pairs.join(", "))
        }
        Conn::Postgres(_) => {
            let columns: Vec<String> = fields.iter().map(|(key, expression)| format!("{expression} AS \"{key}\"")).collect();
            let object = format!("(SELECT row_to_json(linked) FROM (SELECT {}) AS linked)", columns.join(", "));
            format!("(CASE WHEN {present} IS NULL THEN to_json({link}) ELSE {object} END)")
        }
    }
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

/// A column as it is shown: what `json_object` and `row_to_json` would write differently is made equal.
pub(super) fn shown(conn: &Conn, kind: Kind, column: &str, zone: Tz) -> String {
    match (conn, kind) {
        (_, Kind::Text { .. } | Kind::Int | Kind::Check | Kind::Date) | (Conn::Sqlite(_), Kind::Float) => column.to_owned(),
        (Conn::Sqlite(_), Kind::Time) => format!(
            "CASE WHEN {column} IS NOT NULL THEN printf('%d:%02d:%02d', {column} / 3600000000, {column} / 60000000 % 60, {column} / 1000000 % 60) || CASE {column} % 1000000 WHEN 0 THEN '' ELSE printf('.%06d', {column} % 1000000) END END"
        ),
        (Conn::Postgres(_), Kind::Time) => format!(
            "({column} / 3600000000)::text || to_char(interval '1 microsecond' * {column}, CASE {column} % 1000000 WHEN 0 THEN ':MI:SS' ELSE ':MI:SS.US' END)"
        ),
        // Diesel stores 0, 3 or 6 digits of fraction, whichever is enough; Frappe shows 0 or 6. Calling
        // back from SQLite costs more than the rest of the row, so UTC does without.
        (Conn::Sqlite(_), Kind::Datetime) if zone == Tz::UTC => {
            format!("CASE length({column}) WHEN 23 THEN {column} || '000' ELSE {column} END")
        }
        (Conn::Sqlite(_), Kind::Datetime) => format!("ostiary_local({column}, '{}')", zone.name()),
        // A whole Float is shown as 1.0, not 1.
        (Conn::Postgres(_), Kind::Float) => {
            format!(
                "(CASE WHEN {column} = trunc({column}) AND abs({column}) < 1e15 THEN {column}::text || '.0' ELSE {column}::text END)::json"
            )
        }
        (Conn::Postgres(_), Kind::Datetime) => {
            let local =
                if zone == Tz::UTC { column.to_owned() } else { format!("({column} AT TIME ZONE 'UTC' AT TIME ZONE '{}')", zone.name()) };
            format!(
                "to_char({local}, CASE WHEN date_trunc('second', {local}) = {local} THEN 'YYYY-MM-DD HH24:MI:SS' ELSE 'YYYY-MM-DD HH24:MI:SS.US' END)"
            )
        }
    }
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
pub(super) fn like(conn: &Conn, column: &str, negated: bool) -> (String, &'static str) {
    let not = if negated { "NOT " } else { "" };
    match conn {
        Conn::Sqlite(_) => (format!("{column} {not}LIKE "), " ESCAPE '\\'"),
        // The "C" collation makes `lower` fold ASCII only, which is what SQLite does.
        Conn::Postgres(_) => (format!("lower({column} COLLATE \"C\") {not}LIKE lower("), " COLLATE \"C\") ESCAPE '\\'"),
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

/// Keeps a row from being changed by others until the transaction ends. SQLite has one writer at a time.
pub(super) fn locked(conn: &Conn) -> &'static str {
    match conn {
        Conn::Sqlite(_) => "",
        Conn::Postgres(_) => " FOR UPDATE",
    }
}

/// Keeps a row from being changed or removed by others until the transaction ends, though not from being held like this by others too.
pub(super) fn shared(conn: &Conn) -> &'static str {
    match conn {
        Conn::Sqlite(_) => "",
        Conn::Postgres(_) => " FOR SHARE",
    }
}

/// Keeps these clients, and what refers to them, from being changed by others until the transaction ends. SQLite has one
/// writer at a time.
///
/// # Errors
/// [`StoreError`] from the database.
pub(super) fn lock_clients(conn: &mut Conn, client_ids: &[String]) -> Result<(), StoreError> {
    if let Conn::Postgres(postgres) = conn {
        let named = oauth_clients::table.filter(oauth_clients::client_id.eq_any(client_ids)).select(oauth_clients::client_id);
        named.order(oauth_clients::client_id).for_update().load::<String>(postgres)?;
    }
    Ok(())
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

/// Waits until no other process makes what a new database needs, and keeps them from it until the
/// transaction ends. SQLite's write transaction does so by itself.
///
/// # Errors
/// [`StoreError`] from the database.
pub(super) fn lock_set_up(conn: &mut Conn) -> Result<(), StoreError> {
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
pub(super) fn lock_tables(conn: &mut Conn) -> Result<(), StoreError> {
    if let Conn::Postgres(postgres) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock(7165916213)").execute(postgres)?;
    }
    Ok(())
}

/// Waits until no other process moves documents of a tree, and keeps them from it until the
/// transaction ends. SQLite's write transaction does so by itself.
///
/// # Errors
/// [`StoreError`] from the database.
pub(super) fn lock_tree(conn: &mut Conn, doctype: &str) -> Result<(), StoreError> {
    if let Conn::Postgres(postgres) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock(716591621, hashtext($1))").bind::<Text, _>(doctype).execute(postgres)?;
    }
    Ok(())
}

/// Keeps a change of tables from waiting for, and so holding up, everybody who uses them; and lets it take its
/// time once it runs. Until the transaction ends. SQLite has one writer at a time, which waits for nobody.
///
/// # Errors
/// [`StoreError`] from the database.
pub(super) fn limit_waiting_for_tables(conn: &mut Conn) -> Result<(), StoreError> {
    match conn {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(postgres) => Ok(postgres.batch_execute("SET LOCAL lock_timeout = '3s'; SET LOCAL statement_timeout = '10min'")?),
    }
}

/// Whether the database gave up waiting for a lock.
pub(super) fn is_lock_timeout(cause: &str) -> bool {
    cause.contains("lock timeout")
}

/// Keeps everybody else from reading and writing a (quoted) table until the transaction ends.
///
/// # Errors
/// [`StoreError`] from the database, see [`is_lock_timeout`].
pub(super) fn lock_table(conn: &mut Conn, table: &str) -> Result<(), StoreError> {
    match conn {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(postgres) => Ok(postgres.batch_execute(&format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))?),
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

/// Waits until nobody else holds this word, and keeps it from them until the transaction ends. SQLite's write
/// transaction does so by itself.
///
/// # Errors
/// [`StoreError`] from the database.
pub(super) fn lock_word(conn: &mut Conn, word: &str) -> Result<(), StoreError> {
    if let Conn::Postgres(postgres) = conn {
        let lock = diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 7165916215))");
        lock.bind::<Text, _>(word).execute(postgres)?;
    }
    Ok(())
}
