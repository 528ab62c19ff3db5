//! Multipart bodies with a file in them: text fields become parameters, the file goes to disk as it comes.
//!
//! What is held in memory of an upload is one piece of it. The caller is known and counted before
//! [`read`] is called, a declared length over the limit is refused before a byte is read.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::error::PayloadError;
use actix_web::http::header::{self, DispositionParam};
use actix_web::web::{Bytes, BytesMut, Payload};
use actix_web::{FromRequest as _, HttpRequest, dev};
use futures_core::Stream;

use super::State;
use super::body::BodyError;
use super::extract::text;
use super::params::Params;
use crate::cx::Cx;
use crate::error::AppError;
use crate::files;
use crate::store::blobs::{Content, Incoming};

/// What all other fields may take together, with the heads of all parts.
const FIELDS: usize = 1024 * 1024;
/// How much is written to disk at once.
const PIECE: usize = 256 * 1024;
/// How long the next bytes may take.
const NEXT: Duration = Duration::from_secs(10);
/// How long all of them may take; files come over slow lines.
const WHOLE: Duration = Duration::from_secs(600);

/// A file that arrived: on disk, to be kept or dropped.
pub struct Received {
    /// As it was sent.
    pub file_name: String,
    pub content: Content,
}

/// Why an upload was not read to its end.
pub enum UploadError {
    Body(BodyError),
    App(AppError),
}

impl From<BodyError> for UploadError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<AppError> for UploadError {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<MultipartError> for UploadError {
    fn from(error: MultipartError) -> Self {
        match error {
            MultipartError::Payload(PayloadError::Overflow) => Self::Body(BodyError::TooLarge),
            MultipartError::Payload(_) | MultipartError::Incomplete => Self::Body(BodyError::Broken),
            other => Self::App(AppError::InvalidData(format!("multipart body is malformed: {other}"))),
        }
    }
}

/// Whether a request brings a form that may hold a file.
pub fn is_multipart(request: &HttpRequest) -> bool {
    let content_type = text(request.headers(), &header::CONTENT_TYPE).unwrap_or_default();
    content_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("multipart/form-data"))
}

/// Reads the body: the parameters, and the file of the field `file` if there is one.
///
/// # Errors
/// [`UploadError`]; what was written so far is gone then.
pub async fn read(state: &State, request: &HttpRequest, payload: &mut Payload) -> Result<(Params, Option<Received>), UploadError> {
    let limit = usize::try_from(state.env.config.files.max_size).unwrap_or(usize::MAX).saturating_add(FIELDS);
    let declared = text(request.headers(), &header::CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLarge.into());
    }
    let empty = Payload::from_request(request, &mut dev::Payload::None).await.map_err(AppError::internal)?;
    let stream = Bounded { stream: std::mem::replace(payload, empty).into_inner(), left: limit };
    let mut reader = Reader { parts: Multipart::new(request.headers(), stream), ends: Instant::now() + WHOLE };
    let (mut fields, mut room, mut file) = (Vec::new(), FIELDS, None);
    while let Some(mut part) = reader.next_part().await? {
        let Some((name, file_name)) = head(&part) else { return Err(malformed("a part has no name")) };
        match file_name {
            None => fields.push((name, reader.text(&mut part, &mut room).await?)),
            Some(_) if name != "file" || file.is_some() => return Err(malformed("send one file, as the field file")),
            Some(file_name) => {
                files::require_type(&state.env.config.files, &crate::domain::file::safe_name(&file_name))?;
                let content = reader.file(state, &mut part).await?;
                file = Some(Received { file_name, content });
            }
        }
    }
    Ok((Params::from_fields(request.query_string(), fields)?, file))
}

fn malformed(what: &str) -> UploadError {
    AppError::InvalidData(format!("multipart body: {what}")).into()
}

/// The name of a part, and that of its file.
fn head(part: &Field) -> Option<(String, Option<String>)> {
    let disposition = part.content_disposition()?;
    let extended = disposition.parameters.iter().find_map(|parameter| match parameter {
        DispositionParam::FilenameExt(value) => String::from_utf8(value.value.clone()).ok(),
        _ => None,
    });
    let file_name = extended.or_else(|| disposition.get_filename().map(str::to_owned));
    Some((disposition.get_name()?.to_owned(), file_name))
}

