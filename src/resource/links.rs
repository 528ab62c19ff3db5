//! Links between documents: what a document names must exist, and what is named cannot be deleted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::naming::AMENDED_FROM;
use super::permissions::{self, Action};
use super::searched;
use super::values::same;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::shorten;
use crate::doctype::{DocType, Field, FieldType, Filter, Registry, Rows, Values};
use crate::domain::scope::Access;
use crate::error::AppError;
use crate::store::StoreError;
use crate::store::documents::{self, LinkColumn};

pub(super) use crate::store::documents::Linking;

/// What goes with the document that it is about, and so does not keep it from being deleted: doctype,
/// the field with the other's doctype and the one with its name.
pub(super) const DELETED_WITH: [(&str, &str, &str); 5] = [
    ("ToDo", "reference_type", "reference_name"),
    ("DocShare", "share_doctype", "share_name"),
    ("Version", "ref_doctype", "docname"),
    ("Comment", "reference_doctype", "reference_name"),
    ("Tag Link", "document_type", "document_name"),
];

/// What stays when the document that it is about is deleted, and forgets it.
pub(super) const OUTLIVES: [(&str, &str, &str); 3] = [
    ("Activity Log", "reference_doctype", "reference_name"),
    ("Activity Log", "timeline_doctype", "timeline_name"),
    ("Communication", "reference_doctype", "reference_name"),
];

/// Documents that were found to exist, and whether they are cancelled.
#[derive(Default)]
pub(super) struct Known(HashMap<(String, String), bool>);

impl Known {
    /// Remembers a document.
    pub fn note(&mut self, doctype: &DocType, name: &str, docstatus: i64) {
        self.0.insert((doctype.name.clone(), name.to_owned()), docstatus == 2);
    }

    fn is_cancelled(&self, doctype: &DocType, name: &str) -> Option<bool> {
        self.0.get(&(doctype.name.clone(), name.to_owned())).copied()
    }
}

/// One link of a document that is to be written.
struct Link<'a> {
    field: &'a Field,
    target: Arc<DocType>,
    value: &'a str,
    /// The row it is in, counted from 1.
    row: Option<usize>,
}

impl Link<'_> {
    fn refuse(&self, error: impl FnOnce(String, String) -> AppError) -> AppError {
        let error = error(self.field.label.clone(), shorten(self.value));
        match self.row {
            Some(number) => error.in_row(number),
            None => error,
        }
    }
}

/// Refuses a document that names what does not exist, in the links that it did not have `before`.
/// What is `known` is not asked again; for the rest it is one query.
///
/// # Errors
/// [`AppError::LinkNotFound`]; [`AppError::CancelledLink`] where both can be submitted.
pub(super) fn require_targets(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &DocType,
    before: Option<&Values>,
    values: &Values,
    known: &Known,
) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    let links = collect_all(&registry, doctype, before, values)?;
    let mut by_target: BTreeMap<&str, Vec<&Link>> = BTreeMap::new();
    for link in &links {
        match known.is_cancelled(&link.target, link.value) {
            Some(cancelled) => require_uncancelled(doctype, link, cancelled)?,
            None => by_target.entry(&link.target.name).or_default().push(link),
        }
    }
    for target in by_target.keys() {
        // Whether a name exists is an answer too, so the scope must reach the doctype it is asked about.
        caller.require_doctype_scope(target, Access::Read)?;
    }
    let existing = find_existing(cx, &by_target)?;
    for links in by_target.values() {
        let target = &links[0].target;
        for link in links {
            match existing.is_cancelled(target, link.value) {
                Some(cancelled) => require_uncancelled(doctype, link, cancelled)?,
                None => {
                    // Frappe: rights are asked before links, so what User Permissions exclude is refused alike whether it is there or not.
                    let restricted = link.field.fieldtype == FieldType::Link && !link.field.ignore_user_permissions;
                    if restricted && permissions::restricts(cx, caller, doctype, &target.name)? {
                        return Err(permissions::closed(caller, doctype, None));
                    }
                    return Err(link.refuse(|label, value| AppError::LinkNotFound { label, value }));
                }
            }
        }
    }
    Ok(())
}

