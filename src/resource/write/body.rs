//! What was sent, as values: with defaults for a new document, over what is stored for another one.

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::rows;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::validate::{self, Context};
use crate::doctype::{DocType, Rows, Values};
use crate::error::AppError;
use crate::resource::permissions::{self, Action};

/// What was sent for a Password field of a document with a table of its own, or of one of its rows.
pub(super) struct Secret {
    pub doctype: String,
    /// The row's name; `None` for the document itself.
    pub row: Option<String>,
    pub fieldname: String,
    /// Empty to forget it.
    pub text: SecretString,
}

/// A new document.
///
/// # Errors
/// Whatever cannot be read.
pub(super) fn read_new(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &DocType,
    body: &Map<String, Value>,
) -> Result<(Values, Vec<Secret>), AppError> {
    let mut values = read(cx, caller, doctype, body, Action::Create)?;
    validate::fill_defaults(doctype, &mut values, context(cx, caller));
    if doctype.rows == Rows::OwnTable {
        for table in doctype.tables().filter(|table| values.rows(&table.fieldname).is_none()).collect::<Vec<_>>() {
            values.set_rows(&table.fieldname, Vec::new());
        }
    }
    rows::settle(cx, caller, doctype, None, &mut values)?;
    let secrets = read_secrets(cx, caller, doctype, body, &values);
    Ok((values, secrets))
}

/// A stored document as it will be.
///
/// # Errors
/// Whatever cannot be read.
pub(super) fn read_change(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &DocType,
    body: &Map<String, Value>,
    before: &Values,
) -> Result<(Values, Vec<Secret>), AppError> {
    let sent = read(cx, caller, doctype, body, Action::Write)?;
    let mut values = before.clone();
    for (fieldname, value) in sent.iter() {
        values.set(fieldname, value.clone());
    }
    for (fieldname, rows) in sent.iter_rows() {
        values.set_rows(fieldname, rows.to_vec());
    }
    rows::settle(cx, caller, doctype, Some(before), &mut values)?;
    let secrets = read_secrets(cx, caller, doctype, body, &values);
    Ok((values, secrets))
}

/// What fills in defaults.
pub(super) fn context<'a>(cx: &Cx, caller: &'a Caller) -> Context<'a> {
    Context { user: caller.name(), now: cx.now.naive_utc(), zone: cx.env.config.site.time_zone }
}

fn read(cx: &Cx, caller: &Caller, doctype: &DocType, body: &Map<String, Value>, action: Action) -> Result<Values, AppError> {
    let may_write = |field: &_| permissions::may_use(caller, doctype, field, action);
    validate::read_body(&cx.env.doctypes(), doctype, body, cx.env.config.site.time_zone, &may_write)
}

/// Stars stand for the secret that is there already, as Frappe shows it and clients send it back.
fn is_stars(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'*')
}

/// The secrets of a document and of its rows, which have their names by now. Those of typed doctypes
/// are their adapter's.
fn read_secrets(cx: &Cx, caller: &Caller, doctype: &DocType, body: &Map<String, Value>, values: &Values) -> Vec<Secret> {
    let mut secrets = Vec::new();
    if doctype.rows == Rows::Typed {
        return secrets;
    }
    collect(caller, doctype, doctype, body, None, &mut secrets);
    let registry = cx.env.doctypes();
    for (fieldname, rows) in values.iter_rows() {
        let Some(child) = doctype.field(fieldname).and_then(|field| registry.get(&field.options)) else { continue };
        // What is sent for a table that the caller may not write is not heard, and its rows are those that are stored.
        let may_write = doctype.field(fieldname).is_some_and(|table| permissions::may_use(caller, doctype, table, Action::Write));
        if !may_write || child.secrets().next().is_none() {
            continue;
        }
        let parsed: Value;
        let sent = match body.get(fieldname) {
            Some(Value::String(text)) => {
                parsed = serde_json::from_str(text).unwrap_or_default();
                parsed.as_array()
            }
            sent => sent.and_then(Value::as_array),
        };
        for (row, sent) in rows.iter().zip(sent.into_iter().flatten()) {
            if let (Some(name), Some(sent)) = (row.text("name"), sent.as_object()) {
                collect(caller, doctype, child, sent, Some(name), &mut secrets);
            }
        }
    }
    secrets
}

fn collect(caller: &Caller, parent: &DocType, doctype: &DocType, body: &Map<String, Value>, row: Option<&str>, secrets: &mut Vec<Secret>) {
    for field in doctype.secrets().filter(|field| permissions::may_use(caller, parent, field, Action::Write)) {
        let text = match body.get(&field.fieldname) {
            Some(Value::String(text)) if !is_stars(text) => text.as_str(),
            Some(Value::Null) => "",
            _ => continue,
        };
        secrets.push(Secret {
            doctype: doctype.name.clone(),
            row: row.map(str::to_owned),
            fieldname: field.fieldname.clone(),
            text: SecretString::from(text),
        });
    }
}
