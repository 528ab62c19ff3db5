//! `File`: what was uploaded, links to files elsewhere, and folders.
//!
//! A content arrives through the flows of `files`; this adapter only changes rows, and sees to it that a content
//! nobody names any more goes.

use serde_json::{Map, Value};

use super::{Created, Draft, SystemDoctype};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::Values;
use crate::domain::file::{self, ATTACHMENTS, AttachedTo, ContentHash, HOME, PRIVATE, PUBLIC, StoredFile};
use crate::domain::scope::Access;
use crate::error::{AppError, Denied};
use crate::resource::{self, Action};
use crate::secrets::mint;
use crate::store::documents::Hold;
use crate::store::{StoreError, files};

/// Longest URL of a file elsewhere, so that it fits an index.
const MAX_URL: usize = 2000;
/// Letters that tell files of one name apart.
const LETTERS: usize = 6;

/// The adapter.
pub struct FileDoctype;

impl SystemDoctype for FileDoctype {
    fn doctype(&self) -> &'static str {
        "File"
    }

    fn guards_credentials(&self, _draft: Option<&Draft<'_>>) -> bool {
        false
    }

    fn create(&self, cx: &mut Cx, draft: &Draft<'_>) -> Result<Created, AppError> {
        let values = draft.values;
        if draft.body.contains_key("content") {
            return Err(AppError::Validation("Send the content to the method upload_file".into()));
        }
        let text = |fieldname: &str| values.text(fieldname).map(str::trim).filter(|text| !text.is_empty());
        let wanted = Wanted {
            file_name: text("file_name").map(file::safe_name),
            is_private: values.check("is_private").unwrap_or_default(),
            folder: text("folder").map(str::to_owned),
            attached: attached_of(values)?,
        };
        if let Some(to) = &wanted.attached {
            require_attachable(cx, draft.caller, to)?;
        }
        let stored = if values.check("is_folder") == Some(true) {
            make_folder(cx, draft.caller, wanted)?
        } else {
            let url = text("file_url")
                .ok_or_else(|| AppError::Validation("File URL is required; send a file to the method upload_file".into()))?;
            make_link(cx, draft.caller, draft.name, wanted, url)?
        };
        Ok(Created { name: stored.name, shown_once: Map::new() })
    }

    fn update(&self, cx: &mut Cx, draft: &Draft<'_>, _: &Map<String, Value>) -> Result<Map<String, Value>, AppError> {
        let mut stored = get(cx, draft.name)?;
        let values = draft.values;
        if stored.is_folder || values.has("is_folder") {
            // A folder's path is its name, and documents are not renamed by writing to them.
            return Err(AppError::Validation("A folder cannot be changed".into()));
        }
        if let Some(name) = values.text("file_name") {
            stored.file_name = file::safe_name(name);
        }
        if values.has("folder") {
            let folder = values.text("folder").filter(|folder| !folder.is_empty()).unwrap_or(HOME);
            require_folder(cx, folder)?;
            stored.folder = Some(folder.to_owned());
        }
        if ["attached_to_doctype", "attached_to_name", "attached_to_field"].into_iter().any(|fieldname| values.has(fieldname)) {
            let was = stored.attached.take();
            stored.attached = reattached(values, was)?;
            if let Some(to) = &stored.attached {
                require_attachable(cx, draft.caller, to)?;
            }
        }
        if let Some(is_private) = values.check("is_private").filter(|is_private| *is_private != stored.is_private) {
            stored.is_private = is_private;
            if stored.content.is_some() {
                let (_, url) = free_url(cx, is_private, &stored.file_name)?;
                let was = stored.file_url.replace(url.clone());
                // Frappe: every row with this content follows, here: the links to this file do, because what somebody else
                // uploaded is theirs. Who only linked to it takes nothing from the others.
                if let Some(was) = was {
                    files::move_links(cx.conn, &stored.name, &was, &url, is_private)?;
                }
            }
        }
        files::update_file(cx.conn, draft.at, draft.caller.name(), &stored)?;
        Ok(Map::new())
    }

    fn delete(&self, cx: &mut Cx, _: &Caller, name: &str) -> Result<(), AppError> {
        if [HOME, ATTACHMENTS].contains(&name) {
            return Err(AppError::Validation("Cannot delete Home and Attachments folders".into()));
        }
        let stored = get(cx, name)?;
        files::delete_file(cx.conn, name)?;
        if let Some(hash) = stored.content {
            remove_content_later(cx, hash);
        }
        Ok(())
    }
}

