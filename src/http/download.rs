//! Sending files: whole, a range of them, or the word that the caller has them already (RFC 9110 sections 13 and 14).

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::SizedStream;
use actix_web::http::header::{
    self, ByteRangeSpec, ContentDisposition, ContentRange, ContentRangeSpec, DispositionParam, DispositionType, ETag, EntityTag,
    ExtendedValue, Header as _, HeaderValue, IfNoneMatch, IfRange, Range,
};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_core::Stream;
use tokio::task::JoinHandle;

use crate::files::Download;

/// How much is read from disk at once.
const PIECE: u64 = 64 * 1024;

/// No script, no form, no frame, whatever a file turns out to be.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// What of a file is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    /// The first and the last byte.
    Range(u64, u64),
    /// None of it: the range lies beyond.
    Beyond,
}

/// The answer to a GET or HEAD of a file.
pub fn response(request: &HttpRequest, download: &Download, file: File) -> HttpResponse {
    let tag = EntityTag::new_strong(download.content.as_str().to_owned());
    if is_known(request, &tag) {
        return describe(HttpResponse::NotModified(), download, tag).finish();
    }
    let size = download.size;
    let (status, from, length) = match part(request, size, &tag) {
        Part::Whole => (StatusCode::OK, 0, size),
        Part::Range(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Part::Beyond => {
            let mut refusal = describe(HttpResponse::RangeNotSatisfiable(), download, tag);
            let range = ContentRange(ContentRangeSpec::Bytes { range: None, instance_length: Some(size) });
            return refusal.insert_header(range).finish();
        }
    };
    let mut response = describe(HttpResponse::build(status), download, tag);
    if status == StatusCode::PARTIAL_CONTENT {
        let range = Some((from, from + length - 1));
        response.insert_header(ContentRange(ContentRangeSpec::Bytes { range, instance_length: Some(size) }));
    }
    response.insert_header((header::CONTENT_TYPE, download.served.content_type));
    let how = if download.served.inline { DispositionType::Inline } else { DispositionType::Attachment };
    response.insert_header(disposition(&download.file_name, how));
    // The length is announced for HEAD too, but nothing is read for it.
    let left = if request.method() == Method::HEAD { 0 } else { length };
    response.body(SizedStream::new(length, Pieces { state: Reading::At(Some(file)), from, left }))
}

/// The headers that every answer about a file carries.
fn describe(mut response: HttpResponseBuilder, download: &Download, tag: EntityTag) -> HttpResponseBuilder {
    response.insert_header(ETag(tag));
    response.insert_header((header::ACCEPT_RANGES, "bytes"));
    response.insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
    if download.is_private {
        // What somebody may read today they may not tomorrow.
        response.insert_header((header::CACHE_CONTROL, "private, no-store"));
        response.insert_header(("cross-origin-resource-policy", "same-origin"));
    } else {
        // The name may stand for another content once this file is deleted.
        response.insert_header((header::CACHE_CONTROL, "public, no-cache"));
    }
    response
}

/// What a file is called, and whether it is shown or saved (RFC 6266): its letters as they are where they are ASCII.
pub(super) fn disposition(file_name: &str, disposition: DispositionType) -> ContentDisposition {
    let plain: String = file_name.chars().map(|letter| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '_' }).collect();
    let mut parameters = vec![DispositionParam::Filename(plain)];
    if !file_name.is_ascii() {
        let value = file_name.as_bytes().to_vec();
        parameters.push(DispositionParam::FilenameExt(ExtendedValue {
            charset: header::Charset::Ext("UTF-8".into()),
            language_tag: None,
            value,
        }));
    }
    ContentDisposition { disposition, parameters }
}

/// Whether the caller has this content already.
fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
}

