//! `ostiary user`: users as the resource API makes and changes them, so that the same rules hold.

use clap::{Args, Subcommand};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::documents;
use super::password::PasswordSource;
use super::table::table;
use crate::app::Workshop;
use crate::audit::{self, AuditEvent};
use crate::auth::keys;
use crate::config::Config;
use crate::domain::Instant;
use crate::domain::user::{ADMINISTRATOR, AUTOMATIC_ROLES, GUEST, fold_name};
use crate::error::AppError;
use crate::store::{self, api_keys, epochs, users};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a user; asks for the password
    Add(Add),
    /// Show every user with roles
    List,
    /// Let a disabled user in again
    Enable(Name),
    /// Keep a user out: sessions, keys and tokens are refused within a second
    Disable(Name),
    /// Replace a user's password and end their sessions; asks for the new one
    SetPassword(SetPassword),
    /// Give a user roles
    AddRole(AddRole),
    /// Show a user's API keys, make a new pair, or remove one
    Keys(Keys),
}

#[derive(Args)]
pub(super) struct Name {
    /// E-mail address, or Administrator
    user: String,
}

#[derive(Args)]
pub(super) struct Add {
    /// E-mail address; it is the user's name
    email: String,
    /// First name; without it, what stands before the @
    #[arg(long, value_name = "NAME")]
    first_name: Option<String>,
    #[arg(long, value_name = "NAME")]
    last_name: Option<String>,
    /// A role to give; may be repeated
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// Make the user without a password, as for a service account
    #[arg(long, conflicts_with = "password_stdin")]
    no_password: bool,
    #[command(flatten)]
    password: PasswordSource,
}

#[derive(Args)]
pub(super) struct SetPassword {
    /// E-mail address, or Administrator
    user: String,
    #[command(flatten)]
    password: PasswordSource,
}

#[derive(Args)]
pub(super) struct AddRole {
    /// E-mail address, or Administrator
    user: String,
    /// Roles, spelled as they are: "System Manager"
    #[arg(required = true)]
    role: Vec<String>,
}

#[derive(Args)]
pub(super) struct Keys {
    /// E-mail address, or Administrator
    user: String,
    /// Make the `default` pair, or replace its secret
    #[arg(long, conflicts_with = "remove")]
    new: bool,
    /// Remove the key of this name
    #[arg(long, value_name = "NAME")]
    remove: Option<String>,
}

pub(super) fn run(config: Config, command: Command) -> Result<String, String> {
    let workshop = Workshop::beside(config).map_err(|error| error.to_string())?;
    match command {
        Command::Add(arguments) => add(&workshop, arguments),
        Command::List => list(&workshop),
        Command::Enable(Name { user }) => {
            change(&workshop, &user, json!({ "enabled": 1 }))?;
            Ok(format!("{} may log in again.\n", fold_name(&user)))
        }
        Command::Disable(Name { user }) => {
            change(&workshop, &user, json!({ "enabled": 0 }))?;
            Ok(format!("{} is kept out; sessions and tokens have ended.\n", fold_name(&user)))
        }
        Command::SetPassword(SetPassword { user, password }) => {
            let name = existing(&workshop, &user)?;
            let new = password.read(&name)?;
            change(&workshop, &user, json!({ "new_password": new.expose_secret(), "logout_all_sessions": 1 }))?;
            Ok(format!("{name} has a new password; sessions have ended.\n"))
        }
        Command::AddRole(AddRole { user, role }) => add_roles(&workshop, &user, &role),
        Command::Keys(arguments) => keys_of(&workshop, &arguments),
    }
}

fn add(workshop: &Workshop, arguments: Add) -> Result<String, String> {
    require_roles(workshop, &arguments.role)?;
    let email = fold_name(&arguments.email);
    let mut body = json!({
        "email": email,
        "first_name": arguments.first_name.as_deref().unwrap_or_else(|| email.split('@').next().unwrap_or(&email)),
        "roles": roles(&arguments.role),
        "send_welcome_email": 0,
    });
    if let Some(last_name) = arguments.last_name {
        body["last_name"] = last_name.into();
    }
    if !arguments.no_password {
        if workshop.read(|cx| Ok(users::find_user(cx.conn, &email)?)).map_err(super::refusal)?.is_some() {
            // Asked before the password, which would be typed for nothing.
            return Err(format!("User {email} already exists"));
        }
        body["new_password"] = arguments.password.read(&email)?.expose_secret().into();
    }
    documents::create(workshop, ADMINISTRATOR, "User", body)?;
    Ok(format!("Made {email}.\n"))
}

