//! What a write needs computed before its transaction: slow hashes and strength checks.

use serde_json::{Map, Value};

use crate::doctype::validate::refuse_nul;
use crate::error::AppError;
use crate::secrets::{SealKey, password};
use crate::store::api_keys::HMAC_PURPOSE;

/// Fewest characters of an API secret that a caller chooses.
const MIN_SECRET: usize = 16;
/// Fewest bits of such a secret, as zxcvbn estimates them.
const MIN_BITS: u32 = 60;
/// Longest such secret.
const MAX_SECRET: usize = 512;

/// What must be computed before a write; made by [`needs`], answered by [`Needs::gather`].
#[derive(Clone, Default)]
pub struct Needs {
    new_password: Option<String>,
    api_secret: Option<String>,
}

/// What was computed. Holds no secret in readable form.
#[derive(Clone, Default)]
pub struct Gathered {
    /// Argon2id hash of `new_password`.
    pub password_hash: Option<String>,
    /// HMAC of the `api_secret` that the caller chose.
    pub api_secret_mac: Option<String>,
}

/// What writing `body` to a doctype needs computed first; `None` for almost every write. Ask
/// [`super::permit`] before spending a hash on a stranger.
pub fn needs(doctype: &str, body: &Map<String, Value>) -> Option<Needs> {
    if !doctype.eq_ignore_ascii_case("User") {
        return None;
    }
    let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let needs = Needs { new_password: text("new_password"), api_secret: text("api_secret") };
    (needs.new_password.is_some() || needs.api_secret.is_some()).then_some(needs)
}

impl Needs {
    /// Computes it. Blocks for as long as an Argon2 hash takes.
    ///
    /// # Errors
    /// [`AppError::Validation`] for a password or secret that is too long or too weak.
    pub fn gather(&self, seal: &SealKey) -> Result<Gathered, AppError> {
        let mut gathered = Gathered::default();
        if let Some(new) = &self.new_password {
            refuse_nul("new_password", new)?;
            if new.len() > password::MAX_LENGTH {
                return Err(AppError::Validation(format!("Password cannot be more than {} characters long", password::MAX_LENGTH)));
            }
            gathered.password_hash = Some(password::hash(new));
        }
        if let Some(secret) = &self.api_secret {
            check_secret(secret)?;
            gathered.api_secret_mac = Some(seal.mac(HMAC_PURPOSE, secret.as_bytes()));
        }
        Ok(gathered)
    }
}

/// Refuses an API secret that could be guessed: it is kept as a fast HMAC, so it must be strong by itself.
fn check_secret(secret: &str) -> Result<(), AppError> {
    let refuse =
        |why: &str| Err(AppError::Validation(format!("API Secret (api_secret) {why}; leave it out to have one made by generate_keys")));
    refuse_nul("api_secret", secret)?;
    let length = secret.chars().count();
    if length < MIN_SECRET {
        return refuse(&format!("must have at least {MIN_SECRET} characters"));
    }
    if length > MAX_SECRET {
        return refuse(&format!("must have at most {MAX_SECRET} characters"));
    }
    if zxcvbn::zxcvbn(secret, &[]).guesses() < 1 << MIN_BITS {
        return refuse("is too easy to guess");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn only_secrets_of_users_need_anything() {
        assert!(needs("ToDo", &body(json!({"new_password": "x"}))).is_none());
        assert!(needs("User", &body(json!({"first_name": "x", "new_password": ""}))).is_none());
        assert!(needs("user", &body(json!({"new_password": "x"}))).is_some_and(|needs| needs.new_password.is_some()));
    }

    #[test]
    fn weak_secrets_are_refused_and_strong_ones_are_not_kept() {
        let seal = SealKey::generate();
        for weak in ["short", "aaaaaaaaaaaaaaaaaaaaaaaa", "passwordpassword", "correcthorsebattery"] {
            assert!(needs("User", &body(json!({"api_secret": weak}))).expect("a need").gather(&seal).is_err(), "{weak}");
        }
        let strong = "u7Q_d91Lx-0vRzPq4mT2yB8s";
        let gathered = needs("User", &body(json!({"api_secret": strong}))).expect("a need").gather(&seal).expect("strong");
        assert_eq!(gathered.api_secret_mac, Some(seal.mac(HMAC_PURPOSE, strong.as_bytes())));
    }
}
