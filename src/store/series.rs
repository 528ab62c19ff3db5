//! The counters behind names: one for each prefix, and one for each doctype whose names are numbers.
//!
//! A number is taken inside the transaction that stores its document, so a refused document leaves
//! no gap. The row stays locked until then: who names the next document of a series waits.

use super::statement::Statement;
use super::{Conn, StoreError};

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

/// Takes the next number, the first of a series being 1.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn take_number(conn: &mut Conn, series: Series<'_>) -> Result<i64, StoreError> {
    let (doctype, prefix) = series.key();
    let mut statement = Statement::default();
    statement.sql("INSERT INTO document_series (doctype, prefix, current) VALUES (").text(doctype).sql(", ").text(prefix);
    statement.sql(", 1) ON CONFLICT (doctype, prefix) DO UPDATE SET current = document_series.current + 1");
    statement.sql(" RETURNING CAST(current AS TEXT)");
    let taken = statement.load(conn)?;
    taken.first().and_then(|number| number.parse().ok()).ok_or_else(|| StoreError::corrupt("document_series.current"))
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
