//! A list that was read and permitted, and that nobody has asked the database for yet.

use serde_json::{Map, Value};

use super::target::{Asking, Seen, Target};
use super::terms::Terms;
use super::{ListParams, Page, cursor};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::{Asker, Subject};
use crate::doctype::{Field, FieldValue, Filter, Term};
use crate::error::AppError;
use crate::store::StoreError;
use crate::store::documents::{self, Grouping, Query, Shown};

/// See the module.
pub struct Prepared {
    target: Target,
    terms: Terms,
    filter: Filter,
    seen: Seen,
}

/// A value of each row.
pub struct PreparedColumn<'a> {
    /// Its key in a row.
    pub key: &'a str,
    pub term: &'a Term,
    /// The field that it shows, or makes one value of many of; `None` where rows are counted.
    pub field: Option<&'a Field>,
    /// The doctype that has the field.
    pub doctype: &'a str,
}

impl Prepared {
    /// Reads what a list asks for, and settles what its caller may see of it.
    ///
    /// # Errors
    /// What the filters, fields, groups and order refuse.
    pub fn read(cx: &mut Cx, caller: &Caller, target: Target, params: &ListParams) -> Result<Self, AppError> {
        let mut asking = Asking::new(cx, caller, &target);
        let mut terms = Terms::read(&mut asking, params)?;
        let filter = read_filter(&mut asking, params)?;
        let seen = asking.settle()?;
        if seen.selected_only && params.order_by.as_deref().is_none_or(|order| order.trim().is_empty()) {
            terms.drop_default_order();
        }
        Ok(Self { target, terms, filter, seen })
    }

    /// The rows that the limits and the cursor choose.
    ///
    /// # Errors
    /// What refuses the cursor; [`AppError`] from the database.
    pub fn page(&self, cx: &mut Cx, params: &ListParams) -> Result<Page, AppError> {
        let turns = params.pages && params.limit.is_some() && self.terms.can_be_continued();
        let after = self.read_cursor(params, turns)?;
        let query = Query {
            fields: &self.terms.fields,
            grouping: self.terms.grouping(),
            order: &self.terms.order,
            // A cursor says where to begin.
            start: if after.is_some() { 0 } else { params.limit_start },
            // One row more tells whether there is another page.
            limit: params.limit.map(|limit| limit.saturating_add(u64::from(params.pages))),
            as_arrays: params.as_arrays,
            with_keys: turns,
            after: after.as_deref(),
            ..nothing_of(cx, &self.target, &self.seen, &self.filter)
        };
        let rows = documents::list_rows(cx.conn, &query)?;
        let keys = self.terms.fields.iter().map(|shown| shown.key.clone()).collect();
        Ok(turn(rows, keys, params, turns.then(|| cursor::signature(&self.target.doctype, &self.terms.order))))
    }

    /// What each row shows: of what was asked for, the fields that the caller may see.
    pub fn columns(&self) -> impl Iterator<Item = PreparedColumn<'_>> {
        let own = &self.target.doctype;
        self.terms.fields.iter().map(move |Shown { key, term, .. }| {
            let column = term.column();
            let field = column.and_then(|column| column.field(own)).map(|(field, _)| field);
            PreparedColumn { key, term, field, doctype: column.map_or(own.name.as_str(), |column| column.doctype(own).name.as_str()) }
        })
    }

    /// Values of all rows together, whatever the limits, by their keys: `total` says which term makes one value of a column.
    ///
    /// # Errors
    /// [`AppError`] from the database.
    pub fn totals(&self, cx: &mut Cx, total: impl Fn(&PreparedColumn<'_>) -> Option<Term>) -> Result<Map<String, Value>, AppError> {
        let asked = self.columns().filter_map(|column| Some((column.key.to_owned(), total(&column)?)));
        let mut fields: Vec<Shown> = asked.map(|(key, term)| Shown { key, term, expanded: Vec::new() }).collect();
        if fields.is_empty() {
            return Ok(Map::new());
        }
        // Each of these makes rows of its own out of a document; no field has a space in its name.
        for (index, term) in self.terms.row_makers().into_iter().enumerate() {
            fields.push(Shown { key: format!("rows {index}"), term, expanded: Vec::new() });
        }
        let query = Query { fields: &fields, grouping: Grouping::Everything, ..nothing_of(cx, &self.target, &self.seen, &self.filter) };
        let rows = documents::list_rows(cx.conn, &query)?;
        let row = rows.first().ok_or_else(|| StoreError::corrupt("totals"))?;
        serde_json::from_str(row).map_err(|error| StoreError::corrupt(error).into())
    }

    fn read_cursor(&self, params: &ListParams, turns: bool) -> Result<Option<Vec<FieldValue>>, AppError> {
        match &params.cursor {
            None => Ok(None),
            Some(_) if !turns => Err(AppError::InvalidData(
                "cursor needs a limit, and an order of the document's own fields without groups; use limit_start".into(),
            )),
            Some(text) => cursor::read(text, &self.target.doctype, &self.terms.order).map(Some),
        }
    }
}

/// A query for all rows that a filter finds, with nothing of them shown.
pub(super) fn nothing_of<'a>(cx: &Cx, target: &'a Target, seen: &'a Seen, filter: &'a Filter) -> Query<'a> {
    Query {
        doctype: &target.doctype,
        fields: &[],
        rights: &seen.rights,
        filter,
        links: &seen.links,
        grouping: Grouping::Nothing,
        order: &[],
        start: 0,
        limit: None,
        zone: cx.env.config.site.time_zone,
        as_arrays: false,
        with_keys: false,
        after: None,
    }
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

/// `filters`, and `or_filters` beside them.
pub(super) fn read_filter(asking: &mut Asking<'_, '_>, params: &ListParams) -> Result<Filter, AppError> {
    let target = asking.target();
    let (zone, now) = asking.site();
    let subject = Subject { registry: &target.registry, doctype: &target.doctype, zone, now };
    let read = |filters: &Option<Value>, parse: fn(&Value, &Subject<'_>, &mut dyn Asker) -> _, asking: &mut Asking<'_, '_>| match filters {
        None => Ok(Filter::always()),
        Some(filters) => parse(filters, &subject, asking),
    };
    let all = read(&params.filters, Filter::parse, asking)?;
    let any = read(&params.or_filters, Filter::parse_any, asking)?;
    Ok(all.and(any))
}
