//! The counters behind names: one for each prefix, and one for each doctype whose names are numbers.
//!
//! A number is taken inside the transaction that stores its document, so a refused document leaves
//! no gap. The row stays locked until then: who names the next document of a series waits.
//!
//! Names may also be chosen, ahead of a counter too. A counter steps over those that documents have: the database looks
//! for the name while it counts, which costs no further statement unless it is taken.

use super::document_sources::{expression, table};
use super::statement::Statement;
use super::{Conn, StoreError, dialect};
use crate::doctype::DocType;

/// Most names that one request steps over; looking at so many takes seconds.
const MAX_STEPS: i64 = 1_000_000;

/// What counts.
#[derive(Clone, Copy, Debug)]
pub enum Series<'a> {
    /// All names that begin with this text, whatever their doctype (Frappe's `tabSeries`).
    Prefix(&'a str),
    /// The names of one doctype.
    DocType(&'a str),
}

impl Series<'_> {
    fn key(&self) -> (&str, &str) {
        match self {
            Self::Prefix(prefix) => ("", prefix),
            Self::DocType(doctype) => (doctype, ""),
        }
    }
}

/// The names that a counter makes for the documents of a doctype.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    pub doctype: &'a DocType,
    /// What stands before the number; nothing else does where names are numbers.
    pub before: &'a str,
    /// Fewest digits of the number.
    pub digits: usize,
    pub after: &'a str,
}

impl<'a> Names<'a> {
    /// The bare numbers of a doctype whose names are numbers.
    pub fn numbers(doctype: &'a DocType) -> Self {
        Self { doctype, before: "", digits: 1, after: "" }
    }

    /// `EXISTS (…)`: whether a document has the name with this number, which is an expression.
    fn push_taken(&self, statement: &mut Statement, conn: &Conn, number: &str) {
        let Self { doctype, before, digits, after } = *self;
        let name = expression(conn, doctype, "name");
        statement.sql(&format!("EXISTS (SELECT 1 FROM {} AS d WHERE {name} = ", table(doctype)));
        if doctype.has_numbers_for_names() {
            statement.sql(number);
        } else {
            let number = dialect::zero_padded(conn, number, digits);
            statement.text(before).sql(&format!(" || {number} || ")).text(after);
        }
        statement.sql(")");
    }
}

/// Takes the next number whose name no document has, the first of a series being 1.
///
/// # Errors
/// [`StoreError::Unavailable`] where a million names in a row are taken; else from the database.
pub fn take_number(conn: &mut Conn, series: Series<'_>, names: Names<'_>) -> Result<i64, StoreError> {
    let (doctype, prefix) = series.key();
    let answer = if dialect::should_return(conn) {
        let mut statement = Statement::default();
        statement.sql("INSERT INTO document_series (doctype, prefix, current) VALUES (").text(doctype).sql(", ").text(prefix);
        statement.sql(", 1) ON CONFLICT (doctype, prefix) DO UPDATE SET current = document_series.current + 1 RETURNING ");
        push_answer(&mut statement, conn, names);
        statement.load(conn)?
    } else {
        let mut statement = Statement::default();
        statement.sql("UPDATE document_series SET current = current + 1 WHERE doctype = ").text(doctype).sql(" AND prefix = ").text(prefix);
        if statement.execute(conn)? == 0 {
            let mut statement = Statement::default();
            statement
                .sql("INSERT INTO document_series (doctype, prefix, current) VALUES (")
                .text(doctype)
                .sql(", ")
                .text(prefix)
                .sql(", 1)");
            statement.execute(conn)?;
        }
        let mut statement = Statement::default();
        statement.sql("SELECT ");
        push_answer(&mut statement, conn, names);
        statement.sql(" FROM document_series WHERE doctype = ").text(doctype).sql(" AND prefix = ").text(prefix);
        statement.load(conn)?
    };
    let answer = answer.into_iter().next().unwrap_or_default();
    let number = answer.trim_end_matches(" taken").parse().map_err(|_| StoreError::corrupt("document_series.current"))?;
    if !answer.ends_with(" taken") {
        return Ok(number);
    }
    let free = find_free_number(conn, names, number + 1)?;
    let mut statement = Statement::default();
    statement.sql("UPDATE document_series SET current = ").int(free);
    statement.sql(" WHERE doctype = ").text(doctype).sql(" AND prefix = ").text(prefix);
    statement.execute(conn)?;
    Ok(free)
}

/// The number, and whether a document has its name.
fn push_answer(statement: &mut Statement, conn: &Conn, names: Names<'_>) {
    statement.sql("CAST(document_series.current AS TEXT) || CASE WHEN ");
    names.push_taken(statement, conn, "document_series.current");
    statement.sql(" THEN ' taken' ELSE '' END");
}

/// The first number from this one on whose name no document has.
///
/// # Errors
/// As [`take_number`].
pub fn find_free_number(conn: &mut Conn, names: Names<'_>, from: i64) -> Result<i64, StoreError> {
    let end = from.saturating_add(MAX_STEPS);
    let mut statement = Statement::default();
    statement.sql("WITH RECURSIVE steps(number) AS (SELECT CAST(").int(from);
    statement.sql(" AS BIGINT) UNION ALL SELECT number + 1 FROM steps WHERE number < ").int(end);
    statement.sql(" AND ");
    names.push_taken(&mut statement, conn, "steps.number");
    statement.sql(") SELECT CAST(MAX(number) AS TEXT) FROM steps");
    let answer = statement.load(conn)?.into_iter().next().unwrap_or_default();
    match answer.parse().map_err(|_| StoreError::corrupt("a step"))? {
        number if number < end => Ok(number),
        _ => Err(StoreError::Unavailable(format!("more than {MAX_STEPS} names of {} in a row are taken", names.doctype.name))),
    }
}

/// Gives a number back if it is the last one taken, so that the next document gets it (Frappe's `revert_series_if_last`).
///
/// # Errors
/// [`StoreError`] from the database.
pub fn give_back_number(conn: &mut Conn, series: Series<'_>, number: i64) -> Result<(), StoreError> {
    let (doctype, prefix) = series.key();
    let mut statement = Statement::default();
    statement.sql("UPDATE document_series SET current = current - 1 WHERE doctype = ").text(doctype).sql(" AND prefix = ").text(prefix);
    statement.sql(" AND current = ").int(number);
    statement.execute(conn)?;
    Ok(())
}
