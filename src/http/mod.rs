//! HTTP plumbing: what every door needs and no flow may know.
//!
//! [`state::State`] is what handlers share and how they reach the flows; [`extract`] turns a request
//! into plain facts; [`body`] reads bodies within bounds; [`respond`] builds answers; [`cors`] and
//! [`cookies`] say what browsers may see; [`request_log`] writes the one line per request.

pub mod body;
pub mod cookies;
pub mod cors;
pub mod extract;
pub mod gate;
pub mod health;
pub mod request_log;
pub mod respond;
pub mod state;

pub use state::State;
