//! Opaque access and refresh tokens, as the store remembers them: by hash only.

use super::{Instant, Scope};

/// An access token that was issued. The token itself is not here: only its hash is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessToken {
    /// Shown as the name of an `OAuth Bearer Token`; it opens nothing.
    pub id: String,
    /// The grant (token family) it belongs to; `None` for client_credentials.
    pub grant_id: Option<String>,
    pub client_id: String,
    /// Who it acts as.
    pub user: String,
    pub scope: Scope,
    /// What it is for (RFC 8707); `None` for this server's own API.
    pub resource: Option<String>,
    pub issued_at: Instant,
    pub expires_at: Instant,
    /// Revoked itself, or its whole family.
    pub revoked: bool,
    /// Whether its grant was asked for single claims beside the scope; known of a token that was looked up.
    pub single_claims: bool,
}

/// A refresh token: one link of a family's chain.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshToken {
    pub id: String,
    pub grant_id: String,
    pub issued_at: Instant,
    /// End of the idle lifetime; the family's own end is on the grant.
    pub expires_at: Instant,
    pub state: RefreshState,
}

/// Whether a refresh token can still be exchanged.
#[derive(Clone, Debug, PartialEq)]
pub enum RefreshState {
    /// Never used.
    Live,
    /// Rotated at `at`, asking for `scope` at `resource`. Its successor is derived from it, so nothing else need be remembered.
    Spent { at: Instant, scope: Scope, resource: Option<String> },
}
