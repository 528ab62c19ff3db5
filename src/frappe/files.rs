//! `/files/…` and `/private/files/…`: files by their URLs.

use super::call::{Call, Reply, Verb};
use super::refusal::after_session;
use crate::domain::file::{PRIVATE, PUBLIC};
use crate::error::AppError;
use crate::files;
use crate::http::{download, upload};

/// Whether a path is that of a file.
pub fn is_file_path(path: &str) -> bool {
    path.starts_with(PUBLIC) || path.starts_with(PRIVATE)
}

/// The pattern of a file's path, for the log.
pub fn route(url: &str) -> &'static str {
    if url.starts_with(PRIVATE) { "/private/files/{name}" } else { "/files/{name}" }
}

/// Sends a file. `url` is the decoded path: it is looked up as it is, and never becomes a path on disk.
///
/// # Errors
/// As [`files::find`]; [`AppError::SessionExpired`] where a guest is refused because its session ran out.
pub async fn handle(call: Call<'_>, url: String) -> Result<Reply, AppError> {
    if call.verb != Verb::Get {
        return Ok(Reply::response(download::wrong_verb()));
    }
    let caller = call.identity.caller.clone();
    let found = call.state.lookup(move |cx| files::find(cx, &caller, &url)).await;
    let found = found.map_err(|error| after_session(error, call.identity.session_expired))?;
    let (env, content) = (std::sync::Arc::clone(&call.state.env), found.content.clone());
    let file = upload::on_disk(move || files::open(&env, &content)).await?;
    Ok(Reply::response(download::response(call.request, &found, file)))
}
