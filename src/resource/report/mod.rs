//! Saved reports: documents of the doctype `Report` that say which list to show, and how.
//!
//! A report is an ordinary list (`list::Prepared`), so its caller sees what a list shows them: rows, levels, User
//! Permissions, hooks and scopes count as there. Besides, it takes the rights `report` and, for a file, `export`; the
//! rows are those to which all of these rights hold. `definition.rs` reads what was saved, `columns.rs` says what
//! columns are called and which of them have totals.
//!
//! A column that the caller may not see is left out, as lists do: a report is made once and read by people of
//! different levels. A filter, an order or a group by such a field is refused, because without it the rows would mean
//! something else; so is a linked doctype that the caller may not read.

mod columns;
mod definition;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::list::{ListParams, Page, Prepared, Target};
use super::permissions::{self, Action};
use super::read;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::shorten;
use crate::doctype::{DocType, Filter};
use crate::error::{AppError, Denied};
use crate::store::documents::Hold;
use definition::{Definition, Named};

pub use columns::ReportColumn;

/// The doctype of saved reports.
pub(super) const DOCTYPE: &str = "Report";
/// Rows of one answer, and of one statement of a file; whoever wants more goes on behind them.
const PAGE: u64 = 1_000;
/// Rows of a file that cannot be made page by page, because nothing says where the last one ended.
const MAX_WHOLE: u64 = 10_000;

/// Which report is asked for.
#[derive(Clone, Debug, Default)]
pub struct ReportParams {
    pub name: String,
    /// Values of its filters and further conditions: an object by field, or conditions as lists have them.
    pub filters: Option<Value>,
    /// Rows that are left out.
    pub start: u64,
    /// Rows at most; 0, and more than 1,000, mean 1,000.
    pub limit: u64,
}

/// Some rows of a report, and all columns.
#[derive(Clone, Debug)]
pub struct Report {
    /// Each row an object by the columns' keys; the last one may be the totals, a list.
    pub page: Page,
    pub columns: Vec<ReportColumn>,
    /// Whether its sums are the last row, where it has any rows.
    pub add_total_row: bool,
}

/// Some rows of a report on their way into a file.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// The report's name.
    pub name: String,
    pub columns: Vec<ReportColumn>,
    /// Each row a JSON list of values.
    pub rows: Vec<String>,
    /// Where the rows behind these begin; `None` where there are none.
    pub next: Option<String>,
}

/// Some rows of a report, with the totals of all.
///
/// # Errors
/// [`AppError::NotFound`] for an unknown report, [`AppError::NotPermitted`] and [`AppError::InsufficientScope`] for one that the
/// caller may not read or that is about documents they may not report on, [`AppError::Validation`] for one that is
/// disabled or lacks a filter; what a list refuses.
pub fn run(cx: &mut Cx, caller: &Caller, params: &ReportParams) -> Result<Report, AppError> {
    let (definition, doctype, within) = open(cx, caller, &params.name, &[Action::Report, Action::Read])?;
    let limit = if params.limit == 0 { PAGE } else { params.limit.min(PAGE) };
    let asked = Asked { limit, start: params.start };
    let list = list_params(&definition, &doctype, filled(&definition, params.filters.as_ref())?, &asked);
    let prepared = Prepared::read(cx, caller, Target::within(cx, doctype, within), &list)?;
    let columns = columns::of(&definition, &prepared);
    let mut page = prepared.page(cx, &list)?;
    if definition.add_total_row && !page.rows.is_empty() {
        let totals = prepared.totals(cx, |column| columns::total(column, definition.group.is_some()))?;
        page.rows.push(columns::total_row(&columns, &totals).to_string());
    }
    Ok(Report { page, columns, add_total_row: definition.add_total_row })
}