/// What a new file is to be, besides its content.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// A safe name; for a link that brings its own it may be missing.
    pub file_name: Option<String>,
    pub is_private: bool,
    /// `None`: Home, or Attachments for a file that is attached.
    pub folder: Option<String>,
    pub attached: Option<AttachedTo>,
}

/// Keeps a file with this content under a document name; the content is on disk and held.
///
/// # Errors
/// [`AppError::LinkNotFound`] for an unknown folder; database errors.
pub fn make_file(
    cx: &mut Cx,
    caller: &Caller,
    name: &str,
    wanted: Wanted,
    size: u64,
    content: ContentHash,
) -> Result<StoredFile, AppError> {
    let sent = wanted.file_name.clone().unwrap_or_else(|| "file".to_owned());
    let (file_name, url) = free_url(cx, wanted.is_private, &sent)?;
    let size = i64::try_from(size).map_err(AppError::internal)?;
    let stored = file_of(caller, name, wanted, file_name, Some(url));
    insert(cx, StoredFile { size, content: Some(content), ..stored })
}

/// Keeps a link: to a file of ours that the caller may read, or to an https URL that is never fetched.
///
/// # Errors
/// [`AppError::Validation`] for any other URL, [`Denied::Files`] for a file that is not theirs to read.
pub fn make_link(cx: &mut Cx, caller: &Caller, name: &str, wanted: Wanted, url: &str) -> Result<StoredFile, AppError> {
    if url.starts_with(PUBLIC) || url.starts_with(PRIVATE) {
        files::hold_url(cx.conn, url)?;
        let known = find_readable(cx, caller, url)?.ok_or(AppError::NotPermitted(Denied::Files))?;
        // It shares the content, which must not go before this row is there.
        if let Some(hash) = &known.content
            && !files::hold_used_content(cx.conn, hash)?
        {
            return Err(AppError::NotPermitted(Denied::Files));
        }
        let file_name = wanted.file_name.clone().unwrap_or_else(|| known.file_name.clone());
        let stored = file_of(caller, name, wanted, file_name, known.file_url);
        return insert(cx, StoredFile { is_private: known.is_private, size: known.size, content: known.content, ..stored });
    }
    let parsed = url::Url::parse(url).ok().filter(|parsed| parsed.scheme() == "https" && parsed.host().is_some());
    let parsed = parsed.filter(|parsed| parsed.as_str().len() <= MAX_URL).ok_or_else(|| {
        AppError::Validation(format!("File URL must be an https URL of at most {MAX_URL} characters, or that of a file here"))
    })?;
    let last = parsed.path_segments().and_then(|mut segments| segments.next_back().map(str::to_owned)).unwrap_or_default();
    let file_name = wanted.file_name.clone().unwrap_or_else(|| file::safe_name(&last));
    let stored = file_of(caller, name, wanted, file_name, Some(parsed.to_string()));
    insert(cx, stored)
}

fn make_folder(cx: &mut Cx, caller: &Caller, wanted: Wanted) -> Result<StoredFile, AppError> {
    let title = wanted.file_name.clone().ok_or_else(|| AppError::Validation("File Name is required".into()))?;
    let parent = wanted.folder.clone().unwrap_or_else(|| HOME.to_owned());
    let name = format!("{parent}/{title}");
    if name.chars().count() > file::MAX_NAME {
        return Err(AppError::TooLong { label: "Name".into(), max: file::MAX_NAME });
    }
    let wanted = Wanted { folder: Some(parent), is_private: false, attached: None, ..wanted };
    let stored = file_of(caller, &name, wanted, title, None);
    insert(cx, StoredFile { is_folder: true, ..stored })
}

fn file_of(caller: &Caller, name: &str, wanted: Wanted, file_name: String, file_url: Option<String>) -> StoredFile {
    let folder = wanted.folder.unwrap_or_else(|| if wanted.attached.is_some() { ATTACHMENTS } else { HOME }.to_owned());
    StoredFile {
        name: name.to_owned(),
        owner: caller.name().to_owned(),
        file_name,
        is_private: wanted.is_private,
        is_folder: false,
        file_url,
        size: 0,
        content: None,
        folder: Some(folder),
        attached: wanted.attached,
    }
}

fn insert(cx: &mut Cx, stored: StoredFile) -> Result<StoredFile, AppError> {
    require_folder(cx, stored.folder.as_deref().unwrap_or(HOME))?;
    match files::insert_file(cx.conn, cx.now, &stored) {
        Err(StoreError::Unique(_)) => Err(AppError::Duplicate { doctype: "File".into(), name: stored.name }),
        other => Ok(other.map(|()| stored)?),
    }
}

