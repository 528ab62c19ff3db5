//! What a caller may do with a doctype: the union of its permission rows, `if_owner` as a filter.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::system;
use crate::auth::Caller;
use crate::cx::Env;
use crate::doctype::filter::Operation;
use crate::doctype::{DocType, Field, FieldValue, Filter, Permission};
use crate::domain::scope::Access;
use crate::error::{AppError, Denied};

/// What someone wants to do with documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Read,
    Create,
    Write,
    Delete,
    Submit,
    Cancel,
    Amend,
}

impl Action {
    fn access(self) -> Access {
        match self {
            Self::Read => Access::Read,
            Self::Create | Self::Write | Self::Delete | Self::Submit | Self::Cancel | Self::Amend => Access::Write,
        }
    }

    fn is_given_by(self, row: &Permission) -> bool {
        match self {
            Self::Read => row.read,
            Self::Create => row.create,
            Self::Write => row.write,
            Self::Delete => row.delete,
            Self::Submit => row.submit,
            Self::Cancel => row.cancel,
            Self::Amend => row.amend,
        }
    }
}

/// Which documents of a doctype an action reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Nothing,
    /// Those that belong to the caller.
    Own,
    Everything,
}

/// Finds a doctype and refuses whoever may not do `action` to any document of it. Needs no
/// database, so a door may ask before it gathers anything expensive.
///
/// # Errors
/// [`AppError::NotFound`] for an unknown doctype, [`AppError::InsufficientScope`],
/// [`AppError::NotPermitted`].
pub fn permit(env: &Env, caller: &Caller, doctype: &str, name: Option<&str>, action: Action) -> Result<Arc<DocType>, AppError> {
    let registry = env.doctypes();
    let doctype = registry.find(doctype).ok_or_else(|| AppError::not_found("DocType", crate::doctype::filter::shorten(doctype)))?;
    caller.require_doctype_scope(&doctype.name, action.access())?;
    if doctype.is_child_table {
        // Child rows are reached through their parents, whose permissions they have.
        return Err(AppError::NotPermitted(Denied::ChildTable(doctype.name.clone())));
    }
    if reach(caller, doctype, action) == Reach::Nothing {
        return Err(AppError::NotPermitted(Denied::Doctype {
            user: caller.name().to_owned(),
            doctype: doctype.name.clone(),
            name: name.map(str::to_owned),
        }));
    }
    Ok(Arc::clone(doctype))
}

/// The union of the rows of level 0 whose role the caller has.
pub(super) fn reach(caller: &Caller, doctype: &DocType, action: Action) -> Reach {
    if caller.is_administrator() {
        return Reach::Everything;
    }
    let mut reach = Reach::Nothing;
    for row in doctype.permissions.iter().filter(|row| row.permlevel == 0 && action.is_given_by(row) && caller.has_role(&row.role)) {
        if !row.if_owner {
            return Reach::Everything;
        }
        reach = Reach::Own;
    }
    reach
}

/// The condition that the caller's rights put on a list.
pub(super) fn filter(caller: &Caller, doctype: &DocType, action: Action) -> Filter {
    let rights = match reach(caller, doctype, action) {
        Reach::Everything => Filter::always(),
        Reach::Own => Filter::equals(&doctype.owner_field, caller.name()),
        Reach::Nothing => Filter::Or(Vec::new()),
    };
    match system::withheld(doctype, caller) {
        [] => rights,
        names => {
            let names = names.iter().map(|name| FieldValue::Text((*name).to_owned())).collect();
            rights.and(Filter::on("name", Operation::NotIn(names)))
        }
    }
}

/// Refuses a document that is not the caller's where the rights end at their own.
///
/// # Errors
/// [`Denied::Document`].
pub(super) fn require_document(caller: &Caller, doctype: &DocType, action: Action, document: &Map<String, Value>) -> Result<(), AppError> {
    let name = document.get("name").and_then(Value::as_str).unwrap_or_default();
    let reach = reach(caller, doctype, action);
    let own = || document.get(&doctype.owner_field).and_then(Value::as_str) == Some(caller.name());
    let allowed = match reach {
        Reach::Everything => true,
        Reach::Own => own(),
        Reach::Nothing => false,
    };
    if allowed && !system::withheld(doctype, caller).contains(&name) {
        return Ok(());
    }
    let (user, doctype, name) = (caller.name().to_owned(), doctype.name.clone(), name.to_owned());
    Err(AppError::NotPermitted(Denied::Document { user, doctype, name, own_only: reach == Reach::Own }))
}

/// Whether the caller may read (or write) a field: those of a higher level take a row of that level.
pub(super) fn may_use(caller: &Caller, doctype: &DocType, field: &Field, action: Action) -> bool {
    field.permlevel == 0
        || caller.is_administrator()
        || doctype.permissions.iter().any(|row| {
            let given = match action {
                Action::Read => row.read,
                Action::Create | Action::Write | Action::Delete | Action::Submit | Action::Cancel | Action::Amend => row.write,
            };
            row.permlevel == field.permlevel && given && caller.has_role(&row.role)
        })
}
