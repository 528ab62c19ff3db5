//! Access and refresh tokens, by hash only.
//!
//! The statements here are the ones run most, so the tables carry no index beyond the hash and no
//! foreign key: what a token names is joined at every check. Ids are UUIDs of version 7, ordered by
//! time, and the purge goes by them.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::schema::{oauth_access_tokens, oauth_clients, oauth_grants, oauth_refresh_tokens, users};
use super::{Conn, StoreError};
use crate::domain::grant::Grant;
use crate::domain::token::{AccessToken, RefreshState, RefreshToken};
use crate::domain::{Instant, Scope};
use crate::secrets::SecretHash;

/// The columns of an access token, and of the grant it belongs to.
type AccessRow = (
    String,
    Option<String>,
    String,
    String,
    String,
    Option<String>,
    NaiveDateTime,
    NaiveDateTime,
    Option<NaiveDateTime>,
    Option<String>,
    Option<NaiveDateTime>,
    bool,
);

fn to_access(row: AccessRow) -> Result<AccessToken, StoreError> {
    let (id, grant_id, client_id, user, scopes, resource, created, expires_at, revoked_at, family, family_revoked_at, single_claims) = row;
    // A family that is gone cannot vouch for its tokens any more.
    let family_ended = grant_id.is_some() && (family.is_none() || family_revoked_at.is_some());
    Ok(AccessToken {
        id,
        grant_id,
        client_id,
        user,
        scope: Scope::parse(&scopes).map_err(StoreError::corrupt)?,
        resource,
        issued_at: Instant::new(created),
        expires_at: Instant::new(expires_at),
        revoked: revoked_at.is_some() || family_ended,
        single_claims,
    })
}

/// The access token of a hash: expired and revoked ones too, but none whose client is gone. One query.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_access_by_hash(conn: &mut Conn, hash: &SecretHash) -> Result<Option<AccessToken>, StoreError> {
    let row: Option<AccessRow> = oauth_access_tokens::table
        .inner_join(oauth_clients::table.on(oauth_clients::client_id.eq(oauth_access_tokens::client_id)))
        .left_join(oauth_grants::table.on(oauth_access_tokens::grant_id.eq(oauth_grants::id.nullable())))
        .filter(oauth_access_tokens::token_hash.eq(hash.to_text()))
        .select((
            oauth_access_tokens::id,
            oauth_access_tokens::grant_id,
            oauth_access_tokens::client_id,
            oauth_access_tokens::user_name,
            oauth_access_tokens::scopes,
            oauth_access_tokens::resource,
            oauth_access_tokens::created,
            oauth_access_tokens::expires_at,
            oauth_access_tokens::revoked_at,
            oauth_grants::id.nullable(),
            oauth_grants::revoked_at.nullable(),
            oauth_grants::claims.nullable().is_not_null(),
        ))
        .get_result(conn)
        .optional()?;
    row.map(to_access).transpose()
}

/// The grant and user of an access token, by the token's public id.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_access_owner(conn: &mut Conn, id: &str) -> Result<Option<(Option<String>, String)>, StoreError> {
    Ok(oauth_access_tokens::table
        .find(id)
        .select((oauth_access_tokens::grant_id, oauth_access_tokens::user_name))
        .get_result(conn)
        .optional()?)
}

/// Removes an access token. Returns whether it existed.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn delete_access(conn: &mut Conn, id: &str) -> Result<bool, StoreError> {
    Ok(diesel::delete(oauth_access_tokens::table.find(id)).execute(conn)? == 1)
}

