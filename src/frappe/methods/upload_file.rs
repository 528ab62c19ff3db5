//! `upload_file` and `frappe.client.attach_file`: files from a form, a URL, or base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::auth::Caller;
use crate::domain::file::{AttachedTo, HOME, safe_name};
use crate::error::{AppError, Denied};
use crate::files::{self, Source, Wanted};
use crate::frappe::call::{Answer, Call, Reply};
use crate::frappe::refusal::after_session;
use crate::http::params::Params;
use crate::http::{State, upload};
use crate::store::blobs::Content;

/// Keeps the file of a form, or a link to one, and answers its document.
pub fn upload_file(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let caller = call.identity.caller.clone();
        if caller.is_guest() {
            return Err(after_session(AppError::NotPermitted(Denied::Files), call.identity.session_expired));
        }
        let params = &call.params;
        refuse_unknown_ways(params)?;
        let sent = call.file.as_ref().map(|file| file.file_name.clone()).filter(|name| !name.is_empty());
        let mut wanted = wanted(params, sent, "fieldname")?;
        // Frappe: Home unless told otherwise, even for what is attached.
        wanted.folder = wanted.folder.or_else(|| Some(HOME.to_owned()));
        let document = match call.file {
            Some(file) => keep(call.state, caller, wanted, file.content).await?,
            None => {
                let url = text(params, "file_url").ok_or_else(|| AppError::Validation("Send a file, or file_url".into()))?;
                call.state.write("link file", move |cx| files::keep(cx, &caller, wanted.clone(), &Source::Url(&url))).await?
            }
        };
        Ok(Reply::message(document))
    })
}

/// Keeps a file whose content comes as a parameter, and answers its document.
pub fn attach_file(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let (caller, params) = (call.identity.caller.clone(), &call.params);
        files::require_uploader(&call.state.env, &caller)?;
        let wanted = wanted(params, None, "docfield")?;
        let file_name = wanted.file_name.as_deref().ok_or_else(|| AppError::InvalidData("parameter filename is required".into()))?;
        files::require_type(&call.state.env.config.files, file_name)?;
        let sent = params.text("filedata").ok_or_else(|| AppError::InvalidData("parameter filedata is required".into()))?;
        let bytes = if flag(params, "decode_base64")? { decode(&sent)? } else { sent.into_bytes() };
        let max = call.state.env.config.files.max_size;
        if bytes.len() as u64 > max {
            return Err(AppError::Validation(format!("File size exceeded the maximum allowed size of {max} bytes")));
        }
        let content = upload::write_bytes(call.state, bytes).await?;
        Ok(Reply::message(keep(call.state, caller, wanted, content).await?))
    })
}

async fn keep(state: &State, caller: Caller, wanted: Wanted, content: Content) -> Result<Map<String, Value>, AppError> {
    upload::keep(state, content, move |cx, content| files::keep(cx, &caller, wanted.clone(), &Source::Content(content))).await
}

/// What is not there is refused by name: ignored, it would keep something else than was meant.
fn refuse_unknown_ways(params: &Params) -> Result<(), AppError> {
    if text(params, "total_chunk_count").is_some_and(|count| count != "1") || text(params, "chunk_index").is_some_and(|index| index != "0")
    {
        return Err(AppError::Unsupported("sending a file in chunks".into()));
    }
    for name in ["library_file_name", "method"] {
        if text(params, name).is_some() {
            return Err(AppError::Unsupported(format!("parameter {name}")));
        }
    }
    Ok(())
}

fn wanted(params: &Params, sent: Option<String>, field: &str) -> Result<Wanted, AppError> {
    let file_name = sent.or_else(|| text(params, "filename")).or_else(|| text(params, "file_name"));
    let attached = match (text(params, "doctype"), text(params, "docname")) {
        (Some(doctype), Some(name)) => Some(AttachedTo { doctype, name, field: text(params, field) }),
        (None, None) => None,
        _ => return Err(AppError::InvalidData("parameters doctype and docname go together".into())),
    };
    Ok(Wanted {
        file_name: file_name.map(|name| safe_name(&name)),
        is_private: flag(params, "is_private")?,
        folder: text(params, "folder"),
        attached,
    })
}

/// A parameter that is there and not blank; scripts in browsers write `undefined` and `null` into forms.
fn text(params: &Params, name: &str) -> Option<String> {
    params.text(name).filter(|text| !matches!(text.trim(), "" | "undefined" | "null"))
}

fn flag(params: &Params, name: &str) -> Result<bool, AppError> {
    match text(params, name).as_deref().map(str::trim) {
        None | Some("0" | "false" | "False") => Ok(false),
        Some("1" | "true" | "True") => Ok(true),
        Some(_) => Err(AppError::InvalidData(format!("{name} must be 0 or 1"))),
    }
}

/// Frappe takes a data URL too; lines may be broken.
fn decode(sent: &str) -> Result<Vec<u8>, AppError> {
    let data = if sent.starts_with("data:") { sent.split_once(',').map_or(sent, |(_, data)| data) } else { sent };
    let compact: String = data.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    STANDARD.decode(compact).map_err(|_| AppError::InvalidData("filedata is not base64".into()))
}
