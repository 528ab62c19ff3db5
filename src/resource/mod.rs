//! Documents: list, read, create, update, delete, count.
//!
//! Every flow asks, in this order: does the doctype exist, does the caller's scope reach it, do
//! the user's roles open it, and only then what the request says. Doctypes with a table of their
//! own are served by `store::documents` alone; those over typed tables are listed and read the
//! same way, and written by their adapter in [`system`].
//!
//! Knows nothing of HTTP: parameters come in as a JSON map, lists go out as JSON text.

mod child;
mod copy;
mod definition;
pub mod doctypes;
mod expand;
mod gather;
pub mod helpdesk;
pub mod hooks;
mod links;
mod list;
mod naming;
mod outline;
mod permissions;
mod read;
mod rename;
pub mod report;
pub mod searched;
mod secrets;
pub mod share;
mod single;
mod suggest;
pub mod system;
#[cfg(test)]
mod tests;
mod tree;
mod values;
mod versions;
mod write;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{DocType, Filter};
use crate::error::AppError;

pub use child::insert_row;
pub use copy::copy;
pub use definition::{definition, definitions};
pub use expand::expand_links;
pub use gather::{Gathered, Needs, needs};
pub use list::{ListParams, Page, count, count_listed, list, list_page};
pub use naming::SentName;
pub use outline::{Outline, outline_of_child, outlines};
pub use permissions::{Action, SiteRights, UserRights, has_permission, permissions_of, permit};
pub use read::{read, require};
pub use rename::rename;
pub use secrets::{open_secret, password};
pub use single::single_value;
pub use suggest::{Suggestion, Typed, suggest};
pub use write::{create, create_named, delete, update};

/// Refuses whoever may do this with no document of a doctype, shares considered.
///
/// # Errors
/// As [`permit`].
pub fn require_open(cx: &mut Cx, caller: &Caller, doctype: &str, action: Action) -> Result<(), AppError> {
    permissions::enter(cx, caller, doctype, None, action).map(drop)
}

/// The name of a document as it is shown, be it a number.
fn name_of(document: &Map<String, Value>) -> String {
    crate::doctype::validate::read_name(document).unwrap_or_default()
}

/// A doctype, and the condition that holds for exactly the documents of it that the caller may read: for flows outside
/// this room that ask the store themselves.
///
/// # Errors
/// [`AppError::NotFound`] for an unknown doctype, [`AppError::InsufficientScope`], [`AppError::NotPermitted`].
pub fn readable(cx: &mut Cx, caller: &Caller, doctype: &str) -> Result<(Arc<DocType>, Filter), AppError> {
    permissions::open(cx, caller, doctype, None, Action::Read)
}

/// Leaves out what is null, as Frappe 15's answers to read, create and update do.
pub fn strip_nulls(document: Map<String, Value>) -> Map<String, Value> {
    document
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| {
            let value = match value {
                Value::Array(rows) => Value::Array(
                    rows.into_iter()
                        .map(|row| match row {
                            Value::Object(row) => Value::Object(strip_nulls(row)),
                            other => other,
                        })
                        .collect(),
                ),
                // A linked document in place of its name.
                Value::Object(linked) => Value::Object(strip_nulls(linked)),
                other => other,
            };
            (key, value)
        })
        .collect()
}
