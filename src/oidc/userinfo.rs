//! Userinfo (OpenID Connect Core section 5.3), Frappe's `openid_profile`.

use serde_json::Value;

use super::claims::{self, House};
use crate::auth::{Caller, Via};
use crate::cx::Cx;
use crate::domain::claims::Claim;
use crate::domain::scope::ALL;
use crate::error::AppError;
use crate::store::grants;

/// The claims that the access token's grant was asked for by name (section 5.5), as far as they are
/// still the client's: a token that was narrowed at a refresh says what its own scope opens, and
/// no client has what it has not registered (any more).
///
/// # Errors
/// [`AppError`] from the database.
pub fn claims_by_name(cx: &mut Cx, token_id: &str) -> Result<Vec<Claim>, AppError> {
    let found = grants::find_claims_of_token(cx.conn, token_id)?.filter(|found| found.token_scope.covers(&found.grant_scope));
    Ok(found.map(|found| found.claims.within(&found.registered).userinfo).unwrap_or_default())
}

/// What the caller's access token lets a client know about its user; `by_name` are the claims
/// that it asked for by name.
///
/// # Errors
/// [`AppError::Unauthenticated`] without an access token, [`AppError::InsufficientScope`] without `openid` or `all`.
pub fn openid_profile(caller: &Caller, by_name: &[Claim], house: House<'_>) -> Result<Value, AppError> {
    let (Via::Bearer { .. }, Some(scope)) = (&caller.via, &caller.scope) else { return Err(AppError::Unauthenticated) };
    if !scope.contains("openid") && !scope.contains(ALL) {
        return Err(AppError::InsufficientScope { needed: "openid".into() });
    }
    let mut body = claims::about_user(&caller.user.user, scope, by_name, house);
    body.insert("iss".into(), house.issuer.into());
    Ok(body.into())
}
