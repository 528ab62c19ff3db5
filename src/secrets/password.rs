//! Passwords: Argon2id (m=19 MiB, t=2, p=1), in PHC text form.
//!
//! Slow on purpose: callers run these behind the gate in `http`, never inside a transaction.

use std::sync::{LazyLock, Mutex};

use argon2::password_hash::{PasswordHasher as _, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::constant_time_eq;

/// Longest password that is accepted, as in Frappe; longer ones are refused before hashing.
pub const MAX_LENGTH: usize = 512;

static HASHER: LazyLock<Argon2<'static>> = LazyLock::new(|| {
    let params = Params::new(19 * 1024, 2, 1, None).expect("OWASP's parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
});

/// What an unknown user's password is compared with, so that it costs the same hash.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash("nobody has this password"));

/// Hashes a new password with a random salt.
pub fn hash(password: &str) -> String {
    HASHER.hash_password(password.as_bytes()).expect("a password within MAX_LENGTH can be hashed").to_string()
}

/// Checks a password against a stored PHC text; `None` (no such user, no password set) costs the
/// same and is never right.
pub fn verify(password: &str, stored: Option<&str>) -> bool {
    let (text, known) = match stored {
        Some(text) => (text, true),
        None => (NOBODY.as_str(), false),
    };
    let Ok(parsed) = PasswordHash::new(text) else { return false };
    computes(password, &parsed).unwrap_or(false) && known
}

/// The memory of checks that are done, for the next ones: given back to the allocator, it would stay with the thread that
/// ran the check, and every thread would come to hold its own. As many as checks run at once.
static MEMORY: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

/// Whether a password hashes to what is stored; `None` for a text that no Argon2 made.
fn computes(password: &str, stored: &PasswordHash) -> Option<bool> {
    let (salt, expected) = (stored.salt.as_ref()?, stored.hash.as_ref()?);
    let algorithm = Algorithm::try_from(stored.algorithm.as_str()).ok()?;
    let version = stored.version.map_or(Ok(Version::V0x13), Version::try_from).ok()?;
    let hasher = Argon2::new(algorithm, version, Params::try_from(stored).ok()?);
    let mut memory = MEMORY.lock().ok().and_then(|mut free| free.pop()).unwrap_or_default();
    memory.resize(hasher.params().block_count(), Block::default());
    let mut computed = vec![0; expected.as_bytes().len()];
    let done = hasher.hash_password_into_with_memory(password.as_bytes(), salt, &mut computed, &mut memory);
    if let Ok(mut free) = MEMORY.lock() {
        free.push(memory);
    }
    done.ok()?;
    Some(constant_time_eq(&computed, expected.as_bytes()))
}

/// Whether a stored hash was made with other parameters than today's and should be made anew.
pub fn needs_rehash(stored: &str) -> bool {
    !stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_verifies_and_nobody_has_none() {
        let stored = hash("correct horse");
        assert!(verify("correct horse", Some(&stored)));
        assert!(!verify("wrong horse", Some(&stored)));
        assert!(!verify("nobody has this password", None));
        assert!(!needs_rehash(&stored), "{stored}");
    }
}
