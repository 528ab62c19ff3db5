//! Making what a database must have: roles, Administrator and Guest, signing keys, document tables.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use crate::auth::Caller;
use crate::cx::{Cx, Env};
use crate::doctype::{Filter, Naming};
use crate::domain::user::{ADMINISTRATOR, GUEST, SYSTEM_MANAGER, UserType};
use crate::error::AppError;
use crate::resource::{self, Gathered, doctypes};
use crate::secrets::{mint, password};
use crate::store::users::NewUser;
use crate::store::{self, Conn, Db, Effects};

/// Roles every installation has, and whether they open the desk. Helpdesk's own are among them,
/// because the public documents name them.
const ROLES: [(&str, bool); 13] = [
    ("Administrator", true),
    (SYSTEM_MANAGER, true),
    ("All", false),
    ("Guest", false),
    ("Desk User", true),
    ("Website Manager", true),
    ("Agent", true),
    ("Agent Manager", true),
    ("HD Customer", false),
    ("HD Customer Manager", false),
    ("Customer", false),
    ("Sales User", true),
    ("Sales Manager", true),
];

/// The name in `installation` of how many of `doctype::records` the site was given.
const RECORDS_MADE: &str = "records_made";
/// Records that are made in one transaction. Few: whoever writes to the same database waits meanwhile.
const RECORDS_AT_ONCE: usize = 4;

fn with_cx<T>(conn: &mut Conn, effects: &mut Effects, env: &Env, flow: impl FnOnce(&mut Cx) -> Result<T, AppError>) -> Result<T, AppError> {
    let now = env.clock.now();
    flow(&mut Cx { conn, now, env, effects })
}

/// Makes what is missing; does nothing on a database that has it all. Returns Administrator's
/// random password when the database is new and none was chosen.
pub(super) fn run(db: &Db, env: &std::sync::Arc<Env>) -> Result<Option<SecretString>, AppError> {
    let is_new = db.lookup_blocking(|conn, _| Ok(!store::users::any_user(conn)?))?;
    let mut first_password = None;
    if is_new {
        let chosen = env.config.security.admin_password.clone();
        let secret = chosen.clone().unwrap_or_else(|| SecretString::from(mint::name(20)));
        let hash = password::hash(secret.expose_secret());
        let shared = std::sync::Arc::clone(env);
        let made =
            db.write_blocking("set up: first users", move |conn, effects| with_cx(conn, effects, &shared, |cx| make_users(cx, &hash)))?;
        // Two processes may start on a new database at once: only the one that made the user knows its password.
        first_password = (made && chosen.is_none()).then_some(secret);
    }
    crate::oidc::keys::ensure(db, env)?;
    crate::oidc::keys::reload(db, env)?;
    let pending = db.lookup_blocking(|conn, effects| with_cx(conn, effects, env, doctypes::list_pending))?;
    // One at a time, for the same reason; a start that is interrupted goes on where it was.
    for doctype in pending {
        let shared = std::sync::Arc::clone(env);
        db.write_blocking("set up: document table", move |conn, effects| {
            with_cx(conn, effects, &shared, |cx| doctypes::ensure(cx, &doctype))
        })?;
    }
    let shared = std::sync::Arc::clone(env);
    db.write_blocking("set up: configuration shown", move |conn, effects| with_cx(conn, effects, &shared, show_configuration))?;
    loop {
        let shared = std::sync::Arc::clone(env);
        let made_all =
            db.write_blocking("set up: records of a new site", move |conn, effects| with_cx(conn, effects, &shared, make_records))?;
        if made_all {
            return Ok(first_password);
        }
    }
}

fn make_users(cx: &mut Cx, administrator_hash: &str) -> Result<bool, AppError> {
    store::installation::lock_set_up(cx.conn)?;
    for (role, desk_access) in ROLES {
        store::roles::insert_role_if_missing(cx.conn, cx.now, role, desk_access, false, ADMINISTRATOR)?;
    }
    if store::users::any_user(cx.conn)? {
        return Ok(false);
    }
    let user = |name, email, user_type, password_hash| NewUser {
        name,
        email,
        first_name: name,
        last_name: None,
        username: None,
        enabled: true,
        user_type,
        password_hash,
        owner: ADMINISTRATOR,
    };
    let administrator = user(ADMINISTRATOR, "admin@example.com", UserType::SystemUser, Some(administrator_hash));
    store::users::insert_user(cx.conn, cx.now, &administrator)?;
    store::users::insert_user(cx.conn, cx.now, &user(GUEST, "guest@example.com", UserType::WebsiteUser, None))?;
    store::users::insert_role_of(cx.conn, cx.now, ADMINISTRATOR, SYSTEM_MANAGER, ADMINISTRATOR)?;
    Ok(true)
}

fn administrator(cx: &mut Cx) -> Result<Caller, AppError> {
    let user = store::users::find_user(cx.conn, ADMINISTRATOR)?.ok_or_else(|| AppError::not_found("User", ADMINISTRATOR))?;
    Ok(Caller::command_line(user))
}

fn show_configuration(cx: &mut Cx) -> Result<(), AppError> {
    store::installation::lock_set_up(cx.conn)?;
    let administrator = administrator(cx)?;
    resource::hooks::show_configuration(cx, &administrator)
}

/// Gives the site some of the standard records that no earlier start gave it; returns whether it has all of them now.
/// What the site changed, renamed or deleted since stays as it is.
fn make_records(cx: &mut Cx) -> Result<bool, AppError> {
    store::installation::lock_set_up(cx.conn)?;
    let made = store::installation::find_value(cx.conn, RECORDS_MADE)?;
    let made: usize = made.as_deref().map_or(Ok(0), str::parse).map_err(|_| AppError::internal("records_made is no number"))?;
    let records = crate::doctype::records();
    let total = records.len();
    if made >= total {
        return Ok(true);
    }
    let administrator = administrator(cx)?;
    for record in records.into_iter().skip(made).take(RECORDS_AT_ONCE) {
        make_record(cx, &administrator, record)?;
    }
    let made = total.min(made + RECORDS_AT_ONCE);
    store::installation::set_value(cx.conn, RECORDS_MADE, &made.to_string())?;
    Ok(made == total)
}

/// Makes a record, unless the site has made one of that name itself.
fn make_record(cx: &mut Cx, administrator: &Caller, mut record: Map<String, Value>) -> Result<(), AppError> {
    let named = record.shift_remove("doctype");
    let registry = cx.env.doctypes();
    let doctype = named.as_ref().and_then(Value::as_str).and_then(|name| registry.get(name)).expect("tests look every record's doctype up");
    let name = if let Naming::Field(fieldname) = &doctype.naming { record.get(fieldname) } else { record.get("name") };
    let name = name.and_then(Value::as_str).expect("tests look at the name of every record");
    let zone = cx.env.config.site.time_zone;
    if !store::documents::holds(cx.conn, doctype, name, &Filter::always(), zone)? {
        resource::create(cx, administrator, &doctype.name, record, &Gathered::default())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_that_a_definition_names_is_made() {
        for doctype in crate::doctype::Registry::builtin().iter() {
            for row in &doctype.permissions {
                assert!(ROLES.iter().any(|(role, _)| *role == row.role), "{} names the role {}", doctype.name, row.role);
            }
        }
    }
}