/// The parts of a body, within time.
struct Reader {
    parts: Multipart,
    ends: Instant,
}

impl Reader {
    async fn next_part(&mut self) -> Result<Option<Field>, UploadError> {
        next(&mut self.parts, self.ends).await
    }

    async fn text(&self, part: &mut Field, room: &mut usize) -> Result<String, UploadError> {
        let mut bytes = BytesMut::new();
        while let Some(piece) = next(part, self.ends).await? {
            *room = room.checked_sub(piece.len()).ok_or(BodyError::TooLarge)?;
            bytes.extend_from_slice(&piece);
        }
        String::from_utf8(bytes.to_vec()).map_err(|_| malformed("a field is not UTF-8"))
    }

    async fn file(&self, state: &State, part: &mut Field) -> Result<Content, UploadError> {
        let blobs = state.env.blobs.clone();
        let mut incoming = on_disk(move || Ok(blobs.receive()?)).await?;
        let (mut piece, mut left) = (BytesMut::new(), state.env.config.files.max_size);
        while let Some(bytes) = next(part, self.ends).await? {
            left = left.checked_sub(bytes.len() as u64).ok_or(BodyError::TooLarge)?;
            piece.extend_from_slice(&bytes);
            if piece.len() >= PIECE {
                incoming = write(incoming, piece.split().freeze()).await?;
            }
        }
        let incoming = write(incoming, piece.freeze()).await?;
        Ok(settle(incoming).await?)
    }
}

async fn write(mut incoming: Incoming, piece: Bytes) -> Result<Incoming, AppError> {
    on_disk(move || {
        incoming.write(&piece)?;
        Ok(incoming)
    })
    .await
}

async fn settle(incoming: Incoming) -> Result<Content, AppError> {
    on_disk(move || Ok(incoming.finish()?)).await
}

/// Writes bytes that came in another way than as a file of a form.
///
/// # Errors
/// [`AppError::Unavailable`] when the disk is full.
pub async fn write_bytes(state: &State, bytes: Vec<u8>) -> Result<Content, AppError> {
    let blobs = state.env.blobs.clone();
    let incoming = on_disk(move || Ok(blobs.receive()?)).await?;
    settle(write(incoming, bytes.into()).await?).await
}

/// Gives a content its lasting name and runs the flow that has a row name it. Refused, it goes again.
///
/// # Errors
/// The flow's own, and [`AppError::Unavailable`].
pub async fn keep<T: Send + 'static>(
    state: &State,
    content: Content,
    mut flow: impl FnMut(&mut Cx, &Content) -> Result<T, AppError> + Send + 'static,
) -> Result<T, AppError> {
    let (blobs, hash) = (state.env.blobs.clone(), content.hash.clone());
    let content = on_disk(move || {
        blobs.place(&content)?;
        Ok(content)
    })
    .await?;
    let kept = state.write("keep file", move |cx| flow(cx, &content)).await;
    if kept.is_err() {
        // What this cannot do now the background does later.
        let _ = state.write("drop a refused file", move |cx| files::drop_content(cx, &hash)).await;
    }
    kept
}

/// Runs what waits for the disk where nobody else waits for it.
///
/// # Errors
/// Whatever the work returns.
pub async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> Result<T, AppError> + Send + 'static) -> Result<T, AppError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(AppError::internal(error)))
}

/// The next item of a stream, in time.
async fn next<T, S: Stream<Item = Result<T, MultipartError>> + Unpin>(stream: &mut S, ends: Instant) -> Result<Option<T>, UploadError> {
    if Instant::now() > ends {
        return Err(BodyError::TooSlow.into());
    }
    let item = std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx));
    match tokio::time::timeout(NEXT, item).await {
        Ok(item) => Ok(item.transpose()?),
        Err(_) => Err(BodyError::TooSlow.into()),
    }
}

/// A body that ends with an error when it is longer than it may be.
struct Bounded {
    stream: dev::Payload,
    left: usize,
}

impl Stream for Bounded {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.stream).poll_next(cx).map(|item| {
            let bytes = match item? {
                Ok(bytes) => bytes,
                Err(error) => return Some(Err(error)),
            };
            let Some(left) = self.left.checked_sub(bytes.len()) else { return Some(Err(PayloadError::Overflow)) };
            self.left = left;
            Some(Ok(bytes))
        })
    }
}
