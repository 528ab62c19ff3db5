//! From the facts of a request to who is calling.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use chrono::Timelike as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::address::AddressList;
use super::{Caller, CallerUser, RequestFacts, SCHEMES, Via, api_key, bearer, session};
use crate::cx::Cx;
use crate::domain::resource::Reach;
use crate::domain::{Instant, Scope};
use crate::error::AppError;
use crate::secrets::SecretHash;
use crate::store;

/// A credential as it was presented, before anybody looked it up.
#[derive(Clone, Debug)]
pub enum Credential {
    /// None at all.
    None,
    /// An access token of our form.
    Bearer(SecretString),
    /// A public key name and a secret.
    Key { key: String, secret: SecretString },
    /// `Basic`: a key and its secret, or a user name and a password; looked up in this order.
    KeyOrPassword { name: String, secret: SecretString },
    /// A `sid` cookie other than `Guest`.
    Session(SecretString),
}

impl Credential {
    /// Reads the credential of a request. The header decides alone when it is there.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] for a header that is not understood,
    /// [`AppError::MalformedCredentials`] for one that does not decode.
    pub fn from_facts(facts: &RequestFacts<'_>) -> Result<Self, AppError> {
        match facts.authorization {
            Some(Ok(header)) => {
                // Frappe ignores a header without exactly two words; here it is 401, because a
                // silent Guest hides mistakes. More than one space is tolerated.
                let mut words = header.split(' ').filter(|word| !word.is_empty());
                let (Some(scheme), Some(value), None) = (words.next(), words.next(), words.next()) else {
                    return Err(AppError::Unauthenticated);
                };
                let parse = SCHEMES.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name)).map(|(_, parse)| parse);
                parse.ok_or(AppError::Unauthenticated)?(value, facts)
            }
            Some(Err(())) => Err(AppError::Unauthenticated),
            None => match facts.sid {
                None | Some("" | "Guest") => Ok(Self::None),
                Some(sid) => Ok(Self::Session(sid.into())),
            },
        }
    }

    /// Under which key an answer about it is remembered; a hash under a salt of this process.
    pub fn cache_key(&self, salt: &[u8; 32]) -> Option<[u8; 32]> {
        let (kind, name, secret): (&[u8], &str, &SecretString) = match self {
            Self::None => return None,
            Self::Bearer(token) => (b"bearer", "", token),
            Self::Key { key, secret } => (b"key", key, secret),
            Self::KeyOrPassword { name, secret } => (b"basic", name, secret),
            Self::Session(sid) => (b"sid", "", sid),
        };
        Some(SecretHash::of_tuple(&[salt, kind, name.as_bytes(), secret.expose_secret().as_bytes()]).bytes())
    }
}

/// A credential that was found, with everything that must be checked again on every request.
#[derive(Debug)]
pub struct Known {
    pub caller: Caller,
    /// Microseconds since the epoch; `i64::MAX` for never. Slides for sessions.
    expires_at: AtomicI64,
    /// When its use was last written down, in microseconds since the epoch.
    touched_at: AtomicI64,
    user_addresses: AddressList,
    key_addresses: AddressList,
    csrf_issued: AtomicBool,
    /// OpenID's `auth_time`, for sessions.
    auth_time: Option<Instant>,
}

/// What [`Known`] is made of.
pub struct Found {
    pub user: Arc<CallerUser>,
    pub via: Via,
    pub scope: Option<Scope>,
    pub reach: Reach,
    pub expires_at: Option<Instant>,
    pub touched_at: Option<Instant>,
    pub key_addresses: Option<String>,
    pub csrf_issued: bool,
    pub auth_time: Option<Instant>,
}

impl Known {
    /// Puts together what was found.
    pub fn new(found: Found) -> Self {
        let user_addresses = AddressList::parse(found.user.user.restrict_ip.as_deref());
        Self {
            user_addresses,
            key_addresses: AddressList::parse(found.key_addresses.as_deref()),
            expires_at: AtomicI64::new(found.expires_at.map_or(i64::MAX, Instant::unix_micros)),
            touched_at: AtomicI64::new(found.touched_at.map_or(0, Instant::unix_micros)),
            csrf_issued: AtomicBool::new(found.csrf_issued),
            auth_time: found.auth_time,
            // A session's end slides, so it bounds nothing.
            caller: Caller {
                user: found.user,
                expires_at: found.expires_at.filter(|_| !matches!(found.via, Via::Session { .. })),
                via: found.via,
                scope: found.scope.map(Arc::new),
                reach: found.reach,
            },
        }
    }
}

/// Who is calling, and what the answer must say about the session.
#[derive(Clone, Debug)]
pub struct Identity {
    pub caller: Caller,
    /// A `sid` was presented that is no live session.
    pub session_expired: bool,
    /// The session's expiry slid: its cookie is to be sent again.
    pub renewed: bool,
    /// Whether the session must prove its CSRF token on writes.
    pub csrf_issued: bool,
    /// When the user of a session last proved who they are.
    pub auth_time: Option<Instant>,
}

