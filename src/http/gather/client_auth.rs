//! Who a client is that proves it with a key of its own.

use std::net::IpAddr;

use crate::error::AppError;
use crate::http::State;
use crate::oauth::assertion::{self, Keys};
use crate::oauth::{Gathered, Params, ProtocolError};

impl State {
    /// Finds out what there is to find out about the client of a request to one of our endpoints
    /// (`get_token`, ...), which came from `asker`. Requests without a `client_assertion` cost nothing.
    ///
    /// # Errors
    /// The outer ones are faults; the inner one is the answer.
    pub async fn gather_client(
        &self,
        params: &Params,
        authorization: Option<&str>,
        endpoint: &str,
        asker: IpAddr,
    ) -> Result<Result<Gathered, ProtocolError>, AppError> {
        let now = self.env.clock.now();
        let assertion = match assertion::read(params, authorization, &self.env, endpoint, now) {
            Ok(Some(assertion)) => assertion,
            Ok(None) => return Ok(Ok(Gathered::default())),
            Err(error) => return Ok(Err(error)),
        };
        let named = assertion.clone();
        let proven = match self.lookup(move |cx| assertion::find_keys(cx, &named)).await? {
            Keys::Nobodys(reason) => assertion.prove(Err(reason), None),
            Keys::Registered(keys) => assertion.prove(Ok(&keys), None),
            Keys::At(url) => match self.key_sets.get(&self.fetcher, &self.env.limits, asker, &url, assertion.kid(), now).await {
                Ok(keys) => assertion.prove(Ok(&keys), Some(url)),
                Err(reason) => assertion.prove(Err(&format!("jwks_uri was of no use: {reason}")), None),
            },
        };
        Ok(proven.map(|proven| Gathered { assertion: Some(proven) }))
    }
}
