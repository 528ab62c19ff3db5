//! Fields that are taken over from a document that a Link names (Frappe's `fetch_from`).
//!
//! Frappe: takes over whatever the document has, here: what the caller may read of it, because the answer and every
//! reader of the new document would show it. What they may not read stays as it is stored while the link stays, and is
//! emptied with a new link. What the server writes by itself takes over everything.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::auth::{Caller, Via};
use crate::cx::Cx;
use crate::doctype::validate::{self, read_name};
use crate::doctype::{Column, DocType, Field, FieldType, FieldValue, Filter, Registry, Values};
use crate::domain::scope::Access;
use crate::error::AppError;
use crate::resource::links::Known;
use crate::resource::permissions::{self, Action};
use crate::resource::read::find;
use crate::resource::values::same;
use crate::store::StoreError;
use crate::store::documents::{self, Hold};

/// One field that is to be filled.
struct Want {
    target: Arc<DocType>,
    name: String,
    source: String,
    /// The table field and the row, where it is not the document itself.
    row: Option<(String, usize)>,
    fieldname: String,
    /// What the field keeps if the caller may not read its source; `None` where the link is another than before.
    kept: Option<FieldValue>,
}

/// Fills the fields in: one query for each doctype that is linked to, and one for each right by which the caller reads its
/// fields; where the doctype has hooks, these look at each document besides. Returns which documents were found to exist.
///
/// # Errors
/// [`AppError::InsufficientScope`] for a doctype that the caller's scope does not reach, and whatever does not fit into a field.
pub(super) fn fill(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &DocType,
    before: Option<&Values>,
    values: &mut Values,
) -> Result<Known, AppError> {
    let registry = cx.env.doctypes();
    let wants = wanted(&registry, doctype, before, values);
    let mut known = Known::default();
    if wants.is_empty() {
        return Ok(known);
    }
    let mut by_target: BTreeMap<&str, Vec<&Want>> = BTreeMap::new();
    for want in &wants {
        by_target.entry(&want.target.name).or_default().push(want);
    }
    let mut found = HashMap::new();
    let mut readable = BTreeMap::new();
    for wants in by_target.values() {
        let target = &wants[0].target;
        caller.require_doctype_scope(&target.name, Access::Read)?;
        for document in find_sources(cx, target, wants)? {
            if let Some(name) = read_name(&document) {
                known.note(target, &name, document.get("docstatus").and_then(Value::as_i64).unwrap_or_default());
                found.insert((target.name.as_str(), name), document);
            }
        }
        readable.insert(target.name.as_str(), find_readable(cx, caller, target, wants)?);
    }
    for want in &wants {
        let target = want.target.name.as_str();
        // A document that is not there is refused with the other links.
        let Some(document) = found.get(&(target, want.name.clone())) else { continue };
        let may_read = match readable.get(target).and_then(|fields| fields.get(want.source.as_str())) {
            Some(Readable::All) => true,
            Some(Readable::Only(names)) => names.contains(&want.name),
            None => false,
        };
        let fetched = match &want.kept {
            _ if may_read => read(cx, &registry, doctype, want, document.get(&want.source).unwrap_or(&Value::Null))?,
            Some(kept) => Some(kept.clone()),
            None => read(cx, &registry, doctype, want, &Value::Null)?,
        };
        if let Some(value) = fetched {
            set(values, want, value);
        }
    }
    Ok(known)
}

fn find_sources(cx: &mut Cx, target: &DocType, wants: &[&Want]) -> Result<Vec<Map<String, Value>>, AppError> {
    let names: BTreeSet<&str> = wants.iter().map(|want| want.name.as_str()).collect();
    let sources: BTreeSet<&str> = wants.iter().map(|want| want.source.as_str()).chain(["name", "docstatus"]).collect();
    let fields: Vec<(&str, &str)> = sources.into_iter().map(|source| (source, source)).collect();
    let names: Vec<&str> = names.into_iter().collect();
    list(cx, target, &fields, &names, &Filter::always())
}

fn list(
    cx: &mut Cx,
    target: &DocType,
    fields: &[(&str, &str)],
    names: &[&str],
    filter: &Filter,
) -> Result<Vec<Map<String, Value>>, AppError> {
    let rows = documents::list_linked(cx.conn, target, fields, names, filter, cx.env.config.site.time_zone)?;
    rows.iter().map(|row| serde_json::from_str(row).map_err(|error| StoreError::corrupt(error).into())).collect()
}

/// Of which documents the caller may read a field.
#[derive(Clone)]
enum Readable {
    /// Of all, which is known without asking.
    All,
    Only(BTreeSet<String>),
}

