//! Fields that are taken over from a document that a Link names (Frappe's `fetch_from`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::validate::{self, read_name};
use crate::doctype::{DocType, Field, FieldType, FieldValue, Filter, Registry, Values};
use crate::domain::scope::Access;
use crate::error::AppError;
use crate::resource::links::Known;
use crate::resource::values::same;
use crate::store::StoreError;
use crate::store::documents;

/// One field that is to be filled.
struct Want {
    target: Arc<DocType>,
    name: String,
    source: String,
    /// The table field and the row, where it is not the document itself.
    row: Option<(String, usize)>,
    fieldname: String,
}

/// Fills the fields in, one query for each doctype that is linked to. Returns which documents were found to exist.
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
    for wants in by_target.values() {
        let target = &wants[0].target;
        caller.require_doctype_scope(&target.name, Access::Read)?;
        for document in find_sources(cx, target, wants)? {
            if let Some(name) = read_name(&document) {
                known.note(target, &name, &document);
                found.insert((target.name.clone(), name), document);
            }
        }
    }
    for want in &wants {
        // A document that is not there is refused with the other links.
        let Some(document) = found.get(&(want.target.name.clone(), want.name.clone())) else { continue };
        set(cx, &registry, doctype, values, want, document.get(&want.source).unwrap_or(&Value::Null))?;
    }
    Ok(known)
}

fn find_sources(cx: &mut Cx, target: &DocType, wants: &[&Want]) -> Result<Vec<Map<String, Value>>, AppError> {
    let names: BTreeSet<&str> = wants.iter().map(|want| want.name.as_str()).collect();
    let sources: BTreeSet<&str> = wants.iter().map(|want| want.source.as_str()).chain(["name", "docstatus"]).collect();
    let fields: Vec<(&str, &str)> = sources.into_iter().map(|source| (source, source)).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let rows = documents::list_linked(cx.conn, target, &fields, &names, &Filter::always(), cx.env.config.site.time_zone)?;
    rows.iter().map(|row| serde_json::from_str(row).map_err(|error| StoreError::corrupt(error).into())).collect()
}

fn set(cx: &Cx, registry: &Registry, doctype: &DocType, values: &mut Values, want: &Want, source: &Value) -> Result<(), AppError> {
    let zone = cx.env.config.site.time_zone;
    let read = |doctype: &DocType| {
        let Some((field, kind)) = doctype.field(&want.fieldname).and_then(|field| Some((field, field.kind()?))) else { return Ok(None) };
        let mut fetched = Values::default();
        fetched.set(&want.fieldname, validate::read_value(field, kind, source, zone)?);
        validate::check_values(doctype, &fetched)?;
        Ok::<_, AppError>(fetched.remove(&want.fieldname))
    };
    let Some((table, index)) = &want.row else {
        if let Some(value) = read(doctype)? {
            values.set(&want.fieldname, value);
        }
        return Ok(());
    };
    let child = doctype.field(table).and_then(|field| registry.get(&field.options));
    if let Some(child) = child
        && let Some(value) = read(child).map_err(|error| error.in_row(index + 1))?
        && let Some(row) = values.rows_mut(table).and_then(|rows| rows.get_mut(*index))
    {
        row.set(&want.fieldname, value);
    }
    Ok(())
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
        });
    }
}

/// Frappe asks Python, to which 0 is nothing.
fn counts_as_empty(value: &FieldValue) -> bool {
    value.is_empty() || matches!(value, FieldValue::Int(0)) || *value == FieldValue::Float(0.0)
}
