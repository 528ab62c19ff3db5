//! What a caller may do with a doctype, as a condition on its documents (contract 7.4).
//!
//! [`rights`] is that condition. A list, a count or a search ANDs it to what was asked; for one
//! document the database evaluates the same condition on its row, so what a list shows can be read
//! and what it hides cannot. Nothing is filtered after the fact. From the inside out:
//!
//! 1. the rows of level 0 of the doctype's permissions whose role the caller has;
//! 2. what the caller's User Permissions leave of them (`narrow.rs`);
//! 3. what the doctype's hooks leave of that;
//! 4. and, beside all this, what was shared with the caller.
//!
//! Which fields may be named at all is [`may_use`]. What must be known of a user for this is in
//! memory (`known.rs`). Administrator may do everything; a credential's scope narrows the rest.

mod answer;
mod known;
mod narrow;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::system;
use crate::auth::Caller;
use crate::cx::{Cx, Env};
use crate::doctype::filter::Operation;
use crate::doctype::{Column, DocType, Field, FieldValue, Filter, Permission};
use crate::domain::scope::Access;
use crate::error::{AppError, Denied};
use crate::store::documents;

pub use answer::{has_permission, permissions_of};
pub use known::{SiteRights, UserRights};
pub(super) use known::{forget_site, forget_user};
pub(super) use narrow::restricts;
use narrow::shared;

/// What someone wants to do with documents: one of Frappe's rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To name a document, and see what a search shows of it.
    Select,
    Read,
    Write,
    Create,
    Delete,
    Submit,
    Cancel,
    Amend,
    Print,
    Email,
    Report,
    Import,
    Export,
    Share,
}

impl Action {
    /// All of them, in the order in which Frappe lists them.
    pub const ALL: [Self; 14] = [
        Self::Select,
        Self::Read,
        Self::Write,
        Self::Create,
        Self::Delete,
        Self::Submit,
        Self::Cancel,
        Self::Amend,
        Self::Print,
        Self::Email,
        Self::Report,
        Self::Import,
        Self::Export,
        Self::Share,
    ];

    /// Its name in a permission row.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Submit => "submit",
            Self::Cancel => "cancel",
            Self::Amend => "amend",
            Self::Print => "print",
            Self::Email => "email",
            Self::Report => "report",
            Self::Import => "import",
            Self::Export => "export",
            Self::Share => "share",
        }
    }

    /// The action of this name, in any case.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str().eq_ignore_ascii_case(text.trim()))
    }

    fn access(self) -> Access {
        match self {
            Self::Select | Self::Read | Self::Print | Self::Email | Self::Report | Self::Export => Access::Read,
            Self::Write | Self::Create | Self::Delete | Self::Submit | Self::Cancel | Self::Amend | Self::Import | Self::Share => {
                Access::Write
            }
        }
    }

    fn is_given_by(self, row: &Permission) -> bool {
        match self {
            Self::Select => row.select || row.read,
            Self::Read => row.read,
            Self::Write => row.write,
            Self::Create => row.create,
            Self::Delete => row.delete,
            Self::Submit => row.submit,
            Self::Cancel => row.cancel,
            Self::Amend => row.amend,
            Self::Print => row.print,
            Self::Email => row.email,
            Self::Report => row.report,
            Self::Import => row.import,
            Self::Export => row.export,
            Self::Share => row.share,
        }
    }
}

/// Which documents of a doctype its permission rows open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Nothing,
    /// Those that belong to the caller.
    Own,
    Everything,
}

/// Finds a doctype and refuses whoever certainly may not do `action` to any document of it. Needs no
/// database, so a door may ask before it gathers anything expensive; the flow asks [`open`].
///
/// # Errors
/// [`AppError::NotFound`] for an unknown doctype, [`AppError::InsufficientScope`],
/// [`AppError::NotPermitted`].
pub fn permit(env: &Env, caller: &Caller, doctype: &str, name: Option<&str>, action: Action) -> Result<Arc<DocType>, AppError> {
    let doctype = find_doctype(env, caller, doctype, action)?;
    if reach(caller, &doctype, action) == Reach::Nothing && !known::may_be_shared(env, caller, &doctype, action) {
        return Err(closed(caller, &doctype, name));
    }
    Ok(doctype)
}