fn list(workshop: &Workshop) -> Result<String, String> {
    let rows = workshop.read(|cx| {
        let mut rows = Vec::new();
        for (name, enabled, user_type, full_name) in users::list_users(cx.conn)? {
            let roles = users::list_roles_of(cx.conn, &name)?;
            let state = if enabled { "enabled" } else { "disabled" };
            rows.push([name, full_name, state.to_owned(), user_type, roles.join(", ")]);
        }
        Ok(rows)
    });
    Ok(table(["user", "name", "state", "type", "roles"], &rows.map_err(super::refusal)?, "No users; make them with: ostiary migrate"))
}

fn add_roles(workshop: &Workshop, user: &str, new: &[String]) -> Result<String, String> {
    let name = existing(workshop, user)?;
    require_roles(workshop, new)?;
    let mut all = workshop.read(|cx| Ok(users::list_roles_of(cx.conn, &name)?)).map_err(super::refusal)?;
    all.extend(new.iter().filter(|role| !all.contains(role)).cloned().collect::<Vec<_>>());
    change(workshop, user, json!({ "roles": roles(&all) }))?;
    let now = workshop.read(|cx| Ok(users::list_roles_of(cx.conn, &name)?)).map_err(super::refusal)?;
    Ok(format!("{name} has the roles {}.\n", now.join(", ")))
}

fn keys_of(workshop: &Workshop, arguments: &Keys) -> Result<String, String> {
    let name = existing(workshop, &arguments.user)?;
    if arguments.new {
        let user = name.clone();
        let pair = workshop.write("generate keys", move |cx| {
            if user == GUEST {
                return Err(AppError::Validation("Guest has no keys".into()));
            }
            let pair = keys::mint_pair(cx, &user, None, None)?;
            audit::record(cx, None, &AuditEvent::KeysGenerated { by: "command line".into(), user: user.clone() })?;
            Ok(pair)
        });
        let pair = pair.map_err(super::refusal)?;
        return Ok(format!(
            "API key     {}\nAPI secret  {}\nThe secret is shown this once; only its hash is kept.\nUse them as: Authorization: token <API key>:<API secret>\n",
            pair.api_key, pair.api_secret
        ));
    }
    if let Some(key) = arguments.remove.clone() {
        let user = name.clone();
        let removed = workshop.write("remove key", move |cx| {
            let removed = api_keys::revoke_key(cx.conn, &user, &key)?;
            epochs::bump(cx.conn, cx.effects, cx.now, &user)?;
            audit::record(cx, None, &AuditEvent::UserChanged { by: "command line".into(), user: user.clone() })?;
            Ok(removed)
        });
        return match removed.map_err(super::refusal)? {
            true => Ok("Removed; it is refused within a second.\n".into()),
            false => Err(format!("{name} has no key of that name")),
        };
    }
    let found = workshop.read(|cx| Ok(api_keys::list_keys_of(cx.conn, &name)?)).map_err(super::refusal)?;
    let shown = |at: Instant| at.naive_utc().format("%Y-%m-%d %H:%M").to_string();
    let rows: Vec<[String; 4]> = found
        .into_iter()
        .map(|key| [key.name, key.key, shown(key.created), key.last_used_at.map_or_else(|| "-".to_owned(), shown)])
        .collect();
    Ok(table(["name", "api key", "made", "last used"], &rows, "No API keys; make a pair with --new"))
}

/// Refuses a role that there is not, with those that there are.
fn require_roles(workshop: &Workshop, names: &[String]) -> Result<(), String> {
    let mut known = workshop.read(|cx| Ok(store::roles::list_roles(cx.conn)?)).map_err(super::refusal)?;
    known.retain(|role| !AUTOMATIC_ROLES.contains(&role.as_str()));
    match names.iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(unknown) => Err(format!(
            "there is no role {unknown}. There are: {}. More are made as documents: POST /api/resource/Role with role_name",
            known.join(", ")
        )),
    }
}

fn roles(names: &[String]) -> Vec<Value> {
    names.iter().map(|role| json!({ "role": role })).collect()
}

/// The name of a user that exists.
fn existing(workshop: &Workshop, user: &str) -> Result<String, String> {
    let name = fold_name(user);
    match workshop.read(|cx| Ok(users::find_user(cx.conn, &name)?)).map_err(super::refusal)? {
        Some(user) => Ok(user.name),
        None => Err(format!("there is no user {name}")),
    }
}

fn change(workshop: &Workshop, user: &str, body: Value) -> Result<(), String> {
    let name = existing(workshop, user)?;
    documents::update(workshop, ADMINISTRATOR, "User", &name, body)
}