/// Of which documents the caller may read each field that is wanted. A field is missing where its level is not theirs.
fn find_readable<'w>(cx: &mut Cx, caller: &Caller, target: &DocType, wants: &[&'w Want]) -> Result<BTreeMap<&'w str, Readable>, AppError> {
    // The command line, and the server where it acts for a user, have no rights to ask for.
    let is_own = caller.via == Via::CommandLine || caller.is_administrator();
    let names: BTreeSet<&str> = wants.iter().map(|want| want.name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let sources: BTreeSet<&'w str> = wants.iter().map(|want| want.source.as_str()).collect();
    let mut asked: Vec<(Filter, Readable)> = Vec::new();
    let mut readable = BTreeMap::new();
    for source in sources {
        let may_use = |field: &Field| permissions::may_use(caller, target, field, Action::Read);
        if is_own {
            readable.insert(source, Readable::All);
        } else if target.column(source).is_some_and(|(field, _)| may_use(field)) {
            let (rights, action) = permissions::list_rights(cx, caller, target, &[Column::from(source)])?;
            // Most fields are read by the same right.
            let known = asked.iter().find(|(known, _)| *known == rights).map(|(_, readable)| readable.clone());
            let found = match known {
                Some(found) => found,
                None => {
                    let found = read_within(cx, caller, target, &names, &rights, action)?;
                    asked.push((rights, found.clone()));
                    found
                }
            };
            readable.insert(source, found);
        }
    }
    Ok(readable)
}

fn read_within(
    cx: &mut Cx,
    caller: &Caller,
    target: &DocType,
    names: &[&str],
    rights: &Filter,
    action: Action,
) -> Result<Readable, AppError> {
    let has_hooks = !cx.env.hooks.of(&target.name).is_empty();
    if rights.is_always() && !has_hooks {
        return Ok(Readable::All);
    }
    let mut readable = BTreeSet::new();
    for name in list(cx, target, &[("name", "name")], names, rights)?.iter().filter_map(read_name) {
        if has_hooks {
            let document = find(cx, target, &name, Hold::Nothing)?;
            match permissions::ask_hooks(cx, caller, target, action, &document) {
                Ok(()) => {}
                Err(AppError::NotPermitted(_)) => continue,
                Err(other) => return Err(other),
            }
        }
        readable.insert(name);
    }
    Ok(Readable::Only(readable))
}

/// A value as the field of the document, or of its row, takes it; `None` for a field that keeps none.
fn read(cx: &Cx, registry: &Registry, doctype: &DocType, want: &Want, source: &Value) -> Result<Option<FieldValue>, AppError> {
    let zone = cx.env.config.site.time_zone;
    let read = |doctype: &DocType| {
        let Some((field, kind)) = doctype.field(&want.fieldname).and_then(|field| Some((field, field.kind()?))) else { return Ok(None) };
        validate::read_kept(field, kind, source, zone).map(Some)
    };
    let Some((table, index)) = &want.row else { return read(doctype) };
    match doctype.field(table).and_then(|field| registry.get(&field.options)) {
        Some(child) => read(child).map_err(|error| error.in_row(index + 1)),
        None => Ok(None),
    }
}

fn set(values: &mut Values, want: &Want, value: FieldValue) {
    let into = match &want.row {
        None => Some(values),
        Some((table, index)) => values.rows_mut(table).and_then(|rows| rows.get_mut(*index)),
    };
    if let Some(into) = into {
        into.set(&want.fieldname, value);
    }
}

fn wanted(registry: &Registry, doctype: &DocType, before: Option<&Values>, values: &Values) -> Vec<Want> {
    let mut wants = Vec::new();
    collect(registry, doctype, before, values, None, &mut wants);
    for (fieldname, rows) in values.iter_rows() {
        let Some(child) = doctype.field(fieldname).and_then(|field| registry.get(&field.options)) else { continue };
        let stored = before.and_then(|before| before.rows(fieldname)).unwrap_or_default();
        for (index, row) in rows.iter().enumerate() {
            let old = stored.iter().find(|stored| row.has("name") && stored.get("name") == row.get("name"));
            collect(registry, child, old, row, Some((fieldname, index)), &mut wants);
        }
    }
    wants
}

fn collect(
    registry: &Registry,
    doctype: &DocType,
    before: Option<&Values>,
    values: &Values,
    row: Option<(&str, usize)>,
    wants: &mut Vec<Want>,
) {
    for field in &doctype.fields {
        let Some(fetch) = &field.fetch_from else { continue };
        let is_link = |link: &&Field| link.fieldtype == FieldType::Link;
        let Some(link) = doctype.field(&fetch.link).filter(is_link) else { continue };
        let Some(name) = values.text(&fetch.link) else { continue };
        let Some(target) = registry.get(&link.options).filter(|target| target.column(&fetch.source).is_some()) else { continue };
        if fetch.if_empty && values.get(&field.fieldname).is_some_and(|value| !counts_as_empty(value)) {
            continue;
        }
        // Frappe: fetches again at every save, here: when the link or the field changes, because what the caller does
        // not touch needs no scope.
        let unchanged = |fieldname: &str| before.is_some_and(|before| same(before.get(fieldname), values.get(fieldname)));
        if unchanged(&fetch.link) && unchanged(&field.fieldname) {
            continue;
        }
        wants.push(Want {
            target: Arc::clone(target),
            name: name.to_owned(),
            source: fetch.source.clone(),
            row: row.map(|(table, index)| (table.to_owned(), index)),
            fieldname: field.fieldname.clone(),
            kept: before.filter(|_| unchanged(&fetch.link)).map(|before| before.get(&field.fieldname).cloned().unwrap_or(FieldValue::Null)),
        });
    }
}

/// Frappe asks Python, to which 0 is nothing.
fn counts_as_empty(value: &FieldValue) -> bool {
    value.is_empty() || matches!(value, FieldValue::Int(0)) || *value == FieldValue::Float(0.0)
}
