//! Lists and counts.

use serde_json::{Map, Value};

use super::permissions::{self, Action};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::error::AppError;

/// What a list asks for, as the request wrote it: JSON values, or texts that hold JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListParams {
    /// Names of fields; default `["name"]`.
    pub fields: Option<Value>,
    pub filters: Option<Value>,
    /// `field asc|desc, …`; default the doctype's own order.
    pub order_by: Option<String>,
    pub limit_start: u64,
    /// `None`: no limit.
    pub limit: Option<u64>,
}

impl ListParams {
    /// Reads the request's parameters (contract 6.1). Unknown ones are ignored, as in Frappe.
    ///
    /// # Errors
    /// [`AppError::Unsupported`] for a parameter that Frappe knows and Ostiary does not yet,
    /// [`AppError::InvalidData`] for one that cannot be read.
    pub fn parse(params: &Map<String, Value>) -> Result<Self, AppError> {
        let _ = params;
        Err(AppError::internal("under construction"))
    }
}

/// The documents a caller may read, as the text of a JSON array of objects.
///
/// # Errors
/// As [`super::permit`], and what the filters, fields and order refuse.
pub fn list(cx: &mut Cx, caller: &Caller, doctype: &str, params: &ListParams) -> Result<String, AppError> {
    let _ = (permissions::permit(cx.env, caller, doctype, None, Action::Read)?, params);
    Err(AppError::internal("under construction"))
}

/// How many documents a caller may read.
///
/// # Errors
/// As [`list`].
pub fn count(cx: &mut Cx, caller: &Caller, doctype: &str, filters: Option<&Value>) -> Result<i64, AppError> {
    let _ = (permissions::permit(cx.env, caller, doctype, None, Action::Read)?, filters);
    Err(AppError::internal("under construction"))
}
