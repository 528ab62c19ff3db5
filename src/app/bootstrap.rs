//! Making what a database must have: roles, Administrator and Guest, signing keys, document tables.

use secrecy::{ExposeSecret as _, SecretString};

use crate::cx::{Cx, Env};
use crate::domain::user::{ADMINISTRATOR, GUEST, SYSTEM_MANAGER, UserType};
use crate::error::AppError;
use crate::resource::doctypes;
use crate::secrets::{mint, password};
use crate::store::users::NewUser;
use crate::store::{self, Conn, Db, Effects};

/// Roles every installation has, and whether they open the desk. Helpdesk's own are among them,
/// because the public documents name them.
const ROLES: [(&str, bool); 11] = [
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
];

/// Tables that are made in one transaction; Postgres has room for the locks of some thousand tables and indexes.
const TABLES_AT_ONCE: usize = 100;

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
        let made = db.write_blocking("first users", move |conn, effects| with_cx(conn, effects, &shared, |cx| make_users(cx, &hash)))?;
        // Two processes may start on a new database at once: only the one that made the user knows its password.
        first_password = (made && chosen.is_none()).then_some(secret);
    }
    crate::oidc::keys::ensure(db, env)?;
    crate::oidc::keys::reload(db, env)?;
    let pending = db.lookup_blocking(|conn, effects| with_cx(conn, effects, env, doctypes::list_pending))?;
    for pending in pending.chunks(TABLES_AT_ONCE) {
        let (shared, pending) = (std::sync::Arc::clone(env), pending.to_vec());
        db.write_blocking("document tables", move |conn, effects| with_cx(conn, effects, &shared, |cx| doctypes::ensure(cx, &pending)))?;
    }
    Ok(first_password)
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
