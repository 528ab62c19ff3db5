//! Documents of every doctype: lists, single documents, inserts, updates, deletes, links.
//!
//! This room and `ddl/` are the only ones that compose SQL by hand. Identifiers come from the
//! validated definition or from `document_sources`, every value is bound, and each row comes back
//! as the text of a JSON object that the database put together.

mod composed;
mod filter;
mod linked;
mod links;
mod pages;
mod query;
mod scope;
mod search;
mod select;
pub mod tree;
mod write;

use super::dialect;
use super::document_sources::{expression, expression_of, table};
use super::statement::Statement;
use super::{Conn, StoreError, ddl};
use crate::doctype::{DocType, FieldValue, Kind};

pub use super::dialect::Hold;
pub use linked::{list_existing, list_linked};
pub use links::{LinkColumn, Linking, find_link};
pub use query::{Grouping, Order, Query, Shown, count_rows, list_rows};
pub use search::{Begin, Search, leaves_few, list_next, search_documents};
pub use select::{Selection, count_documents, find_document, find_whole, holds, list_distinct, list_documents};
pub use write::{
    IfTaken, Stamp, Taken, delete_document, delete_documents, delete_where, find_taken, insert_document, insert_documents, insert_new,
    touch_rows, update_document, update_where,
};

/// Binds a name as the type that names of the doctype have. A text that is no number names nothing where they are numbers.
fn push_name(statement: &mut Statement, doctype: &DocType, name: &str) {
    if doctype.has_numbers_for_names() {
        statement.bind(Kind::Int, &doctype.number_of_name(name).map_or(FieldValue::Null, FieldValue::Int));
    } else {
        statement.text(name);
    }
}
