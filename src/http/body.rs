//! Request bodies, read within bounds.

use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Payload};

use crate::error::AppError;

/// How long a body may take.
#[derive(Clone, Copy)]
struct Patience {
    /// For its next piece.
    piece: Duration,
    /// For all of it.
    whole: Duration,
}

const PATIENCE: Patience = Patience { piece: Duration::from_secs(10), whole: Duration::from_secs(60) };

/// A body that was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("request body is too large")]
    TooLarge,
    #[error("request body broke off")]
    Broken,
    #[error("request body came too slowly")]
    TooSlow,
}

impl From<BodyError> for AppError {
    fn from(error: BodyError) -> Self {
        AppError::InvalidData(error.to_string())
    }
}

/// Reads the whole body. A declared length over the limit is refused before a byte is read.
///
/// # Errors
/// [`BodyError`].
pub async fn read(request: &HttpRequest, payload: &mut Payload, limit: usize) -> Result<Bytes, BodyError> {
    read_within(request, payload, limit, PATIENCE).await
}

async fn read_within(request: &HttpRequest, payload: &mut Payload, limit: usize, patience: Patience) -> Result<Bytes, BodyError> {
    let declared = super::extract::text(request.headers(), &header::CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLarge);
    }
    if declared == Some(0) || (declared.is_none() && !request.headers().contains_key(header::TRANSFER_ENCODING)) {
        return Ok(Bytes::new());
    }
    let mut body = BytesMut::with_capacity(declared.unwrap_or(0).min(64 * 1024));
    let begun = Instant::now();
    while let Some(chunk) = tokio::time::timeout(patience.piece, next(payload)).await.map_err(|_| BodyError::TooSlow)? {
        if begun.elapsed() > patience.whole {
            return Err(BodyError::TooSlow);
        }
        let chunk = chunk.map_err(|_| BodyError::Broken)?;
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The next chunk of a payload stream.
async fn next(payload: &mut Payload) -> Option<Result<Bytes, actix_web::error::PayloadError>> {
    use std::pin::Pin;
    std::future::poll_fn(|cx| futures_core::Stream::poll_next(Pin::new(&mut *payload), cx)).await
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use actix_web::dev;
    use actix_web::error::PayloadError;
    use actix_web::test::TestRequest;
    use futures_core::Stream;

    use super::*;

    /// A byte now and then, for ever.
    struct Trickle(tokio::time::Interval);

    impl Stream for Trickle {
        type Item = Result<Bytes, PayloadError>;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0.poll_tick(cx).map(|_| Some(Ok(Bytes::from_static(b"x"))))
        }
    }

    async fn read_trickle(every: Duration, limit: usize, patience: Patience) -> Result<Bytes, BodyError> {
        let request = TestRequest::post().insert_header((header::TRANSFER_ENCODING, "chunked")).to_http_request();
        let stream: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> = Box::pin(Trickle(tokio::time::interval(every)));
        let mut payload = <Payload as actix_web::FromRequest>::from_request(&request, &mut dev::Payload::Stream { payload: stream })
            .await
            .expect("a payload is always there");
        read_within(&request, &mut payload, limit, patience).await
    }

    #[actix_web::test]
    async fn a_body_that_trickles_in_is_given_up_however_small_it_is() {
        let patience = Patience { piece: Duration::from_secs(5), whole: Duration::from_millis(200) };
        assert_eq!(read_trickle(Duration::from_millis(10), 1024 * 1024, patience).await, Err(BodyError::TooSlow));
        let patience = Patience { piece: Duration::from_millis(50), whole: Duration::from_secs(60) };
        assert_eq!(read_trickle(Duration::from_millis(500), 1024 * 1024, patience).await, Err(BodyError::TooSlow));
        // The control: in time, it is read until it is too large.
        let patience = Patience { piece: Duration::from_secs(5), whole: Duration::from_secs(60) };
        assert_eq!(read_trickle(Duration::from_millis(1), 20, patience).await, Err(BodyError::TooLarge));
    }
}
