//! The public keys of clients: JWK Sets (RFC 7517) that others wrote, read with suspicion, and what they verify.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::SecretHash;
use crate::domain::client::SigningAlgorithm;

/// Longest set that is registered, in bytes.
const MAX_TEXT: usize = 16 * 1024;
/// Most keys of a set that is registered, and most that are tried on an assertion that names none.
const MAX_KEYS: usize = 10;
/// Most keys that are kept of a set that was fetched, which may serve others too.
const MAX_PUBLISHED: usize = 50;
/// Longest key id, in bytes.
const MAX_KID: usize = 255;
/// Sizes of RSA moduli in bits. What is larger costs more than it is worth.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
/// Members that only private or symmetric keys have (RFC 7518 section 6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// What is wrong with a set, for the people who wrote it. Never holds a part of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKeySet(String);

/// Public keys that verify signatures.
#[derive(Debug)]
pub struct PublicKeySet(Vec<PublicKey>);

/// One of them.
pub struct PublicKey {
    pub kid: Option<String>,
    /// The one algorithm it is used with: that of its type.
    pub algorithm: SigningAlgorithm,
    /// RFC 7638, SHA-256.
    pub thumbprint: String,
    key: ParsedPublicKey,
}

impl PublicKeySet {
    /// Reads a set that is registered: every key must be one that can be used.
    ///
    /// # Errors
    /// [`InvalidKeySet`] says which key is wrong and how.
    pub fn parse(text: &str) -> Result<Self, InvalidKeySet> {
        if text.len() > MAX_TEXT {
            return Err(InvalidKeySet(format!("is longer than {MAX_TEXT} bytes")));
        }
        let set: Value = serde_json::from_str(text).map_err(|_| InvalidKeySet("is not JSON".into()))?;
        let keys = members(&set)?;
        if keys.len() > MAX_KEYS {
            return Err(InvalidKeySet(format!("has more than {MAX_KEYS} keys")));
        }
        let mut read: Vec<PublicKey> = Vec::with_capacity(keys.len());
        for (number, key) in (1..).zip(keys) {
            let key = PublicKey::read(key).map_err(|why| InvalidKeySet(format!("key {number} {why}")))?;
            if key.kid.is_some() && read.iter().any(|other| other.kid == key.kid) {
                return Err(InvalidKeySet(format!("key {number} has the kid of another key")));
            }
            read.push(key);
        }
        if read.is_empty() {
            return Err(InvalidKeySet("has no keys".into()));
        }
        Ok(Self(read))
    }

    /// Reads a set as it was fetched: keys that cannot be used are passed over (RFC 7517 section 5), for a
    /// client publishes its keys for others too.
    ///
    /// # Errors
    /// [`InvalidKeySet`] when no key is left.
    pub fn parse_published(text: &[u8]) -> Result<Self, InvalidKeySet> {
        let set: Value = serde_json::from_slice(text).map_err(|_| InvalidKeySet("is not JSON".into()))?;
        let usable: Vec<PublicKey> = members(&set)?.iter().filter_map(|key| PublicKey::read(key).ok()).take(MAX_PUBLISHED).collect();
        if usable.is_empty() {
            return Err(InvalidKeySet("has no key that can be used".into()));
        }
        Ok(Self(usable))
    }

    /// The key that made a signature. An id that is named leaves the keys of that id and those without one.
    pub fn verify(&self, kid: Option<&str>, algorithm: SigningAlgorithm, message: &[u8], signature: &[u8]) -> Option<&PublicKey> {
        let named = |key: &&PublicKey| kid.is_none() || key.kid.is_none() || key.kid.as_deref() == kid;
        let fits = |key: &&PublicKey| key.algorithm == algorithm && named(key);
        self.0.iter().filter(fits).take(MAX_KEYS).find(|key| key.key.verify_sig(message, signature).is_ok())
    }

