//! Create, update, delete.

use std::time::Duration;

use serde_json::{Map, Value};

use super::permissions::{self, Action};
use super::system::{self, Created, Draft, SystemDoctype};
use super::{Gathered, links, naming, read};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::shorten;
use crate::doctype::validate::{self, Context};
use crate::doctype::{DocType, Rows, Values, value};
use crate::domain::Instant;
use crate::error::AppError;
use crate::store::StoreError;
use crate::store::documents::{self, Taken};

/// Creates a document and returns it as it is stored.
///
/// # Errors
/// As [`super::permit`], and every rule the document breaks.
pub fn create(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &str,
    body: Map<String, Value>,
    gathered: &Gathered,
) -> Result<Map<String, Value>, AppError> {
    let doctype = permissions::permit(cx.env, caller, doctype, None, Action::Create)?;
    let adapter = adapter(&doctype, "creating a document of")?;
    refuse_submit(&body)?;
    let registry = cx.env.doctypes();
    let zone = cx.env.config.site.time_zone;
    let may_write = |field: &_| permissions::may_use(caller, &doctype, field, Action::Create);
    let mut values = validate::read_body(&registry, &doctype, &body, zone, &may_write)?;
    validate::fill_defaults(&doctype, &mut values, Context { user: caller.name(), now: cx.now.naive_utc(), zone })?;
    let name = naming::name_document(&doctype, &body, &values)?;
    let spared = adapter.map_or(&[][..], |adapter| adapter.spares(&values));
    require(&doctype, &name, &values, |missing| !spared.contains(&missing))?;
    links::require_targets(cx, caller, &doctype, &values, &values)?;
    let Created { name, shown_once } = match adapter {
        Some(adapter) => {
            let draft = Draft { caller, doctype: &doctype, name: &name, values: &values, body: &body, gathered, at: cx.now };
            guard(adapter, Some(&draft), caller)?;
            adapter.create(cx, &draft)?
        }
        None => {
            documents::insert_document(cx.conn, &doctype, &name, caller.name(), cx.now, &values)
                .map_err(|error| refusal(&doctype, &name, error))?;
            Created { name, shown_once: Map::new() }
        }
    };
    let document = read::show(cx, caller, &doctype, &name)?;
    Ok(with_shown_once(&doctype, document, shown_once))
}

/// Changes the fields that were sent and returns the whole document.
///
/// # Errors
/// As [`create`]; [`AppError::Stale`] when `modified` was sent and is not the stored one.
pub fn update(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &str,
    name: &str,
    body: Map<String, Value>,
    gathered: &Gathered,
) -> Result<Map<String, Value>, AppError> {
    let doctype = permissions::permit(cx.env, caller, doctype, Some(name), Action::Write)?;
    let adapter = adapter(&doctype, "changing a document of")?;
    refuse_submit(&body)?;
    let name = system::canonical_name(&doctype, name);
    let current = read::find(cx, &doctype, &name, true)?;
    permissions::require_document(caller, &doctype, Action::Write, &current)?;
    // Frappe: the name in the body is looked up, not the one in the path; it is no way to rename.
    if let Some(other) = body.get("name").and_then(Value::as_str).filter(|other| system::canonical_name(&doctype, other) != name) {
        return Err(AppError::not_found(&doctype.name, shorten(&other.replace('\0', ""))));
    }
    let stored = require_current(&body, &current)?;
    let registry = cx.env.doctypes();
    let zone = cx.env.config.site.time_zone;
    let may_write = |field: &_| permissions::may_use(caller, &doctype, field, Action::Write);
    let sent = validate::read_body(&registry, &doctype, &body, zone, &may_write)?;
    let before = stored_values(&doctype, &current, zone)?;
    let changed = changes(&doctype, &before, &sent)?;
    let whole = merge(before, &changed);
    let spared = adapter.map_or(&[][..], |adapter| adapter.spares(&whole));
    require_complete(&doctype, &name, &whole, &changed, spared)?;
    links::require_targets(cx, caller, &doctype, &changed, &whole)?;
    let at = later_than(cx.now, value::to_utc(stored, zone));
    let shown_once = match adapter {
        Some(adapter) => {
            let draft = Draft { caller, doctype: &doctype, name: &name, values: &changed, body: &body, gathered, at };
            guard(adapter, Some(&draft), caller)?;
            adapter.update(cx, &draft, &current)?
        }
        None => {
            let there = documents::update_document(cx.conn, &doctype, &name, caller.name(), at, &changed)
                .map_err(|error| refusal(&doctype, &name, error))?;
            if !there {
                return Err(AppError::not_found(&doctype.name, name.as_ref()));
            }
            Map::new()
        }
    };
    let document = read::show(cx, caller, &doctype, &name)?;
    Ok(with_shown_once(&doctype, document, shown_once))
}

