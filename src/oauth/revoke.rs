//! Token revocation (RFC 7009), and the other ways in which what was granted ends.

use super::client_auth::{self, Gathered, Legacy};
use super::error::{ErrorCode, ProtocolError, Stop};
use super::issued::end_family;
use super::params::Params;
use crate::audit::{self, AuditEvent};
use crate::cx::Cx;
use crate::domain::client::Client;
use crate::domain::limit::Limit;
use crate::error::AppError;
use crate::secrets::SecretHash;
use crate::store::epochs::{self, EVERYBODY};
use crate::store::{StoreError, clients, codes, consents, grants, tokens};

/// A request to the revocation endpoint.
#[derive(Clone)]
pub struct RevokeRequest {
    pub params: Params,
    /// The value of the `Authorization` header: the client's credential.
    pub authorization: Option<String>,
    /// What was found out about the client before the flow.
    pub gathered: Gathered,
    /// The address it came from, for the audit log.
    pub ip: Option<String>,
}

/// What the revocation endpoint answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevokeOutcome {
    /// Revoked, or there was nothing to revoke; the answer is the same.
    Done,
    Refused(ProtocolError),
}

/// Revokes a token: a refresh token with its whole family, an access token alone.
///
/// # Errors
/// [`AppError`] for faults only.
pub fn revoke(cx: &mut Cx, request: &RevokeRequest) -> Result<RevokeOutcome, AppError> {
    match run(cx, request) {
        Ok(()) => Ok(RevokeOutcome::Done),
        Err(Stop::Refused(error)) => Ok(RevokeOutcome::Refused(error)),
        Err(Stop::Fault(error)) => Err(error),
    }
}

/// What a presented token is.
enum Target {
    Access { id: String },
    Family { grant_id: String },
}

struct Found {
    target: Target,
    client_id: String,
    user: String,
}

fn run(cx: &mut Cx, request: &RevokeRequest) -> Result<(), Stop> {
    let params = &request.params;
    let presented = params.get("token")?.ok_or_else(|| ProtocolError::invalid_request("Missing token parameter."))?;
    // A hint is only a hint (RFC 7009 section 2.1); hashes of both kinds never meet.
    params.get("token_type_hint")?;
    let authorization = request.authorization.as_deref();
    let known = match client_auth::is_tried(params, authorization)? {
        true => {
            let known = client_auth::authenticate(cx, params, authorization, &request.gathered, Legacy::Strict)?;
            known.count(cx, Limit::Revoke)?;
            Some(known.client)
        }
        false => None,
    };
    let Some(found) = find(cx, presented)? else { return Ok(()) };
    match &known {
        Some(client) if client.client_id != found.client_id => {
            return Err(ProtocolError::new(ErrorCode::UnauthorizedClient, "The token was issued to another client.").into());
        }
        Some(_) => {}
        None => may_revoke_unproven(clients::find_client(cx.conn, &found.client_id)?, params.get("client_id")?)?,
    }
    match &found.target {
        Target::Access { id } => {
            tokens::revoke_access(cx.conn, cx.now, id)?;
            epochs::bump(cx.conn, cx.effects, cx.now, &found.user)?;
        }
        Target::Family { grant_id } => end_family(cx, grant_id, &found.user)?,
    }
    audit::record(cx, request.ip.as_deref(), &AuditEvent::TokenRevoked { client_id: found.client_id, user: found.user })?;
    Ok(())
}

fn find(cx: &mut Cx, presented: &str) -> Result<Option<Found>, StoreError> {
    let hash = SecretHash::of(presented);
    if let Some(token) = tokens::find_access_by_hash(cx.conn, &hash)? {
        return Ok(Some(Found { target: Target::Access { id: token.id }, client_id: token.client_id, user: token.user }));
    }
    // A spent refresh token ends its family too: its holder asks for no less.
    Ok(tokens::find_refresh_by_hash(cx.conn, &hash)?.map(|found| Found {
        target: Target::Family { grant_id: found.grant.id },
        client_id: found.grant.client_id,
        user: found.grant.user,
    }))
}

