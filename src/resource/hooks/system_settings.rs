//! `System Settings`: those that decide about rights hold from the moment at which they are written.

use super::{DocumentHooks, Written};
use crate::cx::Cx;
use crate::error::AppError;
use crate::resource::permissions;

/// See the module.
pub struct SystemSettings;

impl DocumentHooks for SystemSettings {
    fn doctype(&self) -> &str {
        "System Settings"
    }

    fn on_update(&self, cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        permissions::forget_site(cx)
    }
}
