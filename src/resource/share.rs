//! Sharing single documents: `DocShare`, and what `frappe.share` offers.
//!
//! A share opens a document beside all roles (contract 7.4). Whoever may share a document may give
//! what they have themselves. However a `DocShare` is written, by these flows or as a document
//! (`hooks/doc_share.rs`), it passes [`check`].

use std::sync::Arc;

use serde_json::{Map, Value};

use super::permissions::{self, Action};
use super::{links, read, system};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::{Operation, shorten};
use crate::doctype::{DocType, FieldValue, Filter, Values};
use crate::domain::user::fold_name;
use crate::error::{AppError, Denied};
use crate::secrets::mint;
use crate::store::StoreError;
use crate::store::documents::{self, Hold, Selection, Stamp};

/// The doctype of shares.
pub(super) const DOCTYPE: &str = "DocShare";
/// The rights that a share can give, and the fields that do.
const RIGHTS: [(Action, &str); 4] =
    [(Action::Read, "read"), (Action::Write, "write"), (Action::Submit, "submit"), (Action::Share, "share")];
/// Letters of a share's name.
const NAME_LENGTH: usize = 10;

/// With whom a document is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum With {
    User(String),
    /// Every logged-in user.
    Everyone,
}

/// What a share gives besides reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    pub write: bool,
    pub submit: bool,
    pub share: bool,
}

/// Shares a document, or replaces what was shared with the same user before. Returns the share.
///
/// # Errors
/// [`AppError::NotPermitted`] for who may not share it or has less than they give,
/// [`AppError::LinkNotFound`] for a document or user that is not there.
pub fn add(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str, with: &With, given: Given) -> Result<Map<String, Value>, AppError> {
    let document = require_share(cx, caller, doctype, name)?;
    let mut values = Values::default();
    let flag = |on: bool| FieldValue::Int(on.into());
    set_with(&mut values, with);
    values.set("share_doctype", FieldValue::Text(document.doctype.name.clone()));
    values.set("share_name", FieldValue::Text(document.name.clone()));
    for (field, on) in [("read", true), ("write", given.write), ("submit", given.submit), ("share", given.share)] {
        values.set(field, flag(on));
    }
    check(cx, caller, &mut values)?;
    if let With::User(user) = with {
        links::hold(cx, "User", &fold_name(user), "User")?;
    }
    let shares = shares(cx)?;
    let stamp = Stamp { user: caller.name(), at: cx.now };
    let share = match find(cx, &shares, &document, with)? {
        Some(share) => {
            documents::update_document(cx.conn, &shares, &share, stamp, &values)?;
            share
        }
        None => {
            let share = mint::name(NAME_LENGTH);
            documents::insert_document(cx.conn, &shares, &share, stamp, &values)?;
            share
        }
    };
    forget(cx, with)?;
    show(cx, &shares, &share)
}

/// Gives one right or takes it; taking `read` takes all. Returns the share that is left, if one is.
///
/// # Errors
/// As [`add`]; [`AppError::Validation`] for a right that cannot be shared.
pub fn set(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &str,
    name: &str,
    with: &With,
    right: &str,
    on: bool,
) -> Result<Option<Map<String, Value>>, AppError> {
    if !RIGHTS.iter().any(|(_, field)| *field == right) {
        return Err(AppError::Validation(format!("{} cannot be shared", shorten(right))));
    }
    let document = require_share(cx, caller, doctype, name)?;
    let shares = shares(cx)?;
    let current = match find(cx, &shares, &document, with)? {
        Some(share) => show(cx, &shares, &share)?,
        None if !on => return Ok(None),
        None => Map::new(),
    };
    let was = |field: &str| current.get(field).and_then(Value::as_i64) == Some(1);
    let is = |field: &str| match (field == right, on) {
        (true, on) => on,
        // Frappe: who may not read may do nothing else, and who may not write may not submit.
        (false, false) if right == "read" || (right == "write" && field == "submit") => false,
        (false, _) => was(field),
    };
    if RIGHTS.iter().any(|(_, field)| is(field)) {
        let given = Given { write: is("write"), submit: is("submit"), share: is("share") };
        return add(cx, caller, doctype, name, with, given).map(Some);
    }
    remove_rows(cx, &document, with)?;
    Ok(None)
}

