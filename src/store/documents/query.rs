//! Lists and counts as requests ask for them: paths, aggregates, groups, pages.

use chrono_tz::Tz;

use super::filter::push_condition;
use super::pages::{Stretch, Stretches, push_after};
use super::scope::{Path, Rendered, Scope};
use super::{Conn, Statement, StoreError, dialect, table};
use crate::doctype::column::{Function, Missing};
use crate::doctype::filter::Operation;
use crate::doctype::{Column, DocType, FieldValue, Filter, Kind, Term};

/// Most bytes of the rows of a list that a request asks for.
pub const MAX_LIST: usize = 32 * 1024 * 1024;

/// Patterns of so many bytes together are compared in one go.
const FEW_PATTERNS: usize = 100;
/// So many texts may be as long as they are.
const FEW_TEXTS: usize = 3;

/// What a list is made of.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    pub doctype: &'a DocType,
    pub fields: &'a [Shown],
    /// What the caller may see. It does not choose the child rows that `filter` speaks of.
    pub rights: &'a Filter,
    /// What the caller asked for.
    pub filter: &'a Filter,
    /// For each Link that a path goes through, which documents the caller may see there; none of a Link that is not named.
    pub links: &'a [(String, Filter)],
    pub grouping: Grouping<'a>,
    /// Must leave no two rows equal, or their order is not defined.
    pub order: &'a [Order],
    pub start: u64,
    pub limit: Option<u64>,
    /// The time zone in which times are shown.
    pub zone: Tz,
    /// Lists of values instead of objects.
    pub as_arrays: bool,
    /// Before each row its sort keys as a JSON list, and a line feed.
    pub with_keys: bool,
    /// Only rows behind the one with these sort keys.
    pub after: Option<&'a [FieldValue]>,
}

/// A value of each row.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub key: String,
    pub term: Term,
    /// For a Link: the keys and fields of the object that stands in its place, where the caller may see the document.
    pub expanded: Vec<(String, Column)>,
}

/// Which rows are made one.
#[derive(Clone, Copy, Debug)]
pub enum Grouping<'a> {
    Nothing,
    /// All of them.
    Everything,
    /// Those that are alike in these fields.
    By(&'a [Column]),
}

/// What rows are sorted by.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    pub term: Term,
    pub descending: bool,
}

/// The rows of a list, each as the text of a JSON object or list.
///
/// # Errors
/// [`StoreError::TooLarge`] for more than [`MAX_LIST`].
pub fn list_rows(conn: &mut Conn, query: &Query<'_>) -> Result<Vec<String>, StoreError> {
    let Stretches { first, last } = Stretches::of(query);
    let mut rows = select(conn, query, first).load_within(conn, MAX_LIST)?;
    let left = query.limit.map(|limit| limit.saturating_sub(rows.len() as u64));
    if let Some(last) = last
        && left != Some(0)
    {
        let bytes = MAX_LIST - rows.iter().map(String::len).sum::<usize>();
        rows.extend(select(conn, &Query { limit: left, ..*query }, last).load_within(conn, bytes)?);
    }
    Ok(rows)
}

/// The rows of a list of the server's own, however large.
///
/// # Errors
/// [`StoreError`] from the database.
pub(super) fn list_all_rows(conn: &mut Conn, query: &Query<'_>) -> Result<Vec<String>, StoreError> {
    select(conn, query, Stretch::Whole).load(conn)
}

/// How many documents the filters of a query hold for.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn count_rows(conn: &mut Conn, query: &Query<'_>) -> Result<i64, StoreError> {
    let mut statement = Statement::default();
    statement.sql("SELECT CAST(count(*) AS TEXT) ");
    push_from(&mut statement, &scope_of(conn, query), query, Stretch::Whole);
    let rows = statement.load(conn)?;
    rows.first().and_then(|count| count.parse().ok()).ok_or_else(|| StoreError::corrupt("count"))
}

