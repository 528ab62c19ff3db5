//! The scheme `Basic`: base64 of `api_key:api_secret` or of `user:password`.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::api_key::require_user_source;
use super::{Credential, RequestFacts};
use crate::error::AppError;

/// Padding is demanded, as Python's decoder does: clients rely on the 400 for a cut header.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireCanonical).with_decode_allow_trailing_bits(true),
);

/// Decodes the pair. A password may contain colons, so the first one separates.
///
/// # Errors
/// [`AppError::MalformedCredentials`] for bad base64, [`AppError::Unauthenticated`] for bytes that are no pair.
pub fn parse(value: &str, facts: &RequestFacts<'_>) -> Result<Credential, AppError> {
    require_user_source(facts)?;
    let bytes = ENGINE.decode(value).map_err(|_| AppError::MalformedCredentials)?;
    let text = String::from_utf8(bytes).map_err(|_| AppError::Unauthenticated)?;
    match text.split_once(':') {
        Some((name, secret)) if !name.is_empty() && !secret.is_empty() => {
            Ok(Credential::KeyOrPassword { name: name.to_owned(), secret: secret.into() })
        }
        _ => Err(AppError::Unauthenticated),
    }
}
