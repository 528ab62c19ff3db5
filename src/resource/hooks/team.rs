//! `HD Team`: a team shares its tickets out among its members by an assignment rule of its own.

use serde_json::{Map, Value, json};

use super::super::{Gathered, helpdesk, write};
use super::{Change, DocumentHooks, Written};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{FieldValue, Filter, Values};
use crate::domain::user::ADMINISTRATOR;
use crate::error::AppError;
use crate::store;

const RULE: &str = "Assignment Rule";

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
        let name = format!("{team} - Support Rotation");
        rule.insert("name".into(), json!(name));
        rule.insert("document_type".into(), json!("HD Ticket"));
        rule.insert("description".into(), json!(format!("Ticket of the team {team}")));
        rule.insert("assign_condition".into(), json!(condition(&team)?));
        let administrator = administrator(cx)?;
        let taken = helpdesk::texts(cx, RULE, "name", &Filter::equals("name", &name))?;
        if taken.is_empty() {
            write::create(cx, &administrator, RULE, rule, &Gathered::default())?;
        }
        change.values.set("assignment_rule", FieldValue::Text(name));
        Ok(())
    }

    /// Members come and go, and a disabled team is given nothing.
    fn on_update(&self, cx: &mut Cx, written: &Written<'_>) -> Result<(), AppError> {
        let Some(name) = written.values.text("assignment_rule").filter(|_| written.before.is_some()) else { return Ok(()) };
        let Some(rule) = rule_of(written.values) else { return Ok(()) };
        let administrator = administrator(cx)?;
        write::update(cx, &administrator, RULE, name, rule, &Gathered::default())?;
        Ok(())
    }
}