/// Keeps an access token that was issued.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn insert_access(conn: &mut Conn, token: &AccessToken, hash: &SecretHash) -> Result<(), StoreError> {
    diesel::insert_into(oauth_access_tokens::table)
        .values((
            oauth_access_tokens::id.eq(&token.id),
            oauth_access_tokens::token_hash.eq(hash.to_text()),
            oauth_access_tokens::grant_id.eq(token.grant_id.as_deref()),
            oauth_access_tokens::client_id.eq(&token.client_id),
            oauth_access_tokens::user_name.eq(&token.user),
            oauth_access_tokens::scopes.eq(token.scope.to_string()),
            oauth_access_tokens::resource.eq(token.resource.as_deref()),
            oauth_access_tokens::created.eq(token.issued_at.naive_utc()),
            oauth_access_tokens::expires_at.eq(token.expires_at.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Revokes one access token. Returns whether it was still in force.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_access(conn: &mut Conn, now: Instant, id: &str) -> Result<bool, StoreError> {
    let target = oauth_access_tokens::table.filter(oauth_access_tokens::id.eq(id).and(oauth_access_tokens::revoked_at.is_null()));
    Ok(diesel::update(target).set(oauth_access_tokens::revoked_at.eq(now.naive_utc())).execute(conn)? == 1)
}

/// Revokes a client's tokens that belong to no grant (client_credentials). Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_without_grant_of_client(conn: &mut Conn, now: Instant, client_id: &str) -> Result<usize, StoreError> {
    let target = oauth_access_tokens::table.filter(
        oauth_access_tokens::client_id
            .eq(client_id)
            .and(oauth_access_tokens::grant_id.is_null())
            .and(oauth_access_tokens::revoked_at.is_null()),
    );
    Ok(diesel::update(target).set(oauth_access_tokens::revoked_at.eq(now.naive_utc())).execute(conn)?)
}

/// Revokes the tokens that act as a user and belong to no grant (client_credentials). Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_without_grant_of_user(conn: &mut Conn, now: Instant, user: &str) -> Result<usize, StoreError> {
    let target = oauth_access_tokens::table.filter(
        oauth_access_tokens::grant_id.is_null().and(oauth_access_tokens::user_name.eq(user)).and(oauth_access_tokens::revoked_at.is_null()),
    );
    Ok(diesel::update(target).set(oauth_access_tokens::revoked_at.eq(now.naive_utc())).execute(conn)?)
}

/// Revokes every token that belongs to no grant (client_credentials). Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_all_without_grant(conn: &mut Conn, now: Instant) -> Result<usize, StoreError> {
    let target = oauth_access_tokens::table.filter(oauth_access_tokens::grant_id.is_null().and(oauth_access_tokens::revoked_at.is_null()));
    Ok(diesel::update(target).set(oauth_access_tokens::revoked_at.eq(now.naive_utc())).execute(conn)?)
}

/// A token of this client that is still in force, if any: what keeps the client from being deleted.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_live_without_grant(conn: &mut Conn, now: Instant, client_id: &str) -> Result<Option<String>, StoreError> {
    Ok(oauth_access_tokens::table
        .filter(
            oauth_access_tokens::client_id
                .eq(client_id)
                .and(oauth_access_tokens::grant_id.is_null())
                .and(oauth_access_tokens::revoked_at.is_null())
                .and(oauth_access_tokens::expires_at.gt(now.naive_utc())),
        )
        .select(oauth_access_tokens::id)
        .first(conn)
        .optional()?)
}

/// A refresh token with what decides whether it may be used.
#[derive(Clone, Debug)]
pub struct RefreshTokenWithGrant {
    pub token: RefreshToken,
    pub grant: Grant,
    /// Whether the grant's user may still act.
    pub user_enabled: bool,
}

type RefreshRow = (
    (String, String, NaiveDateTime, NaiveDateTime, Option<NaiveDateTime>, Option<String>, Option<String>),
    (String, String, String, Option<String>, NaiveDateTime, NaiveDateTime, NaiveDateTime, Option<NaiveDateTime>),
    bool,
);

fn to_refresh((token, grant, user_enabled): RefreshRow) -> Result<RefreshTokenWithGrant, StoreError> {
    let (id, grant_id, created, expires_at, spent_at, spent_scopes, spent_resource) = token;
    let state = match spent_at {
        None => RefreshState::Live,
        Some(at) => RefreshState::Spent {
            at: Instant::new(at),
            scope: Scope::parse(spent_scopes.as_deref().unwrap_or_default()).map_err(StoreError::corrupt)?,
            resource: spent_resource,
        },
    };
    let token =
        RefreshToken { id, grant_id: grant_id.clone(), issued_at: Instant::new(created), expires_at: Instant::new(expires_at), state };
    let (user, client_id, scopes, resource, auth_time, created, expires_at, revoked_at) = grant;
    let grant = Grant {
        id: grant_id,
        user,
        client_id,
        scope: Scope::parse(&scopes).map_err(StoreError::corrupt)?,
        resource,
        created: Instant::new(created),
        expires_at: Instant::new(expires_at),
        revoked: revoked_at.is_some(),
        auth_time: Instant::new(auth_time),
    };
    Ok(RefreshTokenWithGrant { token, grant, user_enabled })
}

