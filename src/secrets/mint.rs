//! New secrets and ids: 256 random bits in URL-safe letters behind a readable prefix, so that a
//! leaked one is found by searching for it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a minted secret is for; decides its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    AccessToken,
    RefreshToken,
    AuthorizationCode,
    ApiSecret,
    ClientSecret,
    /// The `sid` cookie.
    Session,
}

impl Kind {
    /// The readable prefix; never contains a colon, which would break `key:secret`.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::AccessToken => "ost_at_",
            Self::RefreshToken => "ost_rt_",
            Self::AuthorizationCode => "ost_ac_",
            Self::ApiSecret => "ost_sk_",
            Self::ClientSecret => "ost_cs_",
            Self::Session => "ost_si_",
        }
    }
}

/// Mints a secret: prefix and 43 random letters (256 bits).
pub fn secret(kind: Kind) -> String {
    from_bytes(kind, &random_bytes::<32>())
}

/// Gives bytes that were derived elsewhere (HKDF) the form of a minted secret.
pub fn from_bytes(kind: Kind, bytes: &[u8; 32]) -> String {
    format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether a text has the exact form of a minted secret of this kind. Cheap; says nothing about validity.
pub fn has_form(kind: Kind, text: &str) -> bool {
    text.strip_prefix(kind.prefix())
        .is_some_and(|rest| rest.len() == 43 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'))
}

/// A text for the log, without any secret of ours that somebody typed into the wrong field.
pub fn redacted(text: &str) -> Cow<'_, str> {
    let Some(start) = text.find("ost_") else { return Cow::Borrowed(text) };
    let (before, found) = text.split_at(start);
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let end = found.find(|c| !is_letter(c)).unwrap_or(found.len());
    let shown = match found.as_bytes() {
        [b'o', b's', b't', b'_', first, second, b'_', ..] if first.is_ascii_lowercase() && second.is_ascii_lowercase() => {
            format!("{}[redacted]", &found[..7])
        }
        _ => found[..end].to_owned(),
    };
    Cow::Owned(format!("{before}{shown}{}", redacted(&found[end..])))
}

/// Random bytes from the operating system's generator.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system's random generator works");
    bytes
}

/// A random public identifier of `length` letters out of Frappe's hash alphabet (lower-case base 32):
/// document names, client ids, API keys. Five bits a letter.
pub fn name(length: usize) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        for byte in random_bytes::<16>() {
            if text.len() < length {
                text.push(ALPHABET[usize::from(byte & 31)] as char);
            }
        }
    }
    text
}

/// A random UUID (version 7: ordered by time, which keeps indexes compact) for `at`.
pub fn id(at: crate::domain::Instant) -> String {
    let micros = at.unix_micros().max(0).unsigned_abs();
    let timestamp = uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, u32::try_from(micros % 1_000_000).unwrap_or(0) * 1000);
    uuid::Uuid::new_v7(timestamp).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_ours_gets_into_a_log_by_the_wrong_field() {
        let (token, secret) = (secret(Kind::AccessToken), secret(Kind::ClientSecret));
        let text = format!("DocType {token} not found; client \"{secret}\": unknown, cost_center, ost_ é");
        let expected = "DocType ost_at_[redacted] not found; client \"ost_cs_[redacted]\": unknown, cost_center, ost_ é";
        assert_eq!(redacted(&text), expected);
        assert_eq!(redacted("nothing here"), "nothing here");
    }

    #[test]
    fn minted_secrets_have_their_form_and_never_a_colon() {
        for kind in [Kind::AccessToken, Kind::RefreshToken, Kind::AuthorizationCode, Kind::ApiSecret, Kind::ClientSecret, Kind::Session] {
            let minted = secret(kind);
            assert!(has_form(kind, &minted));
            assert!(!minted.contains(':'));
            assert_ne!(minted, secret(kind));
        }
        assert!(!has_form(Kind::AccessToken, "ost_at_short"));
    }
}
