//! The rows of a document: what goes into the tables of its doctype, of its children and of its secrets.

use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};

use super::body::Secret;
use super::rows;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{DocType, Values};
use crate::domain::Instant;
use crate::error::AppError;
use crate::resource::permissions::{self, Action};
use crate::resource::secrets::purpose;
use crate::resource::{read, searched, values};
use crate::store::StoreError;
use crate::store::document_secrets;
use crate::store::documents::{self, IfTaken, Stamp, Taken};

/// Most bytes of text in a document; a list, and three copies of it in one row, are bounded by about as much.
const MAX_DOCUMENT: usize = 32 * 1024 * 1024;
/// Most rows in all tables of a document.
const MAX_DOCUMENT_ROWS: usize = 10_000;

/// Which document is written, by whom and when.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub caller: &'a Caller,
    pub doctype: &'a DocType,
    pub name: &'a str,
    /// What `modified` becomes.
    pub at: Instant,
}

impl Target<'_> {
    fn stamp(&self) -> Stamp<'_> {
        Stamp { user: self.caller.name(), at: self.at }
    }
}

/// Refuses a document that could not be read again in one piece, or whose rows would keep others from writing.
fn require_bounded(document: &Values) -> Result<(), AppError> {
    if document.size() > MAX_DOCUMENT {
        return Err(AppError::InvalidData(format!("a document has at most {} MB of text, its rows included", MAX_DOCUMENT >> 20)));
    }
    if document.count_rows() > MAX_DOCUMENT_ROWS {
        return Err(AppError::InvalidData(format!("a document has at most {MAX_DOCUMENT_ROWS} rows in all of its tables")));
    }
    Ok(())
}

/// Stores a new document with its rows and secrets, and returns its own fields as they are stored. Nothing is stored, and
/// the answer is `None`, if its name is taken and that is to be skipped.
///
/// # Errors
/// [`AppError::Duplicate`], [`AppError::NotUnique`]; [`AppError::InvalidData`] for one that is too large.
pub(super) fn insert(
    cx: &mut Cx,
    target: Target<'_>,
    document: &mut Values,
    secrets: &mut Vec<Secret>,
    taken: IfTaken,
) -> Result<Option<Map<String, Value>>, AppError> {
    require_bounded(document)?;
    let Target { doctype, name, .. } = target;
    let stored = documents::insert_new(cx.conn, doctype, (name, taken), target.stamp(), document, cx.env.config.site.time_zone);
    let Some(stored) = stored.map_err(|error| refusal(doctype, name, error))? else { return Ok(None) };
    rows::insert(cx, target, document)?;
    keep_secrets(cx, name, secrets)?;
    read::parse(&stored).map(Some)
}

/// Stores what changed of a document.
///
/// # Errors
/// As [`insert`]; [`AppError::NotFound`].
pub(super) fn update(
    cx: &mut Cx,
    target: Target<'_>,
    before: &Values,
    document: &mut Values,
    secrets: &mut Vec<Secret>,
) -> Result<(), AppError> {
    require_bounded(document)?;
    let mut changed = changes(target.doctype, before, document);
    if before.get("docstatus") != document.get("docstatus")
        && let Some(docstatus) = document.get("docstatus")
    {
        changed.set("docstatus", docstatus.clone());
    }
    let there = documents::update_document(cx.conn, target.doctype, target.name, target.stamp(), &changed)
        .map_err(|error| refusal(target.doctype, target.name, error))?;
    if !there {
        return Err(AppError::not_found(&target.doctype.name, target.name));
    }
    rows::replace(cx, target, Some(before), document)?;
    keep_secrets(cx, target.name, secrets)
}

