//! The seal key: encrypts what must be readable again (signing keys, Password fields), keys HMACs
//! of secrets that callers chose, and derives successors of refresh tokens.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::mint;

/// 32 secret bytes from which purpose-bound keys are derived (HKDF-SHA-256).
#[derive(Clone)]
pub struct SealKey(Zeroizing<[u8; 32]>);

/// A sealed text that does not open: wrong key, wrong purpose or damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed value does not open with this key")]
pub struct SealBroken;

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl SealKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self(Zeroizing::new(mint::random_bytes()))
    }

    /// Reads 32 bytes of base64 (standard or URL-safe, padding optional).
    pub fn from_text(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('=');
        let standard = text.replace('-', "+").replace('_', "/");
        let bytes = STANDARD_NO_PAD.decode(standard).ok()?;
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// The text form for the key file: 32 bytes of base64.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.as_slice()))
    }

    /// Derives 32 bytes for one purpose from the key and an input (HKDF: input as salt, purpose as info).
    pub fn derive(&self, purpose: &str, input: &[u8]) -> [u8; 32] {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, input);
        let mut derived = [0; 32];
        salt.extract(self.0.as_slice())
            .expand(&[purpose.as_bytes()], Length(32))
            .and_then(|okm| okm.fill(&mut derived))
            .expect("32 bytes are within HKDF's limit");
        derived
    }

    /// HMAC-SHA-256 under a key of its own, for secrets that a caller chose. Text form as stored.
    pub fn mac(&self, purpose: &str, message: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.derive(purpose, b""));
        URL_SAFE_NO_PAD.encode(hmac::sign(&key, message))
    }

    /// Encrypts (AES-256-GCM, random nonce); `purpose` is authenticated, so a value sealed for one
    /// place does not open in another.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> String {
        let nonce: [u8; 12] = mint::random_bytes();
        let mut buffer = plain.to_vec();
        self.cipher(purpose)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(purpose.as_bytes()), &mut buffer)
            .expect("values are far below AES-GCM's limit");
        let mut sealed = nonce.to_vec();
        sealed.extend(buffer);
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Opens what [`SealKey::seal`] made for the same purpose.
    ///
    /// # Errors
    /// [`SealBroken`] when key, purpose or text are not the ones it was sealed with.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, SealBroken> {
        let mut bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(sealed).map_err(|_| SealBroken)?);
        if bytes.len() < 12 {
            return Err(SealBroken);
        }
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&bytes[..12]);
        let plain = self
            .cipher(purpose)
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(purpose.as_bytes()), &mut bytes[12..])
            .map_err(|_| SealBroken)?;
        Ok(Zeroizing::new(plain.to_vec()))
    }

    fn cipher(&self, purpose: &str) -> LessSafeKey {
        let key = self.derive(&format!("seal:{purpose}"), b"");
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).expect("the key is 32 bytes"))
    }
}

const STANDARD_NO_PAD: base64::engine::GeneralPurpose = base64::engine::general_purpose::STANDARD_NO_PAD;

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_values_open_only_with_their_key_and_purpose() {
        let key = SealKey::generate();
        let sealed = key.seal("signing-key", b"private");
        assert_eq!(key.open("signing-key", &sealed).expect("opens").as_slice(), b"private");
        assert_eq!(key.open("password-field", &sealed), Err(SealBroken));
        assert_eq!(SealKey::generate().open("signing-key", &sealed), Err(SealBroken));
        assert_ne!(sealed, key.seal("signing-key", b"private"), "nonces are random");
    }

    #[test]
    fn text_form_round_trips_and_short_keys_are_refused() {
        let key = SealKey::generate();
        let again = SealKey::from_text(&key.to_text()).expect("32 bytes");
        assert_eq!(key.derive("p", b"i"), again.derive("p", b"i"));
        assert!(SealKey::from_text("c2hvcnQ=").is_none());
    }
}
