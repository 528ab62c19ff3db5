//! How documents get into the database: one pipeline for those that are new and those that change,
//! submitting and cancelling among it.
//!
//! In order: what was sent (`body.rs`), defaults, what is taken over from linked documents
//! (`fetch.rs`), hooks, the name, hooks, the rules (`checks.rs`, `docstatus.rs`, `links.rs`), the rows
//! (`store.rs`, `rows.rs`), the tree, the rights on what is stored now, the version, hooks, the answer.
//! Doctypes over typed tables go the same way; their adapter stores them.

mod body;
mod checks;
mod docstatus;
mod fetch;
mod rows;
mod store;

use std::time::Duration;

use serde_json::{Map, Value};

use super::hooks::{Change, Written, assign};
use super::naming::SentName;
use super::permissions::{self, Action};
use super::system::{self, Created, Draft, SystemDoctype};
use super::{Gathered, child, links, naming, read, searched, single, tree, values, versions};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::shorten;
use crate::doctype::validate::{self, read_name};
use crate::doctype::{DocType, FieldValue, Rows, Values, value};
use crate::domain::Instant;
use crate::error::{AppError, Docstatus};
use crate::store::StoreError;
use crate::store::documents::{Hold, IfTaken};
use docstatus::Step;
use store::Target;

pub(super) use docstatus::of as docstatus_of;
pub(super) use store::{delete as delete_rows, refusal};

/// How often a counted name may be taken by somebody else before it is stored. Each time costs them a document.
const MAX_TRIES: usize = 100;

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
    create_named(cx, caller, doctype, body, SentName::WhereAsked, gathered)
}

/// The same as [`create()`], with what a `name` in the body means.
///
/// # Errors
/// As [`create()`].
pub fn create_named(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &str,
    body: Map<String, Value>,
    sent_name: SentName,
    gathered: &Gathered,
) -> Result<Map<String, Value>, AppError> {
    for _ in 0..MAX_TRIES {
        if let Some(document) = try_create(cx, caller, doctype, &body, sent_name, gathered)? {
            return Ok(document);
        }
    }
    Err(AppError::unavailable(format!("the names that {doctype} counts are chosen faster than they are counted")))
}

/// [`create_named`]; `None`, with nothing stored, where somebody chose the name that was counted before this could store
/// it. By now the counter steps over it.
fn try_create(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &str,
    body: &Map<String, Value>,
    sent_name: SentName,
    gathered: &Gathered,
) -> Result<Option<Map<String, Value>>, AppError> {
    let doctype = permissions::enter(cx, caller, doctype, None, Action::Create)?;
    let adapter = adapter(&doctype, "creating a document of")?;
    tree::lock(cx, &doctype)?;
    if doctype.is_single {
        return Err(AppError::Validation(format!("{} is one document; change it instead of creating another", doctype.name)));
    }
    let step = docstatus::first_step(cx, caller, &doctype, body)?;
    let (mut values, mut secrets) = body::read_new(cx, caller, &doctype, body)?;
    values.set("docstatus", FieldValue::Int(step.becomes().number()));
    let known = fetch::fill(cx, caller, &doctype, None, &mut values)?;
    let env = cx.env;
    let hooks = env.hooks.of(&doctype.name);
    for hook in hooks {
        hook.before_insert(cx, &mut Change { caller, doctype: &doctype, name: "", values: &mut values, before: None })?;
    }
    let (name, is_counted) = match docstatus::amended_name(cx, caller, &doctype, &values)? {
        Some(name) => (name, false),
        None => naming::name_document(cx, &doctype, body, &values, sent_name)?,
    };
    for hook in hooks {
        hook.validate(cx, &mut Change { caller, doctype: &doctype, name: &name, values: &mut values, before: None })?;
    }
    if !hooks.is_empty() {
        checks::check_values(cx, &doctype, None, &values)?;
    }
    let at = cx.now;
    let plain = if adapter.is_some() { store::only_fields(&doctype, &values) } else { Values::default() };
    let draft = Draft { caller, doctype: &doctype, name: &name, values: &plain, body, gathered, at };
    if let Some(adapter) = adapter {
        // Before anything is said about other documents.
        guard(adapter, Some(&draft), caller)?;
    }
    let spared = adapter.map_or(&[][..], |adapter| adapter.spares(&values));
    checks::require_new(cx, &doctype, &name, &values, &secrets, spared)?;
    links::require_targets(cx, caller, &doctype, None, &values, &known)?;
    let (Created { name, shown_once }, stored) = match adapter {
        Some(adapter) => (adapter.create(cx, &draft)?, None),
        None => {
            let target = Target { caller, doctype: &doctype, name: &name, at };
            let taken = if is_counted { IfTaken::Skip } else { IfTaken::Fail };
            let Some(stored) = store::insert(cx, target, &mut values, &mut secrets, taken)? else { return Ok(None) };
            (Created { name: name.clone(), shown_once: Map::new() }, Some(stored))
        }
    };
    let target = Target { caller, doctype: &doctype, name: &name, at };
    let document = finish(cx, target, Action::Create, step, &values, Before::Nothing { stored })?;
    Ok(Some(with_shown_once(&doctype, document, shown_once)))
}

