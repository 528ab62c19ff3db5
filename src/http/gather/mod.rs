//! The gather stage of the OAuth endpoints: what a flow needs to know of its client and must not find out itself,
//! because it takes long or needs the network. It runs before a flow or between two runs of it, and no connection is
//! held meanwhile. `client_auth` proves who a client is, by keys that `key_sets` keeps where they are published;
//! `client_metadata` has the descriptions of clients that nobody registered.

mod client_auth;
mod client_metadata;
mod key_sets;

pub(super) use key_sets::KeySets;

use std::net::IpAddr;

use crate::auth::address::limit_key;
use crate::domain::limit::Limit;
use crate::error::AppError;
use crate::fetch;
use crate::limits::Limits;

/// Counts a fetch for who makes us ask, and one for something new for the host too: many may name one host, and make us
/// ask it together. What we have a copy of is asked for so seldom that no budget of others may stand in its way. Only who
/// starts a fetch pays; [`fetch::Fetcher::get`] says who that is.
///
/// # Errors
/// [`AppError::TooManyRequests`].
fn pay(limits: &Limits, url: &str, asker: IpAddr, is_new: bool) -> Result<(), AppError> {
    limits.check(Limit::FetchMetadata, &limit_key(asker))?;
    if is_new {
        limits.check(Limit::FetchHost, &fetch::host(url))?;
    }
    Ok(())
}