/// Whether this is a folder: nothing else holds files.
fn require_folder(cx: &mut Cx, name: &str) -> Result<(), AppError> {
    let found = if name.contains('\0') { None } else { files::find_file(cx.conn, name)? };
    if found.is_some_and(|found| found.is_folder) {
        return Ok(());
    }
    let value = crate::doctype::filter::shorten(&name.replace('\0', ""));
    Err(AppError::LinkNotFound { label: "Folder".into(), value })
}

/// A URL that no file has, nearest to the wished name: Frappe adds letters before the ending too.
fn free_url(cx: &mut Cx, is_private: bool, wished: &str) -> Result<(String, String), AppError> {
    let mut file_name = wished.to_owned();
    loop {
        let url = file::url(is_private, &file_name);
        if files::claim_url(cx.conn, &url)? {
            return Ok((file_name, url));
        }
        file_name = file::with_letters(wished, &mint::name(LETTERS));
    }
}

/// The file of a URL, if there is one that the caller may read (contract: `has_permission` of Frappe's File): a public
/// one, their own, one that is attached to a document they may read, and any for a System Manager.
///
/// # Errors
/// [`AppError::InsufficientScope`] for a private file that the credential's scope does not reach; database errors.
pub fn find_readable(cx: &mut Cx, caller: &Caller, url: &str) -> Result<Option<StoredFile>, AppError> {
    for stored in files::list_by_url(cx.conn, url)? {
        if !stored.is_private || may_read(cx, caller, &stored)? {
            return Ok(Some(stored));
        }
    }
    Ok(None)
}

fn may_read(cx: &mut Cx, caller: &Caller, stored: &StoredFile) -> Result<bool, AppError> {
    if caller.is_guest() {
        return Ok(false);
    }
    caller.require_doctype_scope("File", Access::Read)?;
    if caller.is_system_manager() || stored.owner == caller.name() {
        return Ok(true);
    }
    let Some(to) = &stored.attached else { return Ok(false) };
    match resource::require(cx, caller, &to.doctype, &to.name, Action::Read, Hold::Nothing) {
        Ok(_) => Ok(true),
        Err(AppError::NotPermitted(_) | AppError::InsufficientScope { .. } | AppError::NotFound { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Refuses to attach to a document that the caller may not change. Returns the name of its doctype as it is defined.
///
/// # Errors
/// As a write to that document.
pub fn require_attachable(cx: &mut Cx, caller: &Caller, to: &AttachedTo) -> Result<String, AppError> {
    let doctype = resource::require(cx, caller, &to.doctype, &to.name, Action::Write, Hold::Named)?;
    Ok(doctype.name.clone())
}

fn attached_of(values: &Values) -> Result<Option<AttachedTo>, AppError> {
    reattached(values, None)
}

/// What a file is attached to after these fields changed.
fn reattached(values: &Values, was: Option<AttachedTo>) -> Result<Option<AttachedTo>, AppError> {
    let (doctype, name, field) = was.map_or((None, None, None), |was| (Some(was.doctype), Some(was.name), was.field));
    let now = |fieldname: &str, before: Option<String>| {
        let kept = if values.has(fieldname) { values.text(fieldname).map(str::to_owned) } else { before };
        kept.filter(|text| !text.is_empty())
    };
    let field = now("attached_to_field", field);
    match (now("attached_to_doctype", doctype), now("attached_to_name", name)) {
        (Some(doctype), Some(name)) => Ok(Some(AttachedTo { doctype, name, field })),
        (None, None) => Ok(None),
        _ => Err(AppError::Validation("Attached To DocType and Attached To Name go together".into())),
    }
}

/// Deletes the files that are attached to a document: they go with it, whoever owns them.
///
/// # Errors
/// Database errors.
pub fn delete_attached(cx: &mut Cx, doctype: &str, name: &str) -> Result<(), AppError> {
    for hash in files::delete_attached(cx.conn, doctype, name)? {
        remove_content_later(cx, hash);
    }
    Ok(())
}

/// After COMMIT, and only if no row names it then. What a crash leaves the background collects.
fn remove_content_later(cx: &mut Cx, hash: ContentHash) {
    let blobs = cx.env.blobs.clone();
    cx.effects.later("remove a file's content", move |conn| files::remove_unused(conn, &blobs, &hash).map(drop));
}

fn get(cx: &mut Cx, name: &str) -> Result<StoredFile, AppError> {
    files::find_file(cx.conn, name)?.ok_or_else(|| AppError::not_found("File", name))
}
