//! Grants: what one approval bought, the head of a family of tokens.

use chrono::NaiveDateTime;
use diesel::dsl::{max, min};
use diesel::prelude::*;

use super::schema::{oauth_access_tokens, oauth_clients, oauth_grants};
use super::{Conn, StoreError};
use crate::domain::claims::ClaimsRequest;
use crate::domain::grant::Grant;
use crate::domain::{Instant, Scope};

/// Keeps a new grant, with the single claims that were asked for beside its scope.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn insert_grant(conn: &mut Conn, grant: &Grant, claims: Option<&ClaimsRequest>) -> Result<(), StoreError> {
    diesel::insert_into(oauth_grants::table)
        .values((
            oauth_grants::id.eq(&grant.id),
            oauth_grants::user_name.eq(&grant.user),
            oauth_grants::client_id.eq(&grant.client_id),
            oauth_grants::scopes.eq(grant.scope.to_string()),
            oauth_grants::resource.eq(grant.resource.as_deref()),
            oauth_grants::auth_time.eq(grant.auth_time.naive_utc()),
            oauth_grants::created.eq(grant.created.naive_utc()),
            oauth_grants::expires_at.eq(grant.expires_at.naive_utc()),
            oauth_grants::claims.eq(claims.map(ClaimsRequest::to_text)),
        ))
        .execute(conn)?;
    Ok(())
}

/// The single claims that the grant of an access token was asked for, and what bounds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimsOfToken {
    pub claims: ClaimsRequest,
    pub token_scope: Scope,
    pub grant_scope: Scope,
    /// What the client may ask for as of now.
    pub registered: Scope,
}

/// The single claims behind an access token, by the token's public id. One query.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_claims_of_token(conn: &mut Conn, token_id: &str) -> Result<Option<ClaimsOfToken>, StoreError> {
    let row: Option<(Option<String>, String, String, String)> = oauth_access_tokens::table
        .inner_join(oauth_clients::table.on(oauth_clients::client_id.eq(oauth_access_tokens::client_id)))
        .inner_join(oauth_grants::table.on(oauth_access_tokens::grant_id.eq(oauth_grants::id.nullable())))
        .filter(oauth_access_tokens::id.eq(token_id))
        .select((oauth_grants::claims, oauth_access_tokens::scopes, oauth_grants::scopes, oauth_clients::scopes))
        .get_result(conn)
        .optional()?;
    let Some((Some(claims), token_scope, grant_scope, registered)) = row else { return Ok(None) };
    let scope = |text: &str| Scope::parse(text).map_err(StoreError::corrupt);
    Ok(Some(ClaimsOfToken {
        claims: ClaimsRequest::from_text(&claims).map_err(StoreError::corrupt)?,
        token_scope: scope(&token_scope)?,
        grant_scope: scope(&grant_scope)?,
        registered: scope(&registered)?,
    }))
}

/// Grants of one client that are alike.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantsOfClient {
    pub client_id: String,
    /// `None` for this server's own API.
    pub resource: Option<String>,
    pub scope: Scope,
    pub claims: Option<ClaimsRequest>,
    /// When the first and the last of them were given.
    pub first: Instant,
    pub last: Instant,
}

/// A user's grants that are in force, alike ones together: an app that logs its user in daily has many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_live_by_client(conn: &mut Conn, now: Instant, user: &str) -> Result<Vec<GrantsOfClient>, StoreError> {
    type Row = (String, String, Option<String>, Option<String>, Option<NaiveDateTime>, Option<NaiveDateTime>);
    let rows: Vec<Row> = oauth_grants::table
        .filter(oauth_grants::user_name.eq(user).and(oauth_grants::revoked_at.is_null()).and(oauth_grants::expires_at.gt(now.naive_utc())))
        .group_by((oauth_grants::client_id, oauth_grants::scopes, oauth_grants::resource, oauth_grants::claims))
        .select((
            oauth_grants::client_id,
            oauth_grants::scopes,
            oauth_grants::resource,
            oauth_grants::claims,
            min(oauth_grants::created),
            max(oauth_grants::created),
        ))
        .load(conn)?;
    let to_group = |(client_id, scopes, resource, claims, first, last): Row| {
        let at = |time: Option<NaiveDateTime>| time.map(Instant::new).ok_or_else(|| StoreError::corrupt("a group without rows"));
        Ok(GrantsOfClient {
            client_id,
            resource,
            scope: Scope::parse(&scopes).map_err(StoreError::corrupt)?,
            claims: claims.map(|text| ClaimsRequest::from_text(&text)).transpose().map_err(StoreError::corrupt)?,
            first: at(first)?,
            last: at(last)?,
        })
    };
    rows.into_iter().map(to_group).collect()
}

