//! The rules of helpdesk documents (contract 8.3 to 8.6): who may see a ticket, an article or a saved
//! reply, what a new ticket is filled with, and the assignment rule of a team.
//!
//! The rows of permissions open `HD Ticket` and `HD Article` to every logged-in user, because a
//! customer of older Helpdesk versions is a Website User without any role; what they open is
//! narrowed here to what is theirs. [`permission_filter`](DocumentHooks::permission_filter) alone says it: the
//! database asks it of single documents too, so that a list and a read cannot disagree.

use serde_json::{Map, Value};

use super::super::helpdesk::{self, any_of};
use super::super::permissions::Action;
use super::super::read;
use super::{Change, DocumentHooks};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::Operation;
use crate::doctype::{FieldValue, Filter, Values};
use crate::error::AppError;

fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.to_owned())
}

/// Sets a text that neither the request nor a default gave.
fn fill(values: &mut Values, fieldname: &str, value: &str) {
    if values.text(fieldname).is_none() {
        values.set(fieldname, text(value));
    }
}

/// What the site set in `HD Settings`.
fn settings(cx: &mut Cx) -> Result<Map<String, Value>, AppError> {
    let registry = cx.env.doctypes();
    let doctype = registry.get("HD Settings").ok_or_else(|| AppError::not_found("DocType", "HD Settings"))?;
    read::find(cx, doctype, &doctype.name, false)
}

fn is_set(document: &Map<String, Value>, fieldname: &str) -> bool {
    document.get(fieldname).and_then(Value::as_i64) == Some(1)
}

/// Which tickets somebody reaches.
enum Tickets {
    All,
    /// Those with one of these.
    Some {
        user: String,
        contacts: Vec<String>,
        customers: Vec<String>,
        teams: Teams,
    },
}

/// The tickets that an agent reaches through their team.
enum Teams {
    /// None: not an agent.
    None,
    Of {
        names: Vec<String>,
        without_team: bool,
    },
}

impl Tickets {
    fn of(cx: &mut Cx, caller: &Caller) -> Result<Self, AppError> {
        if helpdesk::is_manager(caller) {
            return Ok(Self::All);
        }
        let teams = if helpdesk::is_agent(cx, caller)? {
            let settings = settings(cx)?;
            if !is_set(&settings, "restrict_tickets_by_agent_group") || !helpdesk::teams(cx, caller.name(), true)?.is_empty() {
                return Ok(Self::All);
            }
            let without_team = is_set(&settings, "do_not_restrict_tickets_without_an_agent_group");
            Teams::Of { names: helpdesk::teams(cx, caller.name(), false)?, without_team }
        } else {
            Teams::None
        };
        let mut contacts = helpdesk::contacts(cx, caller)?;
        let customers = helpdesk::managed_customers(cx, caller, &contacts)?;
        // Older sites name a contact as its user.
        contacts.push(caller.name().to_owned());
        Ok(Self::Some { user: caller.name().to_owned(), contacts, customers, teams })
    }

    fn filter(self) -> Option<Filter> {
        let Self::Some { user, contacts, customers, teams } = self else { return None };
        let mut ways = vec![Filter::equals("owner", &user), Filter::equals("raised_by", &user), any_of("contact", &contacts)];
        if !customers.is_empty() {
            ways.push(any_of("customer", &customers));
        }
        if let Teams::Of { names, without_team } = teams {
            if !names.is_empty() {
                ways.push(any_of("agent_group", &names));
            }
            if without_team {
                ways.push(Filter::on("agent_group", Operation::IsNotSet));
            }
            // No index finds one user in a list of them: this way looks at every ticket, for agents who are restricted.
            ways.push(Filter::on("_assign", Operation::Like(pattern(&user))));
        }
        Some(Filter::Or(ways))
    }
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
        let settings = settings(cx)?;
        for (fieldname, default) in [("priority", "default_priority"), ("ticket_type", "default_ticket_type")] {
            if let Some(default) = settings.get(default).and_then(Value::as_str).filter(|default| !default.is_empty()) {
                fill(change.values, fieldname, default);
            }
        }
        fill(change.values, "raised_by", &change.caller.user.user.email);
        if !helpdesk::is_agent(cx, change.caller)? {
            change.values.set("via_customer_portal", FieldValue::Int(1));
        }
        let raised_by = change.values.text("raised_by").unwrap_or_default().to_lowercase();
        if change.values.text("contact").is_none()
            && let [contact] = helpdesk::texts(cx, "Contact", "name", &Filter::equals("email_id", &raised_by))?.as_slice()
        {
            change.values.set("contact", text(contact));
        }
        let contact = change.values.text("contact").map(str::to_owned);
        if let (None, Some(contact)) = (change.values.text("customer"), contact)
            && let [customer] = helpdesk::customers(cx, &[contact])?.as_slice()
        {
            change.values.set("customer", text(customer));
        }
        Ok(())
    }

    /// Addresses are compared as they are stored, so they are stored as users are named: in small letters.
    fn validate(&self, _cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        if let Some(raised_by) = change.values.text("raised_by").map(|address| address.trim().to_lowercase()) {
            change.values.set("raised_by", FieldValue::Text(raised_by));
        }
        Ok(())
    }

    fn permission_filter(&self, cx: &mut Cx, caller: &Caller, _action: Action) -> Result<Option<Filter>, AppError> {
        Ok(Tickets::of(cx, caller)?.filter())
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
        let teams = helpdesk::teams(cx, caller.name(), false)?;
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
