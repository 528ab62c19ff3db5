//! Where a user stands in the helpdesk: read once, kept until an agent, a team, a contact or the settings change.
//!
//! A list of tickets asks for it several times, and who reads tickets mostly reads more of them.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{agent_record, any_of, rows, settings, texts};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::Filter;
use crate::error::AppError;
use crate::store::epochs;

/// The subject in `store::epochs` of every [`Standing`]. One for all: a contact or a team is of several users.
pub(crate) const STANDINGS: &str = "*helpdesk";

/// What holds of a user whatever their roles.
#[derive(Debug)]
pub struct Standing {
    /// By an agent's record that is active.
    pub(in crate::resource) has_active_record: bool,
    /// The contacts that are this user.
    pub(in crate::resource) contacts: Vec<String>,
    /// Whether there is a contact with the user's address.
    pub(in crate::resource) has_contact: bool,
    /// The customers that these contacts belong to.
    pub(in crate::resource) customers: Vec<String>,
    /// The user's teams that are not disabled.
    pub(in crate::resource) teams: Vec<Team>,
    /// Whether the site keeps agents to the tickets of their teams.
    pub(in crate::resource) teams_restrict: bool,
    /// Whether these agents see tickets that no team has.
    pub(in crate::resource) sees_tickets_without_team: bool,
    /// What the site fills fields of new tickets with.
    pub(in crate::resource) ticket_defaults: Vec<(&'static str, String)>,
}

/// A team that a user is in.
#[derive(Debug)]
pub(in crate::resource) struct Team {
    pub name: String,
    /// Restrictions are not for its members.
    pub ignores_restrictions: bool,
}

impl Standing {
    /// Whose epoch it stands and falls with.
    pub fn subject(&self) -> &str {
        STANDINGS
    }

    /// The names of the user's teams.
    pub(in crate::resource) fn team_names(&self) -> Vec<String> {
        self.teams.iter().map(|team| team.name.clone()).collect()
    }
}

/// Where the caller stands.
///
/// # Errors
/// [`AppError`] from the database.
pub(in crate::resource) fn of(cx: &mut Cx, caller: &Caller) -> Result<Arc<Standing>, AppError> {
    let env = cx.env;
    // A user who is given another address is another contact.
    let key = format!("{} {}", caller.name(), caller.user.user.email);
    if cx.effects.forgets(STANDINGS) {
        // What this transaction changed holds for itself, and for nobody else yet.
        return load(cx, caller).map(Arc::new);
    }
    let found = env.helpdesk.find(&key, || load(cx, caller).map(Some))?;
    found.ok_or_else(|| AppError::internal("a standing is always found"))
}

/// Where users stand must be read anew.
///
/// # Errors
/// [`AppError`] from the database.
pub(in crate::resource) fn forget(cx: &mut Cx) -> Result<(), AppError> {
    Ok(epochs::bump(cx.conn, cx.effects, cx.now, STANDINGS)?)
}

fn load(cx: &mut Cx, caller: &Caller) -> Result<Standing, AppError> {
    let contacts = contacts(cx, caller)?;
    let settings = settings(cx)?;
    Ok(Standing {
        has_active_record: agent_record(cx, caller)?.is_some_and(|record| is_set(&record, "is_active")),
        customers: customers(cx, &contacts)?,
        contacts,
        has_contact: !of_address(cx, &caller.user.user.email.to_lowercase())?.is_empty(),
        teams: teams(cx, caller.name())?,
        teams_restrict: is_set(&settings, "restrict_tickets_by_agent_group"),
        sees_tickets_without_team: is_set(&settings, "do_not_restrict_tickets_without_an_agent_group"),
        ticket_defaults: [("priority", "default_priority"), ("ticket_type", "default_ticket_type")]
            .into_iter()
            .filter_map(|(fieldname, default)| Some((fieldname, settings.get(default)?.as_str()?.to_owned())))
            .filter(|(_, default)| !default.is_empty())
            .collect(),
    })
}

fn is_set(document: &Map<String, Value>, fieldname: &str) -> bool {
    document.get(fieldname).and_then(Value::as_i64) == Some(1)
}

/// The contacts that name the user, and those of its address. Only staff may write contacts, so nobody can make
/// themselves one.
fn contacts(cx: &mut Cx, caller: &Caller) -> Result<Vec<String>, AppError> {
    let user = &caller.user.user;
    let is_them = Filter::Or(vec![Filter::equals("user", &user.name), Filter::equals("email_id", &user.email.to_lowercase())]);
    texts(cx, "Contact", "name", &is_them)
}

/// The contacts of an address, which is in small letters.
pub(in crate::resource) fn of_address(cx: &mut Cx, address: &str) -> Result<Vec<String>, AppError> {
    texts(cx, "Contact", "name", &Filter::equals("email_id", address))
}

/// The customers that contacts belong to.
pub(in crate::resource) fn customers(cx: &mut Cx, contacts: &[String]) -> Result<Vec<String>, AppError> {
    if contacts.is_empty() {
        return Ok(Vec::new());
    }
    let links = Filter::equals("parenttype", "Contact").and(Filter::equals("link_doctype", "HD Customer"));
    texts(cx, "Dynamic Link", "link_name", &links.and(any_of("parent", contacts)))
}

fn teams(cx: &mut Cx, user: &str) -> Result<Vec<Team>, AppError> {
    let member = Filter::equals("user", user).and(Filter::equals("parenttype", "HD Team"));
    let mut names = texts(cx, "HD Team Member", "parent", &member)?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    names.sort();
    names.dedup();
    let teams = rows(cx, "HD Team", &["name", "disabled", "ignore_restrictions"], &any_of("name", &names))?;
    let enabled = teams.iter().filter(|team| !is_set(team, "disabled"));
    let team = |team: &Map<String, Value>| {
        let name = team.get("name")?.as_str()?.to_owned();
        Some(Team { name, ignores_restrictions: is_set(team, "ignore_restrictions") })
    };
    Ok(enabled.filter_map(team).collect())
}