/// A single range is honoured; several are answered with the whole, as a malformed one is (RFC 9110 section 14.2).
fn part(request: &HttpRequest, size: u64, tag: &EntityTag) -> Part {
    if request.method() != Method::GET || !request.headers().contains_key(header::RANGE) {
        return Part::Whole;
    }
    if request.headers().contains_key(header::IF_RANGE) {
        // A date is never newer than what we know, because we know none.
        let same = matches!(IfRange::parse(request), Ok(IfRange::EntityTag(known)) if known.strong_eq(tag));
        if !same {
            return Part::Whole;
        }
    }
    match Range::parse(request) {
        Ok(Range::Bytes(ranges)) => match ranges.as_slice() {
            [ByteRangeSpec::FromTo(first, last)] if first > last => Part::Whole,
            [range] => range.to_satisfiable_range(size).map_or(Part::Beyond, |(first, last)| Part::Range(first, last)),
            _ => Part::Whole,
        },
        _ => Part::Whole,
    }
}

/// A 405 for whatever is neither GET nor HEAD.
pub fn wrong_verb() -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, HeaderValue::from_static("GET, HEAD"))).finish()
}

/// A file's bytes, read piece by piece where waiting for the disk holds nobody up.
struct Pieces {
    state: Reading,
    /// Where the next piece begins.
    from: u64,
    /// How many bytes are still to be sent.
    left: u64,
}

enum Reading {
    At(Option<File>),
    Piece(JoinHandle<std::io::Result<(File, Bytes)>>),
}

impl Stream for Pieces {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match &mut self.state {
                Reading::At(file) => {
                    let file = file.take();
                    let Some(file) = file.filter(|_| self.left > 0) else { return Poll::Ready(None) };
                    let (from, length) = (self.from, self.left.min(PIECE));
                    self.state = Reading::Piece(tokio::task::spawn_blocking(move || read(file, from, length)));
                }
                Reading::Piece(task) => {
                    let done = std::task::ready!(Pin::new(task).poll(cx));
                    let (file, bytes) = match done.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
                        Ok(read) => read,
                        Err(error) => {
                            self.state = Reading::At(None);
                            return Poll::Ready(Some(Err(error)));
                        }
                    };
                    self.from += bytes.len() as u64;
                    self.left -= bytes.len() as u64;
                    self.state = Reading::At(Some(file));
                    return Poll::Ready(Some(Ok(bytes)));
                }
            }
        }
    }
}

fn read(mut file: File, from: u64, length: u64) -> std::io::Result<(File, Bytes)> {
    let mut bytes = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
    file.seek(SeekFrom::Start(from))?;
    file.read_exact(&mut bytes)?;
    Ok((file, bytes.into()))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn ranges_are_what_the_rfc_says() {
        let tag = EntityTag::new_strong("abc".to_owned());
        let asked = |range: &str, if_range: Option<&str>| {
            let mut request = TestRequest::get().insert_header((header::RANGE, range));
            if let Some(known) = if_range {
                request = request.insert_header((header::IF_RANGE, known));
            }
            part(&request.to_http_request(), 10, &tag)
        };
        for (range, expected) in [
            ("bytes=0-3", Part::Range(0, 3)),
            ("bytes=8-", Part::Range(8, 9)),
            ("bytes=-4", Part::Range(6, 9)),
            ("bytes=-40", Part::Range(0, 9)),
            ("bytes=5-99", Part::Range(5, 9)),
            ("bytes=10-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=5-4", Part::Whole),
            ("bytes=0-1,4-5", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("lines=0-3", Part::Whole),
            ("nonsense", Part::Whole),
        ] {
            assert_eq!(asked(range, None), expected, "{range}");
        }
        assert_eq!(asked("bytes=0-3", Some("\"abc\"")), Part::Range(0, 3));
        for other in ["\"abd\"", "W/\"abc\"", "Sun, 06 Nov 1994 08:49:37 GMT", "nonsense"] {
            assert_eq!(asked("bytes=0-3", Some(other)), Part::Whole, "{other}");
        }
    }
}
