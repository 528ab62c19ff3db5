//! Lists and counts (`docs/semantics.md`).
//!
//! `params.rs` reads the request, `target.rs` says what the caller may name and see, `terms.rs` what
//! is shown and how it is sorted and grouped, `cursor.rs` where a page ended. One statement of
//! `store::documents` answers.

mod cursor;
mod params;
mod target;
mod terms;

use serde_json::Value;

use self::target::{Asking, Target};
use self::terms::Terms;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::Subject;
use crate::doctype::{FieldValue, Filter};
use crate::error::AppError;
use crate::store::documents::{self, Grouping, Query};

pub use params::ListParams;

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
    let mut asking = Asking::new(cx, caller, &target);
    let mut terms = Terms::read(&mut asking, params)?;
    let filter = read_filter(&mut asking, params)?;
    let seen = asking.settle()?;
    if seen.selected_only && params.order_by.as_deref().is_none_or(|order| order.trim().is_empty()) {
        terms.drop_default_order();
    }
    let turns = params.pages && params.limit.is_some() && terms.can_be_continued();
    let after = read_cursor(params, &target, &terms, turns)?;
    let query = Query {
        doctype: &target.doctype,
        fields: &terms.fields,
        rights: &seen.rights,
        filter: &filter,
        links: &seen.links,
        grouping: terms.grouping(),
        order: &terms.order,
        // A cursor says where to begin.
        start: if after.is_some() { 0 } else { params.limit_start },
        // One row more tells whether there is another page.
        limit: params.limit.map(|limit| limit.saturating_add(u64::from(params.pages))),
        zone: cx.env.config.site.time_zone,
        as_arrays: params.as_arrays,
        with_keys: turns,
        after: after.as_deref(),
    };
    let rows = documents::list_rows(cx.conn, &query)?;
    let keys = terms.fields.iter().map(|shown| shown.key.clone()).collect();
    Ok(turn(rows, keys, params, turns.then(|| cursor::signature(&target.doctype, &terms.order))))
}

/// Cuts what shows that there is a next page.
fn turn(mut rows: Vec<String>, keys: Vec<String>, params: &ListParams, signature: Option<String>) -> Page {
    let shown = params.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let has_next_page = params.pages && rows.len() > shown;
    rows.truncate(shown);
    let Some(signature) = signature else { return Page { rows, keys, has_next_page, next_cursor: None } };
    let mut last = String::new();
    for row in &mut rows {
        // No JSON text has a line feed in it.
        if let Some((before, own)) = row.split_once('\n') {
            (last, *row) = (before.to_owned(), own.to_owned());
        }
    }
    let next_cursor = has_next_page.then(|| cursor::write(&signature, &last));
    Page { rows, keys, has_next_page, next_cursor }
}

fn read_cursor(params: &ListParams, target: &Target, terms: &Terms, turns: bool) -> Result<Option<Vec<FieldValue>>, AppError> {
    match &params.cursor {
        None => Ok(None),
        Some(_) if !turns => Err(AppError::InvalidData(
            "cursor needs a limit, and an order of the document's own fields without groups; use limit_start".into(),
        )),
        Some(text) => cursor::read(text, &target.doctype, &terms.order).map(Some),
    }
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
    let filter = read_filter(&mut asking, params)?;
    let seen = asking.settle()?;
    let query = Query {
        doctype: &target.doctype,
        fields: &[],
        rights: &seen.rights,
        filter: &filter,
        links: &seen.links,
        grouping: Grouping::Nothing,
        order: &[],
        start: 0,
        limit: None,
        zone: cx.env.config.site.time_zone,
        as_arrays: false,
        with_keys: false,
        after: None,
    };
    Ok(documents::count_rows(cx.conn, &query)?)
}

/// `filters`, and `or_filters` beside them.
fn read_filter(asking: &mut Asking<'_, '_>, params: &ListParams) -> Result<Filter, AppError> {
    let target = asking.target();
    let (zone, now) = asking.site();
    let subject = Subject { registry: &target.registry, doctype: &target.doctype, zone, now };
    let read = |filters: &Option<Value>,
                parse: fn(&Value, &Subject<'_>, &mut dyn crate::doctype::filter::Asker) -> _,
                asking: &mut Asking<'_, '_>| match filters {
        None => Ok(Filter::always()),
        Some(filters) => parse(filters, &subject, asking),
    };
    let all = read(&params.filters, Filter::parse, asking)?;
    let any = read(&params.or_filters, Filter::parse_any, asking)?;
    Ok(all.and(any))
}
