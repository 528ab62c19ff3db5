//! Uploads and downloads: what happens to a content around the rows of the doctype `File`.
//!
//! A content is on disk under its hash (`store::blobs`) before a row names it, and goes after the
//! last such row has gone. Everything about rows (who may read which, URLs, folders) is in
//! `resource::system::file`; this room brings both together. Knows no HTTP: a door hands over a
//! content that it has written and synced, and gets an open file to send.
//!
//! To take files in another way: make a `Content` (`Blobs::receive`) and call [`keep`].

use std::fs::File;

use serde_json::{Map, Value};

use crate::auth::Caller;
use crate::config::FilesConfig;
use crate::cx::{Cx, Env};
use crate::doctype::FieldType;
use crate::domain::file::{self, ContentHash, Served, StoredFile};
use crate::domain::scope::Access;
use crate::error::{AppError, Denied};
use crate::resource::system::file as documents;
use crate::resource::{self, Action, Gathered};
use crate::secrets::mint;
use crate::store::blobs::Content;
use crate::store::files;

pub use crate::resource::system::file::Wanted;

/// Letters of a file's document name, as of every hash name.
const NAME_LETTERS: usize = 10;

/// Where an uploaded file comes from.
pub enum Source<'a> {
    /// A content that is on disk, synced and placed.
    Content(&'a Content),
    /// A URL: of a file here, or https.
    Url(&'a str),
}

/// Refuses whoever may not upload at all, before anything is read of what they send. Needs no database.
///
/// # Errors
/// [`Denied::Files`] for a guest; as [`resource::permit`].
pub fn require_uploader(env: &Env, caller: &Caller) -> Result<(), AppError> {
    if caller.is_guest() {
        return Err(AppError::NotPermitted(Denied::Files));
    }
    resource::permit(env, caller, "File", None, Action::Create).map(drop)
}

/// Refuses a file by its name.
///
/// # Errors
/// [`AppError::Validation`] where the settings list the endings that are taken, and this one is not among them.
pub fn require_type(config: &FilesConfig, file_name: &str) -> Result<(), AppError> {
    let extension = file::extension(file_name);
    if config.takes(extension.as_deref()) {
        return Ok(());
    }
    let what = extension.map_or_else(|| "without an ending".to_owned(), |extension| format!("of type {}", extension.to_uppercase()));
    Err(AppError::Validation(format!("Files {what} are not allowed")))
}

/// Keeps an uploaded file and returns its document. With a field of type Attach named, the document it is attached to
/// gets its URL there.
///
/// # Errors
/// As [`require_uploader`] and [`require_type`]; what a change of the attached document is refused for.
pub fn keep(cx: &mut Cx, caller: &Caller, mut wanted: Wanted, source: &Source<'_>) -> Result<Map<String, Value>, AppError> {
    require_uploader(cx.env, caller)?;
    if let Some(to) = &mut wanted.attached {
        to.doctype = documents::require_attachable(cx, caller, to)?;
    }
    let attached = wanted.attached.clone();
    let name = mint::name(NAME_LETTERS);
    let stored = match source {
        Source::Content(content) => {
            require_type(&cx.env.config.files, wanted.file_name.as_deref().unwrap_or_default())?;
            files::hold_content(cx.conn, &cx.env.blobs, content)?;
            documents::make_file(cx, caller, &name, wanted, content.size, content.hash.clone())?
        }
        Source::Url(url) => documents::make_link(cx, caller, &name, wanted, url)?,
    };
    if let Some((to, field)) = attached.as_ref().and_then(|to| Some((to, to.field.as_deref()?)))
        && is_attach_field(cx.env, &to.doctype, field)?
    {
        let change = Map::from_iter([(field.to_owned(), Value::from(stored.file_url.unwrap_or_default()))]);
        resource::update(cx, caller, &to.doctype, &to.name, change, &Gathered::default())?;
    }
    resource::read(cx, caller, "File", &name)
}

/// Removes a content that was placed for a row which was refused, unless another one names it.
///
/// # Errors
/// Errors of the database and the disk.
pub fn drop_content(cx: &mut Cx, hash: &ContentHash) -> Result<(), AppError> {
    Ok(files::remove_unused(cx.conn, &cx.env.blobs, hash).map(drop)?)
}

/// Frappe: any field may be named; here: one that exists, because a misspelt one would look as if it had been set.
fn is_attach_field(env: &Env, doctype: &str, field: &str) -> Result<bool, AppError> {
    let registry = env.doctypes();
    let known = registry.get(doctype).and_then(|doctype| doctype.field(field));
    let known = known.ok_or_else(|| AppError::InvalidData(format!("{doctype} has no field {}", crate::doctype::filter::shorten(field))))?;
    Ok(matches!(known.fieldtype, FieldType::Attach | FieldType::AttachImage))
}

/// A file that may be sent.
#[derive(Debug)]
pub struct Download {
    pub file_name: String,
    pub is_private: bool,
    pub size: u64,
    pub content: ContentHash,
    pub served: Served,
}

/// The file of a path, if the caller may read it. Whether a private file exists is told to nobody else.
///
/// # Errors
/// [`AppError::NoSuchPath`]; [`Denied::Files`]; [`AppError::InsufficientScope`].
pub fn find(cx: &mut Cx, caller: &Caller, url: &str) -> Result<Download, AppError> {
    let is_private = url.starts_with(file::PRIVATE);
    if is_private && !caller.is_guest() {
        // Before anything is looked up: which files there are is no answer for a token that may not read them.
        caller.require_doctype_scope("File", Access::Read)?;
    }
    let found = if url.contains('\0') { None } else { documents::find_readable(cx, caller, url)? };
    match found {
        Some(StoredFile { content: Some(content), file_name, size, .. }) => {
            // The URL keeps its ending when the file is given another name.
            let served = file::served(url);
            Ok(Download { file_name, is_private, size: u64::try_from(size).unwrap_or_default(), content, served })
        }
        _ if is_private && !caller.is_system_manager() => Err(AppError::NotPermitted(Denied::Files)),
        _ => Err(AppError::NoSuchPath),
    }
}

/// Opens the content of a file that was found. Blocks.
///
/// # Errors
/// [`AppError::NoSuchPath`] when it has just been deleted; [`AppError::Unavailable`] when the disk does not answer.
pub fn open(env: &Env, content: &ContentHash) -> Result<File, AppError> {
    env.blobs.open(content)?.ok_or_else(|| {
        tracing::warn!(content = content.as_str(), directory = %env.blobs.directory().display(), "a file's content is not there");
        AppError::NoSuchPath
    })
}
