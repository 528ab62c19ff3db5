//! What a list asks for: a tree of typed comparisons. What each means is in `docs/semantics.md`.
//!
//! Requests are read in `read.rs`; the server's own rules are put together here. To add an operator,
//! add a variant to [`Operation`]; the compiler leads to `store/documents/filter.rs`.

mod read;
#[cfg(test)]
mod tests;
mod timespan;

use std::sync::Arc;

use super::column::Column;
use super::meta::DocType;
use super::value::FieldValue;

pub use read::{Asker, Subject, is_operator};

/// A condition on a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of these; an empty list is true.
    And(Vec<Filter>),
    /// One of these; an empty list is false.
    Or(Vec<Filter>),
    Compare {
        column: Column,
        operation: Operation,
    },
}

/// A comparison with values of the field's own type.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    Equal(FieldValue),
    NotEqual(FieldValue),
    Greater(FieldValue),
    Less(FieldValue),
    GreaterOrEqual(FieldValue),
    LessOrEqual(FieldValue),
    /// `%` and `_` as in SQL, `\` escapes, ASCII letters without regard to case.
    Like(String),
    NotLike(String),
    In(Vec<FieldValue>),
    NotIn(Vec<FieldValue>),
    /// Both ends included.
    Between(FieldValue, FieldValue),
    IsSet,
    IsNotSet,
    /// The field names a document of a set that the database works out.
    InSet(NameSet),
    /// It names none of the set, or nothing at all.
    NotInSet(NameSet),
}

/// Names of documents that only the database knows.
#[derive(Clone, Debug, PartialEq)]
pub enum NameSet {
    /// The documents that a filter holds for.
    Documents { doctype: Arc<DocType>, filter: Box<Filter> },
    /// Nodes of a tree by how they are related to one of them. Nodes that `readable` does not hold for are left out.
    Tree { doctype: Arc<DocType>, node: FieldValue, relation: Relation, readable: Box<Filter> },
    /// What a field holds in the documents that a filter holds for.
    Values { doctype: Arc<DocType>, fieldname: String, filter: Box<Filter> },
    /// The documents of a tree that are beneath one of these, itself not counted.
    Beneath { tree: Arc<DocType>, nodes: Box<NameSet> },
}

impl NameSet {
    /// What a field holds in the documents that a filter holds for.
    pub fn values(doctype: &Arc<DocType>, fieldname: &str, filter: Filter) -> Self {
        Self::Values { doctype: Arc::clone(doctype), fieldname: fieldname.to_owned(), filter: Box::new(filter) }
    }
}

/// How nodes of a tree are related to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Ancestors,
    Descendants,
    /// The node itself too.
    DescendantsAndSelf,
}

impl Filter {
    /// The condition that holds for every document.
    pub fn always() -> Self {
        Self::And(Vec::new())
    }

    /// Whether it is [`Filter::always`].
    pub fn is_always(&self) -> bool {
        matches!(self, Self::And(parts) if parts.is_empty())
    }

    /// The condition that holds for no document.
    pub fn never() -> Self {
        Self::Or(Vec::new())
    }

    /// Whether it is [`Filter::never`].
    pub fn is_never(&self) -> bool {
        matches!(self, Self::Or(parts) if parts.is_empty())
    }

    /// A condition on one field.
    pub fn on(column: impl Into<Column>, operation: Operation) -> Self {
        Self::Compare { column: column.into(), operation }
    }

    /// A field equals a text.
    pub fn equals(fieldname: &str, text: &str) -> Self {
        Self::on(fieldname, Operation::Equal(FieldValue::Text(text.to_owned())))
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (left, right) if left.is_always() => right,
            (left, right) if right.is_always() => left,
            (left, right) if left.is_never() || right.is_never() => Self::never(),
            (Self::And(mut parts), right) => {
                parts.push(right);
                Self::And(parts)
            }
            (left, right) => Self::And(vec![left, right]),
        }
    }

    /// One of them holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (left, right) if left.is_always() || right.is_always() => Self::always(),
            (left, right) if left.is_never() => right,
            (left, right) if right.is_never() => left,
            (Self::Or(mut parts), right) => {
                parts.push(right);
                Self::Or(parts)
            }
            (left, right) => Self::Or(vec![left, right]),
        }
    }

    /// How long its patterns are together.
    pub fn pattern_bytes(&self) -> usize {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::pattern_bytes).sum(),
            Self::Compare { operation: Operation::Like(pattern) | Operation::NotLike(pattern), .. } => pattern.len(),
            Self::Compare { .. } => 0,
        }
    }

    /// Every field that it names, the ones inside of sets left out.
    pub fn columns(&self) -> Vec<&Column> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::columns).collect(),
            Self::Compare { column, .. } => vec![column],
        }
    }
}

/// What a refusal repeats of a request: enough to find it, never a page of it.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(140) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
