//! Userinfo (OpenID Connect Core section 5.3), Frappe's `openid_profile`.

use serde_json::Value;

use super::claims;
use crate::auth::{Caller, Via};
use crate::domain::scope::ALL;
use crate::error::AppError;

/// What the caller's access token lets a client know about its user.
///
/// # Errors
/// [`AppError::Unauthenticated`] without an access token, [`AppError::InsufficientScope`] without `openid` or `all`.
pub fn openid_profile(caller: &Caller, issuer: &str) -> Result<Value, AppError> {
    let (Via::Bearer { .. }, Some(scope)) = (&caller.via, &caller.scope) else { return Err(AppError::Unauthenticated) };
    if !scope.contains("openid") && !scope.contains(ALL) {
        return Err(AppError::InsufficientScope { needed: "openid".into() });
    }
    let mut body = claims::about_user(&caller.user.user, scope, issuer);
    body.insert("iss".into(), issuer.into());
    Ok(body.into())
}