    /// Whether a key has this id.
    pub fn has_kid(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// Whether it holds the key of a thumbprint.
    pub fn has_thumbprint(&self, thumbprint: &str) -> bool {
        self.0.iter().any(|key| key.thumbprint == thumbprint)
    }
}

fn members(set: &Value) -> Result<&[Value], InvalidKeySet> {
    let keys = set.get("keys").and_then(Value::as_array);
    keys.map(Vec::as_slice).ok_or_else(|| InvalidKeySet("is not a JWK Set: a JSON object with a list keys".into()))
}

impl PublicKey {
    /// Reads one JWK; the error ends a sentence that begins with the key.
    fn read(jwk: &Value) -> Result<Self, String> {
        let jwk = jwk.as_object().ok_or("is not a JSON object")?;
        if jwk.get("kty").and_then(Value::as_str) == Some("oct") {
            return Err("is symmetric: only public keys are registered".into());
        }
        if PRIVATE.iter().any(|name| jwk.contains_key(*name)) {
            return Err("is a private key: send its public half alone, and make a new one, for this one has left its place".into());
        }
        let (algorithm, names) = match (text(jwk, "kty")?, jwk.get("crv").and_then(Value::as_str)) {
            (Some("RSA"), _) => (SigningAlgorithm::Rs256, ["e", "kty", "n"].as_slice()),
            (Some("EC"), Some("P-256")) => (SigningAlgorithm::Es256, ["crv", "kty", "x", "y"].as_slice()),
            (Some("OKP"), Some("Ed25519")) => (SigningAlgorithm::EdDsa, ["crv", "kty", "x"].as_slice()),
            _ => return Err("is neither RSA nor EC on P-256 nor OKP on Ed25519 (kty, crv)".into()),
        };
        if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
            return Err("is not for signatures (use)".into());
        }
        let operations = jwk.get("key_ops").map(|operations| operations.as_array().ok_or("has a key_ops that is no list")).transpose()?;
        if operations.is_some_and(|operations| !operations.iter().any(|operation| operation == "verify")) {
            return Err("is not for signatures (key_ops)".into());
        }
        if text(jwk, "alg")?.is_some_and(|name| SigningAlgorithm::from_others(name) != Some(algorithm)) {
            return Err(format!("has another alg than {}, which is what its kind is used with here", algorithm.as_str()));
        }
        let kid = text(jwk, "kid")?.map(str::to_owned);
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID) {
            return Err(format!("has a kid longer than {MAX_KID} bytes"));
        }
        let number = |name: &str| {
            let text = text(jwk, name)?.ok_or_else(|| format!("lacks {name}"))?;
            URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("has a {name} that is not base64url without padding"))
        };
        let not_a_point = |_| "is not a point on its curve".to_owned();
        let key = match algorithm {
            SigningAlgorithm::Rs256 => rsa(&number("n")?, &number("e")?)?,
            SigningAlgorithm::Es256 => {
                let (x, y) = (number("x")?, number("y")?);
                if x.len() != 32 || y.len() != 32 {
                    return Err("has coordinates that are not 32 bytes long".into());
                }
                let point = [[4].as_slice(), &x, &y].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(not_a_point)?
            }
            SigningAlgorithm::EdDsa => ParsedPublicKey::new(&ED25519, number("x")?).map_err(not_a_point)?,
        };
        Ok(Self { kid, algorithm, thumbprint: thumbprint(jwk, names), key })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm.as_str(), self.thumbprint)
    }
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    jwk.get(name).map(|value| value.as_str().ok_or_else(|| format!("has a {name} that is no text"))).transpose()
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<ParsedPublicKey, String> {
    let bits = match modulus.first() {
        Some(first) if *first != 0 => modulus.len() * 8 - first.leading_zeros() as usize,
        _ => return Err("has a modulus that is empty or begins with a zero byte".into()),
    };
    if !RSA_BITS.contains(&bits) {
        return Err(format!("has {bits} bits; RSA keys have {} to {}", RSA_BITS.start(), RSA_BITS.end()));
    }
    // Parsing takes any exponent, even 1, with which everybody could sign (NIST SP 800-56B section 6.2).
    let sound = match *exponent {
        [first, .., last] => first != 0 && (3..=4).contains(&exponent.len()) && last % 2 == 1,
        _ => false,
    };
    if !sound || modulus.last().is_some_and(|last| last % 2 == 0) {
        return Err("has a modulus that is even or an exponent that is not an odd number from 65537 to 2^32".into());
    }
    let components = RsaPublicKeyComponents { n: modulus, e: exponent };
    components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).map_err(|_| "is not a usable RSA key".into())
}