/// Takes back what was shared with a user. Nothing happens where nothing was.
///
/// # Errors
/// As [`add`].
pub fn remove(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str, with: &With) -> Result<(), AppError> {
    let document = require_share(cx, caller, doctype, name)?;
    remove_rows(cx, &document, with)
}

/// With whom a document is shared, for whoever may read it: name, user, rights, owner and creation of each share.
///
/// # Errors
/// As [`super::read()`].
pub fn list(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str) -> Result<Vec<Map<String, Value>>, AppError> {
    const FIELDS: [&str; 9] = ["name", "user", "read", "write", "submit", "share", "everyone", "owner", "creation"];
    let (doctype, rights) = permissions::open(cx, caller, doctype, Some(name), Action::Read)?;
    let name = system::canonical_name(&doctype, name).into_owned();
    read::find_permitted(cx, caller, &doctype, &name, (Action::Read, &rights), Hold::Nothing)?;
    let document = Document { doctype, name };
    let shares = shares(cx)?;
    select(cx, &shares, &FIELDS, &of_document(&document))
}

/// What was shared with a user, and the User Permissions that restricted them, go with them.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn remove_all_of(cx: &mut Cx, user: &str) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    for doctype in [DOCTYPE, "User Permission"].into_iter().filter_map(|doctype| registry.get(doctype)) {
        for row in select(cx, doctype, &["name"], &Filter::equals("user", user))? {
            documents::delete_document(cx.conn, doctype, &super::name_of(&row))?;
        }
    }
    permissions::forget_user(cx, user)
}

/// Completes a share that is to be written and refuses one that gives what the caller does not have. Until the
/// transaction ends, nobody else writes a share of the same document.
///
/// # Errors
/// [`AppError::NotPermitted`], [`AppError::Validation`].
pub(super) fn check(cx: &mut Cx, caller: &Caller, values: &mut Values) -> Result<(), AppError> {
    let on = |values: &Values, field: &str| values.check(field) == Some(true);
    // Frappe: whoever may do anything with a document may read it, and whoever may submit it may write it.
    if on(values, "submit") {
        values.set("write", FieldValue::Int(1));
    }
    if on(values, "write") || on(values, "share") {
        values.set("read", FieldValue::Int(1));
    }
    if on(values, "everyone") {
        values.set("user", FieldValue::Null);
    } else if values.text("user").is_none() {
        return Err(AppError::Validation("User is mandatory for Share".into()));
    }
    let document = require_share_of(cx, caller, values)?;
    if on(values, "submit") && !document.doctype.is_submittable {
        let text =
            format!("Cannot share {} with submit permission as the doctype {} is not submittable", document.name, document.doctype.name);
        return Err(AppError::Validation(text));
    }
    for (action, field) in RIGHTS.into_iter().filter(|(_, field)| on(values, field)) {
        let rights = permissions::rights(cx, caller, &document.doctype, action)?;
        // Frappe: who may share may give any right, here: only what they have, or sharing with oneself would make more of it.
        if !permissions::holds(cx, &document.doctype, &document.name, &rights)? {
            return Err(AppError::NotPermitted(Denied::Because(format!("You cannot share the right to {field} without having it"))));
        }
    }
    Ok(())
}

/// The document of a share, which the caller must be allowed to share.
///
/// # Errors
/// [`AppError::NotPermitted`], [`AppError::LinkNotFound`].
pub(super) fn require_share_of(cx: &mut Cx, caller: &Caller, values: &Values) -> Result<Document, AppError> {
    let text = |field: &str| values.text(field).unwrap_or_default();
    require_share(cx, caller, text("share_doctype"), text("share_name"))
}

/// Refuses a share beside another one of the same document with the same user, after [`check`]: taking a right back must
/// take it from all there is. `name` is its own name, empty for a new one.
///
/// # Errors
/// [`AppError::Validation`].
pub(super) fn require_only(cx: &mut Cx, name: &str, values: &Values) -> Result<(), AppError> {
    let text = |field: &str| values.text(field).unwrap_or_default().to_owned();
    let with = if values.check("everyone") == Some(true) { With::Everyone } else { With::User(text("user")) };
    let (doctype, shared) = (text("share_doctype"), text("share_name"));
    let of_document = Filter::equals("share_doctype", &doctype).and(Filter::equals("share_name", &shared));
    let shares = shares(cx)?;
    let others = select(cx, &shares, &["name"], &of_document.and(with_whom(&with)))?;
    if others.iter().all(|other| super::name_of(other) == name) {
        return Ok(());
    }
    Err(AppError::Validation(format!("{doctype} {shared} is shared like this already; change that share instead")))
}

