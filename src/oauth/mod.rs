//! The OAuth 2.0 authorization server: `authorize`, the token endpoint and its grants, revocation,
//! introspection, and the registries of clients and of resources.
//!
//! The only room that names `oxide_auth`, whose state machines run over our own store
//! (`endpoint`). Knows neither HTTP nor HTML nor Frappe: requests come in as [`Params`], outcomes
//! go out as values that the doors translate. A refusal is a value too, so that it commits.
//!
//! To add a grant type, add a file and a row in [`grants`].

pub mod apps;
mod asking;
pub mod assertion;
pub mod authorize;
mod client_auth;
pub mod client_documents;
pub mod clients;
pub mod end_session;
mod endpoint;
mod error;
pub mod grants;
mod hint;
pub mod introspect;
mod issued;
mod params;
pub mod redirect;
pub mod register;
mod resource;
pub mod resources;
pub mod revoke;
pub mod token;

pub use client_auth::{Gathered, named_client};
pub use error::{ErrorCode, ProtocolError};
pub use params::Params;

/// What the discovery documents announce of this room.
pub fn offer(env: &crate::cx::Env) -> crate::oidc::discovery::Offer<'_> {
    crate::oidc::discovery::Offer {
        issuer: env.public_url.as_str(),
        registration: env.config.oauth.registration != crate::config::Registration::Off,
        client_metadata_documents: env.config.oauth.client_metadata_documents,
        grant_types: grants::GRANTS.iter().map(|grant| grant.name).collect(),
        response_modes: redirect::ResponseMode::ALL.iter().map(|mode| mode.as_str()).collect(),
    }
}
