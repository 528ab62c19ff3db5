//! How rows and their columns are written as JSON: the same bytes on both.

use chrono_tz::Tz;
use diesel::QueryResult;
use diesel::connection::DefaultLoadingMode;
use diesel::pg::PgRowByRowLoadingMode;

use crate::doctype::Kind;
use crate::store::statement::Statement;
use crate::store::{Conn, StoreError};

/// The text of each row, as long as they have no more bytes together than this. On neither database are rows kept
/// in memory that are not answered.
///
/// # Errors
/// [`StoreError::TooLarge`] when they have more.
pub(in crate::store) fn load_within(conn: &mut Conn, statement: Statement, bytes: usize) -> Result<Vec<String>, StoreError> {
    match conn {
        Conn::Sqlite(_) => gather(diesel::RunQueryDsl::load_iter::<String, DefaultLoadingMode>(statement, conn)?, bytes),
        Conn::Postgres(postgres) => gather(diesel::RunQueryDsl::load_iter::<String, PgRowByRowLoadingMode>(statement, postgres)?, bytes),
    }
}

fn gather(found: impl Iterator<Item = QueryResult<String>>, bytes: usize) -> Result<Vec<String>, StoreError> {
    let (mut rows, mut size) = (Vec::new(), 0);
    for row in found {
        let row = row?;
        size += row.len();
        if size > bytes || row.is_empty() {
            return Err(StoreError::TooLarge);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// How the rows of a query are written.
#[derive(Clone, Copy)]
pub(in crate::store) struct Rows<'a> {
    /// The keys and what they show; no key is there twice.
    pub columns: &'a [(&'a str, String)],
    /// Lists of values instead of objects.
    pub as_arrays: bool,
    /// What stands before each row as a JSON list and a line feed, which JSON text has none of; nothing if empty.
    pub before: &'a [String],
    /// How many bytes the texts of a row have, where that must be known before the row is put together.
    pub size: Option<&'a str>,
}

/// Most bytes of the texts of one row; SQLite has a bound of its own.
const MAX_ROW: usize = 96 * 1024 * 1024;

/// The two ends of a query whose rows are each one JSON object (or list) with these keys; `FROM …` goes between them.
pub(in crate::store) fn rows_as_json(conn: &Conn, rows: Rows<'_>) -> (String, String) {
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
            let row = match rows.as_arrays {
                true if names.is_empty() => "'[]'".to_owned(),
                true => list(&names),
                false if hidden.is_empty() && rows.size.is_none() => "row_to_json(shown)::text".to_owned(),
                false => {
                    let own = joined(&mut names.iter().map(|name| format!("shown.{name}")));
                    format!("(SELECT row_to_json(own)::text FROM (SELECT {own}) AS own)")
                }
            };
            let before = if hidden.is_empty() { String::new() } else { format!("{} || chr(10) || ", list(&hidden)) };
            let size = rows.size.map(|size| format!("{size} AS \"~size\""));
            let inner = joined(
                &mut rows
                    .columns
                    .iter()
                    .map(|(_, expression)| expression)
                    .chain(rows.before)
                    .zip(names.iter().chain(&hidden))
                    .map(|(expression, name)| format!("{expression} AS {name}"))
                    .chain(size),
            );
            // An empty text is no row: it stands for one that was too large to be put together.
            let row = match rows.size {
                None => format!("{before}{row}"),
                Some(_) => format!("CASE WHEN shown.\"~size\" > {MAX_ROW} THEN '' ELSE {before}{row} END"),
            };
            (format!("SELECT {row} FROM (SELECT {inner} "), ") AS shown".to_owned())
        }
    }
}

/// An expression of the row at hand: the text of one JSON object with these keys.
pub(in crate::store) fn row_as_json(conn: &Conn, columns: &[(&str, String)]) -> String {
    match conn {
        Conn::Sqlite(_) => object(conn, columns),
        Conn::Postgres(_) => format!("{}::text", object(conn, columns)),
    }
}

/// The same as one JSON list.
pub(in crate::store) fn row_as_list(conn: &Conn, expressions: &[String]) -> String {
    let expressions = expressions.join(", ");
    match conn {
        Conn::Sqlite(_) => format!("json_array({expressions})"),
        Conn::Postgres(_) => format!("json_build_array({expressions})::text"),
    }
}

fn object(conn: &Conn, columns: &[(&str, String)]) -> String {
    match conn {
        Conn::Sqlite(_) => {
            let pairs: Vec<String> = columns.iter().map(|(key, expression)| format!("'{key}', {expression}")).collect();
            format!("json_object({})", pairs.join(", "))
        }
        Conn::Postgres(_) => {
            let columns: Vec<String> = columns.iter().map(|(key, expression)| format!("{expression} AS \"{key}\"")).collect();
            format!("(SELECT row_to_json(shown) FROM (SELECT {}) AS shown)", columns.join(", "))
        }
    }
}

/// How many bytes these texts have together.
pub(in crate::store) fn size_of(texts: &[String]) -> String {
    let size = |text: &String| format!("COALESCE(octet_length({text}), 0)::bigint");
    texts.iter().map(size).collect::<Vec<_>>().join(" + ")
}

/// A column as it is shown: what `json_object` and `row_to_json` would write differently is made equal.
pub(in crate::store) fn shown(conn: &Conn, kind: Kind, column: &str, zone: Tz) -> String {
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

/// A sort key as it is remembered in a cursor: nothing of it is lost, and it is the same on both.
pub(in crate::store) fn remembered(conn: &Conn, kind: Kind, column: &str) -> String {
    match (conn, kind) {
        (Conn::Sqlite(_), Kind::Float) => format!("format('%!.17g', {column})"),
        (Conn::Postgres(_), Kind::Float) => format!("{column}::text"),
        (_, Kind::Time) => column.to_owned(),
        (_, Kind::Text { .. } | Kind::Int | Kind::Check | Kind::Date | Kind::Datetime) => shown(conn, kind, column, Tz::UTC),
    }
}

/// A link with an object in its place, where there is a document to show: `present` is missing where there is none.
pub(in crate::store) fn expanded(conn: &Conn, link: &str, present: &str, fields: &[(&str, String)]) -> String {
    let object = object(conn, fields);
    match conn {
        Conn::Sqlite(_) => format!("json(CASE WHEN {present} IS NULL THEN json_quote({link}) ELSE {object} END)"),
        Conn::Postgres(_) => format!("(CASE WHEN {present} IS NULL THEN to_json({link}) ELSE {object} END)"),
    }
}
