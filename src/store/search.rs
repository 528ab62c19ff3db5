//! Which documents a search finds by which words, and how far that is worked out.
//!
//! A document's words are kept in the transaction that writes it; documents that were there before,
//! or whose doctype is searched differently now, are looked at in the background ([`Progress`]).
//! SQLite keeps words in an FTS5 table of its own, Postgres in a column: `dialect::has_term_table`.

use diesel::prelude::*;

use super::schema::{search_documents, search_progress};
use super::statement::Statement;
use super::{Conn, StoreError, dialect};
use crate::doctype::words::doctype_term;

/// What a search looks for. Only folded words get here, so nothing of them is syntax.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// All of them must be there.
    pub words: Vec<String>,
    /// A word must begin with it.
    pub beginning: Option<String>,
}

impl Wanted {
    /// As the database writes it, of one doctype or of all.
    pub(super) fn to_match(&self, conn: &Conn, doctype: Option<&str>) -> String {
        let mut words: Vec<String> = self.words.clone();
        words.extend(doctype.map(doctype_term));
        dialect::match_text(conn, &words, self.beginning.as_deref())
    }
}

/// How new a document counts as whose words are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// It is new, so most likely nothing is kept of it.
    New,
    /// It was just written: the newest of all.
    Newest,
    /// It was there before; where its words were kept already, it stays as new as it was.
    AsBefore,
}

/// Keeps the words of a document.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn put_terms(conn: &mut Conn, doctype: &str, name: &str, terms: &str, age: Age) -> Result<(), StoreError> {
    if !dialect::has_term_table(conn) {
        let mut statement = Statement::default();
        statement.sql("INSERT INTO search_documents (doctype, name, terms) VALUES (").text(doctype).sql(", ").text(name);
        statement.sql(", array_to_tsvector(string_to_array(").text(terms).sql(", ' '))) ON CONFLICT (doctype, name) DO UPDATE SET ");
        statement.sql(match age {
            Age::New | Age::Newest => "id = EXCLUDED.id, terms = EXCLUDED.terms",
            Age::AsBefore => "terms = EXCLUDED.terms",
        });
        statement.execute(conn)?;
        return Ok(());
    }
    let known = match age {
        Age::New => None,
        Age::Newest => {
            delete_document(conn, doctype, name)?;
            None
        }
        Age::AsBefore => {
            let mut statement = Statement::default();
            statement.sql("SELECT CAST(id AS TEXT) FROM search_documents WHERE doctype = ").text(doctype).sql(" AND name = ").text(name);
            statement.load(conn)?.pop()
        }
    };
    let mut statement = Statement::default();
    if let Some(id) = known {
        statement.sql("UPDATE search_terms SET terms = ").text(terms).sql(" WHERE rowid = ").int(id.parse().map_err(StoreError::corrupt)?);
        statement.execute(conn)?;
        return Ok(());
    }
    statement.sql("INSERT INTO search_documents (doctype, name) VALUES (").text(doctype).sql(", ").text(name);
    statement.sql(") ON CONFLICT DO NOTHING");
    if statement.execute(conn)? == 0 {
        // One of that name was deleted past `delete_document`.
        return put_terms(conn, doctype, name, terms, Age::Newest);
    }
    let mut statement = Statement::default();
    statement.sql("INSERT INTO search_terms (rowid, terms) VALUES (last_insert_rowid(), ").text(terms).sql(")");
    statement.execute(conn)?;
    Ok(())
}

/// Lets a document be found no more.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn delete_document(conn: &mut Conn, doctype: &str, name: &str) -> Result<(), StoreError> {
    let mut statement = Statement::default();
    statement.sql("DELETE FROM search_documents WHERE doctype = ").text(doctype).sql(" AND name = ").text(name);
    statement.sql(" RETURNING CAST(id AS TEXT)");
    let ids = statement.load(conn)?;
    delete_terms(conn, &ids)
}

/// Lets up to `limit` documents of a doctype be found no more; returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn delete_doctype(conn: &mut Conn, doctype: &str, limit: i64) -> Result<usize, StoreError> {
    let mut statement = Statement::default();
    statement.sql("DELETE FROM search_documents WHERE id IN (SELECT id FROM search_documents WHERE doctype = ").text(doctype);
    statement.sql(" LIMIT ").int(limit).sql(") RETURNING CAST(id AS TEXT)");
    let ids = statement.load(conn)?;
    delete_terms(conn, &ids)?;
    Ok(ids.len())
}

fn delete_terms(conn: &mut Conn, ids: &[String]) -> Result<(), StoreError> {
    if !dialect::has_term_table(conn) {
        return Ok(());
    }
    for id in ids {
        let mut statement = Statement::default();
        statement.sql("DELETE FROM search_terms WHERE rowid = ").int(id.parse().map_err(StoreError::corrupt)?);
        statement.execute(conn)?;
    }
    Ok(())
}