/// Rows of a report for a file, from its beginning or behind the ones that ended at `after`. The totals are not among them.
///
/// # Errors
/// As [`run`]; [`AppError::Validation`] where it has too many rows and cannot be gone through page by page.
pub fn export(cx: &mut Cx, caller: &Caller, params: &ReportParams, after: Option<&str>) -> Result<Sheet, AppError> {
    let (definition, doctype, within) = open(cx, caller, &params.name, &[Action::Report, Action::Export, Action::Read])?;
    let asked = Asked { limit: PAGE, start: 0 };
    let mut list = list_params(&definition, &doctype, filled(&definition, params.filters.as_ref())?, &asked);
    list.as_arrays = true;
    list.cursor = after.map(str::to_owned);
    if list.order_by.is_none() {
        // What changes while the file is made stays where it is.
        list.order_by = Some(of_the_documents("name asc", &doctype));
    }
    let prepared = Prepared::read(cx, caller, Target::within(cx, doctype, within), &list)?;
    let mut page = prepared.page(cx, &list)?;
    if page.has_next_page && page.next_cursor.is_none() {
        list.limit = Some(MAX_WHOLE);
        page = prepared.page(cx, &list)?;
        if page.has_next_page {
            let text = format!(
                "Report {} has more than {MAX_WHOLE} rows. In groups, or with rows or an order of other documents, it cannot be saved in parts: set a filter",
                definition.name
            );
            return Err(AppError::Validation(text));
        }
    }
    let columns = columns::of(&definition, &prepared);
    Ok(Sheet { name: definition.name, columns, rows: page.rows, next: page.next_cursor })
}

/// Refuses a report that was just saved and that whoever saved it could not run. One that is disabled only has to be readable.
///
/// Fields are looked at as the caller sees the doctype, after their rights to it, so that nobody learns from a refusal
/// more than from a list.
///
/// # Errors
/// As [`run`].
pub(super) fn check(cx: &mut Cx, caller: &Caller, name: &str, was_standard: bool) -> Result<(), AppError> {
    let definition = find(cx, name)?;
    if (definition.is_standard || was_standard) && !caller.is_system_manager() {
        return Err(AppError::Validation("Only a System Manager can save a standard report. Please rename and save.".into()));
    }
    if definition.disabled {
        return Ok(());
    }
    let (doctype, within) = reported(cx, caller, &definition, &[Action::Report, Action::Read])?;
    let conditions = definition.filters.iter().map(|filter| match &filter.default {
        Some(value) => filter.condition(value).unwrap_or_else(|| filter.any()),
        None => filter.any(),
    });
    let conditions = definition.conditions.iter().cloned().chain(conditions).collect();
    let list = list_params(&definition, &doctype, conditions, &Asked { limit: PAGE, start: 0 });
    Prepared::read(cx, caller, Target::within(cx, doctype, within), &list).map(drop)
}

/// A report that the caller may read and run, and the documents that it may be about.
fn open(cx: &mut Cx, caller: &Caller, name: &str, actions: &[Action]) -> Result<(Definition, Arc<DocType>, Filter), AppError> {
    read::require(cx, caller, DOCTYPE, name, Action::Read, Hold::Nothing)?;
    let definition = find(cx, name)?;
    let (doctype, within) = reported(cx, caller, &definition, actions)?;
    if definition.disabled {
        return Err(AppError::Validation(format!("Report {} is disabled", definition.name)));
    }
    if !matches!(definition.report_type.as_str(), "" | "Report Builder") {
        return Err(AppError::Unsupported(format!("running a {}", definition.report_type)));
    }
    Ok((definition, doctype, within))
}

/// A report as it is stored: a filter counts also where its reader may not see it.
fn find(cx: &mut Cx, name: &str) -> Result<Definition, AppError> {
    let registry = cx.env.doctypes();
    let doctype = registry.get(DOCTYPE).ok_or_else(|| AppError::not_found("DocType", DOCTYPE))?;
    Definition::read(&read::whole(cx, doctype, name, Hold::Nothing)?)
}

/// The doctype that a report is about, and the documents of it that the caller may do all of this with.
fn reported(cx: &mut Cx, caller: &Caller, definition: &Definition, actions: &[Action]) -> Result<(Arc<DocType>, Filter), AppError> {
    let name = &definition.ref_doctype;
    let registry = cx.env.doctypes();
    let doctype = registry.get(name).ok_or_else(|| AppError::not_found("DocType", shorten(name)))?;
    if doctype.is_child_table {
        return Err(AppError::Validation(format!("{name} has rows of other documents; make a report of those")));
    }
    let mut within = Filter::always();
    let mut last = None;
    for action in actions {
        let (_, rights) = permissions::open(cx, caller, name, None, *action).map_err(|error| refusal(error, *action, name))?;
        // Most roles open the same documents for each.
        if last.as_ref() != Some(&rights) {
            within = within.and(rights.clone());
            last = Some(rights);
        }
    }
    if doctype.is_single {
        return Err(AppError::Validation(format!("{name} is one document and has no reports")));
    }
    Ok((Arc::clone(doctype), within))
}

