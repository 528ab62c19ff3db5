//! `Activity Log`: the audit log as a doctype. It can only be looked at; the server writes it and purges it by age.

use serde_json::{Map, Value};

use super::{Created, Draft, SystemDoctype, refuse};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::error::AppError;

/// The adapter.
pub struct ActivityLog;

impl SystemDoctype for ActivityLog {
    fn doctype(&self) -> &'static str {
        "Activity Log"
    }

    fn create(&self, _: &mut Cx, _: &Draft<'_>) -> Result<Created, AppError> {
        refuse("creating a document of", self.doctype())
    }

    fn update(&self, _: &mut Cx, _: &Draft<'_>, _: &Map<String, Value>) -> Result<Map<String, Value>, AppError> {
        refuse("changing a document of", self.doctype())
    }

    // Frappe: a System Manager deletes rows, here: nobody does, because whoever takes over an account would begin with that.
    fn delete(&self, _: &mut Cx, _: &Caller, _: &str) -> Result<(), AppError> {
        refuse("deleting a document of", self.doctype())
    }
}
