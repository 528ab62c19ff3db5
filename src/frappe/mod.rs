//! The dialect of Frappe Framework: `/api/method/…`, `/api/resource/…`, its parameters, envelopes and errors.
//!
//! The only room that knows wire names (`exc_type`, `usr`, `message`, `data`). It translates and
//! decides nothing; every flow works with this room deleted. [`dispatch()`] is the one way in, the
//! table in [`registry`] lists the API methods. Where it differs from Frappe on purpose, a comment
//! `Frappe: …, here: …, because` stands at the spot.

mod arguments;
mod bulk;
pub mod call;
mod controllers;
pub mod dispatch;
mod document_methods;
mod documents;
pub mod envelope;
pub mod exceptions;
pub mod files;
pub mod methods;
mod openapi;
mod refusal;
pub mod registry;
mod resource_v1;
mod resource_v2;
mod target;

pub use dispatch::dispatch;
pub use files::is_file_path;