/// The names between two of a doctype's that can be found; `after` is not among them, `up_to` is.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_names(conn: &mut Conn, doctype: &str, after: Option<&str>, up_to: Option<&str>) -> Result<Vec<String>, StoreError> {
    let mut query = search_documents::table.filter(search_documents::doctype.eq(doctype)).select(search_documents::name).into_boxed();
    if let Some(after) = after {
        query = query.filter(search_documents::name.gt(after));
    }
    if let Some(up_to) = up_to {
        query = query.filter(search_documents::name.le(up_to));
    }
    Ok(query.load(conn)?)
}

/// How many documents have the words, up to `limit`.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn count_matches(conn: &mut Conn, wanted: &Wanted, limit: i64) -> Result<i64, StoreError> {
    let mut statement = matches_of(conn, wanted, None);
    statement.sql(" SELECT CAST(count(*) AS TEXT) FROM (SELECT 1 FROM m LIMIT ").int(limit).sql(") AS found");
    statement.load(conn)?.first().and_then(|count| count.parse().ok()).ok_or_else(|| StoreError::corrupt("count"))
}

/// Of which doctypes the documents are that have the words. They must be few: all of them are looked at.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_matched_doctypes(conn: &mut Conn, wanted: &Wanted) -> Result<Vec<String>, StoreError> {
    let mut statement = matches_of(conn, wanted, Some("doctype"));
    statement.sql(" SELECT DISTINCT doctype FROM m ORDER BY doctype");
    statement.load(conn)
}

/// `WITH m AS (…)`: a row for each document that has the words, with this column if one is wanted.
fn matches_of(conn: &Conn, wanted: &Wanted, column: Option<&str>) -> Statement {
    let text = wanted.to_match(conn, None);
    let mut statement = Statement::default();
    match (dialect::has_term_table(conn), column) {
        // Without looking at the documents.
        (true, None) => {
            statement.sql("WITH m AS (SELECT 1 FROM search_terms WHERE search_terms MATCH ").text(&text).sql(")");
        }
        (true, Some(column)) => {
            statement
                .sql(&format!("WITH m AS (SELECT s.{column} FROM search_terms AS t CROSS JOIN search_documents AS s ON s.id = t.rowid"));
            statement.sql(" WHERE t.search_terms MATCH ").text(&text).sql(")");
        }
        // Planned as if all were wanted, for else a few rows are looked for where there are none; read only as far as needed.
        (false, column) => {
            let column = column.unwrap_or("1");
            statement.sql(&format!("WITH m AS MATERIALIZED (SELECT {column} FROM search_documents WHERE terms @@ CAST(")).text(&text);
            statement.sql(" AS tsquery))");
        }
    }
    statement
}

/// The doctypes of which there are any documents to be found.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_doctypes(conn: &mut Conn) -> Result<Vec<String>, StoreError> {
    // One step in the index for each, instead of a million rows.
    let statement = Statement::fixed(
        "WITH RECURSIVE known(doctype) AS (SELECT min(doctype) FROM search_documents UNION ALL \
         SELECT (SELECT min(s.doctype) FROM search_documents AS s WHERE s.doctype > known.doctype) FROM known WHERE known.doctype IS NOT NULL) \
         SELECT doctype FROM known WHERE doctype IS NOT NULL",
    );
    statement.load(conn)
}

/// How far the documents of a doctype are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Progress {
    pub doctype: String,
    /// Which fields are searched, as `doctype::words::signature` says it.
    pub fields: String,
    /// Where it goes on; `None` before the first document.
    pub last_name: Option<String>,
    pub done: bool,
}

/// How far all doctypes are.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_progress(conn: &mut Conn) -> Result<Vec<Progress>, StoreError> {
    Ok(search_progress::table.order(search_progress::doctype).load(conn)?)
}

/// How far a doctype is; others wait who ask this too, until the transaction ends.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_progress(conn: &mut Conn, doctype: &str) -> Result<Option<Progress>, StoreError> {
    dialect::lock_word(conn, &format!("search {doctype}"))?;
    Ok(search_progress::table.find(doctype).get_result(conn).optional()?)
}

/// Remembers how far a doctype is.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn set_progress(conn: &mut Conn, progress: &Progress) -> Result<(), StoreError> {
    let values = (
        search_progress::fields.eq(&progress.fields),
        search_progress::last_name.eq(&progress.last_name),
        search_progress::done.eq(progress.done),
    );
    if diesel::update(search_progress::table.find(&progress.doctype)).set(values).execute(conn)? == 0 {
        diesel::insert_into(search_progress::table).values((search_progress::doctype.eq(&progress.doctype), values)).execute(conn)?;
    }
    Ok(())
}

/// Has all documents of a doctype looked at anew, in the background.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn delete_progress(conn: &mut Conn, doctype: &str) -> Result<(), StoreError> {
    diesel::delete(search_progress::table.find(doctype)).execute(conn)?;
    Ok(())
}