/// Deletes a document to which nothing links.
///
/// # Errors
/// As [`super::permit`]; [`AppError::NotFound`]; [`AppError::LinkExists`].
pub fn delete(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str) -> Result<(), AppError> {
    let doctype = permissions::permit(cx.env, caller, doctype, Some(name), Action::Delete)?;
    let adapter = adapter(&doctype, "deleting a document of")?;
    let name = system::canonical_name(&doctype, name);
    let current = read::find(cx, &doctype, &name, true)?;
    permissions::require_document(caller, &doctype, Action::Delete, &current)?;
    match adapter {
        Some(adapter) => {
            guard(adapter, None, caller)?;
            links::require_unlinked(cx, &doctype, &name, adapter.deleted_along())?;
            adapter.delete(cx, caller, &name)?;
        }
        None => {
            links::require_unlinked(cx, &doctype, &name, &[])?;
            documents::delete_document(cx.conn, &doctype, &name)?;
        }
    }
    system::file::delete_attached(cx, &doctype.name, &name)
}

/// A `docstatus` other than 0 asks for a submit or a cancel; to leave it out silently would look like one.
fn refuse_submit(body: &Map<String, Value>) -> Result<(), AppError> {
    match body.get("docstatus") {
        None | Some(Value::Null | Value::Bool(false)) => Ok(()),
        Some(Value::Number(number)) if number.as_f64() == Some(0.0) => Ok(()),
        Some(Value::String(text)) if matches!(text.trim(), "" | "0") => Ok(()),
        Some(other) => Err(AppError::Unsupported(format!("docstatus {}", shorten(&other.to_string())))),
    }
}

/// The adapter of a doctype over typed tables; none for a doctype with its own table.
fn adapter(doctype: &DocType, what: &str) -> Result<Option<&'static dyn SystemDoctype>, AppError> {
    match (doctype.rows, system::find(&doctype.name)) {
        (Rows::OwnTable, _) => Ok(None),
        (Rows::Typed, Some(adapter)) => Ok(Some(adapter)),
        (Rows::Typed, None) => system::refuse(what, &doctype.name),
    }
}

fn guard(adapter: &dyn SystemDoctype, draft: Option<&Draft<'_>>, caller: &Caller) -> Result<(), AppError> {
    if adapter.guards_credentials(draft) { caller.require_credential_rights() } else { Ok(()) }
}

/// Says which rule a failed insert or update broke.
fn refusal(doctype: &DocType, name: &str, error: StoreError) -> AppError {
    match documents::find_taken(doctype, &error) {
        Some(Taken::Name) => AppError::Duplicate { doctype: doctype.name.clone(), name: name.to_owned() },
        Some(Taken::Field(fieldname)) => {
            let label = doctype.field(&fieldname).map_or(fieldname, |field| field.label.clone());
            AppError::NotUnique { label }
        }
        None => error.into(),
    }
}

