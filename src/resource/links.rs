//! Links between documents: what a document names must exist, and what is named cannot be deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::shorten;
use crate::doctype::{DocType, Field, FieldType, Registry, Values};
use crate::domain::scope::Access;
use crate::error::AppError;
use crate::store::documents::{self, LinkColumn};

/// One link of a document that is to be written.
struct Link<'a> {
    field: &'a Field,
    target: Arc<DocType>,
    value: &'a str,
}

/// Refuses a document that names what does not exist. `values` are the fields that change, `whole`
/// the document as it will be. One query per doctype that is linked to.
///
/// # Errors
/// [`AppError::LinkNotFound`].
pub(super) fn require_targets(cx: &mut Cx, caller: &Caller, doctype: &DocType, values: &Values, whole: &Values) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    let mut links = Vec::new();
    collect(&registry, doctype, values, whole, &mut links)?;
    for (fieldname, rows) in values.iter_rows() {
        let Some(child) = doctype.field(fieldname).and_then(|field| registry.get(&field.options)) else { continue };
        for row in rows {
            collect(&registry, child, row, row, &mut links)?;
        }
    }
    let mut by_target: BTreeMap<String, Vec<&Link>> = BTreeMap::new();
    for link in &links {
        by_target.entry(link.target.name.clone()).or_default().push(link);
    }
    for links in by_target.values() {
        // Whether a name exists is an answer too, so the scope must reach the doctype it is asked about.
        caller.require_doctype_scope(&links[0].target.name, Access::Read)?;
        let mut names: Vec<&str> = links.iter().map(|link| link.value).collect();
        names.sort_unstable();
        names.dedup();
        let existing = documents::list_existing(cx.conn, &links[0].target, &names)?;
        if let Some(link) = links.iter().find(|link| !existing.iter().any(|name| name == link.value)) {
            return Err(missing(link.field, link.value));
        }
    }
    Ok(())
}

fn missing(field: &Field, value: &str) -> AppError {
    AppError::LinkNotFound { label: field.label.clone(), value: shorten(value) }
}

fn collect<'a>(
    registry: &Registry,
    doctype: &'a DocType,
    values: &'a Values,
    whole: &'a Values,
    links: &mut Vec<Link<'a>>,
) -> Result<(), AppError> {
    for field in &doctype.fields {
        let Some(value) = values.text(&field.fieldname) else { continue };
        let target = match field.fieldtype {
            FieldType::Link => field.options.as_str(),
            FieldType::DynamicLink => whole.text(&field.options).ok_or_else(|| {
                let label = doctype.field(&field.options).map_or(field.options.as_str(), |field| field.label.as_str());
                AppError::Validation(format!("{label} must be set first"))
            })?,
            _ => continue,
        };
        if target == "DocType" {
            // Doctypes are known without asking the database.
            if registry.get(value).is_none() {
                return Err(missing(field, value));
            }
            continue;
        }
        match registry.get(target) {
            Some(target) => links.push(Link { field, target: Arc::clone(target), value }),
            None => return Err(missing(field, value)),
        }
    }
    Ok(())
}

/// Refuses to delete a document that another one names. Doctypes in `deleted_along` do not count.
///
/// # Errors
/// [`AppError::LinkExists`] naming the first such document.
pub(super) fn require_unlinked(cx: &mut Cx, doctype: &DocType, name: &str, deleted_along: &[&str]) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    let mut columns = Vec::new();
    for by in registry.iter().filter(|by| !deleted_along.contains(&by.name.as_str())) {
        for field in &by.fields {
            let type_field = match field.fieldtype {
                FieldType::Link if field.options == doctype.name => None,
                FieldType::DynamicLink => Some(field.options.as_str()),
                _ => continue,
            };
            columns.push(LinkColumn { doctype: by, fieldname: &field.fieldname, type_field });
        }
    }
    match documents::find_link(cx.conn, doctype, name, &columns)? {
        None => Ok(()),
        Some((by_doctype, by_name)) => {
            Err(AppError::LinkExists { doctype: doctype.name.clone(), name: name.to_owned(), by_doctype, by_name })
        }
    }
}