/// Changes the fields that were sent and returns the whole document. `docstatus` among them submits
/// or cancels it.
///
/// # Errors
/// As [`create()`]; [`AppError::Stale`] when `modified` was sent and is not the stored one.
pub fn update(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &str,
    name: &str,
    body: Map<String, Value>,
    gathered: &Gathered,
) -> Result<Map<String, Value>, AppError> {
    if let Some(child) = child::find(cx, doctype) {
        return child::update(cx, caller, &child, name, body, gathered);
    }
    let doctype = permissions::enter(cx, caller, doctype, Some(name), Action::Write)?;
    let adapter = adapter(&doctype, "changing a document of")?;
    tree::lock(cx, &doctype)?;
    let name = system::canonical_name(&doctype, name);
    if doctype.is_single && name == doctype.name {
        single::ensure(cx, caller, &doctype)?;
    }
    // What is cancelled is named by nothing that is submitted, so no link to it is being written meanwhile.
    let hold = if docstatus::asks_to_cancel(&body) { Hold::Removed } else { Hold::Changed };
    let current = read::whole(cx, &doctype, &name, hold)?;
    permissions::require_document(cx, caller, &doctype, Action::Write, &current)?;
    // Frappe: the name in the body is looked up, not the one in the path; it is no way to rename.
    if let Some(other) = body.get("name").and_then(|_| read_name(&body)).filter(|other| system::canonical_name(&doctype, other) != name) {
        return Err(AppError::not_found(&doctype.name, shorten(&other)));
    }
    let stored_at = require_current(&body, &current)?;
    let step = docstatus::next_step(cx, caller, &doctype, &body, &current)?;
    let zone = cx.env.config.site.time_zone;
    let before = values::of_document(&cx.env.doctypes(), &doctype, &current, zone)?;
    let (mut values, mut secrets) = body::read_change(cx, caller, &doctype, &body, &before)?;
    values.set("docstatus", FieldValue::Int(step.becomes().number()));
    let known = fetch::fill(cx, caller, &doctype, Some(&before), &mut values)?;
    let env = cx.env;
    let hooks = env.hooks.of(&doctype.name);
    if step != Step::Cancel {
        for hook in hooks {
            hook.validate(cx, &mut Change { caller, doctype: &doctype, name: &name, values: &mut values, before: Some(&before) })?;
        }
        if !hooks.is_empty() {
            checks::check_values(cx, &doctype, Some(&before), &values)?;
        }
    }
    let at = later_than(cx.now, value::to_utc(stored_at, zone));
    let target = Target { caller, doctype: &doctype, name: &name, at };
    let changed = if adapter.is_some() { store::changes_for_adapter(target, &body, &before, &values) } else { Values::default() };
    let draft = Draft { caller, doctype: &doctype, name: &name, values: &changed, body: &body, gathered, at };
    if let Some(adapter) = adapter {
        guard(adapter, Some(&draft), caller)?;
    }
    checks::require_set_once(cx, &doctype, &before, &values)?;
    docstatus::require_same_amended(&doctype, &before, &values)?;
    if matches!(step, Step::ChangeSubmitted | Step::Cancel) {
        docstatus::require_allowed_after_submit(cx, target, &current, &before, &values, &secrets)?;
    }
    if step != Step::Cancel {
        let spared = adapter.map_or(&[][..], |adapter| adapter.spares(&values));
        checks::require_kept(cx, &doctype, &name, &body, &values, &secrets, spared)?;
    }
    let compared = if step == Step::Submit { None } else { Some(&before) };
    links::require_targets(cx, caller, &doctype, compared, &values, &known)?;
    if step == Step::Cancel {
        links::require_unlinked(cx, caller, &doctype, &name, &[], links::Linking::Submitted)?;
    }
    let shown_once = match adapter {
        Some(adapter) => adapter.update(cx, &draft, &current)?,
        None => {
            store::update(cx, target, &before, &mut values, &mut secrets)?;
            Map::new()
        }
    };
    let document = finish(cx, target, Action::Write, step, &values, Before::Document(&current, &before))?;
    Ok(with_shown_once(&doctype, document, shown_once))
}

/// What there was before a document was stored.
enum Before<'a> {
    /// It is new; `stored` are its own fields, where storing them told.
    Nothing { stored: Option<Map<String, Value>> },
    /// It as it was shown, and its values.
    Document(&'a Map<String, Value>, &'a Values),
}

