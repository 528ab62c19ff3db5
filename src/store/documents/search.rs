//! The documents of one doctype that have certain words and that someone may see.

use chrono_tz::Tz;

use super::filter::push_condition;
use super::query::finds_few;
use super::scope::Scope;
use super::{Conn, Statement, StoreError, dialect, push_name, table};
use crate::doctype::{DocType, Filter};
use crate::store::search::Wanted;

/// Where a search begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With all documents that have the words; there are no more than `limit` of all doctypes.
    AllMatches,
    /// With the newest that have the words and that may be seen.
    NewestMatches,
    /// With those that may be seen, whatever words they have.
    Visible,
}

/// What is looked for in a doctype.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    pub doctype: &'a DocType,
    pub wanted: &'a Wanted,
    /// What the caller may see.
    pub rights: &'a Filter,
    /// What each row shows, one behind the other; last, a number that is the higher, the newer the document is.
    pub fields: &'a [&'a str],
    pub limit: i64,
    pub zone: Tz,
}

/// Whether rights leave so few documents that it is worth to begin with them.
pub fn leaves_few(rights: &Filter) -> bool {
    finds_few(rights)
}

/// The documents found, each as the text of a JSON list.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn search_documents(conn: &mut Conn, search: &Search<'_>, begin: Begin) -> Result<Vec<String>, StoreError> {
    let Search { doctype, wanted, rights, fields, limit, zone } = *search;
    let scope = Scope::new(conn, doctype, "d".to_owned(), zone);
    // The word that stands for the doctype leads past all its documents, so it serves where the others find as many.
    let text = wanted.to_match(conn, (begin == Begin::NewestMatches).then_some(doctype.name.as_str()));
    let name = scope.own("name");
    // Names are numbers in one table and texts in the other.
    let named = if doctype.has_numbers_for_names() { dialect::as_number(conn, "s.name") } else { "s.name".to_owned() };
    let mut statement = Statement::default();
    let (start, end) = {
        let keyed: Vec<(&str, &str)> = fields.iter().map(|field| (*field, *field)).collect();
        let mut columns = super::select::columns(conn, doctype, &keyed, zone);
        columns.push(("id", "s.id".to_owned()));
        dialect::rows_as_json(conn, dialect::Rows { columns: &columns, as_arrays: true, before: &[], size: None })
    };
    let own = table(doctype);
    match (begin, dialect::has_term_table(conn)) {
        (Begin::Visible, _) => {
            statement.sql(&start).sql(&format!("FROM {own} AS d CROSS JOIN search_documents AS s WHERE s.doctype = ")).text(&doctype.name);
            statement.sql(&format!(" AND s.name = {}", scope.name_as_text()));
        }
        (Begin::AllMatches | Begin::NewestMatches, true) => {
            statement.sql(&start);
            statement.sql(&format!(
                "FROM search_terms AS t CROSS JOIN search_documents AS s ON s.id = t.rowid CROSS JOIN {own} AS d ON {name} = {named}"
            ));
            statement.sql(" WHERE s.doctype = ").text(&doctype.name).sql(" AND t.search_terms MATCH ").text(&text);
        }
        (begin, false) => {
            // With every right there is to have, the newest are chosen before their documents are read.
            let first = begin == Begin::AllMatches || rights.is_always();
            let order = if begin == Begin::NewestMatches && first { " ORDER BY id DESC LIMIT " } else { "" };
            statement.sql("WITH m AS MATERIALIZED (SELECT id, doctype, name FROM search_documents WHERE terms @@ CAST(").text(&text);
            statement.sql(" AS tsquery)");
            if !order.is_empty() {
                statement.sql(order).int(limit);
            }
            statement.sql(") ").sql(&start);
            if begin == Begin::AllMatches {
                // Here, because an index of a million names of the doctype would be read beside the one of the few words.
                statement.sql("FROM (SELECT id, name FROM m WHERE doctype = ").text(&doctype.name).sql(" LIMIT ").int(limit).sql(") AS s");
            } else {
                statement.sql("FROM m AS s");
            }
            statement.sql(&format!(" JOIN {own} AS d ON {name} = {named} WHERE TRUE"));
        }
    }
    if !rights.is_always() {
        statement.sql(" AND ");
        push_condition(&mut statement, &scope, rights);
    }
    if begin == Begin::NewestMatches {
        statement.sql(if dialect::has_term_table(conn) { " ORDER BY t.rowid DESC" } else { " ORDER BY s.id DESC" });
        // How many there are of a word decides how they are found best.
        statement.plan_anew();
    }
    statement.sql(" LIMIT ").int(limit).sql(&end);
    statement.load(conn)
}

/// The next documents by name, whoever may see them, each as the text of a JSON object. Nobody changes them until the
/// transaction ends.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_next(
    conn: &mut Conn,
    doctype: &DocType,
    fields: &[(&str, &str)],
    after: Option<&str>,
    limit: i64,
    zone: Tz,
) -> Result<Vec<String>, StoreError> {
    let mut statement = Statement::default();
    let end = super::select::push_select(&mut statement, conn, doctype, fields, zone);
    let name = super::expression(conn, doctype, "name");
    if let Some(after) = after {
        statement.sql(&format!(" WHERE {name} > "));
        push_name(&mut statement, doctype, after);
    }
    statement.sql(&format!(" ORDER BY {name} LIMIT ")).int(limit).sql(dialect::shared(conn)).sql(&end);
    statement.load(conn)
}
