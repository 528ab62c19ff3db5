//! Who is who in the helpdesk (contract 8.3 to 8.6): agents and their teams, customers and what they manage.
//!
//! The rules about single documents are hooks (`hooks/helpdesk.rs`), which ask here; what they ask most
//! is in memory (`standing.rs`). Knows nothing of the dialect: `frappe/methods/helpdesk_*.rs` translate.

pub(super) mod standing;

use serde_json::{Map, Value};

use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{Filter, SortKey};
use crate::domain::scope::Access;
use crate::error::{AppError, Denied};
use crate::store::StoreError;
use crate::store::documents::{self, Hold, Selection};

pub use standing::Standing;

/// The roles of who works on tickets.
const AGENT: &str = "Agent";
const AGENT_MANAGER: &str = "Agent Manager";
/// Who sees what everybody of their customers asks.
const CUSTOMER_MANAGER: &str = "HD Customer Manager";

/// What the helpdesk knows of a user, for the user itself.
#[derive(Debug)]
pub struct Profile {
    pub is_agent: bool,
    pub is_manager: bool,
    pub has_agent_record: bool,
    pub availability: Option<String>,
    pub availability_changed_on: Option<String>,
    /// Names of the user's teams that are not disabled.
    pub teams: Vec<String>,
}

/// A published article, or any for an agent.
pub struct Article {
    /// The document as it is stored.
    pub document: Map<String, Value>,
    pub category_name: Option<Value>,
    /// Full name, address and image of its author, if that user still exists.
    pub author: Option<(String, String, Option<String>)>,
}

/// Whether the user runs the helpdesk, so that no team narrows what they see.
pub(super) fn is_manager(caller: &Caller) -> bool {
    caller.is_system_manager() || caller.has_role(AGENT_MANAGER)
}

/// Whether the user works on tickets: by role, or by an agent's record.
///
/// # Errors
/// [`AppError`] from the database.
pub fn is_agent(cx: &mut Cx, caller: &Caller) -> Result<bool, AppError> {
    if caller.is_guest() {
        return Ok(false);
    }
    if caller.is_administrator() || caller.has_role(AGENT) || caller.has_role(AGENT_MANAGER) {
        return Ok(true);
    }
    // Frappe: a record is enough, here: not one that was made inactive, because that is how a site takes it back.
    Ok(standing::of(cx, caller)?.has_active_record)
}

/// The user's own record among the agents.
fn agent_record(cx: &mut Cx, caller: &Caller) -> Result<Option<Map<String, Value>>, AppError> {
    let fields = ["is_active", "availability", "availability_changed_on"];
    let rows = rows(cx, "HD Agent", &fields, &Filter::equals("name", caller.name()))?;
    Ok(rows.into_iter().next())
}

/// The customers all of whose tickets the user may see.
pub(super) fn managed_customers<'s>(caller: &Caller, standing: &'s Standing) -> &'s [String] {
    if caller.has_role(CUSTOMER_MANAGER) { &standing.customers } else { &[] }
}

/// What the site set in `HD Settings`.
pub(super) fn settings(cx: &mut Cx) -> Result<Map<String, Value>, AppError> {
    let registry = cx.env.doctypes();
    let doctype = registry.get("HD Settings").ok_or_else(|| AppError::not_found("DocType", "HD Settings"))?;
    super::read::find(cx, doctype, &doctype.name, Hold::Nothing)
}

/// What the helpdesk tells a user about itself.
///
/// # Errors
/// [`AppError::InsufficientScope`], [`AppError`] from the database.
pub fn profile(cx: &mut Cx, caller: &Caller) -> Result<Profile, AppError> {
    for doctype in ["HD Agent", "HD Team"] {
        caller.require_doctype_scope(doctype, Access::Read)?;
    }
    let record = agent_record(cx, caller)?;
    let text = |key: &str| record.as_ref()?.get(key)?.as_str().map(str::to_owned);
    Ok(Profile {
        is_agent: is_agent(cx, caller)?,
        is_manager: caller.has_role(AGENT_MANAGER),
        has_agent_record: record.is_some(),
        availability: text("availability"),
        availability_changed_on: text("availability_changed_on"),
        teams: standing::of(cx, caller)?.team_names(),
    })
}

/// An article of the knowledge base, for anybody once it is published and for agents before.
///
/// # Errors
/// [`AppError::NotFound`], [`Denied::Because`] for an unpublished one, [`AppError::InsufficientScope`].
pub fn article(cx: &mut Cx, caller: &Caller, name: &str) -> Result<Article, AppError> {
    let registry = cx.env.doctypes();
    let doctype = registry.get("HD Article").ok_or_else(|| AppError::not_found("DocType", "HD Article"))?;
    let document = super::read::find(cx, doctype, name, Hold::Nothing)?;
    if document.get("status").and_then(Value::as_str) != Some("Published") {
        if !is_agent(cx, caller)? {
            return Err(AppError::NotPermitted(Denied::Because("Access denied".into())));
        }
        caller.require_doctype_scope(&doctype.name, Access::Read)?;
    }
    let linked = |key: &str| document.get(key).and_then(Value::as_str).filter(|name| !name.is_empty());
    let category_name = match linked("category") {
        Some(category) => rows(cx, "HD Article Category", &["category_name"], &Filter::equals("name", category))?.pop(),
        None => None,
    };
    let author = match linked("author") {
        Some(author) => crate::store::users::find_user(cx.conn, author)?,
        None => None,
    };
    Ok(Article {
        category_name: category_name.and_then(|mut row| row.shift_remove("category_name")),
        author: author.map(|user| (user.full_name, user.email, user.user_image)),
        document,
    })
}

/// A field has one of these values; nothing has one of none.
pub(super) fn any_of(fieldname: &str, values: &[String]) -> Filter {
    Filter::Or(values.iter().map(|value| Filter::equals(fieldname, value)).collect())
}

/// One text column of the documents of a doctype, whoever asks.
pub(super) fn texts(cx: &mut Cx, doctype: &str, fieldname: &str, filter: &Filter) -> Result<Vec<String>, AppError> {
    let rows = rows(cx, doctype, &[fieldname], filter)?;
    Ok(rows.iter().filter_map(|row| Some(row.get(fieldname)?.as_str()?.to_owned())).collect())
}

/// Some fields of the documents of a doctype in the order of their creation, whoever asks: what the rules themselves
/// need to know, which is not shown to anybody.
pub(super) fn rows(cx: &mut Cx, doctype: &str, fields: &[&str], filter: &Filter) -> Result<Vec<Map<String, Value>>, AppError> {
    let registry = cx.env.doctypes();
    let doctype = registry.get(doctype).ok_or_else(|| AppError::not_found("DocType", doctype))?;
    // A site may have put an older definition in the place of the shipped one, without what nobody relies on.
    let fields: Vec<(&str, &str)> = fields.iter().filter(|field| doctype.column(field).is_some()).map(|field| (*field, *field)).collect();
    let order = ["creation", "idx"].map(|field| SortKey { fieldname: field.to_owned(), descending: false });
    let zone = cx.env.config.site.time_zone;
    let selection = Selection { doctype, fields: &fields, filter, order: &order, start: 0, limit: None, zone };
    let rows = documents::list_documents(cx.conn, &selection)?;
    rows.iter().map(|row| serde_json::from_str(row).map_err(|error| StoreError::corrupt(error).into())).collect()
}
