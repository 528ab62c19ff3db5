//! Client assertions (RFC 7523 section 3, OpenID Connect Core section 9 `private_key_jwt`): JWTs by which
//! clients prove who they are.
//!
//! Gathered before the flow, because a signature is checked and keys may have to be fetched: [`read`] judges
//! what needs nobody's key, [`find_keys`] says where the client's keys are, [`Assertion::prove`] checks the
//! signature. The flow then asks what only a transaction can answer ([`admit`]): whether the client still
//! has the key, and whether the assertion was used before.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::error::{ErrorCode, ProtocolError, Stop};
use super::params::Params;
use crate::cx::{Cx, Env};
use crate::domain::Instant;
use crate::domain::client::{AuthMethod, SigningAlgorithm};
use crate::error::AppError;
use crate::oidc::discovery::ENDPOINTS;
use crate::secrets::{PublicKeySet, SecretHash};
use crate::store::clients::ClientWithSecrets;
use crate::store::{assertions, clients};

/// The one `client_assertion_type`.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How far ahead `exp` may lie: an hour, because Authlib always says an hour. Each assertion works once, however long it lives.
const MAX_AHEAD: Duration = Duration::from_secs(3600);
/// How far the client's clock may be off.
const LEEWAY: Duration = Duration::from_secs(60);
/// Longest `jti` and `kid`, in bytes.
const MAX_NAME: usize = 255;

/// Keys whose private halves nobody has: an unknown client costs one signature check too.
static NOBODYS_KEYS: LazyLock<PublicKeySet> =
    LazyLock::new(|| PublicKeySet::parse(include_str!("nobodys_keys.json")).expect("the tests below read them"));

/// An assertion that says the right things. Nothing is proven yet.
#[derive(Clone, Debug)]
pub struct Assertion {
    client_id: String,
    algorithm: SigningAlgorithm,
    kid: Option<String>,
    jti: String,
    expires_at: Instant,
    message: String,
    signature: Vec<u8>,
}

/// Where the keys of a client are.
#[derive(Clone, Debug)]
pub enum Keys {
    /// There are none, and why, for the log: there is no such client, or it is registered for something else.
    Nobodys(&'static str),
    /// Registered with it.
    Registered(Arc<PublicKeySet>),
    /// To be fetched from here.
    At(String),
}

/// An assertion that the holder of one of the client's keys signed.
#[derive(Clone, Debug)]
pub struct ProvenAssertion {
    pub(super) client_id: String,
    /// RFC 7638, of the key that signed it.
    thumbprint: String,
    algorithm: SigningAlgorithm,
    /// The address the key was fetched from; `None` for a registered one.
    fetched_from: Option<String>,
    jti: String,
    expires_at: Instant,
}

/// Whether a request tries to authenticate its client by an assertion.
pub(super) fn is_sent(params: &Params) -> bool {
    ["client_assertion", "client_assertion_type"].iter().any(|name| !matches!(params.get(name), Ok(None)))
}

fn refuse(description: impl Into<String>) -> ProtocolError {
    ProtocolError::new(ErrorCode::InvalidClient { basic: false }, description)
}

/// Reads the assertion of a request to one of our endpoints (`get_token`, ...), if it has one.
///
/// # Errors
/// `invalid_request` beside another credential; `invalid_client` that says what is wrong with the assertion.
/// Whether its client exists makes no difference.
pub fn read(
    params: &Params,
    authorization: Option<&str>,
    env: &Env,
    endpoint: &str,
    now: Instant,
) -> Result<Option<Assertion>, ProtocolError> {
    if !is_sent(params) {
        return Ok(None);
    }
    let (assertion, kind) = (params.get("client_assertion")?, params.get("client_assertion_type")?);
    let Some(kind) = kind else { return Err(ProtocolError::invalid_request("Missing client_assertion_type parameter.")) };
    let Some(assertion) = assertion else { return Err(ProtocolError::invalid_request("Missing client_assertion parameter.")) };
    // RFC 6749 section 2.3: one method in each request.
    if authorization.is_some() {
        return Err(ProtocolError::invalid_request("The client authenticates both in the header and by client_assertion; use one."));
    }
    if params.get("client_secret")?.is_some() {
        return Err(ProtocolError::invalid_request("The client authenticates both by client_secret and by client_assertion; use one."));
    }
    if kind != JWT_BEARER {
        return Err(refuse(format!("client_assertion_type must be {JWT_BEARER}.")));
    }
    let parts = split(assertion).ok_or_else(|| refuse("client_assertion is not a signed JWT in compact form."))?;
    let (algorithm, kid) = read_header(&parts.header)?;
    let assertion = read_claims(&parts.claims, env.public_url.as_str(), endpoint, now)?;
    if params.get("client_id")?.is_some_and(|named| named != assertion.client_id) {
        return Err(ProtocolError::invalid_request("client_id is not the client of client_assertion (iss, sub)."));
    }
    Ok(Some(Assertion { algorithm, kid, message: parts.message, signature: parts.signature, ..assertion }))
}

/// The client that an assertion names, before anything about it is known to be true.
pub(super) fn named_client(params: &Params) -> Option<String> {
    let parts = split(params.get_lenient("client_assertion")?)?;
    Some(parts.claims.get("sub")?.as_str()?.to_owned())
}

/// The parts of a compact JWS (RFC 7515 section 7.1).
struct Parts {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    /// What is signed.
    message: String,
    signature: Vec<u8>,
}

fn split(token: &str) -> Option<Parts> {
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let object = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    Some(Parts { header: object(header)?, claims: object(claims)?, message: message.to_owned(), signature })
}

fn read_header(header: &Map<String, Value>) -> Result<(SigningAlgorithm, Option<String>), ProtocolError> {
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(SigningAlgorithm::from_others).ok_or_else(|| {
        let offered = SigningAlgorithm::ALL.map(SigningAlgorithm::as_str).join(", ");
        refuse(format!("The alg of client_assertion must be one of {offered}."))
    })?;
    // We understand no extension, so none may be critical (RFC 7515 section 4.1.11).
    if header.contains_key("crit") {
        return Err(refuse("client_assertion has a crit header; none is understood."));
    }
    // A JWT of another kind, such as a DPoP proof, says so; it must not pass for this one (RFC 8725 section 3.11).
    if let Some(kind) = header.get("typ") {
        let kind = kind.as_str().unwrap_or_default().to_ascii_lowercase();
        if !["jwt", "client-authentication+jwt"].contains(&kind.strip_prefix("application/").unwrap_or(&kind)) {
            return Err(refuse("The typ of client_assertion must be client-authentication+jwt or JWT."));
        }
    }
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) if kid.len() <= MAX_NAME => Some(kid.clone()),
        Some(_) => return Err(refuse(format!("The kid of client_assertion must be a text of at most {MAX_NAME} bytes."))),
    };
    Ok((algorithm, kid))
}

