//! The dialect: paths, verbs, envelopes, errors.

mod cors;
mod routing;
