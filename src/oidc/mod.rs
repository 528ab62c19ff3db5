//! OpenID Connect on top of `oauth`: id tokens, userinfo, keys and the discovery documents.
//!
//! Pure data where it can be: id tokens leave here unsigned and are signed by the door after COMMIT,
//! documents are built from what exists. To add a claim, add it in [`claims`] behind its scope.

pub mod claims;
pub mod discovery;
pub mod id_token;
pub mod keys;
pub mod userinfo;
