//! What full-text search knows of documents, kept in the transaction that writes them.
//!
//! Documents that were there before are looked at in batches ([`look_at_next`]), in the background.
//! Which fields are searched and how is in `doctype::words`; asking is another room, `search`.

use serde_json::{Map, Value};

use crate::cx::Cx;
use crate::doctype::words::{searched_fields, signature, terms_of};
use crate::doctype::{DocType, Filter, Registry};
use crate::error::AppError;
use crate::store::StoreError;
use crate::store::documents::{self, Selection};
use crate::store::search::{self, Age, Progress};

/// Documents that one batch looks at; a writer waits for no more than that.
const BATCH: i64 = 100;

/// Keeps the words of a document that was just written; `before` as it was.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn keep(
    cx: &mut Cx,
    doctype: &DocType,
    name: &str,
    before: Option<&Map<String, Value>>,
    document: &Map<String, Value>,
) -> Result<(), AppError> {
    let fields = searched_fields(doctype);
    let is_same = |before: &Map<String, Value>| fields.iter().all(|field| before.get(&field.fieldname) == document.get(&field.fieldname));
    // Words that stay cost nothing. Where they were not kept yet, the background finds them.
    if fields.is_empty() || before.is_some_and(is_same) {
        return Ok(());
    }
    let age = if before.is_some() { Age::Newest } else { Age::New };
    Ok(search::put_terms(cx.conn, &doctype.name, name, &terms_of(doctype, document), age)?)
}

/// Lets a document be found no more.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn forget(cx: &mut Cx, doctype: &DocType, name: &str) -> Result<(), AppError> {
    if searched_fields(doctype).is_empty() { Ok(()) } else { Ok(search::delete_document(cx.conn, &doctype.name, name)?) }
}

/// Lets the documents be found no more that have these texts in two fields, before they are deleted.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn forget_about(cx: &mut Cx, doctype: &DocType, first: (&str, &str), second: (&str, &str)) -> Result<(), AppError> {
    if searched_fields(doctype).is_empty() {
        return Ok(());
    }
    let filter = Filter::And([first, second].map(|(fieldname, text)| Filter::equals(fieldname, text)).into());
    let zone = cx.env.config.site.time_zone;
    let selection = Selection { doctype, fields: &[("name", "name")], filter: &filter, order: &[], start: 0, limit: None, zone };
    for row in documents::list_documents(cx.conn, &selection)? {
        let document: Map<String, Value> = serde_json::from_str(&row).map_err(StoreError::corrupt)?;
        let name = document.get("name").map(name_text).unwrap_or_default();
        search::delete_document(cx.conn, &doctype.name, &name)?;
    }
    Ok(())
}

/// Has the documents of a doctype looked at anew if this field of some of them was changed past [`keep`].
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn note_changed(cx: &mut Cx, doctype: &DocType, fieldname: &str, changed: usize) -> Result<(), AppError> {
    if changed > 0 && searched_fields(doctype).iter().any(|field| field.fieldname == fieldname) {
        search::delete_progress(cx.conn, &doctype.name)?;
    }
    Ok(())
}

/// The doctypes whose documents are not all looked at, or that are searched no more.
///
/// # Errors
/// [`AppError`] from the database.
pub fn list_unfinished(cx: &mut Cx) -> Result<Vec<String>, AppError> {
    let registry = cx.env.doctypes();
    let known = search::list_progress(cx.conn)?;
    let is_done = |doctype: &DocType, signature: &str| {
        known.iter().any(|progress| progress.doctype == doctype.name && progress.fields == signature && progress.done)
    };
    let unfinished = registry.iter().filter(|doctype| signature(doctype).is_some_and(|signature| !is_done(doctype, &signature)));
    let mut names: Vec<String> = unfinished.map(|doctype| doctype.name.clone()).collect();
    names.extend(known.iter().filter(|progress| !is_searched(&registry, &progress.doctype)).map(|progress| progress.doctype.clone()));
    Ok(names)
}

fn is_searched(registry: &Registry, doctype: &str) -> bool {
    registry.get(doctype).is_some_and(|doctype| signature(doctype).is_some())
}

/// Looks at the next documents of these doctypes, which [`list_unfinished`] named; says whether there are more.
///
/// # Errors
/// [`AppError`] from the database.
pub fn look_at_next(cx: &mut Cx, doctypes: &[String]) -> Result<bool, AppError> {
    let mut left = BATCH;
    for doctype in doctypes {
        let looked_at = look_at(cx, doctype, left)?;
        left -= looked_at.min(left);
        if left == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Looks at up to `limit` documents of a doctype; says at how many.
fn look_at(cx: &mut Cx, doctype: &str, limit: i64) -> Result<i64, AppError> {
    let registry = cx.env.doctypes();
    let found = search::find_progress(cx.conn, doctype)?;
    let Some((doctype, fields)) = registry.get(doctype).and_then(|doctype| Some((doctype, signature(doctype)?))) else {
        let gone = count(search::delete_doctype(cx.conn, doctype, limit)?);
        if gone < limit {
            search::delete_progress(cx.conn, doctype)?;
        }
        return Ok(gone);
    };
    let last_name = match found {
        Some(progress) if progress.fields == fields && progress.done => return Ok(0),
        Some(progress) if progress.fields == fields => progress.last_name,
        Some(_) | None => None,
    };
    let shown: Vec<(&str, &str)> = std::iter::once("name")
        .chain(searched_fields(doctype).into_iter().map(|field| field.fieldname.as_str()))
        .map(|fieldname| (fieldname, fieldname))
        .collect();
    let zone = cx.env.config.site.time_zone;
    let rows = documents::list_next(cx.conn, doctype, &shown, last_name.as_deref(), limit, zone)?;
    let mut names = Vec::with_capacity(rows.len());
    for row in &rows {
        let document: Map<String, Value> = serde_json::from_str(row).map_err(StoreError::corrupt)?;
        let name = document.get("name").map(name_text).unwrap_or_default();
        search::put_terms(cx.conn, &doctype.name, &name, &terms_of(doctype, &document), Age::AsBefore)?;
        names.push(name);
    }
    let done = count(rows.len()) < limit;
    forget_gone(cx, doctype, last_name.as_deref(), &names, done)?;
    let last_name = names.pop().or(last_name);
    search::set_progress(cx.conn, &Progress { doctype: doctype.name.clone(), fields, last_name, done })?;
    Ok(count(rows.len()))
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// Forgets documents that were deleted past [`forget`]: those between the ones that are there.
fn forget_gone(cx: &mut Cx, doctype: &DocType, after: Option<&str>, names: &[String], to_the_end: bool) -> Result<(), AppError> {
    // Names that are numbers are not sorted as texts are.
    if doctype.has_numbers_for_names() {
        return Ok(());
    }
    let up_to = if to_the_end { None } else { names.last().map(String::as_str) };
    for name in search::list_names(cx.conn, &doctype.name, after, up_to)? {
        if !names.contains(&name) {
            search::delete_document(cx.conn, &doctype.name, &name)?;
        }
    }
    Ok(())
}

/// The name of a document as it is kept, be it a number.
fn name_text(name: &Value) -> String {
    name.as_str().map_or_else(|| name.to_string(), str::to_owned)
}