fn require_uncancelled(doctype: &DocType, link: &Link<'_>, cancelled: bool) -> Result<(), AppError> {
    if cancelled && doctype.is_submittable && link.target.is_submittable && link.field.fieldname != AMENDED_FROM {
        return Err(link.refuse(|label, value| AppError::CancelledLink { label, value }));
    }
    Ok(())
}

fn find_existing(cx: &mut Cx, by_target: &BTreeMap<&str, Vec<&Link<'_>>>) -> Result<Known, AppError> {
    let mut existing = Known::default();
    let mut asked: Vec<(&DocType, Vec<&str>)> = Vec::with_capacity(by_target.len());
    for links in by_target.values() {
        let target = &*links[0].target;
        if target.is_single {
            // It is there, stored or not.
            existing.note(target, &target.name, 0);
            continue;
        }
        let mut names: Vec<&str> = links.iter().map(|link| link.value).collect();
        names.sort_unstable();
        names.dedup();
        asked.push((target, names));
    }
    for row in documents::list_existing(cx.conn, &asked)? {
        let (place, name, docstatus): (usize, Value, i64) = serde_json::from_str(&row).map_err(StoreError::corrupt)?;
        let (target, _) = asked.get(place).ok_or_else(|| StoreError::corrupt("a place"))?;
        // Names may be numbers.
        let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
        existing.note(target, &name, docstatus);
    }
    Ok(existing)
}

/// Makes sure of a document that is to be named, and that nobody deletes or renames it until the transaction ends.
///
/// # Errors
/// [`AppError::LinkNotFound`] with this label.
pub(super) fn hold(cx: &mut Cx, doctype: &str, name: &str, label: &str) -> Result<(), AppError> {
    if holds(cx, doctype, name)? {
        return Ok(());
    }
    Err(AppError::LinkNotFound { label: label.to_owned(), value: shorten(&name.replace('\0', "")) })
}

/// Whether a document is there, which nobody deletes or renames then until the transaction ends.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn holds(cx: &mut Cx, doctype: &str, name: &str) -> Result<bool, AppError> {
    let registry = cx.env.doctypes();
    let found = match registry.get(doctype).filter(|_| !name.contains('\0')) {
        Some(doctype) => {
            documents::list_linked(cx.conn, doctype, &[("name", "name")], &[name], &Filter::always(), cx.env.config.site.time_zone)?
        }
        None => Vec::new(),
    };
    Ok(!found.is_empty())
}

fn collect_all<'a>(
    registry: &'a Registry,
    doctype: &'a DocType,
    before: Option<&Values>,
    values: &'a Values,
) -> Result<Vec<Link<'a>>, AppError> {
    let mut links = Vec::new();
    collect(registry, doctype, before, values, None, &mut links)?;
    for (fieldname, rows) in values.iter_rows() {
        let Some(child) = doctype.field(fieldname).and_then(|field| registry.get(&field.options)) else { continue };
        let stored = before.and_then(|before| before.rows(fieldname)).unwrap_or_default();
        for (index, row) in rows.iter().enumerate() {
            let old = stored.iter().find(|stored| row.has("name") && stored.get("name") == row.get("name"));
            collect(registry, child, old, row, Some(index + 1), &mut links).map_err(|error| match error {
                error @ AppError::Validation(_) => error.in_row(index + 1),
                other => other,
            })?;
        }
    }
    Ok(links)
}

