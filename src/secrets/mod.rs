//! Everything cryptographic: minting, hashing, passwords, sealing, signing keys.
//!
//! Pure: bytes in, bytes out; the random generator is the only thing read from outside. Nothing
//! here knows where a secret is stored. Types that hold a secret print `[redacted]`.

pub mod hash;
pub mod jwks;
pub mod keys;
pub mod mint;
pub mod password;
pub mod seal;

pub use hash::{SecretHash, constant_time_eq};
pub use jwks::PublicKeySet;
pub use seal::SealKey;