/// The stored `modified` in site time, once it is clear that the request knows it, if it names one.
fn require_current(body: &Map<String, Value>, current: &Map<String, Value>) -> Result<chrono::NaiveDateTime, AppError> {
    let text = current.get("modified").and_then(Value::as_str).unwrap_or_default();
    let stored = value::parse_local(text).ok_or_else(|| StoreError::corrupt("modified"))?;
    match body.get("modified") {
        None | Some(Value::Null) => {}
        Some(Value::String(sent)) if sent.trim().is_empty() => {}
        Some(Value::String(sent)) => {
            validate::refuse_nul("modified", sent)?;
            let read = value::parse_local(sent).ok_or_else(|| AppError::InvalidData(format!("modified is no time: {}", shorten(sent))))?;
            if read != stored {
                return Err(AppError::Stale { sent: value::format_local(read), stored: text.to_owned() });
            }
        }
        Some(_) => return Err(AppError::InvalidData("modified must be a text".into())),
    }
    Ok(stored)
}

/// What is stored, in the form in which values are compared.
fn stored_values(doctype: &DocType, current: &Map<String, Value>, zone: chrono_tz::Tz) -> Result<Values, AppError> {
    let mut values = Values::default();
    for field in &doctype.fields {
        if let (Some(kind), Some(stored)) = (field.kind(), current.get(&field.fieldname)) {
            values.set(&field.fieldname, validate::read_value(field, kind, stored, zone)?);
        }
    }
    Ok(values)
}

/// What of the sent values differs from the stored ones.
fn changes(doctype: &DocType, before: &Values, sent: &Values) -> Result<Values, AppError> {
    let mut changed = Values::default();
    for (fieldname, value) in sent.iter() {
        let old = before.get(fieldname);
        let same = old == Some(value) || (value.is_empty() && old.is_some_and(|old| old.is_empty()));
        if same {
            continue;
        }
        let field = doctype.field(fieldname);
        if let Some(field) = field.filter(|field| field.set_only_once && old.is_some_and(|old| !old.is_empty())) {
            return Err(AppError::SetOnce { label: field.label.clone() });
        }
        changed.set(fieldname, value.clone());
    }
    for (fieldname, rows) in sent.iter_rows() {
        changed.set_rows(fieldname, rows.to_vec());
    }
    Ok(changed)
}

fn merge(mut before: Values, changed: &Values) -> Values {
    for (fieldname, value) in changed.iter() {
        before.set(fieldname, value.clone());
    }
    before
}

/// Required fields that are only heard, or are tables that were not sent, are not in the stored document.
fn require_complete(doctype: &DocType, name: &str, whole: &Values, changed: &Values, spared: &[&str]) -> Result<(), AppError> {
    require(doctype, name, whole, |missing| {
        let kept = doctype.field(missing).is_some_and(|field| field.kind().is_some() && !field.write_only);
        !spared.contains(&missing) && (kept || changed.rows(missing).is_some_and(<[Values]>::is_empty))
    })
}

/// Refuses a document that lacks required fields of which `counts` says that they count.
fn require(doctype: &DocType, name: &str, whole: &Values, counts: impl Fn(&str) -> bool) -> Result<(), AppError> {
    match validate::require(doctype, name, whole) {
        Err(AppError::Mandatory { doctype: of, name, mut fields }) => {
            fields.retain(|missing| counts(&missing.fieldname));
            if fields.is_empty() { Ok(()) } else { Err(AppError::Mandatory { doctype: of, name, fields }) }
        }
        other => other,
    }
}

/// `modified` is the token of concurrency, so it grows with every change even when the clock does not.
fn later_than(now: Instant, stored: chrono::NaiveDateTime) -> Instant {
    let stored = Instant::new(stored);
    if now > stored { now } else { stored.plus(Duration::from_micros(1)) }
}

/// Fields that are shown once stand where the definition has them.
fn with_shown_once(doctype: &DocType, mut document: Map<String, Value>, shown_once: Map<String, Value>) -> Map<String, Value> {
    let place = |fieldname: &str| doctype.fields.iter().position(|field| field.fieldname == fieldname);
    for (key, value) in shown_once {
        document.shift_remove(&key);
        let own = place(&key);
        let at = document.keys().position(|other| other == "doctype" || place(other) > own).unwrap_or(document.len());
        document.shift_insert(at, key, value);
    }
    document
}
