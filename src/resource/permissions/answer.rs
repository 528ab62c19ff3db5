//! What a caller may do, as an answer: `frappe.client.has_permission`, `get_doc_permissions`.

use serde::Deserialize;

use super::{Action, ask_hooks, find_doctype, granted, holds};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{DocType, Filter};
use crate::error::AppError;
use crate::resource::{read, system};
use crate::store::documents::Hold;

/// Which of all rights the caller has: to a document, or without a name to any document of the doctype.
///
/// # Errors
/// [`AppError::NotFound`] for an unknown doctype or document, [`AppError::InsufficientScope`].
pub fn permissions_of(cx: &mut Cx, caller: &Caller, doctype: &str, name: Option<&str>) -> Result<Vec<(Action, bool)>, AppError> {
    let doctype = find_doctype(cx.env, caller, doctype, Action::Select)?;
    Action::ALL.into_iter().map(|action| Ok((action, asks(cx, caller, &doctype, name, action)?))).collect()
}

/// Whether the caller has a right to a document, or without a name to any document of the doctype.
///
/// # Errors
/// As [`permissions_of`].
pub fn has_permission(cx: &mut Cx, caller: &Caller, doctype: &str, name: Option<&str>, action: Action) -> Result<bool, AppError> {
    let doctype = find_doctype(cx.env, caller, doctype, Action::Select)?;
    asks(cx, caller, &doctype, name, action)
}

fn asks(cx: &mut Cx, caller: &Caller, doctype: &DocType, name: Option<&str>, action: Action) -> Result<bool, AppError> {
    let rights = granted(cx, caller, doctype, action)?;
    let in_scope = caller.require_doctype_scope(&doctype.name, action.access()).is_ok();
    let rights = rights.filter(|_| in_scope);
    let Some(name) = name else { return Ok(rights.is_some()) };
    // Before the document is looked for, or the answer would tell whether it exists.
    let Some(rights) = rights else { return Ok(false) };
    let name = system::canonical_name(doctype, name);
    if !holds(cx, doctype, &name, &Filter::always())? {
        return Err(AppError::not_found(&doctype.name, crate::doctype::filter::shorten(&name.replace('\0', ""))));
    }
    if !rights.is_always() && !holds(cx, doctype, &name, &rights)? {
        return Ok(false);
    }
    if cx.env.hooks.of(&doctype.name).is_empty() {
        return Ok(true);
    }
    let document = read::find(cx, doctype, &name, Hold::Nothing)?;
    match ask_hooks(cx, caller, doctype, action, &document) {
        Ok(()) => Ok(true),
        Err(AppError::NotPermitted(_)) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Whether documents of a doctype may be imported at all.
pub(super) fn allows_import(doctype: &DocType) -> bool {
    #[derive(Deserialize)]
    struct Switches {
        #[serde(default)]
        allow_import: serde_json::Value,
    }
    serde_json::from_str::<Switches>(&doctype.definition).is_ok_and(|switches| match switches.allow_import {
        serde_json::Value::Bool(on) => on,
        serde_json::Value::Number(number) => number.as_f64() != Some(0.0),
        _ => false,
    })
}
