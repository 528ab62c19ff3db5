//! Assignment rules: who works on a document that was just made, or that just came to meet a rule's condition.
//!
//! A rule is checked when it is saved, so that nothing is assigned by a condition that was not understood.
//! The first rule by priority whose condition holds decides; the document is then assigned by a
//! `ToDo` of that user and in its column `_assign`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::helpdesk;
use super::super::{Gathered, links, write};
use super::{Change, DocumentHooks, Written};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::condition::Condition;
use crate::doctype::{DocType, FieldType, Filter, Rows, value};
use crate::error::AppError;
use crate::store;
use crate::store::documents::{self, Hold};
use crate::store::epochs;

const RULE: &str = "Assignment Rule";

/// `Assignment Rule`.
pub struct AssignmentRule;

impl DocumentHooks for AssignmentRule {
    fn doctype(&self) -> &'static str {
        RULE
    }

    fn validate(&self, cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        let values = &*change.values;
        let registry = cx.env.doctypes();
        // That it is there and filled is checked with every other Link.
        let Some(target) = values.text("document_type").and_then(|name| registry.get(name)) else { return Ok(()) };
        if !is_assignable(target) {
            return Err(AppError::Validation(format!("{} documents cannot be assigned", target.name)));
        }
        for fieldname in ["unassign_condition", "close_condition"] {
            if values.text(fieldname).is_some() {
                return Err(AppError::Unsupported(format!("the {fieldname} of an assignment rule")));
            }
        }
        if let Some(text) = values.text("assign_condition") {
            condition(target, text).map_err(|what| AppError::Validation(format!("The assign condition {what}")))?;
        }
        if values.text("rule") == Some("Based on Field") {
            let names_user =
                |field: &str| target.field(field).is_some_and(|field| field.fieldtype == FieldType::Link && field.options == "User");
            let field = values.text("field").unwrap_or_default();
            return if names_user(field) {
                Ok(())
            } else {
                Err(AppError::Validation(format!("{field:?} is no Link to User of {}", target.name)))
            };
        }
        // An update that leaves the users as they are may come without them.
        match values.rows("users") {
            Some([]) => Err(AppError::Validation("An assignment rule needs users".into())),
            None if change.before.is_none() => Err(AppError::Validation("An assignment rule needs users".into())),
            Some(_) | None => Ok(()),
        }
    }

    fn on_update(&self, cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        forget_rules(cx)
    }

    fn changes_stored(&self) -> bool {
        false
    }

    fn on_trash(&self, cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        forget_rules(cx)
    }
}

/// Documents of typed tables have no `_assign`, and a ToDo is an assignment itself.
fn is_assignable(doctype: &DocType) -> bool {
    doctype.rows == Rows::OwnTable && !doctype.is_child_table && !doctype.is_single && doctype.name != "ToDo" && doctype.name != RULE
}

fn condition(doctype: &DocType, text: &str) -> Result<Condition, String> {
    Condition::parse(text, &|field| doctype.field(field).is_some_and(|field| field.kind().is_some()))
}

/// Assigns a document that was just stored, if a rule says so that did not say so before; says whether it did.
///
/// # Errors
/// [`AppError`] from the database.
pub(in crate::resource) fn assign(cx: &mut Cx, written: &Written<'_>) -> Result<bool, AppError> {
    if !is_assignable(written.doctype) {
        return Ok(false);
    }
    let rules = rules_of(cx, &written.doctype.name)?;
    if let Some(assigned) = assign_by(cx, &rules, written)? {
        return Ok(assigned);
    }
    // Another process has just renamed or deleted the rule.
    let rules = load_rules(cx, &written.doctype.name)?;
    Ok(assign_by(cx, &rules, written)?.unwrap_or(false))
}

/// Whether one of these rules assigned the document; `None` where the one that would is not there.
fn assign_by(cx: &mut Cx, rules: &Rules, written: &Written<'_>) -> Result<Option<bool>, AppError> {
    for rule in &rules.0 {
        // Checked when it was saved; a field that the doctype lost since makes it hold for nothing.
        let Ok(condition) = condition(written.doctype, &rule.assign_condition) else { continue };
        let held = written.before.is_some_and(|before| condition.holds(before));
        if held || !condition.holds(written.values) || !rule.is_due_today(cx) {
            continue;
        }
        if !links::holds(cx, RULE, &rule.name)? {
            return Ok(None);
        }
        if let Some(user) = choose(cx, rule, written)? {
            return give(cx, rule, written, &user).map(Some);
        }
    }
    Ok(Some(false))
}

/// The subject in `store::epochs` of all [`Rules`].
const RULES: &str = "*assignment rules";

/// The rules of one doctype that are not disabled, in the order in which they are asked. Whose turn it is, is not known here.
#[derive(Debug, Default)]
pub struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    name: String,
    assign_condition: String,
    /// How a user is chosen.
    way: String,
    /// The field that names the user, for the way that goes by one.
    field: String,
    description: String,
    /// The days of the week on which it counts; on every day where there are none.
    days: Vec<String>,
    users: Vec<String>,
}

impl Rules {
    /// Whose epoch they stand and fall with.
    pub fn subject(&self) -> &str {
        RULES
    }
}

impl Rule {
    fn is_due_today(&self, cx: &Cx) -> bool {
        let today = value::today(cx.now.naive_utc(), cx.env.config.site.time_zone).format("%A").to_string();
        self.days.is_empty() || self.days.contains(&today)
    }
}