/// RFC 7638: the hash of the members that make the key, sorted, without white space.
fn thumbprint(jwk: &Map<String, Value>, names: &[&str]) -> String {
    let members: Map<String, Value> = names.iter().filter_map(|name| Some(((*name).to_owned(), jwk.get(*name)?.clone()))).collect();
    SecretHash::of(&Value::from(members).to_string()).to_text()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::secrets::keys::{SigningKey, generate};

    fn key(algorithm: SigningAlgorithm) -> SigningKey {
        SigningKey::from_pkcs8("k", algorithm, &generate(algorithm)).expect("usable")
    }

    fn set(keys: &[Value]) -> String {
        json!({ "keys": keys }).to_string()
    }

    fn refused(keys: &[Value]) -> String {
        PublicKeySet::parse(&set(keys)).expect_err("a bad set").to_string()
    }

    fn but(jwk: &Value, name: &str, value: Value) -> Value {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    }

    #[test]
    fn a_key_verifies_what_its_private_half_signed_and_nothing_else() {
        let mut keys: Vec<SigningKey> = SigningAlgorithm::ALL.into_iter().map(key).collect();
        let published: Vec<Value> = keys.iter().map(|key| but(&key.jwk, "kid", key.algorithm.as_str().into())).collect();
        let read = PublicKeySet::parse(&set(&published)).expect("a good set");
        for key in &mut keys {
            let token = key.sign(&json!({"sub": "s"})).expect("signs");
            let (message, signature) = token.rsplit_once('.').expect("a JWS");
            let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
            let name = key.algorithm.as_str();
            for (kid, right) in [(None, true), (Some(name), true), (Some("other"), false)] {
                let found = read.verify(kid, key.algorithm, message.as_bytes(), &signature);
                assert_eq!(found.map(|key| key.algorithm), right.then_some(key.algorithm), "{name} {kid:?}");
            }
            assert!(read.verify(None, key.algorithm, b"another message", &signature).is_none());
            for other in SigningAlgorithm::ALL.into_iter().filter(|other| *other != key.algorithm) {
                assert!(read.verify(None, other, message.as_bytes(), &signature).is_none(), "{name} as {}", other.as_str());
            }
        }
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638() {
        // RFC 8037 appendix A.3.
        let jwk = json!({"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kty": "OKP", "crv": "Ed25519", "kid": "any"});
        let read = PublicKeySet::parse(&set(&[jwk])).expect("a good set");
        assert!(read.has_thumbprint("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    }

    #[test]
    fn what_is_private_weak_or_for_something_else_is_refused() {
        let (rsa, ec, ed) = (key(SigningAlgorithm::Rs256).jwk, key(SigningAlgorithm::Es256).jwk, key(SigningAlgorithm::EdDsa).jwk);
        for good in [&rsa, &ec, &ed] {
            PublicKeySet::parse(&set(&[good.clone(), but(good, "kid", "another".into())])).expect("a good set");
        }
        let short = URL_SAFE_NO_PAD.encode([0xC5; 128]);
        for (bad, reason) in [
            (but(&ec, "d", "AAAA".into()), "key 1 is a private key"),
            (but(&rsa, "p", "AAAA".into()), "key 1 is a private key"),
            (json!({"kty": "oct", "k": "c2VjcmV0"}), "symmetric"),
            (but(&rsa, "n", short.into()), "1024 bits"),
            (but(&rsa, "n", "AAAA".into()), "zero byte"),
            (but(&rsa, "n", URL_SAFE_NO_PAD.encode([0xC5; 1024]).into()), "8192 bits"),
            (but(&rsa, "e", "AQ".into()), "exponent"),
            (but(&rsa, "e", "Aw".into()), "exponent"),
            (but(&rsa, "e", "AQAA".into()), "exponent"),
            (but(&rsa, "e", "AAAAAQ".into()), "exponent"),
            (but(&rsa, "e", "".into()), "exponent"),
            (but(&rsa, "n", URL_SAFE_NO_PAD.encode([0xC4; 256]).into()), "even"),
            (but(&rsa, "alg", "RS512".into()), "another alg than RS256"),
            (but(&ec, "crv", "P-384".into()), "neither"),
            (but(&ec, "x", ec["y"].clone()), "not a point"),
            (but(&ec, "x", "AAAA".into()), "32 bytes"),
            (but(&ed, "x", "AAAA".into()), "not a point"),
            (but(&ed, "x", "****".into()), "not base64url"),
            (but(&ed, "use", "enc".into()), "not for signatures"),
            (but(&ed, "key_ops", json!(["sign"])), "not for signatures"),
            (but(&ed, "kid", json!(7)), "no text"),
            (json!("key"), "not a JSON object"),
        ] {
            let said = refused(std::slice::from_ref(&bad));
            assert!(said.contains(reason), "{said}: {bad}");
            // Published beside a good one it is passed over.
            PublicKeySet::parse_published(set(&[bad, ec.clone()]).as_bytes()).expect("the good one is left");
        }
        assert!(refused(&[]).contains("no keys"));
        assert!(refused(&[ec.clone(), ec.clone()]).contains("kid of another key"));
        assert!(refused(&vec![but(&ec, "kid", Value::Null); 11]).contains("more than 10"));
        assert!(PublicKeySet::parse("[]").is_err() && PublicKeySet::parse(&" ".repeat(20_000)).is_err());
        assert!(PublicKeySet::parse_published(set(&[json!({"kty": "oct"})]).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_set_makes_it_panic(text in ".{0,200}", kty in "RSA|EC|OKP|oct", n in "[A-Za-z0-9_-]{0,600}", e in "[A-Za-z0-9_-]{0,8}") {
            let _ = PublicKeySet::parse(&text);
            let crv = if kty == "EC" { "P-256" } else { "Ed25519" };
            let jwk = json!({"kty": kty, "crv": crv, "n": n, "e": e, "x": n, "y": e});
            let _ = PublicKeySet::parse_published(set(&[jwk]).as_bytes());
        }
    }
}