/// Whether the caller may do `action` to some documents of a doctype, as far as is known without the
/// database: what was only shared with a caller who was not seen lately counts as closed.
pub(super) fn is_open(env: &Env, caller: &Caller, doctype: &DocType, action: Action) -> bool {
    find_doctype(env, caller, &doctype.name, action).is_ok()
        && (reach(caller, doctype, action) != Reach::Nothing || known::is_known_to_be_shared(env, caller, doctype, action))
}

/// Finds a doctype and the caller's [`rights`] to do `action` to its documents; refuses whoever has none.
///
/// # Errors
/// As [`permit`]; [`AppError`] from the database.
pub(super) fn open(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &str,
    name: Option<&str>,
    action: Action,
) -> Result<(Arc<DocType>, Filter), AppError> {
    let doctype = find_doctype(cx.env, caller, doctype, action)?;
    match granted(cx, caller, &doctype, action)? {
        Some(rights) => Ok((doctype, rights)),
        None => Err(closed(caller, &doctype, name)),
    }
}

/// [`open`] for who asks about single documents later, with [`require_document`].
///
/// # Errors
/// As [`open`].
pub(super) fn enter(cx: &mut Cx, caller: &Caller, doctype: &str, name: Option<&str>, action: Action) -> Result<Arc<DocType>, AppError> {
    open(cx, caller, doctype, name, action).map(|(doctype, _)| doctype)
}

/// Finds a doctype for a list. [`Action::Read`] where the caller may read any of its documents, else
/// [`Action::Select`]: what [`may_use`] is to be asked with for the fields that the list names.
///
/// # Errors
/// As [`open`].
pub(super) fn open_list(cx: &mut Cx, caller: &Caller, doctype: &str) -> Result<(Arc<DocType>, Action), AppError> {
    let doctype = find_doctype(cx.env, caller, doctype, Action::Read)?;
    for action in [Action::Read, Action::Select] {
        if granted(cx, caller, &doctype, action)?.is_some() {
            return Ok((doctype, action));
        }
    }
    Err(closed(caller, &doctype, None))
}

/// The condition on the rows of a list that names these fields, after [`open_list`]. Who only names
/// what `select` gives sees every document they may select; any other field takes the right to read.
/// With it [`Action::Select`] where some of these rows could not be read: no other field of them may
/// be used for anything, the default order included.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn list_rights(cx: &mut Cx, caller: &Caller, doctype: &DocType, named: &[Column]) -> Result<(Filter, Action), AppError> {
    let read = rights(cx, caller, doctype, Action::Read)?;
    if read.is_always() || !named.iter().all(|column| matches!(column, Column::Own(fieldname) if is_selectable(doctype, fieldname))) {
        return Ok((read, Action::Read));
    }
    let select = rights(cx, caller, doctype, Action::Select)?;
    let action = if select == read { Action::Read } else { Action::Select };
    Ok((select, action))
}

/// The condition that holds for exactly the documents to which the caller may do `action`:
/// [`Filter::always`] where nothing restricts them, [`Filter::never`] where nothing opens the
/// doctype. Says nothing about scopes; for a new document it is asked after the insert.
///
/// # Errors
/// [`AppError`] from the database, for what is not in memory.
pub(super) fn rights(cx: &mut Cx, caller: &Caller, doctype: &DocType, action: Action) -> Result<Filter, AppError> {
    Ok(granted(cx, caller, doctype, action)?.unwrap_or_else(Filter::never))
}

