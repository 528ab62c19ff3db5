//! OpenID Connect on top of `oauth`: id tokens, userinfo, keys and the discovery documents.
//!
//! Pure data where it can be: id tokens leave here unsigned and are signed by the door after COMMIT,
//! documents are built from what exists. To add a claim, add it in
//! `domain::claims` with the scope that carries it; [`claims`] then wants its value.

pub mod claims;
pub mod discovery;
pub mod id_token;
pub mod keys;
pub mod userinfo;
