//! The id token (OpenID Connect Core section 2), as claims that are yet to be signed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::claims::{self, House};
use crate::domain::claims::Claim;
use crate::domain::client::{Client, SigningAlgorithm};
use crate::domain::user::User;
use crate::domain::{Instant, Scope};
use crate::secrets::keys::SigningKey;
use crate::secrets::{SecretHash, hash};

/// The authentication context of every login (`acr`): a password is what each one checks; there is
/// no stronger context to claim yet.
pub const ACR: &str = "0";

/// Claims and the algorithm to sign them with; the door signs after COMMIT.
#[derive(Clone, Debug, PartialEq)]
pub struct UnsignedIdToken {
    pub algorithm: SigningAlgorithm,
    pub claims: Map<String, Value>,
}

/// Everything an id token speaks of.
pub struct About<'a> {
    pub house: House<'a>,
    pub client: &'a Client,
    pub user: &'a User,
    pub scope: &'a Scope,
    /// The claims that were asked for by name, to be said here.
    pub by_name: &'a [Claim],
    pub nonce: Option<&'a str>,
    pub auth_time: Instant,
    pub now: Instant,
    pub lifetime: Duration,
    pub access_token: &'a str,
}

/// Puts the claims together.
pub fn unsigned(about: &About) -> UnsignedIdToken {
    let mut claims = Map::new();
    claims.insert("iss".into(), about.house.issuer.into());
    claims.append(&mut claims::about_user(about.user, about.scope, about.by_name, about.house));
    claims.insert("aud".into(), about.client.client_id.as_str().into());
    claims.insert("exp".into(), about.now.plus(about.lifetime).unix().into());
    claims.insert("iat".into(), about.now.unix().into());
    claims.insert("auth_time".into(), about.auth_time.unix().into());
    if let Some(nonce) = about.nonce {
        claims.insert("nonce".into(), nonce.into());
    }
    claims.insert("at_hash".into(), at_hash(about.client.id_token_algorithm, about.access_token).into());
    claims.insert("acr".into(), ACR.into());
    claims.insert("amr".into(), vec!["pwd"].into());
    UnsignedIdToken { algorithm: about.client.id_token_algorithm, claims }
}

/// What an id token that came back as a hint says (OpenID Connect Core section 3.1.2.1, RP-Initiated
/// Logout section 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// The client it was issued to.
    pub client_id: String,
    /// The user's public id.
    pub sub: String,
    /// The user's address, if the token's holder was told it.
    pub email: Option<String>,
}

/// Why a hint cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is no id token of this server.
    NotOurs,
    /// It looks like one that this server issued to this client, but the key it names is not kept any more: true or not,
    /// nobody can tell.
    KeyGone { client_id: String },
}

/// Reads an id token that this server issued, expired or not.
///
/// # Errors
/// [`Unreadable`].
pub fn read_hint(keys: &[SigningKey], issuer: &str, token: &str) -> Result<Hint, Unreadable> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| Unreadable::NotOurs)?;
    let kid = header.kid.as_ref().ok_or(Unreadable::NotOurs)?;
    let Some(key) = keys.iter().find(|key| key.kid == *kid) else {
        let client_id = said_audience(&header, issuer, token).ok_or(Unreadable::NotOurs)?;
        return Err(Unreadable::KeyGone { client_id });
    };
    let claims = key.verify_however_old(token, issuer).map_err(|_| Unreadable::NotOurs)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let hint = || Some(Hint { client_id: text("aud")?, sub: text("sub")?, email: text("email") });
    hint().ok_or(Unreadable::NotOurs)
}

/// The client that a token names as its audience, if it has the form of an id token of this issuer. Proves nothing.
fn said_audience(header: &jsonwebtoken::Header, issuer: &str, token: &str) -> Option<String> {
    use jsonwebtoken::Algorithm;
    let is_ours = matches!(header.alg, Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA);
    let [_, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
    let is_signed = URL_SAFE_NO_PAD.decode(signature).is_ok_and(|signature| !signature.is_empty());
    let claims: Map<String, Value> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let from_us = claims.get("iss").and_then(Value::as_str) == Some(issuer);
    claims.get("aud").and_then(Value::as_str).filter(|_| is_ours && is_signed && from_us).map(str::to_owned)
}

/// The left half of the token's hash, by the hash of the signature algorithm (OpenID Connect Core
/// section 3.1.3.6); Ed25519's is SHA-512.
fn at_hash(algorithm: SigningAlgorithm, access_token: &str) -> String {
    match algorithm {
        SigningAlgorithm::Rs256 | SigningAlgorithm::Es256 => URL_SAFE_NO_PAD.encode(&SecretHash::of(access_token).bytes()[..16]),
        SigningAlgorithm::EdDsa => URL_SAFE_NO_PAD.encode(&hash::sha512(access_token)[..32]),
    }
}