/// [`rights`], `None` where neither a role nor a share opens anything.
fn granted(cx: &mut Cx, caller: &Caller, doctype: &DocType, action: Action) -> Result<Option<Filter>, AppError> {
    let rights = if caller.is_administrator() {
        Some(Filter::always())
    } else if action == Action::Share && known::of_site(cx)?.sharing_is_off {
        None
    } else {
        let by_roles = by_roles(cx, caller, doctype, action)?;
        match by_roles {
            Some(all) if all.is_always() => Some(all),
            by_roles => match (by_roles, shared(cx, caller, doctype, action)?) {
                (None, None) => None,
                (by_roles, shared) => Some(by_roles.unwrap_or_else(Filter::never).or(shared.unwrap_or_else(Filter::never))),
            },
        }
    };
    Ok(rights.map(|rights| rights.and(not_withheld(caller, doctype))))
}

/// What roles open, within User Permissions and what the doctype's hooks say; `None`: nothing.
fn by_roles(cx: &mut Cx, caller: &Caller, doctype: &DocType, action: Action) -> Result<Option<Filter>, AppError> {
    let mut rights = match reach(caller, doctype, action) {
        Reach::Nothing => return Ok(None),
        // Frappe: who owns a document that a row opens to owners alone passes User Permissions.
        Reach::Own if action != Action::Create => own(caller, doctype),
        // Who may read may select, so also what they read because it is their own.
        Reach::Everything if action == Action::Select && reach(caller, doctype, Action::Read) == Reach::Own => {
            narrow::user_permissions(cx, caller, doctype)?.or(own(caller, doctype))
        }
        Reach::Own | Reach::Everything => narrow::user_permissions(cx, caller, doctype)?,
    };
    let env = cx.env;
    for hook in env.hooks.of(&doctype.name) {
        if let Some(filter) = hook.permission_filter(cx, caller, action)? {
            rights = rights.and(filter);
        }
    }
    Ok(Some(rights))
}

fn own(caller: &Caller, doctype: &DocType) -> Filter {
    Filter::equals(&doctype.owner_field, caller.name())
}

/// The union of the rows of level 0 whose role the caller has.
fn reach(caller: &Caller, doctype: &DocType, action: Action) -> Reach {
    if caller.is_administrator() {
        return Reach::Everything;
    }
    if action == Action::Submit && !doctype.is_submittable || action == Action::Import && !answer::allows_import(doctype) {
        return Reach::Nothing;
    }
    let mut reach = Reach::Nothing;
    for row in doctype.permissions.iter().filter(|row| row.permlevel == 0 && action.is_given_by(row) && caller.has_role(&row.role)) {
        // Nobody owns a document that is not there yet, so who may create what is theirs may create.
        if !row.if_owner {
            return Reach::Everything;
        }
        reach = Reach::Own;
    }
    reach
}

fn find_doctype(env: &Env, caller: &Caller, doctype: &str, action: Action) -> Result<Arc<DocType>, AppError> {
    let registry = env.doctypes();
    let doctype = registry.find(doctype).ok_or_else(|| AppError::not_found("DocType", crate::doctype::filter::shorten(doctype)))?;
    caller.require_doctype_scope(&doctype.name, action.access())?;
    if doctype.is_child_table {
        // Child rows are reached through their parents, whose permissions they have.
        return Err(AppError::NotPermitted(Denied::ChildTable(doctype.name.clone())));
    }
    Ok(Arc::clone(doctype))
}

/// The refusal of a doctype, be it for one document of it.
pub(super) fn closed(caller: &Caller, doctype: &DocType, name: Option<&str>) -> AppError {
    let (user, doctype, name) = (caller.name().to_owned(), doctype.name.clone(), name.map(str::to_owned));
    AppError::NotPermitted(Denied::Doctype { user, doctype, name })
}

/// The refusal of one document.
pub(super) fn denied(caller: &Caller, doctype: &DocType, name: &str, action: Action) -> AppError {
    let own_only = reach(caller, doctype, action) == Reach::Own;
    let (user, doctype, name) = (caller.name().to_owned(), doctype.name.clone(), name.to_owned());
    AppError::NotPermitted(Denied::Document { user, doctype, name, own_only })
}

fn not_withheld(caller: &Caller, doctype: &DocType) -> Filter {
    match system::withheld(doctype, caller) {
        [] => Filter::always(),
        names => {
            let names = names.iter().map(|name| FieldValue::Text((*name).to_owned())).collect();
            Filter::on("name", Operation::NotIn(names))
        }
    }
}

