//! The rules of helpdesk documents (contract 8.3 to 8.6): who may see a ticket, an article or a saved
//! reply, what a new ticket is filled with, and the assignment rule of a team.
//!
//! The rows of permissions open `HD Ticket` and `HD Article` to every logged-in user, because a
//! customer of older Helpdesk versions is a Website User without any role; what they open is
//! narrowed here to what is theirs. [`permission_filter`](DocumentHooks::permission_filter) alone says it: the
//! database asks it of single documents too, so that a list and a read cannot disagree.

use serde_json::Value;

use super::super::helpdesk::{self, any_of, standing};
use super::super::links;
use super::super::permissions::Action;
use super::{Change, DocumentHooks, Written};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::Operation;
use crate::doctype::{FieldValue, Filter, Values};
use crate::error::{AppError, Denied};
use crate::store::users;

fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.to_owned())
}

/// Sets a text that neither the request nor a default gave.
fn fill(values: &mut Values, fieldname: &str, value: &str) {
    if values.text(fieldname).is_none() {
        values.set(fieldname, text(value));
    }
}

/// The condition that holds for the tickets that somebody reaches; `None`: all.
fn tickets(cx: &mut Cx, caller: &Caller) -> Result<Option<Filter>, AppError> {
    if helpdesk::is_manager(caller) {
        return Ok(None);
    }
    let is_agent = helpdesk::is_agent(cx, caller)?;
    let standing = standing::of(cx, caller)?;
    if is_agent && (!standing.teams_restrict || standing.teams.iter().any(|team| team.ignores_restrictions)) {
        return Ok(None);
    }
    let user = caller.name();
    let mut contacts = standing.contacts.clone();
    // Older sites name a contact as its user.
    contacts.push(user.to_owned());
    let mut ways = vec![Filter::equals("owner", user), Filter::equals("raised_by", user), any_of("contact", &contacts)];
    let customers = helpdesk::managed_customers(caller, &standing);
    if !customers.is_empty() {
        ways.push(any_of("customer", customers));
    }
    if is_agent {
        if !standing.teams.is_empty() {
            ways.push(any_of("agent_group", &standing.team_names()));
        }
        if standing.sees_tickets_without_team {
            ways.push(Filter::on("agent_group", Operation::IsNotSet));
        }
        // No index finds one user in a list of them: this way looks at every ticket, for agents who are restricted.
        ways.push(Filter::on("_assign", Operation::Like(pattern(user))));
    }
    Ok(Some(Filter::Or(ways)))
}

/// Finds a user in `_assign`, which is the text of a JSON list.
fn pattern(user: &str) -> String {
    let quoted = Value::String(user.to_owned()).to_string();
    let escaped: String =
        quoted.chars().flat_map(|letter| matches!(letter, '%' | '_' | '\\').then_some('\\').into_iter().chain([letter])).collect();
    format!("%{escaped}%")
}

/// `HD Ticket`.
pub struct Ticket;

impl DocumentHooks for Ticket {
    fn doctype(&self) -> &'static str {
        "HD Ticket"
    }

    fn before_insert(&self, cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        let standing = standing::of(cx, change.caller)?;
        for (fieldname, default) in &standing.ticket_defaults {
            fill(change.values, fieldname, default);
        }
        fill(change.values, "raised_by", &change.caller.user.user.email);
        let is_agent = helpdesk::is_agent(cx, change.caller)?;
        if !is_agent {
            change.values.set("via_customer_portal", FieldValue::Int(1));
        }
        let raised_by = change.values.text("raised_by").unwrap_or_default().to_lowercase();
        if change.values.text("contact").is_none() {
            let own_address = change.caller.user.user.email.to_lowercase();
            // Mostly there is none. One that there is may be deleted or renamed by somebody else in this moment.
            let is_unknown = raised_by == own_address && !standing.has_contact;
            let contacts = if is_unknown { Vec::new() } else { standing::of_address(cx, &raised_by)? };
            if let [contact] = contacts.as_slice()
                && links::holds(cx, "Contact", contact)?
            {
                change.values.set("contact", text(contact));
            }
        }
        // Whom somebody else's contact works for is no answer to a customer.
        let may_know = |contact: &String| is_agent || helpdesk::is_manager(change.caller) || standing.contacts.contains(contact);
        let contact = change.values.text("contact").map(str::to_owned).filter(may_know);
        if let (None, Some(contact)) = (change.values.text("customer"), contact)
            && let [customer] = standing::customers(cx, &[contact])?.as_slice()
        {
            change.values.set("customer", text(customer));
        }
        Ok(())
    }

    /// Addresses are compared as they are stored, so they are stored as users are named: in small letters.
    ///
    /// Frappe: anybody raises tickets for anybody, here: customers only for themselves, because the new ticket says whose
    /// contact and customer an address belongs to.
    fn validate(&self, cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        let Some(raised_by) = change.values.text("raised_by").map(|address| address.trim().to_lowercase()) else { return Ok(()) };
        let user = &change.caller.user.user;
        let is_own = raised_by == user.email.to_lowercase() || raised_by == user.name;
        let is_as_before = change.before.and_then(|before| before.text("raised_by")) == Some(raised_by.as_str());
        if !is_own && !is_as_before && !helpdesk::is_manager(change.caller) && !helpdesk::is_agent(cx, change.caller)? {
            return Err(AppError::NotPermitted(Denied::Because("Only agents raise tickets for somebody else".into())));
        }
        change.values.set("raised_by", FieldValue::Text(raised_by));
        Ok(())
    }

    fn changes_stored(&self) -> bool {
        false
    }

    fn permission_filter(&self, cx: &mut Cx, caller: &Caller, _action: Action) -> Result<Option<Filter>, AppError> {
        tickets(cx, caller)
    }
}

