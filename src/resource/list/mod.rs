//! Lists and counts (`docs/semantics.md`).
//!
//! `params.rs` reads the request, `target.rs` says what the caller may name and see, `terms.rs` what
//! is shown and how it is sorted and grouped, `cursor.rs` where a page ended. `prepared.rs` puts them
//! together: one statement of `store::documents` answers. A report is such a list too.

mod cursor;
mod params;
mod prepared;
mod target;
mod terms;

use serde_json::Value;

use self::target::Asking;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::error::AppError;
use crate::store::documents;

pub use params::ListParams;
pub(super) use prepared::{Prepared, PreparedColumn};
pub(super) use target::Target;

/// Rows of a list, and what there is to know about them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Each the text of a JSON object, or of a JSON list.
    pub rows: Vec<String>,
    /// The keys of each row in their order.
    pub keys: Vec<String>,
    /// Whether there are further rows; only known where [`ListParams::pages`] asked.
    pub has_next_page: bool,
    /// Where they begin, for [`ListParams::cursor`].
    pub next_cursor: Option<String>,
}

impl Page {
    /// The rows as the text of a JSON array.
    pub fn to_json(&self) -> String {
        let mut text = String::with_capacity(self.rows.iter().map(|row| row.len() + 1).sum::<usize>() + 2);
        text.push('[');
        for (index, row) in self.rows.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(row);
        }
        text.push(']');
        text
    }
}

/// The documents a caller may read, as the text of a JSON array.
///
/// # Errors
/// As [`list_page`].
pub fn list(cx: &mut Cx, caller: &Caller, doctype: &str, params: &ListParams) -> Result<String, AppError> {
    Ok(list_page(cx, caller, doctype, params)?.to_json())
}

/// The documents a caller may read.
///
/// # Errors
/// As [`super::permit`], and what the filters, fields, groups, order and cursor refuse.
pub fn list_page(cx: &mut Cx, caller: &Caller, doctype: &str, params: &ListParams) -> Result<Page, AppError> {
    let target = Target::find(cx, caller, doctype, params.parent.as_deref())?;
    Prepared::read(cx, caller, target, params)?.page(cx, params)
}

/// How many documents a caller may read.
///
/// # Errors
/// As [`list_page`].
pub fn count(cx: &mut Cx, caller: &Caller, doctype: &str, filters: Option<&Value>) -> Result<i64, AppError> {
    let filters = params::read_filters("filters", filters)?;
    count_listed(cx, caller, doctype, &ListParams { filters, ..ListParams::default() })
}

/// How many documents the filters of a list find, whatever its limit and groups; for a child table its `parent` counts too.
///
/// # Errors
/// As [`list_page`].
pub fn count_listed(cx: &mut Cx, caller: &Caller, doctype: &str, params: &ListParams) -> Result<i64, AppError> {
    let target = Target::find(cx, caller, doctype, params.parent.as_deref())?;
    let mut asking = Asking::new(cx, caller, &target);
    let filter = prepared::read_filter(&mut asking, params)?;
    let seen = asking.settle()?;
    let query = prepared::nothing_of(cx, &target, &seen, &filter);
    Ok(documents::count_rows(cx.conn, &query)?)
}
