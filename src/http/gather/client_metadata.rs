//! What a client says of itself at its client id.

use std::net::IpAddr;

use super::pay;
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
        let permit = || pay(&self.env.limits, &need.url, address, need.known.is_none());
        let fetched = match self.fetcher.get(&need.url, MAX_METADATA, need.known.as_ref(), permit).await {
            Ok(Ok(fetched)) => fetched,
            // That it is not there any more is an answer.
            Ok(Err(error)) if need.copy_will_do && !error.is_gone() => return Ok(Ok(())),
            Err(_) if need.copy_will_do => return Ok(Ok(())),
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
