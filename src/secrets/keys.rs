//! Signing keys of id tokens: generation, the public half as JWK (RFC 7517), and signing.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKey};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::domain::client::SigningAlgorithm;

/// A private key that signs id tokens, with its id and public half.
#[derive(Clone)]
pub struct SigningKey {
    pub kid: String,
    pub algorithm: SigningAlgorithm,
    /// The public half as a JWK object with `kid`, `use` and `alg`.
    pub jwk: serde_json::Value,
    pair: Arc<KeyPair>,
}

/// The private half, parsed once: parsing an RSA key costs more than signing with it.
enum KeyPair {
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// A private key that cannot be used: damaged bytes or another algorithm.
#[derive(Clone, Debug, thiserror::Error)]
#[error("signing key is not usable: {0}")]
pub struct InvalidKey(String);

/// Makes a new private key (PKCS#8 DER). RSA 2048 takes a fraction of a second.
pub fn generate(algorithm: SigningAlgorithm) -> Zeroizing<Vec<u8>> {
    let der = match algorithm {
        SigningAlgorithm::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("RSA generation works");
            let document: Pkcs8V1Der<'static> = pair.as_der().expect("RSA keys have a PKCS#8 form");
            document.as_ref().to_vec()
        }
        SigningAlgorithm::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("P-256 generation works");
            pair.to_pkcs8v1().expect("P-256 keys have a PKCS#8 form").as_ref().to_vec()
        }
        SigningAlgorithm::EdDsa => {
            let pair = Ed25519KeyPair::generate().expect("Ed25519 generation works");
            pair.to_pkcs8().expect("Ed25519 keys have a PKCS#8 form").as_ref().to_vec()
        }
    };
    Zeroizing::new(der)
}

impl SigningKey {
    /// Parses a PKCS#8 private key and derives its public JWK.
    ///
    /// # Errors
    /// [`InvalidKey`] when the bytes are not a key of this algorithm.
    pub fn from_pkcs8(kid: &str, algorithm: SigningAlgorithm, pkcs8: &[u8]) -> Result<Self, InvalidKey> {
        let refuse = |error: &dyn fmt::Display| InvalidKey(error.to_string());
        let (jwk, pair) = match algorithm {
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|e| refuse(&e))?;
                let public: &PublicKey = pair.public_key();
                let modulus = public.modulus().big_endian_without_leading_zero().to_vec();
                let exponent = public.exponent().big_endian_without_leading_zero().to_vec();
                let jwk = serde_json::json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": URL_SAFE_NO_PAD.encode(modulus), "e": URL_SAFE_NO_PAD.encode(exponent)});
                (jwk, KeyPair::Rsa(Box::new(pair)))
            }
            SigningAlgorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(|e| refuse(&e))?;
                let point = pair.public_key().as_ref();
                if point.len() != 65 {
                    return Err(InvalidKey("public point has an unexpected form".into()));
                }
                let jwk = serde_json::json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid, "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..])});
                (jwk, KeyPair::P256(Box::new(pair)))
            }
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|e| refuse(&e))?;
                let point = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
                let jwk = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": point});
                (jwk, KeyPair::Ed25519(Box::new(pair)))
            }
        };
        Ok(Self { kid: kid.to_owned(), algorithm, jwk, pair: Arc::new(pair) })
    }

    /// Signs claims as a compact JWT (RFC 7515 section 3.1) with `kid` in its header. Slow for RSA: run
    /// off the async threads. (`jsonwebtoken::encode` would parse the private key for every token.)
    ///
    /// # Errors
    /// [`InvalidKey`] when the claims cannot be serialised or the key fails.
    pub fn sign<T: Serialize>(&self, claims: &T) -> Result<String, InvalidKey> {
        let refuse = |error: &dyn fmt::Display| InvalidKey(error.to_string());
        let mut header = jsonwebtoken::Header::new(self.jose_algorithm());
        header.kid = Some(self.kid.clone());
        let header = serde_json::to_vec(&header).map_err(|error| refuse(&error))?;
        let claims = serde_json::to_vec(claims).map_err(|error| refuse(&error))?;
        let mut token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let random = SystemRandom::new();
        let signature = match &*self.pair {
            KeyPair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), &mut signature).map_err(|error| refuse(&error))?;
                signature
            }
            KeyPair::P256(pair) => pair.sign(&random, token.as_bytes()).map_err(|error| refuse(&error))?.as_ref().to_vec(),
            KeyPair::Ed25519(pair) => pair.sign(token.as_bytes()).as_ref().to_vec(),
        };
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(token)
    }
}

impl SigningKey {
    /// The claims of a JWT that this key signed for `issuer`, however old it is.
    ///
    /// # Errors
    /// [`InvalidKey`] when the signature, the algorithm or the issuer is another one.
    pub fn verify_however_old(&self, token: &str, issuer: &str) -> Result<serde_json::Map<String, serde_json::Value>, InvalidKey> {
        let refuse = |error: jsonwebtoken::errors::Error| InvalidKey(error.to_string());
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(self.jwk.clone()).map_err(|error| InvalidKey(error.to_string()))?;
        let mut rules = jsonwebtoken::Validation::new(self.jose_algorithm());
        rules.set_required_spec_claims(&["iss"]);
        rules.set_issuer(&[issuer]);
        (rules.validate_exp, rules.validate_aud) = (false, false);
        let public = jsonwebtoken::DecodingKey::from_jwk(&jwk).map_err(refuse)?;
        jsonwebtoken::decode(token, &public, &rules).map(|decoded| decoded.claims).map_err(refuse)
    }

    fn jose_algorithm(&self) -> jsonwebtoken::Algorithm {
        match self.algorithm {
            SigningAlgorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            SigningAlgorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            SigningAlgorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {}, [redacted])", self.kid, self.algorithm.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_sign_and_their_jwk_verifies() {
        for algorithm in SigningAlgorithm::ALL {
            let key = SigningKey::from_pkcs8("k1", algorithm, &generate(algorithm)).expect("usable");
            let token = key.sign(&serde_json::json!({"sub": "s", "exp": 4_000_000_000_u64})).expect("signs");
            let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.jwk.clone()).expect("a JWK");
            let decoding = jsonwebtoken::DecodingKey::from_jwk(&jwk).expect("a public key");
            let mut rules = jsonwebtoken::Validation::new(algorithm.as_str().parse().expect("known"));
            rules.validate_aud = false;
            let claims = jsonwebtoken::decode::<serde_json::Value>(&token, &decoding, &rules).expect("verifies").claims;
            assert_eq!(claims["sub"], "s");
        }
    }
}