/// What Frappe says of these rights.
fn refusal(error: AppError, action: Action, doctype: &str) -> AppError {
    match (error, action) {
        (AppError::NotPermitted(_), Action::Report) => {
            AppError::NotPermitted(Denied::Because(format!("You don't have permission to get a report on: {doctype}")))
        }
        (AppError::NotPermitted(_), Action::Export) => {
            AppError::NotPermitted(Denied::Because(format!("You are not allowed to export {doctype} doctype")))
        }
        (error, _) => error,
    }
}

/// The report's conditions with what a request sets.
///
/// Conditions of its `json` always hold. Each of its own filters has the value that was sent, else its default; a value
/// that says nothing takes the default away. What else was sent narrows the rows further, as in Frappe.
fn filled(definition: &Definition, sent: Option<&Value>) -> Result<Vec<Value>, AppError> {
    let nothing = Map::new();
    let (by_field, further) = match sent.filter(|sent| !definition::is_empty(sent)) {
        None => (&nothing, Vec::new()),
        Some(Value::Object(by_field)) => (by_field, Vec::new()),
        Some(other) => match definition::conditions_of(other) {
            Some(conditions) => (&nothing, conditions),
            None => return Err(AppError::InvalidData("filters must be a JSON object or a list of lists".into())),
        },
    };
    let mut conditions = definition.conditions.clone();
    for filter in &definition.filters {
        let value = by_field.get(&filter.fieldname).or(filter.default.as_ref());
        match value.and_then(|value| filter.condition(value)) {
            Some(condition) => conditions.push(condition),
            None if filter.mandatory => {
                let text = format!("Report {} needs a value for its filter {} ({})", definition.name, filter.label, filter.fieldname);
                return Err(AppError::Validation(text));
            }
            None => {}
        }
    }
    let own = |field: &String| definition.filters.iter().any(|filter| filter.fieldname == *field);
    let others = by_field.iter().filter(|(field, _)| !own(field));
    conditions.extend(others.map(|(field, value)| Value::Object(Map::from_iter([(field.clone(), value.clone())]))));
    conditions.extend(further);
    Ok(conditions)
}

/// Which rows are wanted.
struct Asked {
    limit: u64,
    start: u64,
}

/// The list that a report is.
fn list_params(definition: &Definition, doctype: &DocType, conditions: Vec<Value>, asked: &Asked) -> ListParams {
    let group = definition.group.as_ref();
    let fields = definition.columns_of(doctype).iter().map(|column| Value::String(column.field(group))).collect::<Vec<_>>();
    ListParams {
        fields: Some(fields.into()),
        filters: Some(conditions.into()),
        // Frappe: groups are sorted by what was worked out of them, whatever else is said.
        order_by: group.map_or_else(
            || definition.order_by.as_deref().map(|order| of_the_documents(order, doctype)),
            |group| Some(format!("{} desc", group.expression())),
        ),
        group_by: group.map(|group| group.by.clone()).into_iter().collect(),
        limit_start: asked.start,
        limit: Some(asked.limit),
        pages: true,
        ..ListParams::default()
    }
}

/// An order whose bare names mean fields of the documents, also where a column of another document is called alike: a
/// report has no names of its own for its columns.
fn of_the_documents(order_by: &str, doctype: &DocType) -> String {
    let qualified = |key: &str| {
        let (name, direction) = key.trim().split_once(char::is_whitespace).unwrap_or((key.trim(), ""));
        doctype.column(name).map(|_| format!("`tab{}`.`{name}` {direction}", doctype.name))
    };
    order_by.split(',').map(|key| qualified(key).unwrap_or_else(|| key.to_owned())).collect::<Vec<_>>().join(",")
}

impl Definition {
    /// The columns that it names, else the name and what lists of the doctype show.
    fn columns_of(&self, doctype: &DocType) -> Vec<Named> {
        if !self.columns.is_empty() {
            return self.columns.clone();
        }
        let listed = doctype.columns().filter(|(field, _)| field.in_list_view).map(|(field, _)| field.fieldname.as_str());
        let named = |path: &str| Named { path: path.to_owned(), key: path.to_owned(), ..Named::default() };
        std::iter::once("name").chain(listed).map(named).collect()
    }
}