/// What is known of whoever a share is for must be read anew.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn forget_rights(cx: &mut Cx, values: &Values) -> Result<(), AppError> {
    if values.check("everyone") == Some(true) {
        permissions::forget_site(cx)?;
    }
    match values.text("user") {
        Some(user) => permissions::forget_user(cx, user),
        None => Ok(()),
    }
}

fn forget(cx: &mut Cx, with: &With) -> Result<(), AppError> {
    match with {
        With::User(user) => permissions::forget_user(cx, &fold_name(user)),
        With::Everyone => permissions::forget_site(cx),
    }
}

/// A document that someone wants to share.
pub(super) struct Document {
    doctype: Arc<DocType>,
    name: String,
}

/// Refuses who may not share a document (transcript 396 for one that is not there). It stays as it is, and so do its
/// shares, until the transaction ends.
fn require_share(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str) -> Result<Document, AppError> {
    let (doctype, rights) = permissions::open(cx, caller, doctype, Some(name), Action::Share)?;
    let name = system::canonical_name(&doctype, name).into_owned();
    match read::find_permitted(cx, caller, &doctype, &name, (Action::Share, &rights), Hold::Changed) {
        Ok(_) => Ok(Document { doctype, name }),
        Err(AppError::NotFound { .. }) => {
            Err(AppError::LinkNotFound { label: "Document Name".into(), value: shorten(&name.replace('\0', "")) })
        }
        Err(other) => Err(other),
    }
}

fn shares(cx: &Cx) -> Result<Arc<DocType>, AppError> {
    cx.env.doctypes().get(DOCTYPE).cloned().ok_or_else(|| AppError::internal("DocShare comes with Ostiary"))
}

fn set_with(values: &mut Values, with: &With) {
    let (user, everyone) = match with {
        With::User(user) => (FieldValue::Text(fold_name(user)), false),
        With::Everyone => (FieldValue::Null, true),
    };
    values.set("user", user);
    values.set("everyone", FieldValue::Int(everyone.into()));
}

fn of_document(document: &Document) -> Filter {
    Filter::equals("share_doctype", &document.doctype.name).and(Filter::equals("share_name", &document.name))
}

fn with_whom(with: &With) -> Filter {
    match with {
        With::User(user) => Filter::equals("user", &fold_name(user)),
        With::Everyone => Filter::on("everyone", Operation::Equal(FieldValue::Int(1))),
    }
}

fn find(cx: &mut Cx, shares: &DocType, document: &Document, with: &With) -> Result<Option<String>, AppError> {
    let rows = select(cx, shares, &["name"], &of_document(document).and(with_whom(with)))?;
    Ok(rows.first().map(super::name_of))
}

fn remove_rows(cx: &mut Cx, document: &Document, with: &With) -> Result<(), AppError> {
    let shares = shares(cx)?;
    let filter = of_document(document).and(with_whom(with));
    for row in select(cx, &shares, &["name", "user", "everyone"], &filter)? {
        documents::delete_document(cx.conn, &shares, &super::name_of(&row))?;
        match row.get("user").and_then(Value::as_str).filter(|user| !user.is_empty()) {
            Some(user) => permissions::forget_user(cx, user)?,
            None => permissions::forget_site(cx)?,
        }
    }
    Ok(())
}

fn show(cx: &mut Cx, shares: &DocType, name: &str) -> Result<Map<String, Value>, AppError> {
    let mut share = read::find(cx, shares, name, Hold::Nothing)?;
    share.insert("doctype".into(), DOCTYPE.into());
    Ok(share)
}

fn select(cx: &mut Cx, shares: &DocType, fields: &[&str], filter: &Filter) -> Result<Vec<Map<String, Value>>, AppError> {
    let fields: Vec<(&str, &str)> = fields.iter().map(|field| (*field, *field)).collect();
    let zone = cx.env.config.site.time_zone;
    let selection = Selection { doctype: shares, fields: &fields, filter, order: &[], start: 0, limit: None, zone };
    let rows = documents::list_documents(cx.conn, &selection)?;
    Ok(rows.iter().map(|row| serde_json::from_str(row).map_err(StoreError::corrupt)).collect::<Result<_, _>>()?)
}
