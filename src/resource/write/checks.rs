//! The rules that a document as a whole must keep: what is required, what is set once, and what a hook set.

use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};

use super::body::Secret;
use crate::cx::Cx;
use crate::doctype::{DocType, Field, Rows, Values, validate};
use crate::error::{AppError, FieldLabel, FieldPlace};
use crate::resource::values::same;

/// Refuses a new document that lacks required fields, or has rows that do. `spared` fields it need not have.
///
/// # Errors
/// [`AppError::Mandatory`] naming all of them.
pub(super) fn require_new(
    cx: &Cx,
    doctype: &DocType,
    name: &str,
    values: &Values,
    secrets: &[Secret],
    spared: &[&str],
) -> Result<(), AppError> {
    require(cx, doctype, name, values, |missing| {
        let sent =
            |secret: &&Secret| secret.row.is_none() && secret.fieldname == missing.fieldname && !secret.text.expose_secret().is_empty();
        let is_sent = doctype.rows == Rows::OwnTable && missing.is_secret() && secrets.iter().any(|secret| sent(&secret));
        !is_sent && !spared.contains(&missing.fieldname.as_str())
    })
}

/// Refuses to leave a document without required fields. Fields that are only heard when it is written are not in it,
/// and a secret is there unless it is taken away now.
///
/// # Errors
/// As [`require_new`].
pub(super) fn require_kept(
    cx: &Cx,
    doctype: &DocType,
    name: &str,
    body: &Map<String, Value>,
    values: &Values,
    secrets: &[Secret],
    spared: &[&str],
) -> Result<(), AppError> {
    require(cx, doctype, name, values, |missing| {
        let forgotten =
            |secret: &Secret| secret.row.is_none() && secret.fieldname == missing.fieldname && secret.text.expose_secret().is_empty();
        let counts = if missing.is_secret() {
            secrets.iter().any(forgotten)
        } else if missing.is_table() && doctype.rows == Rows::Typed {
            body.contains_key(&missing.fieldname)
        } else {
            !missing.write_only
        };
        counts && !spared.contains(&missing.fieldname.as_str())
    })
}

fn require(cx: &Cx, doctype: &DocType, name: &str, values: &Values, counts: impl Fn(&Field) -> bool) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    let mut fields = missing(doctype, values)?;
    fields.retain(|missing| doctype.field(&missing.fieldname).is_some_and(&counts));
    for (fieldname, rows) in values.iter_rows() {
        let Some(child) = doctype.field(fieldname).and_then(|field| registry.get(&field.options)) else { continue };
        for (index, row) in rows.iter().enumerate() {
            let place = FieldPlace::Row { doctype: child.name.clone(), number: index + 1 };
            let in_row =
                missing(child, row)?.into_iter().filter(|missing| child.field(&missing.fieldname).is_some_and(|field| !field.is_secret()));
            fields.extend(in_row.map(|missing| FieldLabel { place: place.clone(), ..missing }));
        }
    }
    if fields.is_empty() { Ok(()) } else { Err(AppError::Mandatory { doctype: doctype.name.clone(), name: name.to_owned(), fields }) }
}

fn missing(doctype: &DocType, values: &Values) -> Result<Vec<FieldLabel>, AppError> {
    match validate::require(doctype, "", values) {
        Ok(()) => Ok(Vec::new()),
        Err(AppError::Mandatory { fields, .. }) => Ok(fields),
        Err(other) => Err(other),
    }
}

/// Refuses to change what was set and is set only once.
///
/// # Errors
/// [`AppError::SetOnce`].
pub(super) fn require_set_once(cx: &Cx, doctype: &DocType, before: &Values, values: &Values) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    for field in doctype.fields.iter().filter(|field| field.set_only_once) {
        let fieldname = &field.fieldname;
        let (old, new) = (before.get(fieldname), values.get(fieldname));
        let changed = match registry.get(&field.options).filter(|_| field.is_table()) {
            None => old.is_some_and(|old| !old.is_empty()) && !same(old, new),
            Some(child) => before.rows(fieldname).is_some_and(|old| !old.is_empty() && !same_rows(child, old, values.rows(fieldname))),
        };
        if changed {
            return Err(AppError::SetOnce { label: field.label.clone() });
        }
    }
    Ok(())
}

fn same_rows(child: &DocType, old: &[Values], new: Option<&[Values]>) -> bool {
    let new = new.unwrap_or_default();
    let same_row = |(old, new): (&Values, &Values)| {
        old.get("name") == new.get("name") && child.fields.iter().all(|field| same(old.get(&field.fieldname), new.get(&field.fieldname)))
    };
    old.len() == new.len() && old.iter().zip(new).all(same_row)
}

/// Checks values as if they had been sent: those of a new document, or those that differ from the stored ones.
///
/// # Errors
/// Whatever the checks of a value refuse.
pub(super) fn check_values(cx: &Cx, doctype: &DocType, before: Option<&Values>, values: &Values) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    validate::check_values(doctype, &differing(before, values))?;
    for (fieldname, rows) in values.iter_rows() {
        let Some(child) = doctype.field(fieldname).and_then(|field| registry.get(&field.options)) else { continue };
        let stored = before.and_then(|before| before.rows(fieldname)).unwrap_or_default();
        for (index, row) in rows.iter().enumerate() {
            let old = stored.iter().find(|stored| row.has("name") && stored.get("name") == row.get("name"));
            validate::check_values(child, &differing(old, row)).map_err(|error| error.in_row(index + 1))?;
        }
    }
    Ok(())
}

fn differing(before: Option<&Values>, values: &Values) -> Values {
    let mut differing = Values::default();
    for (fieldname, value) in values.iter().filter(|(fieldname, value)| !same(before.and_then(|before| before.get(fieldname)), Some(value)))
    {
        differing.set(fieldname, value.clone());
    }
    differing
}