/// A grant of this client that is still in force, if any: what keeps the client from being deleted.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_live_of_client(conn: &mut Conn, now: Instant, client_id: &str) -> Result<Option<String>, StoreError> {
    Ok(oauth_grants::table
        .filter(
            oauth_grants::client_id.eq(client_id).and(oauth_grants::revoked_at.is_null()).and(oauth_grants::expires_at.gt(now.naive_utc())),
        )
        .select(oauth_grants::id)
        .first(conn)
        .optional()?)
}

/// Ends one family. Returns whether it was still in force.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_grant(conn: &mut Conn, now: Instant, id: &str) -> Result<bool, StoreError> {
    let target = oauth_grants::table.filter(oauth_grants::id.eq(id).and(oauth_grants::revoked_at.is_null()));
    Ok(diesel::update(target).set(oauth_grants::revoked_at.eq(now.naive_utc())).execute(conn)? == 1)
}

/// Ends every family of a user. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_of_user(conn: &mut Conn, now: Instant, user: &str) -> Result<usize, StoreError> {
    let target = oauth_grants::table.filter(oauth_grants::user_name.eq(user).and(oauth_grants::revoked_at.is_null()));
    Ok(diesel::update(target).set(oauth_grants::revoked_at.eq(now.naive_utc())).execute(conn)?)
}

/// Ends every family of a client. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_of_client(conn: &mut Conn, now: Instant, client_id: &str) -> Result<usize, StoreError> {
    let target = oauth_grants::table.filter(oauth_grants::client_id.eq(client_id).and(oauth_grants::revoked_at.is_null()));
    Ok(diesel::update(target).set(oauth_grants::revoked_at.eq(now.naive_utc())).execute(conn)?)
}

/// Ends every family that a user gave a client. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_of_user_and_client(conn: &mut Conn, now: Instant, user: &str, client_id: &str) -> Result<usize, StoreError> {
    let target = oauth_grants::table
        .filter(oauth_grants::user_name.eq(user).and(oauth_grants::client_id.eq(client_id)).and(oauth_grants::revoked_at.is_null()));
    Ok(diesel::update(target).set(oauth_grants::revoked_at.eq(now.naive_utc())).execute(conn)?)
}

/// Ends every family that is for a resource. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_of_resource(conn: &mut Conn, now: Instant, resource: &str) -> Result<usize, StoreError> {
    let target = oauth_grants::table.filter(oauth_grants::resource.eq(resource).and(oauth_grants::revoked_at.is_null()));
    Ok(diesel::update(target).set(oauth_grants::revoked_at.eq(now.naive_utc())).execute(conn)?)
}

/// Removes up to `limit` grants that ended before an instant. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn purge_expired(conn: &mut Conn, before: Instant, limit: i64) -> Result<usize, StoreError> {
    let ids: Vec<String> =
        oauth_grants::table.filter(oauth_grants::expires_at.lt(before.naive_utc())).select(oauth_grants::id).limit(limit).load(conn)?;
    Ok(diesel::delete(oauth_grants::table.filter(oauth_grants::id.eq_any(ids))).execute(conn)?)
}

/// Ends every family there is. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_all(conn: &mut Conn, now: Instant) -> Result<usize, StoreError> {
    let target = oauth_grants::table.filter(oauth_grants::revoked_at.is_null());
    Ok(diesel::update(target).set(oauth_grants::revoked_at.eq(now.naive_utc())).execute(conn)?)
}