impl Identity {
    /// Nobody.
    pub fn guest(session_expired: bool) -> Self {
        Self { caller: Caller::guest(), session_expired, renewed: false, csrf_issued: false, auth_time: None }
    }
}

/// What looking a credential up led to.
pub enum Loaded {
    Known(Known),
    /// Nothing there that opens anything.
    Unknown,
    /// `Basic` with a user name: its password must be checked (slow) before [`password_known`].
    NeedPassword {
        user: String,
        stored: Option<String>,
    },
}

/// Looks a credential up by its hash.
///
/// # Errors
/// [`AppError`] from the database only; a wrong credential is [`Loaded::Unknown`].
pub fn load(cx: &mut Cx, credential: &Credential) -> Result<Loaded, AppError> {
    let known = match credential {
        Credential::None => None,
        Credential::Bearer(token) => bearer::load(cx, token.expose_secret())?,
        Credential::Key { key, secret } => api_key::load(cx, key, secret.expose_secret())?,
        Credential::KeyOrPassword { name, secret } => match api_key::load(cx, name, secret.expose_secret())? {
            Some(known) => Some(known),
            // Frappe: Basic takes key:secret only; here also user:password, because it is documented so.
            None if cx.env.config.security.basic_passwords => {
                let user = crate::domain::user::fold_name(name);
                let stored = store::users::find_password_hash(cx.conn, &user)?;
                return Ok(Loaded::NeedPassword { user, stored });
            }
            None => None,
        },
        Credential::Session(sid) => session::load(cx, sid.expose_secret())?,
    };
    Ok(known.map_or(Loaded::Unknown, Loaded::Known))
}

/// The caller of a `Basic` user name whose password was right, unless the user is disabled or the
/// password was changed meanwhile.
///
/// # Errors
/// [`AppError`] from the database.
pub fn password_known(cx: &mut Cx, name: &str, checked: &str) -> Result<Option<Known>, AppError> {
    if store::users::find_password_hash(cx.conn, name)?.as_deref() != Some(checked) {
        return Ok(None);
    }
    Ok(enabled_user(cx, name)?.map(|user| {
        let found = Found {
            user,
            via: Via::Password,
            scope: None,
            reach: Reach::Everything,
            expires_at: None,
            touched_at: None,
            key_addresses: None,
            csrf_issued: false,
            auth_time: None,
        };
        Known::new(found)
    }))
}

/// A user that may act.
pub(super) fn enabled_user(cx: &mut Cx, name: &str) -> Result<Option<Arc<CallerUser>>, AppError> {
    let found = cx.env.users.find(name, || Ok::<_, AppError>(store::users::find_user(cx.conn, name)?.map(CallerUser::new)))?;
    Ok(found.filter(|known| known.user.enabled))
}

/// Checks what may change without a write, on every request: expiry, addresses, login hours; and whether the
/// credential is for what is asked.
/// Returns the identity, and whether the use is due to be written down.
///
/// # Errors
/// [`AppError::Unauthenticated`]; [`AppError::WrongResource`]; a session that ran out is a guest with `session_expired`.
pub fn evaluate(cx_now: Instant, env: &crate::cx::Env, known: &Known, facts: &RequestFacts<'_>) -> Result<(Identity, bool), AppError> {
    let now = cx_now.unix_micros();
    let is_session = matches!(known.caller.via, Via::Session { .. });
    if now >= known.expires_at.load(Ordering::Relaxed) {
        return if is_session { Ok((Identity::guest(true), false)) } else { Err(AppError::Unauthenticated) };
    }
    if !known.user_addresses.allows(facts.address) || !known.key_addresses.allows(facts.address) {
        return Err(AppError::Unauthenticated);
    }
    if !known.caller.reach.opens(facts.path) {
        return Err(AppError::WrongResource);
    }
    if is_session && !within_login_hours(&known.caller.user.user, cx_now, env) {
        return Err(AppError::Unauthenticated);
    }
    let interval = if is_session { session::touch_interval(env.config.security.session_lifetime()) } else { Duration::from_secs(60) };
    let due = touch(known, now, interval);
    if due && is_session {
        known.expires_at.store(cx_now.plus(env.config.security.session_lifetime()).unix_micros(), Ordering::Relaxed);
    }
    let identity = Identity {
        caller: known.caller.clone(),
        session_expired: false,
        renewed: due && is_session,
        csrf_issued: known.csrf_issued.load(Ordering::Relaxed),
        auth_time: known.auth_time,
    };
    Ok((identity, due))
}

