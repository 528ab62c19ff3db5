//! Logging in with a user name and a password.
//!
//! Three steps, because the password check is slow: [`question`] looks the hash up, the door
//! checks it behind the gate, [`finish`] starts the session. Unknown users, users without a
//! password and wrong passwords are one answer, at one cost.

use secrecy::SecretString;

use super::RequestFacts;
use super::identify::within_login_hours;
use super::session::{self, StartedSession};
use crate::audit::{self, AuditEvent};
use crate::auth::address::AddressList;
use crate::cx::Cx;
use crate::domain::user::{GUEST, User, UserType, fold_name};
use crate::error::AppError;
use crate::secrets::{SecretHash, password};
use crate::store;

/// What the caller typed, and where from.
#[derive(Clone, Debug)]
pub struct LoginAttempt {
    /// The folded user name.
    pub user: String,
    pub password: SecretString,
    pub address: std::net::IpAddr,
    pub user_agent: Option<String>,
    /// The `sid` that came along: the session this login takes the place of.
    pub replaces: Option<SecretHash>,
}

impl LoginAttempt {
    /// Reads user name and password as typed.
    ///
    /// # Errors
    /// [`AppError::LoginRefused`] with Frappe's texts when one is missing or the password is too long.
    pub fn new(usr: Option<&str>, pwd: Option<&str>, facts: &RequestFacts<'_>) -> Result<Self, AppError> {
        let (Some(usr), Some(pwd)) = (usr.filter(|usr| !usr.trim().is_empty()), pwd.filter(|pwd| !pwd.is_empty())) else {
            return Err(AppError::LoginRefused("Incomplete login details"));
        };
        if pwd.len() > password::MAX_LENGTH || usr.len() > 320 {
            return Err(AppError::LoginRefused("Password size exceeded the maximum allowed size"));
        }
        Ok(Self {
            user: fold_name(usr),
            password: pwd.into(),
            address: facts.address,
            user_agent: facts.user_agent.map(str::to_owned),
            replaces: facts.sid.map(SecretHash::of),
        })
    }
}

/// The stored hash to check the password against; `None` costs the same and is never right.
///
/// # Errors
/// [`AppError`] from the database.
pub fn question(cx: &mut Cx, user: &str) -> Result<Option<String>, AppError> {
    if user == GUEST {
        return Ok(None);
    }
    Ok(store::users::find_password_hash(cx.conn, user)?)
}

/// How a login ended.
pub enum LoginOutcome {
    /// Logged in; carries what the reply and the cookies say.
    Started { session: StartedSession, user: Box<User> },
    /// Refused, with the text the caller may see.
    Refused(&'static str),
}

/// The refusal for everything that must not be told apart.
const INVALID: &str = "Invalid login credentials";

/// Starts the session, or keeps the failure. `checked` is the hash the password was right for.
/// `rehashed` replaces it when today's parameters differ.
///
/// # Errors
/// [`AppError`] from the database.
pub fn finish(cx: &mut Cx, attempt: &LoginAttempt, checked: Option<&str>, rehashed: Option<&str>) -> Result<LoginOutcome, AppError> {
    let ip = attempt.address.to_string();
    let refuse = |cx: &mut Cx, text: &'static str| -> Result<LoginOutcome, AppError> {
        // What is nobody's name may be a password in the wrong field.
        let user = store::users::find_user(cx.conn, &attempt.user)?.map(|user| user.name);
        audit::record(cx, Some(&ip), &AuditEvent::LoginFailed { user })?;
        Ok(LoginOutcome::Refused(text))
    };
    let Some(checked) = checked else { return refuse(cx, INVALID) };
    // The password may have been changed while the old one was being checked.
    if store::users::find_password_hash(cx.conn, &attempt.user)?.as_deref() != Some(checked) {
        return refuse(cx, INVALID);
    }
    let user = store::users::get_user(cx.conn, &attempt.user)?;
    if !user.enabled {
        return refuse(cx, "User disabled or missing");
    }
    if !within_login_hours(&user, cx.now, cx.env) {
        return refuse(cx, "Login not allowed at this time");
    }
    if !AddressList::parse(user.restrict_ip.as_deref()).allows(attempt.address) {
        return refuse(cx, "Access not allowed from this IP Address");
    }
    if let Some(rehashed) = rehashed {
        store::users::update_password_hash_if(cx.conn, &user.name, checked, rehashed)?;
    }
    // The browser forgets that one's id, so nobody else should go on using it.
    if let Some(sid) = &attempt.replaces
        && let Some(old) = store::sessions::find_by_hash(cx.conn, sid)?
    {
        session::end(cx, &old.id, &old.user, Some(&ip))?;
    }
    let session = session::start(cx, &user.name, Some(&ip), attempt.user_agent.as_deref())?;
    store::users::update_last_login(cx.conn, cx.now, &user.name, Some(&ip))?;
    audit::record(cx, Some(&ip), &AuditEvent::Login { user: user.name.clone() })?;
    Ok(LoginOutcome::Started { session, user: Box::new(user) })
}

/// Frappe's `message` and `home_page` after a login.
pub fn greeting(user_type: UserType) -> (&'static str, &'static str) {
    match user_type {
        UserType::SystemUser => ("Logged In", "/app"),
        UserType::WebsiteUser => ("No App", "/me"),
    }
}
