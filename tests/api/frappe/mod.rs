//! The dialect: paths, verbs, envelopes, errors.

mod client;
mod cors;
mod desk;
mod routing;
mod run_method;
