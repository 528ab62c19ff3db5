//! SHA-256 of what Ostiary mints: 256-bit secrets need no slow hash, and equal hashes are found by index.
//! And the digests that protocols ask for.

use std::fmt;

use aws_lc_rs::{constant_time, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The SHA-256 of a minted secret: what is stored in place of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Hashes a secret as it was presented.
    pub fn of(secret: &str) -> Self {
        Self::of_parts(&[secret.as_bytes()])
    }

    /// Hashes several parts with their lengths, so that no two lists of parts collide.
    pub fn of_tuple(parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        Self::from_digest(&context.finish())
    }

    fn of_parts(parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(part);
        }
        Self::from_digest(&context.finish())
    }

    fn from_digest(digest: &digest::Digest) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }

    /// The raw 32 bytes, as a key of an in-memory map.
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// The text form that is stored: 43 URL-safe base64 letters.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash([redacted])")
    }
}

/// The SHA-512 of a text, where a protocol wants that one.
pub fn sha512(text: &str) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes.copy_from_slice(digest::digest(&digest::SHA512, text.as_bytes()).as_ref());
    bytes
}

/// Compares without leaking the position of the first difference. Lengths are not secret.
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(left, right).is_ok()
}

/// The PKCE S256 transformation (RFC 7636 section 4.2): base64url(SHA-256(verifier)).
pub fn pkce_s256(verifier: &str) -> String {
    SecretHash::of(verifier).to_text()
}
