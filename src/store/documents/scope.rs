//! Which rows the expressions of a statement are about: a document's own row, and those that its paths lead to.

use chrono_tz::Tz;

use super::{Conn, Statement, dialect, expression_of, table};
use crate::doctype::column::{ChildRows, Missing};
use crate::doctype::{Column, DocType, Filter, Kind, Rows};

/// Where a path leads.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    /// To the document that a Link names.
    Link { link: &'a str, doctype: &'a DocType },
    /// To a child row.
    Rows(&'a ChildRows),
}

impl<'a> Path<'a> {
    pub fn of(column: &'a Column) -> Option<Self> {
        match column {
            Column::Own(_) => None,
            Column::Linked { link, doctype, .. } => Some(Self::Link { link, doctype }),
            Column::Child { rows, .. } => Some(Self::Rows(rows)),
        }
    }

    pub fn doctype(self) -> &'a DocType {
        match self {
            Self::Link { doctype, .. } => doctype,
            Self::Rows(rows) => &rows.doctype,
        }
    }
}

// A Link leads to one doctype only.
impl PartialEq for Path<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Link { link: one, .. }, Self::Link { link: two, .. }) => one == two,
            (Self::Rows(one), Self::Rows(two)) => one == two,
            (Self::Link { .. }, Self::Rows(_)) | (Self::Rows(_), Self::Link { .. }) => false,
        }
    }
}

/// A document's row, called `alias`, and the rows joined to it.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    pub conn: &'a Conn,
    pub doctype: &'a DocType,
    pub alias: String,
    /// The time zone in which times are shown.
    pub zone: Tz,
    pub joins: Vec<(Path<'a>, String)>,
    /// Whether comparisons with its own fields are kept from choosing an index.
    pub without_index: bool,
    /// Whether patterns are so many or so long that the database is to look at the clock between them.
    pub stops_between_patterns: bool,
}

/// A column as SQL.
pub(super) struct Rendered {
    pub sql: String,
    pub kind: Kind,
    /// What makes it sort by code point.
    pub collation: &'static str,
    pub missing: Missing,
}

impl<'a> Scope<'a> {
    pub fn new(conn: &'a Conn, doctype: &'a DocType, alias: String, zone: Tz) -> Self {
        Self { conn, doctype, alias, zone, joins: Vec::new(), without_index: false, stops_between_patterns: false }
    }

    /// A field of the document itself.
    pub fn own(&self, fieldname: &str) -> String {
        expression_of(self.conn, &self.alias, self.doctype, fieldname)
    }

    /// What the rows that a path leads to are called, once they are joined.
    pub fn joined(&self, path: Path<'_>) -> Option<&str> {
        self.joins.iter().find(|(known, _)| *known == path).map(|(_, alias)| alias.as_str())
    }

    /// The child rows that a filter speaks of and that are not joined.
    pub fn unjoined<'f>(&self, filter: &'f Filter) -> Vec<&'f ChildRows> {
        let mut found: Vec<&ChildRows> = Vec::new();
        for column in filter.columns() {
            if let Column::Child { rows, .. } = column
                && self.joined(Path::Rows(rows)).is_none()
                && !found.contains(&rows)
            {
                found.push(rows);
            }
        }
        found
    }

    /// A column as SQL; nothing for a field that is not there.
    pub fn column(&self, column: &Column) -> Option<Rendered> {
        let (field, kind) = column.field(self.doctype)?;
        let of = column.doctype(self.doctype);
        let sql = match column {
            // A name and a unique value are found at once, whatever else is asked.
            Column::Own(_) if self.without_index && field.fieldname != "name" && !field.unique => {
                dialect::without_index(self.conn, self.own(&field.fieldname))
            }
            Column::Own(_) => self.own(&field.fieldname),
            Column::Linked { link, .. } => match self.joined(Path::Link { link, doctype: of }) {
                Some(alias) => expression_of(self.conn, alias, of, &field.fieldname),
                None => {
                    let alias = format!("{}x", self.alias);
                    let shown = expression_of(self.conn, &alias, of, &field.fieldname);
                    format!("(SELECT {shown} FROM {} AS {alias} WHERE {})", table(of), self.links_to(link, of, &alias))
                }
            },
            Column::Child { rows, .. } => expression_of(self.conn, self.joined(Path::Rows(rows))?, of, &field.fieldname),
        };
        Some(Rendered { sql, kind, collation: collation(self.conn, of, kind), missing: column.missing(self.doctype) })
    }

    /// The condition that the row called `alias` is the document that a Link names.
    pub fn links_to(&self, link: &str, doctype: &DocType, alias: &str) -> String {
        let name = expression_of(self.conn, alias, doctype, "name");
        let link = self.own(link);
        if doctype.has_numbers_for_names() {
            format!("{name} = {}", dialect::as_number(self.conn, &link))
        } else {
            format!("{name} = {link}")
        }
    }

    /// Adds the condition that the row called `alias` is one of the document's.
    pub fn push_belongs(&self, statement: &mut Statement, rows: &ChildRows, alias: &str) {
        let parent = expression_of(self.conn, alias, &rows.doctype, "parent");
        statement.sql(&format!("{parent} = {}", self.name_as_text()));
        self.push_table(statement, rows, alias);
    }

    /// Adds ` AND …`, the condition that the row called `alias` is of a table of the doctype.
    pub fn push_table(&self, statement: &mut Statement, rows: &ChildRows, alias: &str) {
        let sql = |fieldname: &str| expression_of(self.conn, alias, &rows.doctype, fieldname);
        statement.sql(&format!(" AND {} = ", sql("parenttype"))).text(&self.doctype.name);
        if let Some(table) = &rows.table {
            statement.sql(&format!(" AND {} = ", sql("parentfield"))).text(table);
        }
    }

    /// The document's name as rows of other tables write it.
    pub fn name_as_text(&self) -> String {
        let name = self.own("name");
        if self.doctype.has_numbers_for_names() { format!("CAST({name} AS TEXT)") } else { name }
    }
}

/// Own tables declare their text columns so; typed tables do not.
fn collation(conn: &Conn, doctype: &DocType, kind: Kind) -> &'static str {
    match (kind, doctype.rows) {
        (Kind::Text { .. }, Rows::Typed) => dialect::by_code_point(conn),
        _ => "",
    }
}
