//! Which resource a token is wanted for (RFC 8707).
//!
//! There is one so far: the API of this server, which every token is for. Anything else is refused,
//! so that no client takes a token for one that is bound. When more exist, they are found here.

use super::error::{ErrorCode, ProtocolError};
use super::params::Params;

/// Refuses a `resource` that is not this server's own API, by its public URL (a slash at its end is the
/// same URL).
///
/// # Errors
/// `invalid_target`; also when several are asked for.
pub(super) fn check(params: &Params, public_url: &str) -> Result<(), ProtocolError> {
    match params.get("resource") {
        Ok(None) => Ok(()),
        Ok(Some(uri)) if uri.strip_suffix('/').unwrap_or(uri) == public_url => Ok(()),
        Ok(Some(_)) | Err(_) => {
            Err(ProtocolError::new(ErrorCode::InvalidTarget, format!("The only resource that tokens are issued for is {public_url}.")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_url_is_a_resource() {
        let asked = |uris: &[&str]| check(&uris.iter().map(|uri| ("resource", *uri)).collect(), "https://id.example");
        for good in [[].as_slice(), &[""], &["https://id.example"], &["https://id.example/"]] {
            assert_eq!(asked(good), Ok(()), "{good:?}");
        }
        for bad in [
            ["https://id.example//"].as_slice(),
            &["https://id.example/api"],
            &["https://id.example.evil"],
            &["HTTPS://ID.EXAMPLE"],
            &["https://other.example"],
            &["https://id.example", "https://id.example"],
            &["https://id.example", "https://other.example"],
        ] {
            assert!(asked(bad).is_err_and(|error| error.code == ErrorCode::InvalidTarget), "{bad:?}");
        }
    }
}
