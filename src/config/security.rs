//! `[security]`: passwords, sessions, and which other origins may call.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// The `[security]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecurityConfig {
    /// Password of `Administrator` when the database is new. `OSTIARY_ADMIN_PASSWORD` only.
    #[serde(skip)]
    pub admin_password: Option<SecretString>,
    /// 32 bytes base64. `OSTIARY_SEAL_KEY` only; unset: the file `ostiary.key` beside a SQLite database.
    #[serde(skip)]
    pub seal_key: Option<SecretString>,
    /// Seconds a browser session lives without use. Default 170 hours, as in Frappe.
    pub session_expiry: u64,
    /// Whether `Authorization: Basic` may carry a user name and a password. Default on.
    pub basic_passwords: bool,
    /// Origins that may call with credentials from a browser: a list, or `["*"]` as in Frappe. Default none.
    pub allow_cors: Vec<String>,
    /// Origins whose pages may post to us with a CSRF token. Default none.
    pub allowed_referrers: Vec<String>,
    /// Password checks that run at once; 0 means cores - 1, at least 1. Default 0.
    pub password_checks: usize,
    /// Seconds a login waits for its password check before it is told to come back. Default 5.
    pub password_wait: u64,
}

impl Default for SecurityConfig {
    fn default() -> Self {
        Self {
            admin_password: None,
            seal_key: None,
            session_expiry: 170 * 3600,
            basic_passwords: true,
            allow_cors: Vec::new(),
            allowed_referrers: Vec::new(),
            password_checks: 0,
            password_wait: 5,
        }
    }
}

impl SecurityConfig {
    /// How long a session lives without use.
    pub fn session_lifetime(&self) -> Duration {
        Duration::from_secs(self.session_expiry)
    }
}
