//! Browser sessions: what the `sid` cookie stands for.

use super::Instant;

/// A live session of one user. The session id itself is not here: only its hash is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Public id (UUID) for lists and logs; it opens nothing.
    pub id: String,
    pub user: String,
    pub created: Instant,
    /// When the password (or another factor) was last checked; OpenID's `auth_time`.
    pub auth_time: Instant,
    pub last_seen: Instant,
    pub expires_at: Instant,
    /// Whether a page has handed this session its CSRF token; from then on writes need it.
    pub csrf_issued: bool,
}
