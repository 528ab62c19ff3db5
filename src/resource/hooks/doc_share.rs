//! `DocShare` as a document: whoever writes one must be allowed to share what it names.

use super::{Change, DocumentHooks, Written};
use crate::cx::Cx;
use crate::error::AppError;
use crate::resource::share;

/// See the module.
pub struct DocShare;

impl DocumentHooks for DocShare {
    fn doctype(&self) -> &str {
        share::DOCTYPE
    }

    fn validate(&self, cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        share::check(cx, change.caller, change.values)?;
        share::require_only(cx, if change.before.is_some() { change.name } else { "" }, change.values)
    }

    fn on_update(&self, cx: &mut Cx, written: &Written<'_>) -> Result<(), AppError> {
        if let Some(before) = written.before {
            share::forget_rights(cx, before)?;
        }
        share::forget_rights(cx, written.values)
    }

    fn on_trash(&self, cx: &mut Cx, written: &Written<'_>) -> Result<(), AppError> {
        match share::require_share_of(cx, written.caller, written.values) {
            // What is left of a document that is gone may be cleared away.
            Ok(_) | Err(AppError::LinkNotFound { .. }) => {}
            Err(refused) => return Err(refused),
        }
        share::forget_rights(cx, written.values)
    }
}
