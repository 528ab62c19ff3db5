//! The token endpoint: settles the client, then hands over to the grant.

use std::fmt;

use super::client_auth::{self, Gathered, Legacy};
use super::error::{ErrorCode, ProtocolError, Stop};
use super::grants::{GRANTS, GrantType};
use super::params::Params;
use crate::cx::Cx;
use crate::domain::limit::Limit;
use crate::domain::{Instant, Scope};
use crate::error::AppError;
use crate::oidc::id_token::UnsignedIdToken;

/// A request to the token endpoint.
#[derive(Clone)]
pub struct TokenRequest {
    /// The body's parameters, form or JSON.
    pub params: Params,
    /// The value of the `Authorization` header; here it is the client's credential.
    pub authorization: Option<String>,
    /// What was found out about the client before the flow.
    pub gathered: Gathered,
    /// When the request came in, which may be long before its turn in the write queue.
    pub arrived_at: Instant,
    /// The address it came from, for the audit log.
    pub ip: Option<String>,
}

/// What the token endpoint answers.
#[derive(Debug)]
pub enum TokenOutcome {
    Issued(TokenReply),
    /// Committed all the same: a spent code stays spent.
    Refused(ProtocolError),
}

/// Tokens, to be shown once.
#[derive(Clone, PartialEq)]
pub struct TokenReply {
    pub access_token: String,
    /// Seconds from now.
    pub expires_in: u64,
    /// Exactly what was granted, in the order it was asked for.
    pub scope: Scope,
    pub refresh_token: Option<String>,
    /// To be signed after COMMIT, off the async threads.
    pub id_token: Option<UnsignedIdToken>,
    /// The race that was won with it, by its id in [`crate::cx::Races`]: who answers says when.
    pub race: Option<String>,
}

impl TokenReply {
    /// The body of RFC 6749 section 5.1, in Frappe's order.
    pub fn to_json(&self, id_token: Option<String>) -> serde_json::Value {
        let mut body = serde_json::Map::new();
        body.insert("access_token".into(), self.access_token.as_str().into());
        body.insert("expires_in".into(), self.expires_in.into());
        body.insert("token_type".into(), "Bearer".into());
        body.insert("scope".into(), self.scope.to_string().into());
        if let Some(refresh_token) = &self.refresh_token {
            body.insert("refresh_token".into(), refresh_token.as_str().into());
        }
        if let Some(id_token) = id_token {
            body.insert("id_token".into(), id_token.into());
        }
        body.into()
    }
}

impl fmt::Debug for TokenReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenReply(scope {:?}, [redacted])", self.scope.to_string())
    }
}

/// Issues tokens, or refuses to.
///
/// # Errors
/// [`AppError`] for faults only: they roll back. Every refusal is a [`TokenOutcome::Refused`].
pub fn token(cx: &mut Cx, request: &TokenRequest) -> Result<TokenOutcome, AppError> {
    match issue(cx, request) {
        Ok(reply) => Ok(TokenOutcome::Issued(reply)),
        Err(Stop::Refused(error)) => Ok(TokenOutcome::Refused(error)),
        Err(Stop::Fault(error)) => Err(error),
    }
}

fn issue(cx: &mut Cx, request: &TokenRequest) -> Result<TokenReply, Stop> {
    let name = request.params.get("grant_type")?;
    let grant = GRANTS.iter().find(|grant| Some(grant.name) == name);
    let legacy = grant.map_or(Legacy::Strict, |grant| grant.legacy);
    let known = client_auth::authenticate(cx, &request.params, request.authorization.as_deref(), &request.gathered, legacy)?;
    known.count(cx, Limit::GetToken)?;
    let grant: &GrantType = match (grant, name) {
        (Some(grant), _) => grant,
        // Frappe's code for both; RFC 6749 would have `invalid_request` for a missing one.
        (None, None) => return Err(ProtocolError::new(ErrorCode::UnsupportedGrantType, "Missing grant_type parameter.").into()),
        (None, Some(_)) => {
            let offered: Vec<&str> = GRANTS.iter().map(|grant| grant.name).collect();
            let description = format!("grant_type must be one of {}.", offered.join(", "));
            return Err(ProtocolError::new(ErrorCode::UnsupportedGrantType, description).into());
        }
    };
    if !known.client.may(grant.name) {
        return Err(ProtocolError::new(ErrorCode::UnauthorizedClient, format!("This client may not use {}.", grant.name)).into());
    }
    (grant.run)(cx, request, &known)
}
