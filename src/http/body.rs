//! Request bodies, read within bounds.

use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Payload};

use crate::error::AppError;

/// How long the next piece of a body may take.
const PIECE: Duration = Duration::from_secs(10);
/// How long a whole body may take.
const WHOLE: Duration = Duration::from_secs(60);

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
    let declared = super::extract::text(request.headers(), &header::CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLarge);
    }
    if declared == Some(0) || (declared.is_none() && !request.headers().contains_key(header::TRANSFER_ENCODING)) {
        return Ok(Bytes::new());
    }
    let mut body = BytesMut::with_capacity(declared.unwrap_or(0).min(64 * 1024));
    let begun = Instant::now();
    while let Some(chunk) = tokio::time::timeout(PIECE, next(payload)).await.map_err(|_| BodyError::TooSlow)? {
        if begun.elapsed() > WHOLE {
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
