//! `Role`: what rights are given to.

use serde_json::{Map, Value};

use super::{Created, Draft, SystemDoctype};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::domain::user::{AUTOMATIC_ROLES, SYSTEM_MANAGER};
use crate::error::AppError;
use crate::store::StoreError;
use crate::store::epochs::{self, EVERYBODY};
use crate::store::user_documents::{self, RoleMarks};

/// The adapter.
pub struct RoleDoctype;

fn is_standard(name: &str) -> bool {
    name == SYSTEM_MANAGER || AUTOMATIC_ROLES.contains(&name)
}

impl SystemDoctype for RoleDoctype {
    fn doctype(&self) -> &'static str {
        "Role"
    }

    fn create(&self, cx: &mut Cx, draft: &Draft<'_>) -> Result<Created, AppError> {
        let mark = |fieldname: &str| draft.values.check(fieldname).unwrap_or(false);
        let marks = RoleMarks {
            disabled: mark("disabled"),
            desk_access: mark("desk_access"),
            is_custom: mark("is_custom"),
            two_factor_auth: mark("two_factor_auth"),
        };
        match user_documents::insert_role(cx.conn, draft.at, draft.caller.name(), draft.name, marks) {
            Ok(()) => Ok(Created { name: draft.name.to_owned(), shown_once: Map::new() }),
            Err(StoreError::Unique(_)) => Err(AppError::Duplicate { doctype: self.doctype().into(), name: draft.name.to_owned() }),
            Err(error) => Err(error.into()),
        }
    }

    fn update(&self, cx: &mut Cx, draft: &Draft<'_>, current: &Map<String, Value>) -> Result<Map<String, Value>, AppError> {
        let before = |fieldname: &str| current.get(fieldname).and_then(Value::as_i64) == Some(1);
        let mark = |fieldname: &str| draft.values.check(fieldname).unwrap_or_else(|| before(fieldname));
        let marks = RoleMarks {
            disabled: mark("disabled"),
            desk_access: mark("desk_access"),
            is_custom: mark("is_custom"),
            two_factor_auth: mark("two_factor_auth"),
        };
        if marks.disabled && is_standard(draft.name) {
            return Err(AppError::Validation("Standard roles cannot be disabled".into()));
        }
        user_documents::update_role(cx.conn, draft.at, draft.caller.name(), draft.name, marks)?;
        if marks.disabled && !before("disabled") {
            // Frappe: whoever had it loses it, and does not get it back when it is enabled again.
            user_documents::remove_role_everywhere(cx.conn, draft.name)?;
        }
        if marks.disabled != before("disabled") || marks.desk_access != before("desk_access") {
            user_documents::update_user_types(cx.conn)?;
            epochs::bump(cx.conn, cx.effects, cx.now, EVERYBODY)?;
        }
        Ok(Map::new())
    }

    fn delete(&self, cx: &mut Cx, _caller: &Caller, name: &str) -> Result<(), AppError> {
        if is_standard(name) {
            return Err(AppError::Validation("Standard roles cannot be deleted".into()));
        }
        Ok(user_documents::delete_role(cx.conn, name)?)
    }
}