fn read_claims(claims: &Map<String, Value>, issuer: &str, endpoint: &str, now: Instant) -> Result<Assertion, ProtocolError> {
    let name = |claim: &str| match claims.get(claim) {
        Some(Value::String(text)) if !text.is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control) => Ok(text.clone()),
        _ => Err(refuse(format!("client_assertion must have {claim}, a text of at most {MAX_NAME} bytes."))),
    };
    let (client_id, jti) = (name("sub")?, name("jti")?);
    if name("iss")? != client_id {
        return Err(refuse("iss and sub of client_assertion must both be the client_id."));
    }
    let ours = [issuer.to_owned(), format!("{issuer}{ENDPOINTS}get_token"), format!("{issuer}{ENDPOINTS}{endpoint}")];
    let is_ours = |audience: &Value| audience.as_str().is_some_and(|audience| ours.iter().any(|known| known == audience));
    // The issuer alone is what draft-ietf-oauth-rfc7523bis wants; libraries send the token endpoint, or both. A
    // list with somebody else in it is refused: they could present the assertion here.
    let for_us = match claims.get("aud") {
        Some(Value::Array(audiences)) => !audiences.is_empty() && audiences.iter().all(is_ours),
        Some(audience) => is_ours(audience),
        None => false,
    };
    if !for_us {
        return Err(refuse(format!("The aud of client_assertion must be the issuer, {issuer}, and nobody else beside it.")));
    }
    let time = |claim: &str| match claims.get(claim) {
        None => Ok(None),
        Some(value) => match numeric_date(value) {
            Some(at) => Ok(Some(at)),
            None => Err(refuse(format!("{claim} of client_assertion must be seconds since 1970 as a number."))),
        },
    };
    let expires_at = time("exp")?.ok_or_else(|| refuse("client_assertion must have exp, at most an hour ahead."))?;
    if expires_at.plus(LEEWAY) <= now {
        return Err(refuse("client_assertion has expired (exp)."));
    }
    if expires_at > now.plus(MAX_AHEAD).plus(LEEWAY) {
        return Err(refuse("The exp of client_assertion must be at most an hour ahead."));
    }
    for claim in ["nbf", "iat"] {
        if time(claim)?.is_some_and(|at| at > now.plus(LEEWAY)) {
            return Err(refuse(format!("{claim} of client_assertion is in the future.")));
        }
    }
    Ok(Assertion {
        client_id,
        algorithm: SigningAlgorithm::ALL[0],
        kid: None,
        jti,
        expires_at,
        message: String::new(),
        signature: Vec::new(),
    })
}

