//! Authorization codes, by hash only. A spent code is kept for a while, so that a replay is recognised.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::schema::{oauth_authorization_codes as codes, users};
use super::{Conn, StoreError};
use crate::domain::claims::ClaimsRequest;
use crate::domain::grant::{AuthorizationCode, CodeState};
use crate::domain::{Instant, Scope};
use crate::secrets::SecretHash;

/// The longest that settings let a code live, and a little more.
const MAX_LIFETIME: std::time::Duration = std::time::Duration::from_secs(660);
const ISSUED: &str = "issued";
const SPENT: &str = "spent";

type CodeRow = (
    (String, String, String, String, bool, String),
    (Option<String>, Option<String>, Option<String>, Option<String>, NaiveDateTime, NaiveDateTime, NaiveDateTime),
    (String, Option<NaiveDateTime>, Option<String>),
    bool,
);

fn to_domain((bound, detail, state, user_enabled): CodeRow) -> Result<(AuthorizationCode, bool), StoreError> {
    let (id, client_id, user, redirect_uri, redirect_uri_sent, scopes) = bound;
    let (resource, claims, nonce, code_challenge, auth_time, created, expires_at) = detail;
    let state = match (state.0.as_str(), state.1) {
        (ISSUED, _) => CodeState::Issued,
        (SPENT, Some(at)) => CodeState::Spent { at: Instant::new(at), grant_id: state.2 },
        (other, _) => return Err(StoreError::corrupt(format!("code state {other}"))),
    };
    let code = AuthorizationCode {
        id,
        client_id,
        user,
        redirect_uri,
        redirect_uri_sent,
        scope: Scope::parse(&scopes).map_err(StoreError::corrupt)?,
        resource,
        claims: claims.map(|text| ClaimsRequest::from_text(&text)).transpose().map_err(StoreError::corrupt)?,
        nonce,
        code_challenge,
        auth_time: Instant::new(auth_time),
        created: Instant::new(created),
        expires_at: Instant::new(expires_at),
        state,
    };
    Ok((code, user_enabled))
}

/// The code of a hash, whatever its state, and whether its user may still act.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_by_hash(conn: &mut Conn, hash: &SecretHash) -> Result<Option<(AuthorizationCode, bool)>, StoreError> {
    let row: Option<CodeRow> = codes::table
        .inner_join(users::table.on(users::name.eq(codes::user_name)))
        .filter(codes::code_hash.eq(hash.to_text()))
        .select((
            (codes::id, codes::client_id, codes::user_name, codes::redirect_uri, codes::redirect_uri_sent, codes::scopes),
            (codes::resource, codes::claims, codes::nonce, codes::code_challenge, codes::auth_time, codes::created, codes::expires_at),
            (codes::state, codes::spent_at, codes::grant_id),
            users::enabled,
        ))
        .get_result(conn)
        .optional()?;
    row.map(to_domain).transpose()
}

/// Keeps a code that was issued.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn insert_code(conn: &mut Conn, code: &AuthorizationCode, hash: &SecretHash) -> Result<(), StoreError> {
    diesel::insert_into(codes::table)
        .values((
            codes::id.eq(&code.id),
            codes::code_hash.eq(hash.to_text()),
            codes::client_id.eq(&code.client_id),
            codes::user_name.eq(&code.user),
            codes::redirect_uri.eq(&code.redirect_uri),
            codes::redirect_uri_sent.eq(code.redirect_uri_sent),
            codes::scopes.eq(code.scope.to_string()),
            codes::resource.eq(code.resource.as_deref()),
            codes::claims.eq(code.claims.as_ref().map(ClaimsRequest::to_text)),
            codes::nonce.eq(code.nonce.as_deref()),
            codes::code_challenge.eq(code.code_challenge.as_deref()),
            codes::auth_time.eq(code.auth_time.naive_utc()),
            codes::created.eq(code.created.naive_utc()),
            codes::expires_at.eq(code.expires_at.naive_utc()),
            codes::state.eq(ISSUED),
        ))
        .execute(conn)?;
    Ok(())
}

/// Spends a code; `grant_id` is the family it buys, `None` when it is burnt. Of any number of
/// callers exactly one gets `true`.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn consume_code(conn: &mut Conn, now: Instant, id: &str, grant_id: Option<&str>) -> Result<bool, StoreError> {
    let target = codes::table.filter(codes::id.eq(id).and(codes::state.eq(ISSUED)));
    let changed = diesel::update(target)
        .set((codes::state.eq(SPENT), codes::spent_at.eq(now.naive_utc()), codes::grant_id.eq(grant_id)))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Burns the codes that a user (or a client, or anybody) holds unspent, so that what was ended
/// cannot begin anew. Looks at those young enough to be good only. Returns how many.
///
/// To be done before grants are revoked: on Postgres it waits for exchanges that are under way, and
/// what they bought can be seen and revoked only then.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn burn_unspent(conn: &mut Conn, now: Instant, user: Option<&str>, client_id: Option<&str>) -> Result<usize, StoreError> {
    burn(conn, now, |code| user.is_none_or(|user| user == code.user_name) && client_id.is_none_or(|client_id| client_id == code.client_id))
}

/// The same for the codes that are for a resource.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn burn_unspent_of_resource(conn: &mut Conn, now: Instant, resource: &str) -> Result<usize, StoreError> {
    burn(conn, now, |code| code.resource.as_deref() == Some(resource))
}

/// What tells whether a code is burnt.
#[derive(Queryable)]
struct Unspent {
    id: String,
    user_name: String,
    client_id: String,
    resource: Option<String>,
}

fn burn(conn: &mut Conn, now: Instant, ends: impl Fn(&Unspent) -> bool) -> Result<usize, StoreError> {
    let young = super::tokens::first_id_of(now.minus(MAX_LIFETIME));
    let unspent: Vec<Unspent> = codes::table
        .filter(codes::id.ge(young).and(codes::state.eq(ISSUED)))
        .select((codes::id, codes::user_name, codes::client_id, codes::resource))
        .load(conn)?;
    let mut burnt = 0;
    for code in unspent.into_iter().filter(ends) {
        burnt += usize::from(consume_code(conn, now, &code.id, None)?);
    }
    Ok(burnt)
}

/// Removes up to `limit` codes that were made before an instant. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn purge_made_before(conn: &mut Conn, before: Instant, limit: i64) -> Result<usize, StoreError> {
    let ids: Vec<String> =
        codes::table.filter(codes::id.lt(super::tokens::first_id_of(before))).select(codes::id).limit(limit).load(conn)?;
    Ok(diesel::delete(codes::table.filter(codes::id.eq_any(ids))).execute(conn)?)
}
