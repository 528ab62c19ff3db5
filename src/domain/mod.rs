//! Pure values and their state changes: users, roles, clients, scopes, resources, grants, tokens, sessions, files.
//!
//! Knows no database, no HTTP and no clock; time comes in as an [`Instant`] argument.
//! To add a concept, add one file here and give it constructors that refuse invalid values.

pub mod api_key;
pub mod claims;
pub mod client;
pub mod file;
pub mod grant;
pub mod instant;
pub mod limit;
pub mod resource;
pub mod scope;
pub mod session;
pub mod token;
pub mod user;

pub use instant::Instant;
pub use scope::Scope;