fn collect<'a>(
    registry: &Registry,
    doctype: &'a DocType,
    before: Option<&Values>,
    values: &'a Values,
    row: Option<usize>,
    links: &mut Vec<Link<'a>>,
) -> Result<(), AppError> {
    let unchanged = |fieldname: &str| before.is_some_and(|before| same(before.get(fieldname), values.get(fieldname)));
    for field in &doctype.fields {
        if !field.fieldtype.is_link() {
            continue;
        }
        let Some(value) = values.text(&field.fieldname) else { continue };
        let target = match field.fieldtype {
            FieldType::Link if unchanged(&field.fieldname) => continue,
            FieldType::DynamicLink if unchanged(&field.fieldname) && unchanged(&field.options) => continue,
            FieldType::Link => field.options.as_str(),
            FieldType::DynamicLink => values.text(&field.options).ok_or_else(|| {
                let label = doctype.field(&field.options).map_or(field.options.as_str(), |field| field.label.as_str());
                AppError::Validation(format!("{label} must be set first"))
            })?,
            _ => continue,
        };
        let missing = || {
            let error = AppError::LinkNotFound { label: field.label.clone(), value: shorten(value) };
            row.map_or_else(|| error.clone(), |number| error.clone().in_row(number))
        };
        if target == "DocType" {
            // Doctypes are known without asking the database.
            if registry.get(value).is_none() {
                return Err(missing());
            }
            continue;
        }
        match registry.get(target) {
            Some(target) => links.push(Link { field, target: Arc::clone(target), value, row }),
            None => return Err(missing()),
        }
    }
    Ok(())
}

/// Refuses to delete (or, of links from submitted documents, to cancel) a document that another one
/// names. Doctypes in `deleted_along` do not count.
///
/// # Errors
/// [`AppError::LinkExists`] naming the first such document, or its doctype alone to who may not read it.
pub(super) fn require_unlinked(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &DocType,
    name: &str,
    deleted_along: &[&str],
    linking: Linking,
) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    let mut columns = Vec::new();
    for by in registry.iter().filter(|by| !deleted_along.contains(&by.name.as_str())) {
        for field in &by.fields {
            let type_field = match field.fieldtype {
                FieldType::Link if field.options == doctype.name => None,
                FieldType::DynamicLink if !is_about(by, field) => Some(field.options.as_str()),
                _ => continue,
            };
            columns.push(LinkColumn { doctype: by, fieldname: &field.fieldname, type_field });
        }
    }
    match documents::find_link(cx.conn, doctype, name, &columns, linking)? {
        None => Ok(()),
        Some((by_doctype, by_name)) => {
            // Frappe: names the document, here: only to who may read it.
            let may_see = match registry.get(&by_doctype) {
                Some(by) => {
                    let rights = permissions::rights(cx, caller, by, Action::Read)?;
                    permissions::holds(cx, by, &by_name, &rights)?
                }
                None => false,
            };
            let by_name = if may_see { by_name } else { String::new() };
            Err(AppError::LinkExists { doctype: doctype.name.clone(), name: name.to_owned(), by_doctype, by_name })
        }
    }
}

/// Whether a field only says which document this one is about.
fn is_about(by: &DocType, field: &Field) -> bool {
    DELETED_WITH.iter().chain(&OUTLIVES).any(|(doctype, _, fieldname)| *doctype == by.name && *fieldname == field.fieldname)
}

/// Deletes what goes with a document that is deleted, and lets the rest forget it. As in Frappe, nobody's rights or hooks
/// are asked.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn forget(cx: &mut Cx, doctype: &DocType, name: &str) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    for (by, type_field, name_field) in DELETED_WITH {
        if let Some(by) = about(&registry, by, type_field, name_field) {
            searched::forget_about(cx, by, (type_field, &doctype.name), (name_field, name))?;
            documents::delete_where(cx.conn, by, &[(name_field, name), (type_field, &doctype.name)])?;
        }
    }
    for (by, type_field, name_field) in OUTLIVES {
        if let Some(by) = about(&registry, by, type_field, name_field) {
            documents::update_where(
                cx.conn,
                by,
                &[(type_field, None), (name_field, None)],
                &[(name_field, name), (type_field, &doctype.name)],
            )?;
        }
    }
    Ok(())
}

/// A doctype with a table of its own that has both fields.
pub(super) fn about<'r>(registry: &'r Registry, by: &str, type_field: &str, name_field: &str) -> Option<&'r Arc<DocType>> {
    let has = |by: &&Arc<DocType>| [type_field, name_field].iter().all(|fieldname| by.field(fieldname).is_some());
    registry.get(by).filter(|by| by.rows == Rows::OwnTable).filter(has)
}
