//! The app's own sessions: in memory, found by a random cookie. They know nothing of the issuer's.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use oauth2::{CsrfToken, PkceCodeVerifier};

use super::provider::{Profile, Tokens};

/// The cookie. Named apart, because cookies of one host are shared by all its ports.
pub const COOKIE: &str = "sample_app_session";
/// Sessions older than this are forgotten.
const LIFETIME: Duration = Duration::from_secs(8 * 3600);
/// Beyond this many the oldest goes: whoever keeps pressing "Log in" must not fill the memory.
const MAX: usize = 1000;

/// Where a visitor is.
pub enum Visit {
    /// On the way to the issuer. What comes back must carry this `state`.
    Leaving {
        state: CsrfToken,
        verifier: PkceCodeVerifier,
    },
    LoggedIn(Login),
}

/// Who is logged in, and what the app may do in their name.
#[derive(Clone)]
pub struct Login {
    pub who: Profile,
    pub tokens: Tokens,
    /// The tokens before the last refresh, to show that they changed.
    pub before: Option<Tokens>,
}

/// Every session by its id.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<String, (Instant, Visit)>>);

impl Sessions {
    /// Starts a session. Always under a new id, so that one planted by somebody else is worthless.
    pub fn start(&self, visit: Visit) -> String {
        let id = CsrfToken::new_random_len(32).into_secret();
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, (since, _)| since.elapsed() < LIFETIME);
        if sessions.len() >= MAX
            && let Some(oldest) = sessions.iter().min_by_key(|(_, (since, _))| *since).map(|(id, _)| id.clone())
        {
            sessions.remove(&oldest);
        }
        sessions.insert(id.clone(), (Instant::now(), visit));
        id
    }

    /// Ends a session and says where it was.
    pub fn take(&self, id: &str) -> Option<Visit> {
        let (since, visit) = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id)?;
        (since.elapsed() < LIFETIME).then_some(visit)
    }

    /// Who is logged in.
    pub fn login(&self, id: &str) -> Option<Login> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            Some((since, Visit::LoggedIn(login))) if since.elapsed() < LIFETIME => Some(login.clone()),
            _ => None,
        }
    }

    /// Replaces the tokens of who is logged in.
    pub fn refreshed(&self, id: &str, tokens: Tokens) {
        if let Some((_, Visit::LoggedIn(login))) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(id) {
            login.before = Some(std::mem::replace(&mut login.tokens, tokens));
        }
    }
}
