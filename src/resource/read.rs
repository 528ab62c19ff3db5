//! One document.

use serde_json::{Map, Value};

use super::permissions::{self, Action};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::error::AppError;

/// A document with all its fields, nulls included, then `doctype`, then its child tables.
///
/// # Errors
/// As [`super::permit`]; [`AppError::NotFound`]; [`AppError::NotPermitted`] for someone else's document.
pub fn read(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str) -> Result<Map<String, Value>, AppError> {
    permissions::permit(cx.env, caller, doctype, Some(name), Action::Read)?;
    Err(AppError::internal("under construction"))
}
