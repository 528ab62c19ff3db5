//! What a client says of itself at its client id.

use std::net::IpAddr;

use super::pay;
use crate::auth::address::limit_key;
use crate::domain::limit::Limit;
use crate::error::AppError;
use crate::fetch::MAX_METADATA;
use crate::http::State;
use crate::oauth::ProtocolError;
use crate::oauth::client_documents::{self, NeedDocument};

impl State {
    /// Fetches a client's description and keeps it, so that the flow that needed it finds the client. `address` is who
    /// asks for it.
    ///
    /// # Errors
    /// [`AppError::TooManyRequests`] and faults; inside, what is wrong with the description.
    pub async fn gather_client_metadata(&self, need: &NeedDocument, address: IpAddr) -> Result<Result<(), ProtocolError>, AppError> {
        let limits = &self.env.limits;
        if let Err(error) = limits.check(Limit::FetchMetadata, &limit_key(address)) {
            return if need.copy_will_do { Ok(Ok(())) } else { Err(error) };
        }
        let fetched = match self.fetcher.get(&need.url, MAX_METADATA, need.known.as_ref(), || pay(limits, &need.url)).await {
            Ok(Ok(fetched)) => fetched,
            // Nor must whoever uses up a host's budget keep its users out.
            Ok(Err(_)) | Err(_) if need.copy_will_do => return Ok(Ok(())),
            Ok(Err(error)) => return Ok(Err(client_documents::unreadable(need, &error))),
            Err(error) => return Err(error),
        };
        let brought = match client_documents::read(need, fetched) {
            Ok(brought) => brought,
            Err(error) => return Ok(Err(error)),
        };
        let url = need.url.clone();
        match self.write("client metadata", move |cx| client_documents::settle(cx, &url, &brought)).await {
            Ok(()) => Ok(Ok(())),
            Err(AppError::Validation(text)) => Ok(Err(client_documents::unusable(&need.url, &text))),
            Err(error) => Err(error),
        }
    }
}
