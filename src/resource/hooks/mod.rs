//! Code that belongs to one doctype: what happens when its documents are written, and who may see them.
//!
//! A hook runs inside the transaction of the request, on the writer thread of SQLite: it must be
//! quick, and do no I/O but through its `Cx`. Whatever it refuses rolls the whole request back.
//! Built-in hooks stand in files beside this one and in [`BUILTIN`]; an embedder gives its own to
//! `Application::build`. Hooks of one doctype run in that order.

mod assignment;
mod contact;
mod doc_share;
mod helpdesk;
mod report;
mod settings;
mod team;
mod user_permission;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::permissions::Action;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{DocType, Filter, Values};
use crate::error::AppError;

pub use assignment::Rules;
pub(super) use assignment::{assign, forget_rules};
pub use settings::show_configuration;

/// A document on its way into the database.
pub struct Change<'a> {
    pub caller: &'a Caller,
    pub doctype: &'a DocType,
    /// Empty until the document is named.
    pub name: &'a str,
    /// The document as it will be. What a hook sets here is checked like what was sent.
    pub values: &'a mut Values,
    /// The document as it is stored; `None` for a new one.
    pub before: Option<&'a Values>,
}

/// A document that was just written, or is about to be deleted.
pub struct Written<'a> {
    pub caller: &'a Caller,
    pub doctype: &'a DocType,
    pub name: &'a str,
    pub values: &'a Values,
    /// The document as it was before; `None` for a new one.
    pub before: Option<&'a Values>,
}

/// What one doctype does besides being stored. Every method does nothing unless it is overridden.
pub trait DocumentHooks: Send + Sync {
    /// The exact name of the doctype.
    fn doctype(&self) -> &str;

    /// Before a new document is named. This and `validate` run again, with another name, where somebody chose the name that
    /// was counted for the document in the same instant.
    ///
    /// # Errors
    /// Whatever keeps the document from being made.
    fn before_insert(&self, _cx: &mut Cx, _change: &mut Change<'_>) -> Result<(), AppError> {
        Ok(())
    }

    /// Before a document is checked and stored, new or changed.
    ///
    /// # Errors
    /// Whatever rule the document breaks.
    fn validate(&self, _cx: &mut Cx, _change: &mut Change<'_>) -> Result<(), AppError> {
        Ok(())
    }

    /// After a document was stored, new or changed.
    ///
    /// # Errors
    /// Whatever must undo the change.
    fn on_update(&self, _cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        Ok(())
    }

    /// After a document went from draft to submitted.
    ///
    /// # Errors
    /// Whatever must undo the change.
    fn on_submit(&self, _cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        Ok(())
    }

    /// After a document went from submitted to cancelled.
    ///
    /// # Errors
    /// Whatever must undo the change.
    fn on_cancel(&self, _cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        Ok(())
    }

    /// Whether `on_update`, `on_submit` or `on_cancel` may change the very document that was written. It is then read again
    /// for the answer and for what is searched.
    fn changes_stored(&self) -> bool {
        true
    }

    /// Before a document is deleted.
    ///
    /// # Errors
    /// Whatever keeps it from being deleted.
    fn on_trash(&self, _cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        Ok(())
    }

    /// Whether someone whose roles open a document (as it is shown) may do this with it. It can
    /// only deny, and must agree with [`DocumentHooks::permission_filter`].
    ///
    /// # Errors
    /// [`AppError`] from the database.
    fn has_permission(&self, _cx: &mut Cx, _caller: &Caller, _action: Action, _document: &Map<String, Value>) -> Result<bool, AppError> {
        Ok(true)
    }

    /// What further narrows every list, count, search and report; `None` where nothing does.
    ///
    /// # Errors
    /// [`AppError`] from the database.
    fn permission_filter(&self, _cx: &mut Cx, _caller: &Caller, _action: Action) -> Result<Option<Filter>, AppError> {
        Ok(None)
    }
}

/// The hooks that come with Ostiary.
const BUILTIN: &[fn() -> Arc<dyn DocumentHooks>] = &[
    || Arc::new(assignment::AssignmentRule),
    || Arc::new(contact::Contact),
    || Arc::new(doc_share::DocShare),
    || Arc::new(settings::SYSTEM),
    || Arc::new(settings::OAUTH),
    || Arc::new(helpdesk::Ticket),
    || Arc::new(helpdesk::Article),
    || Arc::new(helpdesk::SavedReply),
    || Arc::new(helpdesk::Agent),
    || Arc::new(helpdesk::Source("HD Agent")),
    || Arc::new(helpdesk::Source("HD Settings")),
    || Arc::new(helpdesk::Source("HD Team")),
    || Arc::new(helpdesk::Source("Contact")),
    || Arc::new(report::Report),
    || Arc::new(team::Team),
    || Arc::new(user_permission::UserPermission),
];

/// All hooks, by doctype.
#[derive(Clone, Default)]
pub struct Hooks(HashMap<String, Vec<Arc<dyn DocumentHooks>>>);

impl Hooks {
    /// The built-in hooks, then an embedder's.
    pub fn new(further: Vec<Arc<dyn DocumentHooks>>) -> Self {
        let mut hooks = Self::default();
        for hook in BUILTIN.iter().map(|make| make()).chain(further) {
            hooks.0.entry(hook.doctype().to_owned()).or_default().push(hook);
        }
        hooks
    }

    /// The hooks of a doctype, in the order in which they run.
    pub fn of(&self, doctype: &str) -> &[Arc<dyn DocumentHooks>] {
        self.0.get(doctype).map_or(&[], Vec::as_slice)
    }
}