/// What follows once a document is stored: rights, hooks, and how it looks now.
fn finish(
    cx: &mut Cx,
    target: Target<'_>,
    action: Action,
    step: Step,
    values: &Values,
    before: Before<'_>,
) -> Result<Map<String, Value>, AppError> {
    let Target { caller, doctype, name, .. } = target;
    let (stored, before) = match before {
        Before::Nothing { stored } => (stored, None),
        Before::Document(document, values) => (None, Some((document, values))),
    };
    tree::settle(cx, doctype, name, before.map(|(_, values)| values), values)?;
    let mut document = match stored {
        // Its place in a tree was not known yet when it was stored.
        Some(stored) if doctype.tree_parent.is_none() => read::whole_stored(cx, doctype, name, stored, values)?,
        Some(_) | None => read::whole(cx, doctype, name, Hold::Nothing)?,
    };
    permissions::require_stored(cx, caller, doctype, action, &document)?;
    if step == Step::Submit && before.is_none() {
        permissions::require_stored(cx, caller, doctype, Action::Submit, &document)?;
    }
    if let Some((before, _)) = before {
        versions::keep(cx, caller, doctype, name, before, &document)?;
    }
    let env = cx.env;
    let hooks = env.hooks.of(&doctype.name);
    let written = Written { caller, doctype, name, values, before: before.map(|(_, values)| values) };
    for hook in hooks {
        match step {
            Step::Save | Step::ChangeSubmitted => hook.on_update(cx, &written)?,
            Step::Submit => {
                hook.on_update(cx, &written)?;
                hook.on_submit(cx, &written)?;
            }
            Step::Cancel => hook.on_cancel(cx, &written)?,
        }
    }
    let assigned = step != Step::Cancel && assign(cx, &written)?;
    if assigned || hooks.iter().any(|hook| hook.changes_stored()) {
        document = read::whole(cx, doctype, name, Hold::Nothing)?;
    }
    searched::keep(cx, doctype, name, before.map(|(document, _)| document), &document)?;
    read::show_written(cx, caller, doctype, &mut document)?;
    Ok(document)
}

/// Deletes a document to which nothing links.
///
/// # Errors
/// As [`super::permit`]; [`AppError::NotFound`]; [`AppError::LinkExists`].
pub fn delete(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str) -> Result<(), AppError> {
    if let Some(child) = child::find(cx, doctype) {
        return child::delete(cx, caller, &child, name);
    }
    let doctype = permissions::enter(cx, caller, doctype, Some(name), Action::Delete)?;
    let adapter = adapter(&doctype, "deleting a document of")?;
    tree::lock(cx, &doctype)?;
    let name = system::canonical_name(&doctype, name);
    if doctype.is_single {
        return Err(AppError::Validation(format!("{} is one document and cannot be deleted", doctype.name)));
    }
    let current = read::whole(cx, &doctype, &name, Hold::Removed)?;
    permissions::require_document(cx, caller, &doctype, Action::Delete, &current)?;
    if docstatus::of(&current) == Docstatus::Submitted {
        let text = format!("{} {name}: Submitted Record cannot be deleted. You must Cancel it first.", doctype.name);
        return Err(AppError::Validation(text));
    }
    let values = values::of_document(&cx.env.doctypes(), &doctype, &current, cx.env.config.site.time_zone)?;
    let env = cx.env;
    for hook in env.hooks.of(&doctype.name) {
        hook.on_trash(cx, &Written { caller, doctype: &doctype, name: &name, values: &values, before: Some(&values) })?;
    }
    match adapter {
        Some(adapter) => {
            guard(adapter, None, caller)?;
            links::require_unlinked(cx, caller, &doctype, &name, adapter.deleted_along(), links::Linking::All)?;
            adapter.delete(cx, caller, &name)?;
        }
        None => {
            tree::remove(cx, &doctype, &name)?;
            links::require_unlinked(cx, caller, &doctype, &name, &[], links::Linking::All)?;
            store::delete(cx, &doctype, &name, &values)?;
            naming::give_back(cx, &doctype, &name, &values)?;
        }
    }
    links::forget(cx, &doctype, &name)?;
    system::file::delete_attached(cx, &doctype.name, &name)
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

/// `modified` is the token of concurrency, so it grows with every change even when the clock does not.
fn later_than(now: Instant, stored: chrono::NaiveDateTime) -> Instant {
    let stored = Instant::new(stored);
    if now > stored { now } else { stored.plus(Duration::from_micros(1)) }
}

/// Fields that are shown once stand where the definition has them.
fn with_shown_once(doctype: &DocType, mut document: Map<String, Value>, shown_once: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in shown_once {
        read::place(doctype, &mut document, key, value);
    }
    document
}
