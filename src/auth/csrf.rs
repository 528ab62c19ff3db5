//! Whether a state-changing request of a browser session comes from our own pages.

use super::{Identity, RequestFacts, Via, session};
use crate::config::SecurityConfig;
use crate::error::AppError;
use crate::secrets::{SealKey, constant_time_eq};

/// What a check needs to know about this installation.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    pub security: &'a SecurityConfig,
    pub seal: &'a SealKey,
    /// The public URL, whose origin is ours.
    pub public_url: &'a str,
}

/// Refuses a state-changing request on a session that does not prove its CSRF token, or that
/// comes from a foreign page whatever it proves. Credentials in a header need no check: a foreign
/// page cannot send them.
///
/// # Errors
/// [`AppError::Csrf`].
pub fn check(rules: &Rules<'_>, identity: &Identity, facts: &RequestFacts<'_>, field: Option<&str>) -> Result<(), AppError> {
    let Via::Session { id } = &identity.caller.via else { return Ok(()) };
    if !facts.changes_state {
        return Ok(());
    }
    refuse_foreign(rules, facts)?;
    if !identity.csrf_issued {
        return Ok(());
    }
    let presented = facts.csrf_token.or(field).unwrap_or_default();
    let expected = session::csrf_token(rules.seal, id);
    if constant_time_eq(presented.as_bytes(), expected.as_bytes()) { Ok(()) } else { Err(AppError::Csrf) }
}

/// Refuses a request that a browser says comes from a foreign page. Also asked before a login,
/// which has no session yet but must not be started by others (login CSRF).
///
/// # Errors
/// [`AppError::Csrf`].
pub fn refuse_foreign(rules: &Rules<'_>, facts: &RequestFacts<'_>) -> Result<(), AppError> {
    let fetch_site = facts.sec_fetch_site;
    let allowed = match facts.origin {
        // Sandboxed or redirected pages send "null"; the browser's own word then decides.
        Some("null") => fetch_site == Some("same-origin"),
        Some(origin) => is_own(rules, facts, origin) || is_listed(rules.security, origin),
        None => fetch_site != Some("cross-site"),
    };
    let listed = facts.origin.is_some_and(|origin| origin != "null" && is_listed(rules.security, origin));
    if allowed && (fetch_site != Some("cross-site") || listed) { Ok(()) } else { Err(AppError::Csrf) }
}

/// The public URL's origin, or the host the browser itself addressed (a cookie of one host is
/// never sent to another, so a page of that very origin is ours).
fn is_own(rules: &Rules<'_>, facts: &RequestFacts<'_>, origin: &str) -> bool {
    origin == rules.public_url || facts.host.is_some_and(|host| origin.split_once("://").is_some_and(|(_, authority)| authority == host))
}

fn is_listed(security: &SecurityConfig, origin: &str) -> bool {
    let lists = security.allow_cors.iter().chain(&security.allowed_referrers);
    // `*` lets any origin read, as in Frappe, but never write.
    lists.into_iter().any(|listed| listed == origin)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn facts<'a>(origin: Option<&'a str>, sec_fetch_site: Option<&'a str>) -> RequestFacts<'a> {
        RequestFacts {
            changes_state: true,
            path: "/",
            authorization: None,
            sid: None,
            source: None,
            csrf_token: None,
            origin,
            sec_fetch_site,
            host: Some("127.0.0.1:8000"),
            user_agent: None,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }

    #[test]
    fn foreign_origins_are_refused_and_own_ones_are_not() {
        let security = SecurityConfig { allow_cors: vec!["https://spa.example".into()], ..SecurityConfig::default() };
        let seal = SealKey::generate();
        let rules = Rules { security: &security, seal: &seal, public_url: "https://id.example" };
        let cases = [
            (None, None, true),
            (Some("https://id.example"), None, true),
            (Some("http://127.0.0.1:8000"), Some("same-origin"), true),
            (Some("https://spa.example"), Some("cross-site"), true),
            (Some("null"), Some("same-origin"), true),
            (Some("null"), None, false),
            (Some("null"), Some("cross-site"), false),
            (Some("https://evil.example"), None, false),
            (Some("https://id.example.evil.example"), None, false),
            (None, Some("cross-site"), false),
            (Some("https://id.example"), Some("cross-site"), false),
        ];
        for (origin, site, good) in cases {
            assert_eq!(refuse_foreign(&rules, &facts(origin, site)).is_ok(), good, "{origin:?} {site:?}");
        }
    }
}