/// Whether a token of this client may be revoked by whoever holds it.
fn may_revoke_unproven(client: Option<Client>, named: Option<&str>) -> Result<(), ProtocolError> {
    let invalid = |text: &str| ProtocolError::new(ErrorCode::InvalidClient { basic: false }, text);
    let Some(client) = client else { return Err(invalid("Client authentication failed.")) };
    // Frappe: anyone may revoke anything, here: a confidential client authenticates, because RFC 7009 section 2.1 says so.
    if !client.auth_method.is_public() && !client.legacy_no_pkce {
        return Err(invalid("The client of this token must authenticate to revoke it."));
    }
    if named.is_some_and(|named| named != client.client_id) {
        return Err(ProtocolError::new(ErrorCode::UnauthorizedClient, "The token was issued to another client."));
    }
    Ok(())
}

/// An administrator deletes an `OAuth Bearer Token`. Frappe's record is access and refresh token in
/// one, so the family ends with it.
///
/// # Errors
/// [`AppError::NotFound`], or from the database.
pub fn delete_bearer_token(cx: &mut Cx, id: &str) -> Result<(), AppError> {
    let found = tokens::find_access_owner(cx.conn, id)?;
    let (grant_id, user) = found.ok_or_else(|| AppError::not_found("OAuth Bearer Token", id))?;
    tokens::delete_access(cx.conn, id)?;
    match grant_id {
        Some(grant_id) => end_family(cx, &grant_id, &user)?,
        None => epochs::bump(cx.conn, cx.effects, cx.now, &user)?,
    }
    Ok(())
}

/// A user withdraws an app: its grants end and it is asked about again. Returns whether there was anything to end.
///
/// # Errors
/// [`AppError`] from the database.
pub fn withdraw(cx: &mut Cx, user: &str, client_id: &str, ip: Option<&str>) -> Result<bool, AppError> {
    // First: a silent login that goes by it now is waited for, and what it began ends below.
    let consent = consents::revoke_consent(cx.conn, user, client_id)?;
    let codes = codes::burn_unspent(cx.conn, cx.now, Some(user), Some(client_id))?;
    let grants = grants::revoke_of_user_and_client(cx.conn, cx.now, user, client_id)?;
    if codes + grants == 0 && !consent {
        return Ok(false);
    }
    epochs::bump(cx.conn, cx.effects, cx.now, user)?;
    let event = AuditEvent::TokenRevoked { client_id: client_id.to_owned(), user: user.to_owned() };
    audit::record(cx, ip, &event)?;
    Ok(true)
}

/// Ends everything that clients may do as a user, as when the user is disabled. Returns how many grants ended.
///
/// # Errors
/// [`AppError`] from the database.
pub fn end_all_of_user(cx: &mut Cx, user: &str) -> Result<usize, AppError> {
    codes::burn_unspent(cx.conn, cx.now, Some(user), None)?;
    let ended = grants::revoke_of_user(cx.conn, cx.now, user)? + tokens::revoke_without_grant_of_user(cx.conn, cx.now, user)?;
    epochs::bump(cx.conn, cx.effects, cx.now, user)?;
    Ok(ended)
}

/// Ends everything that a client was granted. Returns how many grants ended.
///
/// # Errors
/// [`AppError`] from the database.
pub fn end_all_of_client(cx: &mut Cx, client_id: &str) -> Result<usize, AppError> {
    codes::burn_unspent(cx.conn, cx.now, None, Some(client_id))?;
    let ended = grants::revoke_of_client(cx.conn, cx.now, client_id)? + tokens::revoke_without_grant_of_client(cx.conn, cx.now, client_id)?;
    epochs::bump(cx.conn, cx.effects, cx.now, EVERYBODY)?;
    Ok(ended)
}

/// Ends everything that any client was granted. Returns how many grants ended.
///
/// # Errors
/// [`AppError`] from the database.
pub fn end_all(cx: &mut Cx) -> Result<usize, AppError> {
    codes::burn_unspent(cx.conn, cx.now, None, None)?;
    let ended = grants::revoke_all(cx.conn, cx.now)? + tokens::revoke_all_without_grant(cx.conn, cx.now)?;
    epochs::bump(cx.conn, cx.effects, cx.now, EVERYBODY)?;
    Ok(ended)
}