/// Claims the write-down of a use when the last one is longer ago than `interval`; one caller wins.
fn touch(known: &Known, now: i64, interval: Duration) -> bool {
    let last = known.touched_at.load(Ordering::Relaxed);
    let due = now.saturating_sub(last) >= i64::try_from(interval.as_micros()).unwrap_or(i64::MAX);
    due && known.touched_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

/// Whether the site's hour lies within a user's login hours (Frappe: refuse if hour < after or hour >= before).
pub(super) fn within_login_hours(user: &crate::domain::user::User, now: Instant, env: &crate::cx::Env) -> bool {
    if user.login_after.unwrap_or(0) == 0 && user.login_before.unwrap_or(0) == 0 {
        return true;
    }
    let hour = now.naive_utc().and_utc().with_timezone(&env.config.site.time_zone).hour();
    let hour = i32::try_from(hour).unwrap_or(0);
    let after = user.login_after.is_none_or(|after| hour >= after);
    let before = user.login_before.is_none_or(|before| before == 0 || hour < before);
    after && before
}

/// Writes down that a credential was used; due at most once per interval, and may be dropped.
pub fn record_use(via: &Via, now: Instant, session_lifetime: Duration, effects: &mut store::Effects) {
    match via {
        Via::ApiKey { id } => {
            let id = id.clone();
            effects.later("touch api key", move |conn| store::api_keys::update_last_used(conn, &id, now));
        }
        Via::Session { id } => {
            let id = id.clone();
            effects.later("touch session", move |conn| store::sessions::update_seen(conn, &id, now, now.plus(session_lifetime)));
        }
        Via::Guest | Via::Password | Via::CommandLine | Via::Bearer { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::secrets::mint::{self, Kind};

    fn facts<'a>(authorization: &'a str, sid: Option<&'a str>) -> RequestFacts<'a> {
        RequestFacts {
            path: "/",
            changes_state: false,
            authorization: Some(Ok(authorization)),
            sid,
            source: None,
            csrf_token: None,
            origin: None,
            sec_fetch_site: None,
            host: None,
            user_agent: None,
            address: std::net::Ipv4Addr::LOCALHOST.into(),
        }
    }

    fn any_header() -> impl Strategy<Value = String> {
        let scheme = prop::sample::select(vec!["Bearer", "bearer", "Basic", "BASIC", "token", "Token", "Digest", "Negotiate", ""]);
        let value = prop_oneof![
            ".{0,40}",
            "[ -~]{0,20}:[ -~]{0,20}".prop_map(|text| STANDARD.encode(text)),
            "[a-z0-9]{0,10}:{0,2}[a-z0-9]{0,10}",
            Just(mint::secret(Kind::AccessToken)),
            Just(mint::secret(Kind::RefreshToken)),
        ];
        prop_oneof![
            ".{0,60}",
            (scheme, " {0,3}", value, ".{0,2}").prop_map(|(scheme, gap, value, end)| format!("{scheme}{gap}{value}{end}"))
        ]
    }

    proptest! {
        #[test]
        fn any_authorization_header_is_read_as_its_own_scheme_or_refused(header in any_header()) {
            // A header decides alone: whatever it says, the cookie beside it is never fallen back to.
            let read = Credential::from_facts(&facts(&header, Some("somebody")));
            let scheme = header.split(' ').find(|word| !word.is_empty()).unwrap_or_default().to_ascii_lowercase();
            match read {
                Ok(Credential::None | Credential::Session(_)) => prop_assert!(false, "{header:?} fell back"),
                Ok(Credential::Bearer(token)) => {
                    prop_assert_eq!(scheme, "bearer");
                    prop_assert!(mint::has_form(Kind::AccessToken, token.expose_secret()));
                }
                Ok(Credential::Key { .. }) => prop_assert_eq!(scheme, "token"),
                Ok(Credential::KeyOrPassword { .. }) => prop_assert_eq!(scheme, "basic"),
                Err(AppError::Unauthenticated | AppError::MalformedCredentials) => {}
                Err(other) => prop_assert!(false, "{header:?}: {other}"),
            }
        }

        #[test]
        fn a_key_and_its_secret_survive_every_way_of_sending_them(key in "[a-z0-9]{1,20}", secret in "[ -9;-~]{1,40}") {
            let secret = secret.trim().replace(' ', "+");
            prop_assume!(!secret.is_empty());
            let basic = format!("Basic {}", STANDARD.encode(format!("{key}:{secret}")));
            match Credential::from_facts(&facts(&basic, None)) {
                Ok(Credential::KeyOrPassword { name, secret: read }) => prop_assert_eq!((name, read.expose_secret()), (key.clone(), secret.as_str())),
                other => prop_assert!(false, "{other:?}"),
            }
            match Credential::from_facts(&facts(&format!("token {key}:{secret}"), None)) {
                Ok(Credential::Key { key: name, secret: read }) => prop_assert_eq!((name, read.expose_secret()), (key, secret.as_str())),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
