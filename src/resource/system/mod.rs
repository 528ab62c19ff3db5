//! Doctypes over typed tables: the adapters that write them.
//!
//! Listing, counting and reading such a doctype is the common mechanism
//! (`store::document_sources` maps its fields to columns), and so are its permissions, its
//! defaults and the checks of its values. An adapter only knows how to change its rows and what
//! else must happen then. To add one: a definition in `doctype/builtin`, its columns in
//! `store/document_sources.rs`, a file here, and its line in [`SYSTEM`].

mod activity_log;
mod doctype;
pub mod file;
mod oauth_bearer_token;
mod oauth_client;
mod oauth_resource;
mod role;
mod social_login_key;
mod user;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Gathered;
use super::permissions::{self, Action};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{DocType, Rows, Values};
use crate::domain::Instant;
use crate::error::AppError;

/// The adapters.
pub static SYSTEM: &[&dyn SystemDoctype] = &[
    &activity_log::ActivityLog,
    &doctype::DocTypeDoctype,
    &file::FileDoctype,
    &oauth_bearer_token::OAuthBearerToken,
    &oauth_client::OAuthClient,
    &oauth_resource::OAuthResource,
    &role::RoleDoctype,
    &social_login_key::SocialLoginKey,
    &user::UserDoctype,
];

/// The adapter of a doctype, by its exact name.
pub fn find(doctype: &str) -> Option<&'static dyn SystemDoctype> {
    SYSTEM.iter().copied().find(|adapter| adapter.doctype() == doctype)
}

/// A change that was checked: types, options, lengths, required fields, links and permissions.
pub struct Draft<'a> {
    pub caller: &'a Caller,
    pub doctype: &'a DocType,
    /// On create the name that the doctype's `autoname` gives; on update the document's name.
    pub name: &'a str,
    /// On create every field with its default; on update only what was sent and differs from what
    /// is stored. Table fields are rows. Never contains a secret.
    pub values: &'a Values,
    /// The body as it was sent, for secrets and for keys that are no fields.
    pub body: &'a Map<String, Value>,
    pub gathered: &'a Gathered,
    /// What `creation` (on create) and `modified` become.
    pub at: Instant,
}

impl Draft<'_> {
    /// The text sent for a secret field, unless it is empty or the caller may not write the field.
    pub fn secret(&self, fieldname: &str) -> Option<&str> {
        let field = self.doctype.field(fieldname).filter(|field| field.is_secret())?;
        let text = self.body.get(fieldname).and_then(Value::as_str).filter(|text| !text.is_empty())?;
        permissions::may_use(self.caller, self.doctype, field, Action::Write).then_some(text)
    }
}

/// What a create made.
pub struct Created {
    /// The document's name; usually [`Draft::name`].
    pub name: String,
    /// Fields that this one answer shows and no later one, such as a secret.
    pub shown_once: Map<String, Value>,
}

/// How the documents of one doctype over typed tables are written.
///
/// The flows in `resource::write` call these after every check; an adapter may refuse further and
/// must leave out nothing silently that was in [`Draft::values`].
pub trait SystemDoctype: Sync {
    /// The exact name of the doctype.
    fn doctype(&self) -> &'static str;

    /// Whether a change (`None`: a deletion) makes or changes credentials, which takes
    /// `Caller::require_credential_rights`.
    fn guards_credentials(&self, _draft: Option<&Draft<'_>>) -> bool {
        true
    }

    /// The name as it is stored, for doctypes whose names are compared without regard to case.
    fn canonical_name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        Cow::Borrowed(name)
    }

    /// Documents that this caller neither sees nor changes, whatever their roles say.
    fn withheld_from(&self, _caller: &Caller) -> &'static [&'static str] {
        &[]
    }

    /// Required fields that such a document need not have.
    fn spares(&self, _whole: &Values) -> &'static [&'static str] {
        &[]
    }

    /// Doctypes whose links to a document do not keep it from being deleted, because they go with it.
    fn deleted_along(&self) -> &'static [&'static str] {
        &[]
    }

    /// Inserts the rows of a new document.
    ///
    /// # Errors
    /// [`AppError::Duplicate`] when the name is taken; whatever else the doctype's rules refuse.
    fn create(&self, cx: &mut Cx, draft: &Draft<'_>) -> Result<Created, AppError>;

    /// Changes the rows of a document; `current` is the document as it is shown. Returns what this
    /// one answer shows and no later one.
    ///
    /// # Errors
    /// Whatever the doctype's rules refuse.
    fn update(&self, cx: &mut Cx, draft: &Draft<'_>, current: &Map<String, Value>) -> Result<Map<String, Value>, AppError>;

    /// Deletes the rows of a document to which nothing links any more.
    ///
    /// # Errors
    /// Whatever the doctype's rules refuse.
    fn delete(&self, cx: &mut Cx, caller: &Caller, name: &str) -> Result<(), AppError>;
}

/// The name of a document as its doctype stores it.
pub(super) fn canonical_name<'n>(doctype: &DocType, name: &'n str) -> Cow<'n, str> {
    match (doctype.rows, find(&doctype.name)) {
        (Rows::Typed, Some(adapter)) => adapter.canonical_name(name),
        _ => Cow::Borrowed(name),
    }
}

/// Documents of a doctype that a caller neither sees nor changes.
pub(super) fn withheld(doctype: &DocType, caller: &Caller) -> &'static [&'static str] {
    match (doctype.rows, find(&doctype.name)) {
        (Rows::Typed, Some(adapter)) => adapter.withheld_from(caller),
        _ => &[],
    }
}

/// For doctypes that cannot be written this way.
///
/// # Errors
/// Always [`AppError::Unsupported`] naming what was asked.
pub fn refuse<T>(what: &str, doctype: &str) -> Result<T, AppError> {
    Err(AppError::Unsupported(format!("{what} {doctype}")))
}
