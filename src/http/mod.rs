//! HTTP plumbing: what every door needs and no flow may know.
//!
//! [`state::State`] is what handlers share and how they reach the flows; [`extract`] turns a request
//! into plain facts; [`body`] and [`params`] read bodies within bounds; [`upload`] and [`download`] move files, [`sheet`] tables; [`login`] and [`gate`] check passwords; `gather`
//! finds out what clients publish and prove; [`respond`] builds answers; [`cors`] and [`cookies`] say what browsers may see; [`request_log`] writes the one line per request.

pub mod arrival;
pub mod body;
pub mod cookies;
pub mod cors;
pub mod download;
pub mod extract;
pub mod gate;
mod gather;
pub mod health;
pub mod login;
pub mod oauth;
pub mod params;
pub mod request_log;
pub mod respond;
pub mod sheet;
pub mod state;
pub mod tls;
pub mod upload;

pub use state::State;
