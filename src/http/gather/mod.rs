//! The gather stage of the OAuth endpoints: what a flow needs to know of its client and must not find out itself,
//! because it takes long or needs the network. It runs before a flow or between two runs of it, and no connection is
//! held meanwhile. `client_auth` proves who a client is, by keys that `key_sets` keeps where they are published;
//! `client_metadata` has the descriptions of clients that nobody registered.

mod client_auth;
mod client_metadata;
mod key_sets;

pub(super) use key_sets::KeySets;

use crate::domain::limit::Limit;
use crate::error::AppError;
use crate::fetch;
use crate::limits::Limits;

/// Counts a fetch for the host of this URL: many clients may name one host, and make us ask it together. Only who
/// starts a fetch pays; [`fetch::Fetcher::get`] says who that is.
///
/// # Errors
/// [`AppError::TooManyRequests`].
fn pay(limits: &Limits, url: &str) -> Result<(), AppError> {
    limits.check(Limit::FetchMetadata, &format!("host {}", fetch::host(url))).map(drop)
}
