//! What must be known of a user and of the site before anything is asked of the documents: read
//! once, kept until a User Permission, a share or a setting changes.
//!
//! Only *that* something is restricted or shared is kept. *What* it is, the database looks up in the
//! same statement that uses it (`narrow.rs`), so no list of names grows here or goes stale.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Action;
use crate::auth::Caller;
use crate::cx::{Cx, Env};
use crate::doctype::filter::Operation;
use crate::doctype::{DocType, FieldValue, Filter};
use crate::error::AppError;
use crate::store::documents::{self, Selection};
use crate::store::{StoreError, epochs};

/// The subject in `store::epochs` of [`SiteRights`].
pub(crate) const SITE: &str = "*rights";

/// Rights of one user that no role gives or takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserRights {
    pub user: String,
    restrictions: Vec<Restriction>,
    shares: Vec<Share>,
}

/// What holds for everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteRights {
    /// Documents whose link is empty are closed to who is restricted in that link.
    pub strict: bool,
    /// Nobody may share.
    pub sharing_is_off: bool,
    shares: Vec<Share>,
}

/// A doctype of which a user may use only some documents.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Restriction {
    allow: String,
    /// The only doctype in which this counts; `None`: in all.
    applicable_for: Option<String>,
}

/// A doctype of which something is shared, and the right that is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Share {
    doctype: String,
    field: &'static str,
}

impl UserRights {
    /// Whether no User Permission restricts the user.
    pub(super) fn is_free(&self) -> bool {
        self.restrictions.is_empty()
    }

    /// Whether only some documents of `allow` may be used within documents of `doctype`.
    pub(super) fn restricts(&self, allow: &str, doctype: &str) -> bool {
        self.restrictions.iter().any(|known| known.allow == allow && known.applicable_for.as_deref().is_none_or(|only| only == doctype))
    }
}

impl SiteRights {
    /// Whose epoch it stands and falls with.
    pub fn subject(&self) -> &str {
        SITE
    }
}

/// The field of a `DocShare` that gives a right; `None` for those that cannot be shared.
pub(super) fn share_field(action: Action) -> Option<&'static str> {
    match action {
        Action::Select | Action::Read | Action::Print | Action::Email => Some("read"),
        Action::Write => Some("write"),
        Action::Submit => Some("submit"),
        Action::Share => Some("share"),
        Action::Create | Action::Delete | Action::Cancel | Action::Amend | Action::Report | Action::Import | Action::Export => None,
    }
}

/// Whether something of a doctype may be shared with a caller, as far as is known without the database.
pub(super) fn may_be_shared(env: &Env, caller: &Caller, doctype: &DocType, action: Action) -> bool {
    let Some(field) = share_field(action) else { return false };
    match (env.user_rights.peek(caller.name()), env.site_rights.peek("")) {
        (Some(user), Some(site)) => is_shared(&user, &site, caller, doctype, field),
        _ => true,
    }
}

/// Whether something of a doctype is shared with a caller, and this is in memory.
pub(super) fn is_known_to_be_shared(env: &Env, caller: &Caller, doctype: &DocType, action: Action) -> bool {
    let known = (share_field(action), env.user_rights.peek(caller.name()), env.site_rights.peek(""));
    matches!(known, (Some(field), Some(user), Some(site)) if is_shared(&user, &site, caller, doctype, field))
}

/// Whether something of a doctype is shared with a caller, by `field` of a `DocShare`.
pub(super) fn is_shared(user: &UserRights, site: &SiteRights, caller: &Caller, doctype: &DocType, field: &str) -> bool {
    let has = |shares: &[Share]| shares.iter().any(|share| share.doctype == doctype.name && share.field == field);
    // Frappe: what is shared with everyone is not shared with guests.
    has(&user.shares) || (!caller.is_guest() && has(&site.shares))
}

/// What is known of the caller.
pub(super) fn of_user(cx: &mut Cx, caller: &Caller) -> Result<Arc<UserRights>, AppError> {
    let env = cx.env;
    let found = env.user_rights.find(caller.name(), || load_user(cx, caller.name()).map(Some))?;
    found.ok_or_else(|| AppError::internal("rights are always found"))
}