/// Deletes a document with its rows and secrets.
///
/// # Errors
/// [`AppError`] from the database.
pub(in crate::resource) fn delete(cx: &mut Cx, doctype: &DocType, name: &str, document: &Values) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    documents::delete_document(cx.conn, doctype, name)?;
    searched::forget(cx, doctype, name)?;
    if doctype.secrets().next().is_some() {
        document_secrets::delete_secrets(cx.conn, &doctype.name, &[name])?;
    }
    for (fieldname, rows) in document.iter_rows() {
        let Some(child) = doctype.field(fieldname).and_then(|field| registry.get(&field.options)) else { continue };
        let names: Vec<&str> = rows.iter().filter_map(|row| row.text("name")).collect();
        if names.is_empty() {
            continue;
        }
        documents::delete_documents(cx.conn, child, &names)?;
        if child.secrets().next().is_some() {
            document_secrets::delete_secrets(cx.conn, &child.name, &names)?;
        }
    }
    Ok(())
}

fn keep_secrets(cx: &mut Cx, name: &str, secrets: &mut Vec<Secret>) -> Result<(), AppError> {
    for secret in secrets.drain(..) {
        let name = secret.row.as_deref().unwrap_or(name);
        let text = secret.text.expose_secret();
        if text.is_empty() {
            document_secrets::delete_secret(cx.conn, &secret.doctype, name, &secret.fieldname)?;
            continue;
        }
        let sealed = cx.env.seal.seal(&purpose(&secret.doctype, &secret.fieldname), text.as_bytes());
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        document_secrets::put_secret(cx.conn, &secret.doctype, name, &secret.fieldname, &sealed, length)?;
    }
    Ok(())
}

/// Which fields of the doctype are not what they were.
fn changes(doctype: &DocType, before: &Values, document: &Values) -> Values {
    let mut changed = Values::default();
    for field in &doctype.fields {
        let value = document.get(&field.fieldname);
        if let Some(value) = value.filter(|value| !values::same(before.get(&field.fieldname), Some(value))) {
            changed.set(&field.fieldname, value.clone());
        }
    }
    changed
}

/// What of a document is its doctype's fields, rows included: what an adapter stores.
pub(super) fn only_fields(doctype: &DocType, document: &Values) -> Values {
    let mut plain = Values::default();
    for (fieldname, value) in document.iter().filter(|(fieldname, _)| doctype.field(fieldname).is_some()) {
        plain.set(fieldname, value.clone());
    }
    for (fieldname, rows) in document.iter_rows() {
        plain.set_rows(fieldname, rows.to_vec());
    }
    plain
}

/// What an adapter has to change: fields that are not what they were, tables that were sent or that a hook changed.
pub(super) fn changes_for_adapter(target: Target<'_>, body: &Map<String, Value>, before: &Values, document: &Values) -> Values {
    let Target { caller, doctype, .. } = target;
    let sent = |fieldname: &str| {
        body.contains_key(fieldname)
            && doctype.field(fieldname).is_some_and(|field| permissions::may_use(caller, doctype, field, Action::Write))
    };
    let mut changed = changes(doctype, before, document);
    for field in doctype.fields.iter().filter(|field| field.write_only) {
        // Heard only now, so it is no change against anything.
        if let Some(value) = document.get(&field.fieldname) {
            changed.set(&field.fieldname, value.clone());
        }
    }
    for (fieldname, rows) in document.iter_rows() {
        if sent(fieldname) || before.rows(fieldname) != Some(rows) {
            changed.set_rows(fieldname, rows.to_vec());
        }
    }
    changed
}

/// Says which rule a failed insert or update broke.
pub(in crate::resource) fn refusal(doctype: &DocType, name: &str, error: StoreError) -> AppError {
    match documents::find_taken(doctype, &error) {
        Some(Taken::Name) => AppError::Duplicate { doctype: doctype.name.clone(), name: name.to_owned() },
        Some(Taken::Field(fieldname)) => {
            let label = doctype.field(&fieldname).map_or(fieldname, |field| field.label.clone());
            AppError::NotUnique { label }
        }
        None => error.into(),
    }
}
