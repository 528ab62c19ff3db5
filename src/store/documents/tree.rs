//! The nested set of a tree: `lft` and `rgt` of its documents, which enclose those of everything beneath.
//!
//! Places count from 1; a document at 0 is not in the tree yet.

use super::{Conn, Statement, StoreError, dialect, push_name, table};
use crate::doctype::DocType;

/// Where a document and all beneath it stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub left: i64,
    pub right: i64,
}

impl Span {
    /// How many places it takes.
    pub fn width(self) -> i64 {
        self.right - self.left + 1
    }

    /// Whether another one is this one or beneath it.
    pub fn holds(self, other: Self) -> bool {
        self.left <= other.left && other.right <= self.right
    }
}

/// Waits until nobody else moves documents of this tree, and keeps them from it until the transaction ends.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn lock_tree(conn: &mut Conn, doctype: &DocType) -> Result<(), StoreError> {
    dialect::lock_tree(conn, &doctype.name)
}

/// Where a document stands; `None` when there is none or it is not in the tree.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_span(conn: &mut Conn, doctype: &DocType, name: &str) -> Result<Option<Span>, StoreError> {
    let mut statement = Statement::default();
    statement.sql("SELECT CAST(d.\"lft\" AS TEXT) || '/' || CAST(d.\"rgt\" AS TEXT) FROM ").sql(&table(doctype));
    statement.sql(" AS d WHERE d.\"lft\" > 0 AND d.\"name\" = ");
    push_name(&mut statement, doctype, name);
    let Some(found) = statement.load(conn)?.into_iter().next() else { return Ok(None) };
    let span = found.split_once('/').and_then(|(left, right)| Some(Span { left: left.parse().ok()?, right: right.parse().ok()? }));
    span.map(Some).ok_or_else(|| StoreError::corrupt("lft and rgt"))
}

/// The last place that is taken.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn last_place(conn: &mut Conn, doctype: &DocType) -> Result<i64, StoreError> {
    let mut statement = Statement::default();
    statement.sql("SELECT CAST(COALESCE(MAX(d.\"rgt\"), 0) AS TEXT) FROM ").sql(&table(doctype)).sql(" AS d");
    statement.load(conn)?.first().and_then(|last| last.parse().ok()).ok_or_else(|| StoreError::corrupt("rgt"))
}

/// Moves everything from a place on by `width`, which may be negative.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn shift(conn: &mut Conn, doctype: &DocType, from: i64, width: i64) -> Result<(), StoreError> {
    let mut statement = Statement::default();
    statement.sql("UPDATE ").sql(&table(doctype)).sql(" SET \"lft\" = CASE WHEN \"lft\" >= ").int(from);
    statement.sql(" THEN \"lft\" + ").int(width).sql(" ELSE \"lft\" END, \"rgt\" = \"rgt\" + ").int(width);
    statement.sql(" WHERE \"rgt\" >= ").int(from);
    statement.execute(conn)?;
    Ok(())
}

/// Takes a document and all beneath it out of the order; [`put_back`] ends that.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn set_aside(conn: &mut Conn, doctype: &DocType, span: Span) -> Result<(), StoreError> {
    let mut statement = Statement::default();
    statement.sql("UPDATE ").sql(&table(doctype)).sql(" SET \"lft\" = -\"lft\", \"rgt\" = -\"rgt\" WHERE \"lft\" >= ").int(span.left);
    statement.sql(" AND \"rgt\" <= ").int(span.right);
    statement.execute(conn)?;
    Ok(())
}

/// Puts what was [`set_aside`] back, `by` places from where it stood.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn put_back(conn: &mut Conn, doctype: &DocType, by: i64) -> Result<(), StoreError> {
    let mut statement = Statement::default();
    statement.sql("UPDATE ").sql(&table(doctype)).sql(" SET \"lft\" = ").int(by).sql(" - \"lft\", \"rgt\" = ").int(by);
    statement.sql(" - \"rgt\" WHERE \"lft\" < 0");
    statement.execute(conn)?;
    Ok(())
}

/// Says where one document stands.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn set_span(conn: &mut Conn, doctype: &DocType, name: &str, span: Span) -> Result<(), StoreError> {
    let mut statement = Statement::default();
    statement.sql("UPDATE ").sql(&table(doctype)).sql(" SET \"lft\" = ").int(span.left).sql(", \"rgt\" = ").int(span.right);
    statement.sql(" WHERE \"name\" = ");
    push_name(&mut statement, doctype, name);
    statement.execute(conn)?;
    Ok(())
}
