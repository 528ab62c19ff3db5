//! `HD Team`: a team shares its tickets out among its members by an assignment rule of its own.
//!
//! Its own rule is the server's to write, whoever changes the team. Any other rule is written as the caller who changes the
//! team, and linked only by who may write it.

use serde_json::{Map, Value, json};

use super::super::permissions::Action;
use super::super::{Gathered, helpdesk, require, write};
use super::{Change, DocumentHooks, Written};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{FieldValue, Filter, Values};
use crate::domain::user::ADMINISTRATOR;
use crate::error::AppError;
use crate::store;
use crate::store::documents::Hold;

const RULE: &str = "Assignment Rule";
/// What the names of the rules end with that teams make.
const ROTATION: &str = " - Support Rotation";

/// `HD Team`.
pub struct Team;

/// The rules of teams are the server's own to write, whoever changes the team.
fn administrator(cx: &mut Cx) -> Result<Caller, AppError> {
    let user = store::users::find_user(cx.conn, ADMINISTRATOR)?.ok_or_else(|| AppError::not_found("User", ADMINISTRATOR))?;
    Ok(Caller::command_line(user))
}

/// `agent_group == "…"`, in the quotes that the name leaves free.
fn condition(team: &str) -> Result<String, AppError> {
    match ['"', '\''].into_iter().find(|quote| !team.contains(*quote)) {
        Some(quote) if !team.contains('\\') => Ok(format!("agent_group == {quote}{team}{quote}")),
        Some(_) | None => Err(AppError::Validation("A team's name cannot have a backslash, or both kinds of quotes".into())),
    }
}

/// Whether a rule was made by the server for a team; the rule of this very team if one is given.
fn is_made_for_team(cx: &mut Cx, rule: &str, team: Option<&str>) -> Result<bool, AppError> {
    if !rule.ends_with(ROTATION) || team.is_some_and(|team| rule != format!("{team}{ROTATION}")) {
        return Ok(false);
    }
    let Some(found) = helpdesk::rows(cx, RULE, &["owner", "assign_condition"], &Filter::equals("name", rule))?.pop() else {
        return Ok(false);
    };
    let is = |fieldname: &str, value: &str| found.get(fieldname).and_then(Value::as_str) == Some(value);
    let is_of_team = match team {
        Some(team) => is("assign_condition", &condition(team)?),
        None => true,
    };
    Ok(is("owner", ADMINISTRATOR) && is_of_team)
}

/// What of a rule follows from its team.
fn rule_of(values: &Values) -> Option<Map<String, Value>> {
    let members = values.rows("users")?;
    let users: Vec<Value> = members.iter().filter_map(|row| row.text("user")).map(|user| json!({ "user": user })).collect();
    let Value::Object(rule) = json!({ "users": users, "disabled": i64::from(values.check("disabled").unwrap_or(false)) }) else {
        unreachable!("an object was written above")
    };
    Some(rule)
}

impl DocumentHooks for Team {
    fn doctype(&self) -> &'static str {
        "HD Team"
    }

    fn before_insert(&self, cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        // What is missing is refused with every other required field.
        let (Some(team), Some(mut rule)) = (change.values.text("team_name").map(str::to_owned), rule_of(change.values)) else {
            return Ok(());
        };
        if rule["users"].as_array().is_none_or(Vec::is_empty) {
            return Ok(());
        }
        let name = format!("{team}{ROTATION}");
        rule.insert("name".into(), json!(name));
        rule.insert("document_type".into(), json!("HD Ticket"));
        rule.insert("description".into(), json!(format!("Ticket of the team {team}")));
        rule.insert("assign_condition".into(), json!(condition(&team)?));
        let administrator = administrator(cx)?;
        let taken = helpdesk::texts(cx, RULE, "name", &Filter::equals("name", &name))?;
        if taken.is_empty() {
            write::create(cx, &administrator, RULE, rule, &Gathered::default())?;
        } else if is_made_for_team(cx, &name, Some(&team))? {
            // Of a team that was called so before: its members are not the new team's.
            rule.retain(|fieldname, _| matches!(fieldname.as_str(), "users" | "disabled"));
            write::update(cx, &administrator, RULE, &name, rule, &Gathered::default())?;
        }
        change.values.set("assignment_rule", FieldValue::Text(name));
        Ok(())
    }

    /// Frappe: takes any rule, here: one that the caller may write or that this team made, because it is written with the team.
    fn validate(&self, cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        let Some(rule) = change.values.text("assignment_rule").map(str::to_owned) else { return Ok(()) };
        let before = change.before.and_then(|before| before.text("assignment_rule"));
        // One that is not there is refused with every other link.
        let is_there = || Filter::equals("name", &rule);
        if before == Some(rule.as_str()) || helpdesk::texts(cx, RULE, "name", &is_there())?.is_empty() {
            return Ok(());
        }
        if is_made_for_team(cx, &rule, Some(change.name))? {
            return Ok(());
        }
        require(cx, change.caller, RULE, &rule, Action::Write, Hold::Named).map(drop)
    }

    /// Members come and go, and a disabled team is given nothing.
    fn on_update(&self, cx: &mut Cx, written: &Written<'_>) -> Result<(), AppError> {
        let (Some(name), Some(before)) = (written.values.text("assignment_rule"), written.before) else { return Ok(()) };
        let Some(rule) = rule_of(written.values) else { return Ok(()) };
        if before.text("assignment_rule") == Some(name) && rule_of(before).as_ref() == Some(&rule) {
            return Ok(());
        }
        // One that another team has too is not this team's own.
        let teams = helpdesk::texts(cx, "HD Team", "name", &Filter::equals("assignment_rule", name))?;
        let is_own = teams == [written.name] && is_made_for_team(cx, name, None)?;
        let writer = if is_own { administrator(cx)? } else { written.caller.clone() };
        write::update(cx, &writer, RULE, name, rule, &Gathered::default())?;
        Ok(())
    }
}
