//! What a request names in a list: a field of the document, of a document that it links to, or of its child rows.

use std::sync::Arc;

use super::fieldtype::{FieldType, Kind};
use super::meta::{DocType, Field, Rows};
use super::{FieldValue, Registry};
use crate::domain::user::fold_name;

/// A field as a list, a filter or an order names it (`docs/semantics.md`, "Paths").
#[derive(Clone, Debug)]
pub enum Column {
    /// The document's own.
    Own(String),
    /// Of the document that a Link names.
    Linked {
        /// The Link of the document itself.
        link: String,
        doctype: Arc<DocType>,
        fieldname: String,
    },
    /// Of the document's child rows.
    Child { rows: ChildRows, fieldname: String },
}

impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Own(one), Self::Own(two)) => one == two,
            (Self::Linked { link: one, .. }, Self::Linked { link: two, .. }) => one == two && self.fieldname() == other.fieldname(),
            (Self::Child { rows: one, .. }, Self::Child { rows: two, .. }) => one == two && self.fieldname() == other.fieldname(),
            (Self::Own(_) | Self::Linked { .. } | Self::Child { .. }, _) => false,
        }
    }
}

/// The rows of a document that a path speaks of.
#[derive(Clone, Debug)]
pub struct ChildRows {
    pub doctype: Arc<DocType>,
    /// The table field; `None` for all tables of the child doctype.
    pub table: Option<String>,
}

// A doctype is known by its name; there is no need to compare all of its fields.
impl PartialEq for ChildRows {
    fn eq(&self, other: &Self) -> bool {
        self.doctype.name == other.doctype.name && self.table == other.table
    }
}

impl From<&str> for Column {
    fn from(fieldname: &str) -> Self {
        Self::Own(fieldname.to_owned())
    }
}

/// What a row of a list shows, or is sorted by.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    Column(Column),
    Aggregate {
        function: Function,
        /// Of equal values, one.
        distinct: bool,
        /// `None`: of rows, whatever they hold; only to be counted.
        column: Option<Column>,
    },
}

/// What makes one value of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Count,
    Sum,
    Avg,
    Min,
    Max,
}

impl Function {
    /// Reads its name, in any case.
    pub fn read(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "count" => Some(Self::Count),
            "sum" => Some(Self::Sum),
            "avg" => Some(Self::Avg),
            "min" => Some(Self::Min),
            "max" => Some(Self::Max),
            _ => None,
        }
    }

    /// Whether it takes fields of a kind.
    pub fn takes(self, kind: Kind) -> bool {
        match self {
            Self::Count | Self::Min | Self::Max => true,
            Self::Sum | Self::Avg => matches!(kind, Kind::Int | Kind::Float | Kind::Check),
        }
    }
}

impl Term {
    /// The field that it is made of.
    pub fn column(&self) -> Option<&Column> {
        match self {
            Self::Column(column) => Some(column),
            Self::Aggregate { column, .. } => column.as_ref(),
        }
    }

    /// Whether it makes one value of many.
    pub fn is_aggregate(&self) -> bool {
        matches!(self, Self::Aggregate { .. })
    }
}

/// What becomes of a missing value in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// There is none.
    Never,
    /// It counts as '' or 0 (contract 6.1).
    Counts,
    /// It fulfils nothing but `is not set`.
    FulfilsNothing,
}

impl Column {
    /// Reads a name as clients write it: alone, in backticks, behind a table or a field.
    pub fn read(registry: &Registry, doctype: &DocType, text: &str) -> Option<Self> {
        let text = text.trim();
        let own = |fieldname: &str| doctype.column(fieldname).map(|(field, _)| Self::Own(field.fieldname.clone()));
        let Some((place, fieldname)) = text.rsplit_once('.') else { return own(unquoted(text)) };
        let (place, fieldname) = (unquoted(place.trim()), unquoted(fieldname.trim()));
        match place.strip_prefix("tab") {
            Some(name) if name == doctype.name => return own(fieldname),
            Some(name) if doctype.tables().any(|table| table.options == name) => return Self::of_rows(registry, name, None, fieldname),
            Some(_) | None => {}
        }
        if let Some(table) = doctype.field(place).filter(|field| field.is_table()) {
            return Self::of_rows(registry, &table.options, Some(&table.fieldname), fieldname);
        }
        let (link, _) = doctype.column(place).filter(|(field, _)| field.fieldtype == FieldType::Link)?;
        let linked = registry.get(&link.options)?;
        let (field, _) = linked.column(fieldname)?;
        Some(Self::Linked { link: link.fieldname.clone(), doctype: Arc::clone(linked), fieldname: field.fieldname.clone() })
    }

    /// A field of a document's rows; `child` is the name of their doctype.
    pub fn of_rows(registry: &Registry, child: &str, table: Option<&str>, fieldname: &str) -> Option<Self> {
        let child = registry.get(child)?;
        let (field, _) = child.column(fieldname)?;
        let rows = ChildRows { doctype: Arc::clone(child), table: table.map(str::to_owned) };
        Some(Self::Child { rows, fieldname: field.fieldname.clone() })
    }

    /// The doctype that has the field, for a path that starts at `own`.
    pub fn doctype<'a>(&'a self, own: &'a DocType) -> &'a DocType {
        match self {
            Self::Own(_) => own,
            Self::Linked { doctype, .. } => doctype,
            Self::Child { rows, .. } => &rows.doctype,
        }
    }

    /// The last part of the path.
    pub fn fieldname(&self) -> &str {
        match self {
            Self::Own(fieldname) | Self::Linked { fieldname, .. } | Self::Child { fieldname, .. } => fieldname,
        }
    }

    /// The field and how it is typed.
    pub fn field<'a>(&'a self, own: &'a DocType) -> Option<(&'a Field, Kind)> {
        self.doctype(own).column(self.fieldname())
    }

    /// What a missing value means here.
    pub fn missing(&self, own: &DocType) -> Missing {
        let can_be = match (self, self.field(own)) {
            (_, None) => true,
            (Self::Own(_), Some((field, _))) => own.may_be_missing(field),
            (Self::Linked { .. } | Self::Child { .. }, Some(_)) => true,
        };
        match self.fieldname() {
            _ if !can_be => Missing::Never,
            "name" | "creation" | "modified" => Missing::FulfilsNothing,
            _ => Missing::Counts,
        }
    }

    /// Whether its values are e-mail addresses that name users, which are stored in lower case.
    pub fn is_folded(&self, own: &DocType) -> bool {
        let doctype = self.doctype(own);
        match self.fieldname() {
            "name" | "email" if doctype.name == "User" && doctype.rows == Rows::Typed => true,
            _ => self.field(own).is_some_and(|(field, _)| field.fieldtype == FieldType::Link && field.options == "User"),
        }
    }

    /// The doctype whose documents it names: of a Link, or of a document's own name.
    pub fn names<'a>(&'a self, own: &'a DocType) -> Option<&'a str> {
        match self.field(own)?.0 {
            field if field.fieldname == "name" => Some(&self.doctype(own).name),
            field if field.fieldtype == FieldType::Link => Some(&field.options),
            _ => None,
        }
    }

    /// A value as the column stores it.
    pub(super) fn fold(&self, own: &DocType, value: FieldValue) -> FieldValue {
        match value {
            FieldValue::Text(text) if self.is_folded(own) => FieldValue::Text(fold_name(&text)),
            value => value,
        }
    }
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).unwrap_or(text)
}