/// What is known of the site.
pub(super) fn of_site(cx: &mut Cx) -> Result<Arc<SiteRights>, AppError> {
    let env = cx.env;
    let found = env.site_rights.find("", || load_site(cx).map(Some))?;
    found.ok_or_else(|| AppError::internal("rights are always found"))
}

/// What is known of a user must be read anew: one of their User Permissions or shares changed.
///
/// # Errors
/// [`AppError`] from the database.
pub(in crate::resource) fn forget_user(cx: &mut Cx, user: &str) -> Result<(), AppError> {
    Ok(epochs::bump(cx.conn, cx.effects, cx.now, user)?)
}

/// What is known of the site must be read anew.
///
/// # Errors
/// [`AppError`] from the database.
pub(in crate::resource) fn forget_site(cx: &mut Cx) -> Result<(), AppError> {
    Ok(epochs::bump(cx.conn, cx.effects, cx.now, SITE)?)
}

fn load_user(cx: &mut Cx, user: &str) -> Result<UserRights, AppError> {
    let of_user = Filter::equals("user", user);
    let rows = distinct(cx, "User Permission", &["allow", "apply_to_all_doctypes", "applicable_for"], &of_user)?;
    let restrictions = rows
        .iter()
        .map(|row| {
            let only = text(row, "applicable_for").filter(|_| !flag(row, "apply_to_all_doctypes"));
            Restriction { allow: text(row, "allow").unwrap_or_default(), applicable_for: only }
        })
        .collect();
    Ok(UserRights { user: user.to_owned(), restrictions, shares: load_shares(cx, &of_user)? })
}

fn load_site(cx: &mut Cx) -> Result<SiteRights, AppError> {
    let settings = distinct(cx, "System Settings", &["apply_strict_user_permissions", "disable_document_sharing"], &Filter::always())?;
    let is_on = |name: &str| settings.iter().any(|row| flag(row, name));
    let (strict, sharing_is_off) = (is_on("apply_strict_user_permissions"), is_on("disable_document_sharing"));
    let everyone = Filter::on("everyone", Operation::Equal(FieldValue::Int(1)));
    Ok(SiteRights { strict, sharing_is_off, shares: load_shares(cx, &everyone)? })
}

fn load_shares(cx: &mut Cx, of: &Filter) -> Result<Vec<Share>, AppError> {
    const RIGHTS: [&str; 4] = ["read", "write", "submit", "share"];
    let rows = distinct(cx, "DocShare", &["share_doctype", "read", "write", "submit", "share"], of)?;
    let of_row = |row: &Map<String, Value>| {
        let doctype = text(row, "share_doctype").unwrap_or_default();
        RIGHTS.into_iter().filter(|field| flag(row, field)).map(|field| Share { doctype: doctype.clone(), field }).collect::<Vec<_>>()
    };
    Ok(rows.iter().flat_map(of_row).collect())
}

/// The different values of some fields of a doctype.
fn distinct(cx: &mut Cx, doctype: &str, fields: &[&str], filter: &Filter) -> Result<Vec<Map<String, Value>>, AppError> {
    let registry = cx.env.doctypes();
    let Some(doctype) = registry.get(doctype) else { return Ok(Vec::new()) };
    let fields: Vec<(&str, &str)> = fields.iter().map(|field| (*field, *field)).collect();
    let zone = cx.env.config.site.time_zone;
    let selection = Selection { doctype, fields: &fields, filter, order: &[], start: 0, limit: None, zone };
    let rows = documents::list_distinct(cx.conn, &selection)?;
    Ok(rows.iter().map(|row| serde_json::from_str(row).map_err(StoreError::corrupt)).collect::<Result<_, _>>()?)
}

fn text(row: &Map<String, Value>, key: &str) -> Option<String> {
    row.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn flag(row: &Map<String, Value>, key: &str) -> bool {
    row.get(key).and_then(Value::as_i64).is_some_and(|number| number != 0)
}