/// `HD Article`: drafts are the agents' own affair.
pub struct Article;

impl DocumentHooks for Article {
    fn doctype(&self) -> &'static str {
        "HD Article"
    }

    fn validate(&self, cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        let was_published = change.before.is_some_and(|before| before.text("status") == Some("Published"));
        if change.values.text("status") == Some("Published") && !was_published {
            change.values.set("published_on", FieldValue::Datetime(cx.now.naive_utc()));
        }
        Ok(())
    }

    fn permission_filter(&self, cx: &mut Cx, caller: &Caller, _action: Action) -> Result<Option<Filter>, AppError> {
        let sees_drafts = helpdesk::is_manager(caller) || helpdesk::is_agent(cx, caller)?;
        Ok((!sees_drafts).then(|| Filter::equals("status", "Published")))
    }
}

/// `HD Saved Reply`: somebody's own, their teams', or everybody's.
pub struct SavedReply;

impl SavedReply {
    fn filter(cx: &mut Cx, caller: &Caller) -> Result<Filter, AppError> {
        let teams = standing::of(cx, caller)?.team_names();
        let mut ways = vec![Filter::equals("owner", caller.name()), Filter::equals("scope", "Global")];
        if !teams.is_empty() {
            let of_team = Filter::equals("parenttype", "HD Saved Reply").and(any_of("team", &teams));
            let names = helpdesk::texts(cx, "HD Saved Reply Team", "parent", &of_team)?;
            if !names.is_empty() {
                ways.push(Filter::equals("scope", "Team").and(any_of("name", &names)));
            }
        }
        Ok(Filter::Or(ways))
    }
}

impl DocumentHooks for SavedReply {
    fn doctype(&self) -> &'static str {
        "HD Saved Reply"
    }

    fn permission_filter(&self, cx: &mut Cx, caller: &Caller, _action: Action) -> Result<Option<Filter>, AppError> {
        if helpdesk::is_manager(caller) { Ok(None) } else { Self::filter(cx, caller).map(Some) }
    }
}

/// `HD Agent`: is called as its user is.
pub struct Agent;

impl DocumentHooks for Agent {
    fn doctype(&self) -> &'static str {
        "HD Agent"
    }

    /// Agents know each other by name, also those who may not read users: from them `fetch_from` takes nothing over.
    fn before_insert(&self, cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        if change.values.text("agent_name").is_none()
            && let Some(user) = change.values.text("user").map(str::to_owned)
            && let Some(user) = users::find_user(cx.conn, &user)?
        {
            change.values.set("agent_name", FieldValue::Text(user.full_name));
        }
        Ok(())
    }
}

/// What a user's standing follows from: `HD Agent`, `HD Team`, `HD Settings` and `Contact`.
pub struct Source(pub &'static str);

impl DocumentHooks for Source {
    fn doctype(&self) -> &str {
        self.0
    }

    fn on_update(&self, cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        standing::forget(cx)
    }

    fn changes_stored(&self) -> bool {
        false
    }

    fn on_trash(&self, cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        standing::forget(cx)
    }
}