/// Every write asks for them, and they seldom change: they are in memory.
fn rules_of(cx: &mut Cx, doctype: &str) -> Result<Arc<Rules>, AppError> {
    if cx.effects.forgets(RULES) {
        // What this transaction changed holds for itself, and for nobody else yet.
        return load_rules(cx, doctype).map(Arc::new);
    }
    let env = cx.env;
    Ok(env.assignment_rules.find(doctype, || load_rules(cx, doctype).map(Some))?.unwrap_or_default())
}

fn load_rules(cx: &mut Cx, doctype: &str) -> Result<Rules, AppError> {
    let fields = ["name", "priority", "disabled", "assign_condition", "rule", "field", "description"];
    let mut rows = helpdesk::rows(cx, RULE, &fields, &Filter::equals("document_type", doctype))?;
    rows.retain(|row| number(row, "disabled") == 0);
    rows.sort_by_key(|row| -number(row, "priority"));
    let mut rules = Vec::with_capacity(rows.len());
    for row in rows {
        let name = text(&row, "name");
        rules.push(Rule {
            days: rows_of(cx, "Assignment Rule Day", "day", &name)?,
            users: rows_of(cx, "Assignment Rule User", "user", &name)?,
            assign_condition: text(&row, "assign_condition"),
            way: text(&row, "rule"),
            field: text(&row, "field"),
            description: text(&row, "description"),
            name,
        });
    }
    Ok(Rules(rules))
}

/// Rules must be read anew.
///
/// # Errors
/// [`AppError`] from the database.
pub(in crate::resource) fn forget_rules(cx: &mut Cx) -> Result<(), AppError> {
    Ok(epochs::bump(cx.conn, cx.effects, cx.now, RULES)?)
}

fn text(row: &Map<String, Value>, key: &str) -> String {
    row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(row: &Map<String, Value>, key: &str) -> i64 {
    row.get(key).and_then(Value::as_i64).unwrap_or_default()
}

fn rows_of(cx: &mut Cx, child: &str, column: &str, rule: &str) -> Result<Vec<String>, AppError> {
    let filter = Filter::equals("parent", rule).and(Filter::equals("parenttype", RULE));
    helpdesk::texts(cx, child, column, &filter)
}

/// Whom a rule chooses among its users that are enabled.
fn choose(cx: &mut Cx, rule: &Rule, written: &Written<'_>) -> Result<Option<String>, AppError> {
    if rule.way == "Based on Field" {
        return Ok(written.values.text(&rule.field).map(str::to_owned));
    }
    let mut users = Vec::new();
    for user in &rule.users {
        if store::users::find_user(cx.conn, user)?.is_some_and(|user| user.enabled) {
            users.push(user.clone());
        }
    }
    if rule.way == "Load Balancing" {
        return least_loaded(cx, users, &written.doctype.name);
    }
    let last = last_user(cx, &rule.name)?;
    let next = users.iter().position(|user| *user == last).map_or(0, |at| at + 1);
    Ok(users.get(next).or_else(|| users.first()).cloned())
}

/// Whose turn was the last. Others who want to know wait until this transaction ends, so that no turn is given twice.
fn last_user(cx: &mut Cx, rule: &str) -> Result<String, AppError> {
    let registry = cx.env.doctypes();
    let doctype = registry.get(RULE).ok_or_else(|| AppError::not_found("DocType", RULE))?;
    let fields = [("last_user", "last_user")];
    let found = documents::find_document(cx.conn, doctype, &fields, rule, &Filter::always(), cx.env.config.site.time_zone, Hold::Changed)?;
    let row: Map<String, Value> = found.map_or(Ok(Map::new()), |row| serde_json::from_str(&row)).map_err(store::StoreError::corrupt)?;
    Ok(text(&row, "last_user"))
}

/// The first of those with the fewest open assignments of the doctype.
fn least_loaded(cx: &mut Cx, users: Vec<String>, doctype: &str) -> Result<Option<String>, AppError> {
    let registry = cx.env.doctypes();
    let todo = registry.get("ToDo").ok_or_else(|| AppError::not_found("DocType", "ToDo"))?;
    let mut least = None;
    for user in users {
        let open =
            Filter::equals("allocated_to", &user).and(Filter::equals("reference_type", doctype)).and(Filter::equals("status", "Open"));
        let count = documents::count_documents(cx.conn, todo, &open, cx.env.config.site.time_zone)?;
        if least.as_ref().is_none_or(|(fewest, _)| count < *fewest) {
            least = Some((count, user));
        }
    }
    Ok(least.map(|(_, user)| user))
}

/// Makes the ToDo, notes who has the document and whose turn it was. Nobody has it where there is no such user.
fn give(cx: &mut Cx, rule: &Rule, written: &Written<'_>, user: &str) -> Result<bool, AppError> {
    let Some(assigned) = store::users::find_user(cx.conn, user)? else { return Ok(false) };
    let by = written.caller.name();
    let todo = json!({
        "allocated_to": user,
        "reference_type": written.doctype.name,
        "reference_name": written.name,
        "description": rule.description,
        "assigned_by": by,
        "assignment_rule": rule.name,
    });
    let Value::Object(todo) = todo else { unreachable!("an object was written above") };
    // Frappe: the ToDo is its author's, here: its user's own, because the rows of ToDo open to everybody only what is theirs.
    write::create(cx, &Caller::command_line(assigned), "ToDo", todo, &Gathered::default())?;
    let assigned = json!([user]).to_string();
    documents::update_where(cx.conn, written.doctype, &[("_assign", Some(&assigned))], &[("name", written.name)])?;
    let registry = cx.env.doctypes();
    let doctype = registry.get(RULE).ok_or_else(|| AppError::not_found("DocType", RULE))?;
    documents::update_where(cx.conn, doctype, &[("last_user", Some(user))], &[("name", &rule.name)])?;
    Ok(true)
}
