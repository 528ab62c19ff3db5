//! `User Permission`: what it says holds from the moment at which it is written.

use super::{Change, DocumentHooks, Written};
use crate::cx::Cx;
use crate::doctype::FieldValue;
use crate::error::AppError;
use crate::resource::permissions;

/// See the module.
pub struct UserPermission;

impl DocumentHooks for UserPermission {
    fn doctype(&self) -> &str {
        "User Permission"
    }

    fn validate(&self, _cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        if change.values.check("apply_to_all_doctypes") == Some(true) {
            change.values.set("applicable_for", FieldValue::Null);
        }
        Ok(())
    }

    fn on_update(&self, cx: &mut Cx, written: &Written<'_>) -> Result<(), AppError> {
        for user in [Some(written.values), written.before].into_iter().flatten().filter_map(|values| values.text("user")) {
            permissions::forget_user(cx, user)?;
        }
        Ok(())
    }

    fn on_trash(&self, cx: &mut Cx, written: &Written<'_>) -> Result<(), AppError> {
        self.on_update(cx, written)
    }
}