/// A NumericDate (RFC 7519 section 2), which may have a fraction.
fn numeric_date(value: &Value) -> Option<Instant> {
    let micros = value.as_f64()? * 1e6;
    // Farther away than any clock; what is left fits.
    if micros.abs() > 1e17 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "its range was looked at")]
    Instant::from_unix_micros(micros as i64)
}

/// Says where the keys of an assertion's client are.
///
/// # Errors
/// [`AppError`] from the database only: what is wrong with the client is not for whoever has not proven to be it.
pub fn find_keys(cx: &mut Cx, assertion: &Assertion) -> Result<Keys, AppError> {
    let client_id = &assertion.client_id;
    let found = cx.env.clients.find(client_id, || clients::find_with_secrets(cx.conn, client_id))?;
    let Some(known) = found else { return Ok(Keys::Nobodys("unknown client")) };
    if known.client.auth_method != AuthMethod::PrivateKeyJwt {
        return Ok(Keys::Nobodys("the client is not registered for private_key_jwt"));
    }
    Ok(match (&known.keys, &known.client.jwks_uri) {
        (Some(keys), _) => Keys::Registered(Arc::clone(keys)),
        (None, Some(uri)) => Keys::At(uri.clone()),
        (None, None) => Keys::Nobodys("the client has no keys"),
    })
}

impl Assertion {
    /// The id of the key that it names.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Checks the signature: some ten to a hundred microseconds, less than handing it to another thread takes.
    /// `keys` may be the reason why there are none; `fetched_from` is the address that they were fetched from.
    ///
    /// # Errors
    /// `invalid_client`, the same for a wrong key, for no keys and for no client; the log has the reason.
    pub fn prove(self, keys: Result<&PublicKeySet, &str>, fetched_from: Option<String>) -> Result<ProvenAssertion, ProtocolError> {
        let verify = |keys: &PublicKeySet, kid| {
            let key = keys.verify(kid, self.algorithm, self.message.as_bytes(), &self.signature)?;
            Some(key.thumbprint.clone())
        };
        let found = match keys {
            Ok(keys) => verify(keys, self.kid.as_deref()).ok_or("no key verifies"),
            // The result is that of keys which nobody has.
            Err(reason) => verify(&NOBODYS_KEYS, None).and(None).ok_or(reason),
        };
        let thumbprint = found.map_err(|cause| {
            let text = "Client authentication failed: client_assertion is not signed with a key of a client that is registered for \
                        private_key_jwt. The log of this server says why.";
            let code = ErrorCode::InvalidClient { basic: false };
            ProtocolError::because(code, text, format!("assertion of {:?}, kid {:?}: {cause}", self.client_id, self.kid))
        })?;
        let Self { client_id, algorithm, jti, expires_at, .. } = self;
        Ok(ProvenAssertion { client_id, thumbprint, algorithm, fetched_from, jti, expires_at })
    }
}