fn select(conn: &Conn, query: &Query<'_>, stretch: Stretch) -> Statement {
    let scope = scope_of(conn, query);
    let columns: Vec<(&str, String)> =
        query.fields.iter().filter_map(|shown| Some((shown.key.as_str(), show(&scope, query, shown)?))).collect();
    let before: Vec<String> = if query.with_keys {
        let keys = query.order.iter().filter_map(|order| value(&scope, query.grouping, &order.term));
        keys.map(|key| dialect::remembered(conn, key.kind, &key.sql)).collect()
    } else {
        Vec::new()
    };
    let size = size(&scope, query);
    let rows = dialect::Rows { columns: &columns, as_arrays: query.as_arrays, before: &before, size: size.as_deref() };
    let (start, end) = dialect::rows_as_json(conn, rows);
    let mut statement = Statement::default();
    statement.sql(&start);
    push_from(&mut statement, &scope, query, stretch);
    push_group(&mut statement, &scope, query.grouping);
    push_order(&mut statement, &scope, query);
    if query.limit.is_some() || query.start > 0 {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        statement.sql(" LIMIT ").int(query.limit.map_or(i64::MAX, number));
        if query.start > 0 {
            statement.sql(" OFFSET ").int(number(query.start));
        }
    }
    statement.sql(&end);
    statement
}

/// How many bytes the texts of a row have, where they may be so many that it is not put together: one document is
/// bounded when it is written, but a row may show many.
fn size(scope: &Scope<'_>, query: &Query<'_>) -> Option<String> {
    let own = query.fields.iter().filter_map(|shown| value(scope, query.grouping, &shown.term));
    let expanded = query.fields.iter().flat_map(|shown| &shown.expanded).filter_map(|(_, column)| scope.column(column));
    let long = own.chain(expanded).filter(|rendered| matches!(rendered.kind, Kind::Text { limit: None }));
    let long: Vec<String> = long.map(|rendered| rendered.sql).collect();
    (long.len() > FEW_TEXTS).then(|| dialect::size_of(&long))
}

/// The document's row, and a join for each path that is shown, sorted or grouped by, and for each Link of the filter.
fn scope_of<'a>(conn: &'a Conn, query: &'a Query<'_>) -> Scope<'a> {
    let mut scope = Scope::new(conn, query.doctype, "d".to_owned(), query.zone);
    scope.stops_between_patterns = query.filter.pattern_bytes() > FEW_PATTERNS;
    let shown =
        query.fields.iter().flat_map(|shown| shown.term.column().into_iter().chain(shown.expanded.iter().map(|(_, column)| column)));
    let grouped = if let Grouping::By(columns) = query.grouping { columns } else { &[] };
    let all = shown.chain(query.order.iter().filter_map(|order| order.term.column())).chain(grouped).filter_map(Path::of);
    let linked = query.filter.columns().into_iter().filter_map(Path::of).filter(|path| matches!(path, Path::Link { .. }));
    for path in all.chain(linked) {
        if scope.joined(path).is_none() {
            scope.joins.push((path, format!("j{}", scope.joins.len())));
        }
    }
    scope
}

/// `FROM table AS d …joins… WHERE …`.
fn push_from(statement: &mut Statement, scope: &Scope<'_>, query: &Query<'_>, stretch: Stretch) {
    statement.sql("FROM ").sql(&table(scope.doctype)).sql(" AS d");
    for (path, alias) in &scope.joins {
        statement.sql(&format!(" LEFT JOIN {} AS {alias} ON ", table(path.doctype())));
        match path {
            Path::Link { link, doctype } => {
                statement.sql(&scope.links_to(link, doctype, alias));
                let rights = query.links.iter().find(|(known, _)| known == link).map(|(_, rights)| rights);
                let inner = Scope::new(scope.conn, doctype, alias.clone(), scope.zone);
                let nothing = Filter::Or(Vec::new());
                let rights = rights.unwrap_or(&nothing);
                if !rights.is_always() {
                    statement.sql(" AND ");
                    push_condition(statement, &inner, rights);
                }
            }
            Path::Rows(rows) => scope.push_belongs(statement, rows, alias),
        }
    }
    let mut word = " WHERE ";
    // The server's own rules see what the caller may not, so they do not share the caller's joins.
    let bare = Scope { joins: Vec::new(), ..scope.clone() };
    // SQLite takes every equality to find a few rows, and would rather look up a state that half of all documents are
    // in than those of one user (a million documents: seconds instead of microseconds).
    let asked = Scope { without_index: finds_few(query.rights), ..scope.clone() };
    for (scope, filter) in [(&bare, query.rights), (&asked, query.filter)] {
        if !filter.is_always() {
            statement.sql(word);
            push_condition(statement, scope, filter);
            word = " AND ";
        }
    }
    if let Some(keys) = query.after {
        statement.sql(word);
        push_after(statement, scope, query.order, keys, stretch);
    }
}

