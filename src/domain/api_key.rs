//! API keys: a public key name and a secret, each belonging to one user.

use super::{Instant, Scope};

/// A user's API key. The classic Frappe pair is the one called `default`.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKey {
    pub id: String,
    pub user: String,
    /// The user's name for it; unique per user.
    pub name: String,
    /// The public half (`api_key`).
    pub key: String,
    /// `None`: everything the user may do.
    pub scope: Option<Scope>,
    pub expires_at: Option<Instant>,
    /// Networks the key may be used from, comma separated; `None` means anywhere.
    pub ip_list: Option<String>,
    pub last_used_at: Option<Instant>,
}
