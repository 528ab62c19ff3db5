//! What a user gave a client: authorization codes and the grant (token family) each one buys.

use super::claims::ClaimsRequest;
use super::{Instant, Scope};

/// The family of tokens that one approval bought; revoking it ends them all.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    pub id: String,
    pub user: String,
    pub client_id: String,
    /// Everything that was granted. Narrowing at a refresh never shrinks it.
    pub scope: Scope,
    /// What it is for (RFC 8707); `None` for this server's own API.
    pub resource: Option<String>,
    pub created: Instant,
    /// End of the absolute lifetime of refreshing.
    pub expires_at: Instant,
    /// Ended by revocation; every token of the family is dead with it.
    pub revoked: bool,
    /// When the user last proved who they are (OpenID `auth_time`).
    pub auth_time: Instant,
}

/// An authorization code: everything it is bound to, and its state.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthorizationCode {
    /// Public id; the code itself is stored as a hash only.
    pub id: String,
    pub client_id: String,
    pub user: String,
    /// The URI the code was sent to, as raw text.
    pub redirect_uri: String,
    /// Whether the authorization request named it. If it did, the exchange must name it again (RFC 6749 section 4.1.3).
    pub redirect_uri_sent: bool,
    pub scope: Scope,
    /// What it is for (RFC 8707); `None` for this server's own API.
    pub resource: Option<String>,
    /// Single claims that were asked for beside the scope.
    pub claims: Option<ClaimsRequest>,
    pub nonce: Option<String>,
    /// PKCE S256 challenge (RFC 7636), if one was sent.
    pub code_challenge: Option<String>,
    pub auth_time: Instant,
    pub created: Instant,
    pub expires_at: Instant,
    pub state: CodeState,
}

/// A code moves once, from `Issued` to `Spent`, and never back.
#[derive(Clone, Debug, PartialEq)]
pub enum CodeState {
    Issued,
    /// Redeemed or burnt at `at`; `grant_id` names the family it bought, if any.
    Spent {
        at: Instant,
        grant_id: Option<String>,
    },
}
