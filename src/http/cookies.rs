//! The login cookies, named and shaped as Frappe's: `sid` and four that only describe the user.

use actix_web::HttpResponse;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{HeaderValue, SET_COOKIE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::State;
use crate::domain::user::{User, UserType};

/// What Python's `quote` leaves alone.
const COOKIE_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// What an answer does to the login cookies. Frappe sends five on every answer; here only when a
/// session starts, ends or is renewed, because caches and logs.
#[derive(Clone, Debug, Default)]
pub enum CookieChange {
    #[default]
    Keep,
    Start {
        sid: String,
        user: Box<User>,
    },
    /// The expiry slid: the same id with a new age.
    Renew {
        sid: String,
    },
    Clear,
}

/// Writes a change into an answer.
pub fn apply(change: &CookieChange, response: &mut HttpResponse, state: &State) {
    let secure = state.env.public_url.is_https();
    let lifetime = i64::try_from(state.env.config.security.session_expiry).unwrap_or(i64::MAX / 1000);
    let mut add = |name: &'static str, value: &str, age: Option<i64>, http_only: bool| {
        let mut cookie = Cookie::build(name, utf8_percent_encode(value, COOKIE_VALUE).to_string())
            .path("/")
            .same_site(SameSite::Lax)
            .secure(secure)
            .http_only(http_only);
        if let Some(age) = age {
            cookie = cookie.max_age(Duration::seconds(age));
        }
        // Values are percent-encoded, so this cannot fail; a cookie is never worth the answer.
        if let Ok(value) = HeaderValue::from_str(&cookie.finish().to_string()) {
            response.headers_mut().append(SET_COOKIE, value);
        }
    };
    match change {
        CookieChange::Keep => {}
        CookieChange::Renew { sid } => add("sid", sid, Some(lifetime), true),
        CookieChange::Start { sid, user } => {
            add("sid", sid, Some(lifetime), true);
            add("system_user", if user.user_type == UserType::SystemUser { "yes" } else { "no" }, None, false);
            add("full_name", &user.full_name, None, false);
            add("user_id", &user.name, None, false);
            add("user_image", user.user_image.as_deref().unwrap_or_default(), None, false);
        }
        CookieChange::Clear => {
            add("sid", "", Some(0), true);
            for name in ["system_user", "full_name", "user_id", "user_image"] {
                add(name, "", Some(0), false);
            }
        }
    }
}
