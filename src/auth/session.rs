//! Browser sessions: the `sid` cookie.

use std::time::Duration;

use super::Via;
use super::identify::{Found, Known, enabled_user};
use crate::audit::{self, AuditEvent};
use crate::cx::Cx;
use crate::domain::resource::Reach;
use crate::domain::session::Session;
use crate::error::AppError;
use crate::secrets::mint::{self, Kind, has_form};
use crate::secrets::{SealKey, SecretHash};
use crate::store;

/// A started session: the id that goes into the cookie, shown once.
#[derive(Clone)]
pub struct StartedSession {
    pub sid: String,
}

/// How often a session in use is written down: as in Frappe, every min(expiry / 2, 600 s).
pub fn touch_interval(lifetime: Duration) -> Duration {
    (lifetime / 2).min(Duration::from_secs(600))
}

/// The CSRF token of a session. Derived, so that nothing needs to be stored for it.
pub fn csrf_token(seal: &SealKey, session_id: &str) -> String {
    seal.mac("csrf", session_id.as_bytes())
}

/// Looks a `sid` up.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn load(cx: &mut Cx, sid: &str) -> Result<Option<Known>, AppError> {
    if !has_form(Kind::Session, sid) {
        return Ok(None);
    }
    let found = store::sessions::find_by_hash(cx.conn, &SecretHash::of(sid))?;
    let Some(session) = found.filter(|session| session.expires_at > cx.now) else { return Ok(None) };
    let Some(user) = enabled_user(cx, &session.user)? else { return Ok(None) };
    Ok(Some(Known::new(Found {
        user,
        via: Via::Session { id: session.id },
        scope: None,
        reach: Reach::Everything,
        expires_at: Some(session.expires_at),
        touched_at: Some(session.last_seen),
        key_addresses: None,
        csrf_issued: session.csrf_issued,
        auth_time: Some(session.auth_time),
    })))
}

/// Starts a session for a user who just proved who they are. Always a new id, so a planted cookie is worthless.
///
/// # Errors
/// [`AppError`] from the database.
pub fn start(cx: &mut Cx, user: &str, ip: Option<&str>, user_agent: Option<&str>) -> Result<StartedSession, AppError> {
    let sid = mint::secret(Kind::Session);
    let session = Session {
        id: mint::id(cx.now),
        user: user.to_owned(),
        created: cx.now,
        auth_time: cx.now,
        last_seen: cx.now,
        expires_at: cx.now.plus(cx.env.config.security.session_lifetime()),
        csrf_issued: false,
    };
    let user_agent: Option<String> = user_agent.map(|text| text.chars().take(200).collect());
    store::sessions::insert_session(cx.conn, &session, &SecretHash::of(&sid), ip, user_agent.as_deref())?;
    Ok(StartedSession { sid })
}

/// Ends one session; others of the user and the apps approved in it go on.
///
/// # Errors
/// [`AppError`] from the database.
pub fn end(cx: &mut Cx, session_id: &str, user: &str, ip: Option<&str>) -> Result<(), AppError> {
    if store::sessions::revoke_session(cx.conn, session_id)? {
        store::epochs::bump(cx.conn, cx.effects, cx.now, user)?;
        audit::record(cx, ip, &AuditEvent::Logout { user: user.to_owned() })?;
    }
    Ok(())
}

/// Hands a session its CSRF token; from then on its writes need it.
///
/// # Errors
/// [`AppError`] from the database.
pub fn issue_csrf_token(cx: &mut Cx, session_id: &str, user: &str) -> Result<String, AppError> {
    if store::sessions::update_csrf_issued(cx.conn, session_id)? {
        store::epochs::bump(cx.conn, cx.effects, cx.now, user)?;
    }
    Ok(csrf_token(&cx.env.seal, session_id))
}
