//! Documents of every doctype: lists, single documents, inserts, updates, deletes, links.
//!
//! This room and `ddl.rs` are the only ones that compose SQL by hand. Identifiers come from the
//! validated definition or from `document_sources`, every value is bound, and each row comes back
//! as the text of a JSON object that the database put together.

mod filter;
mod links;
mod select;
mod write;

use super::dialect;
use super::document_sources::{expression, table};
use super::statement::Statement;
use super::{Conn, StoreError, ddl};

pub use links::{LinkColumn, find_link};
pub use select::{Selection, count_documents, find_document, list_documents, list_existing};
pub use write::{Taken, delete_document, find_taken, insert_document, update_document};
