//! The grant types: one file each, one row each in [`GRANTS`], which the discovery documents read.
//!
//! To add one, write `run`: it gets a client that is settled and allowed to use the grant, and
//! returns tokens or a refusal. Whatever it wrote before it refused stays written.

mod authorization_code;
mod client_credentials;
mod refresh_token;

use super::client_auth::{KnownClient, Legacy};
use super::error::Stop;
use super::token::{TokenReply, TokenRequest};
use crate::cx::Cx;

/// One way to get tokens.
pub struct GrantType {
    /// The `grant_type` parameter.
    pub name: &'static str,
    /// Whether an old Frappe integration may come without its secret.
    pub(super) legacy: Legacy,
    pub(super) run: fn(&mut Cx, &TokenRequest, &KnownClient) -> Result<TokenReply, Stop>,
}

/// All that are offered, in the order they are announced.
pub const GRANTS: [GrantType; 3] = [
    GrantType { name: AUTHORIZATION_CODE, legacy: Legacy::SecretOptional, run: authorization_code::run },
    GrantType { name: REFRESH_TOKEN, legacy: Legacy::SecretOptional, run: refresh_token::run },
    GrantType { name: CLIENT_CREDENTIALS, legacy: Legacy::Strict, run: client_credentials::run },
];

/// RFC 6749 section 4.1.
pub const AUTHORIZATION_CODE: &str = "authorization_code";
/// RFC 6749 section 6.
pub const REFRESH_TOKEN: &str = "refresh_token";
/// RFC 6749 section 4.4.
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
