//! Making API keys.

use super::Caller;
use crate::audit::{self, AuditEvent};
use crate::cx::Cx;
use crate::domain::user::{ADMINISTRATOR, GUEST, fold_name};
use crate::domain::{Instant, Scope};
use crate::error::{AppError, Denied};
use crate::secrets::SecretHash;
use crate::secrets::mint::{self, Kind};
use crate::store;
use crate::store::api_keys::{DEFAULT, NewKey, SecretForm};

/// A new pair; the secret is shown this once.
#[derive(Clone)]
pub struct KeyPair {
    pub api_key: String,
    pub api_secret: String,
}

/// Makes the `default` pair of a user, or replaces its secret; the public half stays. A key made
/// by a scoped caller reaches and lives no further than that caller's own.
///
/// # Errors
/// [`AppError::NotFound`] for an unknown user, [`Denied`] for somebody else's keys without System Manager.
pub fn generate(cx: &mut Cx, caller: &Caller, user: &str, ip: Option<&str>) -> Result<KeyPair, AppError> {
    caller.require_credential_rights()?;
    let user = fold_name(user);
    // Frappe: System Manager only, even for oneself; here also for oneself, because it is documented so.
    if user != caller.name() && !caller.is_system_manager() {
        return Err(AppError::NotPermitted(Denied::Because("You can generate keys for yourself only".into())));
    }
    // Frappe: any System Manager may take Administrator's keys, here: nobody else, because that is Administrator's whole power.
    if user == ADMINISTRATOR && !caller.is_administrator() {
        return Err(AppError::NotPermitted(Denied::Because("Only Administrator can generate keys for Administrator".into())));
    }
    if user == GUEST || store::users::find_user(cx.conn, &user)?.is_none() {
        return Err(AppError::not_found("User", user));
    }
    if caller.is_limited() && store::api_keys::is_lasting(cx.conn, &user, DEFAULT)? {
        let reason =
            "The key would be replaced by one that reaches less or ends sooner: use a session, or an API key without scope and expiry";
        return Err(AppError::NotPermitted(Denied::Because(reason.into())));
    }
    let pair = mint_pair(cx, &user, caller.scope.as_deref(), caller.expires_at)?;
    audit::record(cx, ip, &AuditEvent::KeysGenerated { by: caller.name().to_owned(), user })?;
    Ok(pair)
}

/// [`generate`] without a caller: for the command line, whose user owns the database.
///
/// # Errors
/// [`AppError`] from the database.
pub fn mint_pair(cx: &mut Cx, user: &str, scope: Option<&Scope>, expires_at: Option<Instant>) -> Result<KeyPair, AppError> {
    let api_key = match store::api_keys::find_key_of(cx.conn, user, DEFAULT)? {
        Some(known) => known,
        None => mint::name(15),
    };
    let api_secret = mint::secret(Kind::ApiSecret);
    let secret = SecretForm::Sha256(SecretHash::of(&api_secret).to_text());
    store::api_keys::upsert_key(cx.conn, cx.now, &NewKey { user, name: DEFAULT, key: &api_key, secret, scope, expires_at })?;
    store::epochs::bump(cx.conn, cx.effects, cx.now, user)?;
    Ok(KeyPair { api_key, api_secret })
}