/// Lets a proven assertion in, once, if the client still has the key and the method.
///
/// # Errors
/// `invalid_client`.
pub(super) fn admit(cx: &mut Cx, proven: &ProvenAssertion, known: &ClientWithSecrets) -> Result<(), Stop> {
    let still = known.client.auth_method == AuthMethod::PrivateKeyJwt
        && match &proven.fetched_from {
            Some(uri) => known.client.jwks_uri.as_ref() == Some(uri),
            None => known.keys.as_ref().is_some_and(|keys| keys.has_thumbprint(&proven.thumbprint)),
        };
    if !still {
        return Err(refuse("The key of client_assertion is not registered any more.").into());
    }
    if let Some(pinned) = known.client.auth_signing_algorithm
        && pinned != proven.algorithm
    {
        return Err(refuse(format!("This client is registered for assertions signed with {}.", pinned.as_str())).into());
    }
    let id = SecretHash::of_tuple(&[proven.client_id.as_bytes(), proven.jti.as_bytes()]);
    // Some time more than it would be accepted, for the clocks of several processes.
    if !assertions::consume_assertion(cx.conn, &id, proven.expires_at.plus(LEEWAY * 2))? {
        return Err(refuse("This client_assertion was used before; each needs a jti of its own.").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://id.example";

    fn now() -> Instant {
        Instant::from_unix(1_800_000_000).expect("in range")
    }

    fn judged(changes: Value) -> Result<Assertion, ProtocolError> {
        let mut claims = json!({"iss": "app", "sub": "app", "aud": ISSUER, "exp": now().unix() + 60, "jti": "1"});
        for (name, value) in changes.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        read_claims(claims.as_object().expect("an object"), ISSUER, "revoke_token", now())
    }

    #[test]
    fn nobodys_keys_are_one_of_each_kind() {
        for algorithm in SigningAlgorithm::ALL {
            assert!(NOBODYS_KEYS.has_kid(algorithm.as_str()), "{}", algorithm.as_str());
        }
    }

    #[test]
    fn times_are_judged_with_a_minute_of_leeway_and_an_hour_of_life() {
        let at = |offset: i64| now().unix() + offset;
        for good in [json!({"exp": at(-59)}), json!({"exp": at(3660)}), json!({"nbf": at(60), "iat": at(60)}), json!({"exp": 1.8e9 + 0.5})]
        {
            assert!(judged(good.clone()).is_ok(), "{good}");
        }
        for bad in [
            json!({"exp": at(-60)}),
            json!({"exp": at(3661)}),
            json!({"exp": null}),
            json!({"exp": at(1).to_string()}),
            json!({"exp": 1e300}),
            json!({"exp": -1e300}),
            json!({"exp": i64::MAX}),
            json!({"nbf": at(61)}),
            json!({"iat": at(61)}),
            json!({"iat": "now"}),
        ] {
            assert!(judged(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_audience_is_us_and_nobody_else() {
        let (token, revoke) = (format!("{ISSUER}{ENDPOINTS}get_token"), format!("{ISSUER}{ENDPOINTS}revoke_token"));
        for good in [json!(ISSUER), json!(token), json!(revoke), json!([ISSUER]), json!([ISSUER, token])] {
            assert!(judged(json!({"aud": good})).is_ok(), "{good}");
        }
        let introspect = format!("{ISSUER}{ENDPOINTS}introspect_token");
        for bad in [
            json!(null),
            json!([]),
            json!("https://other.example"),
            json!(format!("{ISSUER}/")),
            json!([ISSUER, "https://other.example"]),
            json!([[ISSUER]]),
            json!({"0": ISSUER}),
            json!(introspect),
        ] {
            assert!(judged(json!({"aud": bad})).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_texts_of_a_length_and_iss_is_sub() {
        for bad in [
            json!({"iss": "other"}),
            json!({"sub": "other"}),
            json!({"sub": 7, "iss": 7}),
            json!({"jti": ""}),
            json!({"jti": 7}),
            json!({"jti": "x".repeat(256)}),
            json!({"iss": "a\u{0}", "sub": "a\u{0}"}),
        ] {
            assert!(judged(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_that_ask_for_more_than_a_signature_by_a_key_are_refused() {
        let judged = |header: Value| read_header(header.as_object().expect("an object"));
        for good in [
            json!({"alg": "RS256"}),
            json!({"alg": "ES256", "kid": "1", "typ": "JWT"}),
            json!({"alg": "EdDSA", "typ": "client-authentication+jwt"}),
            json!({"alg": "Ed25519"}),
            json!({"alg": "EdDSA", "typ": "application/Client-Authentication+JWT"}),
        ] {
            assert!(judged(good.clone()).is_ok(), "{good}");
        }
        for bad in [
            json!({}),
            json!({"alg": "none"}),
            json!({"alg": "HS256"}),
            json!({"alg": "rs256"}),
            json!({"alg": "PS256"}),
            json!({"alg": ["RS256"]}),
            json!({"alg": "RS256", "crit": ["exp"]}),
            json!({"alg": "RS256", "typ": "dpop+jwt"}),
            json!({"alg": "RS256", "typ": 1}),
            json!({"alg": "RS256", "kid": 1}),
            json!({"alg": "RS256", "kid": "x".repeat(256)}),
        ] {
            assert!(judged(bad.clone()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,300}", header in any::<Vec<u8>>(), claims in any::<Vec<u8>>()) {
            let _ = split(&text);
            let token = format!("{}.{}.{text}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let _ = split(&token);
        }

        #[test]
        fn no_number_makes_a_time_panic(number in any::<f64>(), whole in any::<i64>()) {
            let _ = (numeric_date(&json!(number)), numeric_date(&json!(whole)));
        }
    }
}
