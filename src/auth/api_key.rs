//! The scheme `token`: `api_key:api_secret`.

use super::identify::{Found, Known, enabled_user};
use super::{Credential, RequestFacts, Via};
use crate::cx::Cx;
use crate::domain::resource::Reach;
use crate::error::AppError;
use crate::secrets::{SecretHash, constant_time_eq};
use crate::store;
use crate::store::api_keys::{HMAC_PURPOSE, SecretForm};

/// Reads `api_key:api_secret`; exactly one colon, neither side empty.
///
/// # Errors
/// [`AppError::Unauthenticated`] for any other form, or a source doctype that holds no keys.
pub fn parse(value: &str, facts: &RequestFacts<'_>) -> Result<Credential, AppError> {
    require_user_source(facts)?;
    match value.split_once(':') {
        Some((key, secret)) if !key.is_empty() && !secret.is_empty() && !secret.contains(':') => {
            Ok(Credential::Key { key: key.to_owned(), secret: secret.into() })
        }
        _ => Err(AppError::Unauthenticated),
    }
}

/// `Frappe-Authorization-Source` names the doctype that holds the key. Only `User` does so far; any other is 401 as in Frappe.
pub(super) fn require_user_source(facts: &RequestFacts<'_>) -> Result<(), AppError> {
    match facts.source {
        None | Some("User") => Ok(()),
        Some(_) => Err(AppError::Unauthenticated),
    }
}

/// Looks a pair up.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn load(cx: &mut Cx, key: &str, secret: &str) -> Result<Option<Known>, AppError> {
    let Some((found, form)) = store::api_keys::find_by_key(cx.conn, key)? else { return Ok(None) };
    let right = match &form {
        SecretForm::Sha256(stored) => constant_time_eq(stored.as_bytes(), SecretHash::of(secret).to_text().as_bytes()),
        SecretForm::Hmac(stored) => constant_time_eq(stored.as_bytes(), cx.env.seal.mac(HMAC_PURPOSE, secret.as_bytes()).as_bytes()),
    };
    if !right {
        return Ok(None);
    }
    let Some(user) = enabled_user(cx, &found.user)? else { return Ok(None) };
    Ok(Some(Known::new(Found {
        user,
        via: Via::ApiKey { id: found.id },
        scope: found.scope,
        reach: Reach::Everything,
        expires_at: found.expires_at,
        touched_at: found.last_used_at,
        key_addresses: found.ip_list,
        csrf_issued: false,
        auth_time: None,
    })))
}