/// Whether a document is there to which the caller has these rights.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn holds(cx: &mut Cx, doctype: &DocType, name: &str, rights: &Filter) -> Result<bool, AppError> {
    if rights.is_never() || name.contains('\0') {
        return Ok(false);
    }
    Ok(documents::holds(cx.conn, doctype, name, rights, cx.env.config.site.time_zone)?)
}

/// Refuses a document, as it is shown, to which the caller may not do `action`.
///
/// # Errors
/// [`Denied::Document`].
pub(super) fn require_document(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &DocType,
    action: Action,
    document: &Map<String, Value>,
) -> Result<(), AppError> {
    let rights = rights(cx, caller, doctype, action)?;
    let name = super::name_of(document);
    // A single that was never saved is in no table, and has nothing that could be withheld.
    let unsaved =
        |cx: &mut Cx| Ok::<_, AppError>(doctype.is_single && !rights.is_never() && !holds(cx, doctype, &name, &Filter::always())?);
    if !rights.is_always() && !holds(cx, doctype, &name, &rights)? && !unsaved(cx)? {
        return Err(denied(caller, doctype, &name, action));
    }
    ask_hooks(cx, caller, doctype, action, document)
}

/// Whether the caller may do `action` to a document, as it is shown.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn allows(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &DocType,
    action: Action,
    document: &Map<String, Value>,
) -> Result<bool, AppError> {
    match require_document(cx, caller, doctype, action, document) {
        Ok(()) => Ok(true),
        Err(AppError::NotPermitted(_)) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Refuses a document that was just written and now is none that the caller could have written.
///
/// # Errors
/// [`closed`], which rolls the write back and says no more than a link that leads nowhere does.
pub(super) fn require_stored(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &DocType,
    action: Action,
    document: &Map<String, Value>,
) -> Result<(), AppError> {
    match require_document(cx, caller, doctype, action, document) {
        Err(AppError::NotPermitted(_)) => Err(closed(caller, doctype, None)),
        other => other,
    }
}

/// Asks the doctype's hooks about a document for which the caller's rights hold.
///
/// # Errors
/// [`Denied::Document`] where a hook denies it and nobody shared it.
pub(super) fn ask_hooks(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &DocType,
    action: Action,
    document: &Map<String, Value>,
) -> Result<(), AppError> {
    if caller.is_administrator() {
        return Ok(());
    }
    let env = cx.env;
    for hook in env.hooks.of(&doctype.name) {
        if hook.has_permission(cx, caller, action, document)? {
            continue;
        }
        let name = super::name_of(document);
        return match shared(cx, caller, doctype, action)? {
            Some(shared) if holds(cx, doctype, &name, &shared)? => Ok(()),
            _ => Err(denied(caller, doctype, &name, action)),
        };
    }
    Ok(())
}

/// Whether the caller may name a field of a doctype: see it, set it, filter, sort or group by it.
/// Fields of a higher level take a row of that level, and `select` gives only what identifies a
/// document. For a field of a child table, `doctype` is the parent: its rows decide.
pub(super) fn may_use(caller: &Caller, doctype: &DocType, field: &Field, action: Action) -> bool {
    if caller.is_administrator() {
        return true;
    }
    if action == Action::Select && !is_selectable(doctype, &field.fieldname) {
        return false;
    }
    let changes = action.access() == Access::Write;
    field.permlevel == 0
        || doctype.permissions.iter().any(|row| {
            let given = if changes { row.write } else { row.read || (action == Action::Select && row.select) };
            row.permlevel == field.permlevel && given && caller.has_role(&row.role)
        })
}

/// Whether a field is among what `select` gives: the name, the title, and what a search looks into.
fn is_selectable(doctype: &DocType, fieldname: &str) -> bool {
    fieldname == "name" || doctype.title_field.as_deref() == Some(fieldname) || doctype.search_fields.iter().any(|field| field == fieldname)
}