/// Whether a rule leaves those documents only that name someone or something.
pub(super) fn finds_few(rights: &Filter) -> bool {
    match rights {
        Filter::And(parts) => parts.iter().any(finds_few),
        Filter::Or(parts) => !parts.is_empty() && parts.iter().all(finds_few),
        Filter::Compare { column: Column::Own(_), operation } => {
            matches!(operation, Operation::Equal(FieldValue::Text(_)) | Operation::InSet(_))
        }
        Filter::Compare { .. } => false,
    }
}

/// What a term is in a row of the answer, before it is written as JSON.
pub(super) fn value(scope: &Scope<'_>, grouping: Grouping<'_>, term: &Term) -> Option<Rendered> {
    match term {
        Term::Column(column) => {
            let rendered = scope.column(column)?;
            let single = match grouping {
                Grouping::Nothing => true,
                Grouping::Everything => false,
                Grouping::By(columns) => columns.contains(column),
            };
            Some(if single { rendered } else { least(rendered) })
        }
        Term::Aggregate { function, distinct, column } => {
            let Some(column) = column else {
                return Some(Rendered { sql: "count(*)".to_owned(), kind: Kind::Int, collation: "", missing: Missing::Never });
            };
            let rendered = scope.column(column)?;
            let distinct = if *distinct { "DISTINCT " } else { "" };
            let (sql, kind) = match function {
                Function::Count => (format!("count({distinct}{})", rendered.sql), Kind::Int),
                Function::Sum => (format!("sum({distinct}{})", dialect::float_of(scope.conn, &rendered.sql)), Kind::Float),
                Function::Avg => (format!("avg({distinct}{})", dialect::float_of(scope.conn, &rendered.sql)), Kind::Float),
                Function::Min => return Some(least(rendered)),
                Function::Max => (format!("max({}{})", rendered.sql, rendered.collation), rendered.kind),
            };
            Some(Rendered { sql, kind, collation: rendered.collation, missing: Missing::Counts })
        }
    }
}

/// A field that is neither grouped nor aggregated is the least of its group: the same on both databases.
fn least(rendered: Rendered) -> Rendered {
    Rendered { sql: format!("min({}{})", rendered.sql, rendered.collation), missing: Missing::Counts, ..rendered }
}

fn show(scope: &Scope<'_>, query: &Query<'_>, shown: &Shown) -> Option<String> {
    let rendered = value(scope, query.grouping, &shown.term)?;
    let plain = dialect::shown(scope.conn, rendered.kind, &rendered.sql, scope.zone);
    let Some((_, first)) = shown.expanded.first() else { return Some(plain) };
    // The first is the name, which every document has.
    let present = scope.column(first)?.sql;
    let fields: Vec<(&str, String)> = shown
        .expanded
        .iter()
        .filter_map(|(key, column)| {
            let rendered = scope.column(column)?;
            Some((key.as_str(), dialect::shown(scope.conn, rendered.kind, &rendered.sql, scope.zone)))
        })
        .collect();
    Some(dialect::expanded(scope.conn, &plain, &present, &fields))
}

fn push_group(statement: &mut Statement, scope: &Scope<'_>, grouping: Grouping<'_>) {
    let Grouping::By(columns) = grouping else { return };
    for (index, column) in columns.iter().filter_map(|column| scope.column(column)).enumerate() {
        statement.sql(if index == 0 { " GROUP BY " } else { ", " }).sql(&column.sql);
    }
}

fn push_order(statement: &mut Statement, scope: &Scope<'_>, query: &Query<'_>) {
    let mut word = " ORDER BY ";
    for order in query.order {
        let Some(key) = value(scope, query.grouping, &order.term) else { continue };
        statement.sql(word).sql(&key.sql).sql(key.collation).sql(if order.descending { " DESC" } else { "" });
        if key.missing != Missing::Never {
            statement.sql(dialect::missing_first(scope.conn, order.descending));
        }
        word = ", ";
    }
}