/// The refresh token of a hash with its grant, whatever their state. One query.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_refresh_by_hash(conn: &mut Conn, hash: &SecretHash) -> Result<Option<RefreshTokenWithGrant>, StoreError> {
    let row: Option<RefreshRow> = oauth_refresh_tokens::table
        .inner_join(oauth_grants::table.on(oauth_grants::id.eq(oauth_refresh_tokens::grant_id)))
        .inner_join(users::table.on(users::name.eq(oauth_grants::user_name)))
        .filter(oauth_refresh_tokens::token_hash.eq(hash.to_text()))
        .select((
            (
                oauth_refresh_tokens::id,
                oauth_refresh_tokens::grant_id,
                oauth_refresh_tokens::created,
                oauth_refresh_tokens::expires_at,
                oauth_refresh_tokens::spent_at,
                oauth_refresh_tokens::spent_scopes,
                oauth_refresh_tokens::spent_resource,
            ),
            (
                oauth_grants::user_name,
                oauth_grants::client_id,
                oauth_grants::scopes,
                oauth_grants::resource,
                oauth_grants::auth_time,
                oauth_grants::created,
                oauth_grants::expires_at,
                oauth_grants::revoked_at,
            ),
            users::enabled,
        ))
        .get_result(conn)
        .optional()?;
    row.map(to_refresh).transpose()
}

/// Keeps a refresh token that was issued.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn insert_refresh(conn: &mut Conn, token: &RefreshToken, hash: &SecretHash) -> Result<(), StoreError> {
    diesel::insert_into(oauth_refresh_tokens::table)
        .values((
            oauth_refresh_tokens::id.eq(&token.id),
            oauth_refresh_tokens::token_hash.eq(hash.to_text()),
            oauth_refresh_tokens::grant_id.eq(&token.grant_id),
            oauth_refresh_tokens::created.eq(token.issued_at.naive_utc()),
            oauth_refresh_tokens::expires_at.eq(token.expires_at.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Spends a refresh token for `scope` at `resource`. Of any number of callers exactly one gets `true`.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn consume_refresh(conn: &mut Conn, now: Instant, id: &str, scope: &Scope, resource: Option<&str>) -> Result<bool, StoreError> {
    let target = oauth_refresh_tokens::table.filter(oauth_refresh_tokens::id.eq(id).and(oauth_refresh_tokens::spent_at.is_null()));
    let changed = diesel::update(target)
        .set((
            oauth_refresh_tokens::spent_at.eq(now.naive_utc()),
            oauth_refresh_tokens::spent_scopes.eq(scope.to_string()),
            oauth_refresh_tokens::spent_resource.eq(resource),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Removes up to `limit` access tokens that expired before an instant, oldest first; none that was
/// made after `made_before` is looked at. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn purge_access(conn: &mut Conn, expired_before: Instant, made_before: Instant, limit: i64) -> Result<usize, StoreError> {
    let ids: Vec<String> = oauth_access_tokens::table
        .filter(oauth_access_tokens::id.lt(first_id_of(made_before)).and(oauth_access_tokens::expires_at.lt(expired_before.naive_utc())))
        .order(oauth_access_tokens::id)
        .select(oauth_access_tokens::id)
        .limit(limit)
        .load(conn)?;
    Ok(diesel::delete(oauth_access_tokens::table.filter(oauth_access_tokens::id.eq_any(ids))).execute(conn)?)
}

/// [`purge_access`] for refresh tokens.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn purge_refresh(conn: &mut Conn, expired_before: Instant, made_before: Instant, limit: i64) -> Result<usize, StoreError> {
    let ids: Vec<String> = oauth_refresh_tokens::table
        .filter(oauth_refresh_tokens::id.lt(first_id_of(made_before)).and(oauth_refresh_tokens::expires_at.lt(expired_before.naive_utc())))
        .order(oauth_refresh_tokens::id)
        .select(oauth_refresh_tokens::id)
        .limit(limit)
        .load(conn)?;
    Ok(diesel::delete(oauth_refresh_tokens::table.filter(oauth_refresh_tokens::id.eq_any(ids))).execute(conn)?)
}

/// The smallest id that can have been minted at an instant: a version 7 UUID begins with its milliseconds.
pub(super) fn first_id_of(at: Instant) -> String {
    let millis = at.unix_micros().max(0) / 1000;
    format!("{:08x}-{:04x}", millis >> 16, millis & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::mint;

    #[test]
    fn ids_of_one_instant_sort_between_the_bounds_of_its_neighbours() {
        let at = Instant::from_unix_micros(1_795_363_568_123_400).expect("in range");
        let later = Instant::from_unix_micros(1_795_363_568_124_400).expect("in range");
        let id = mint::id(at);
        assert!(first_id_of(at) <= id, "{id}");
        assert!(id < first_id_of(later), "{id}");
    }
}
