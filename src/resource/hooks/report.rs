//! `Report`: what is saved can be run, at least by whoever saves it.

use super::{DocumentHooks, Written};
use crate::cx::Cx;
use crate::error::AppError;
use crate::resource::report;

/// See the module.
pub struct Report;

impl DocumentHooks for Report {
    fn doctype(&self) -> &str {
        report::DOCTYPE
    }

    fn on_update(&self, cx: &mut Cx, written: &Written<'_>) -> Result<(), AppError> {
        let was_standard = written.before.is_some_and(|before| before.text("is_standard") == Some("Yes"));
        report::check(cx, written.caller, written.name, was_standard)
    }
}
