//! The dialect of Frappe Framework: `/api/method/…`, `/api/resource/…`, its parameters, envelopes and errors.
//!
//! The only room that knows wire names (`exc_type`, `usr`, `message`, `data`). It translates and
//! decides nothing; every flow works with this room deleted. [`dispatch()`] is the one way in, the
//! table in [`registry`] lists the API methods. Where it differs from Frappe on purpose, a comment
//! `Frappe: …, here: …, because` stands at the spot.

pub mod call;
pub mod dispatch;
pub mod envelope;
pub mod exceptions;
pub mod files;
pub mod methods;
pub mod registry;
pub mod resource_v1;

pub use dispatch::dispatch;
pub use files::is_file_path;
