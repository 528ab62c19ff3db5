//! Create, update, delete.

use serde_json::{Map, Value};

use super::Gathered;
use super::permissions::{self, Action};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::error::AppError;

/// Creates a document and returns it as it is stored.
///
/// # Errors
/// As [`super::permit`], and every rule the document breaks.
pub fn create(cx: &mut Cx, caller: &Caller, doctype: &str, body: Map<String, Value>, gathered: &Gathered) -> Result<Map<String, Value>, AppError> {
    let _ = (permissions::permit(cx.env, caller, doctype, None, Action::Create)?, body, gathered);
    Err(AppError::internal("under construction"))
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
    let _ = (permissions::permit(cx.env, caller, doctype, Some(name), Action::Write)?, body, gathered);
    Err(AppError::internal("under construction"))
}

/// Deletes a document to which nothing links.
///
/// # Errors
/// As [`super::permit`]; [`AppError::NotFound`]; [`AppError::LinkExists`].
pub fn delete(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str) -> Result<(), AppError> {
    permissions::permit(cx.env, caller, doctype, Some(name), Action::Delete)?;
    Err(AppError::internal("under construction"))
}
