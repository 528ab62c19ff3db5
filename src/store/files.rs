//! Files and folders: their rows. Contents are in [`super::blobs`].

use chrono::NaiveDateTime;
use diesel::dsl::exists;
use diesel::prelude::*;

use super::blobs::{Blobs, Content};
use super::schema::files;
use super::{Conn, StoreError, dialect};
use crate::domain::Instant;
use crate::domain::file::{AttachedTo, ContentHash, StoredFile, file_type};

/// Most rows of one URL that are looked at.
const ROWS_OF_URL: i64 = 100;

#[derive(Queryable)]
struct FileRow {
    name: String,
    owner: String,
    file_name: String,
    is_private: bool,
    is_folder: bool,
    file_url: Option<String>,
    file_size: i64,
    content_hash: Option<String>,
    folder: Option<String>,
    attached_to_doctype: Option<String>,
    attached_to_name: Option<String>,
    attached_to_field: Option<String>,
}

/// The columns of [`FileRow`].
#[rustfmt::skip]
type Columns = (
    files::name, files::owner, files::file_name, files::is_private, files::is_folder, files::file_url, files::file_size,
    files::content_hash, files::folder, files::attached_to_doctype, files::attached_to_name, files::attached_to_field,
);

fn columns() -> Columns {
    Columns::default()
}

impl FileRow {
    fn into_domain(self) -> Result<StoredFile, StoreError> {
        let content = self.content_hash.map(|text| ContentHash::parse(&text).ok_or_else(|| StoreError::corrupt("content_hash")));
        let attached = match (self.attached_to_doctype, self.attached_to_name) {
            (Some(doctype), Some(name)) => Some(AttachedTo { doctype, name, field: self.attached_to_field }),
            _ => None,
        };
        Ok(StoredFile {
            name: self.name,
            owner: self.owner,
            file_name: self.file_name,
            is_private: self.is_private,
            is_folder: self.is_folder,
            file_url: self.file_url,
            size: self.file_size,
            content: content.transpose()?,
            folder: self.folder,
            attached,
        })
    }
}

/// What is written of a file, on insert and on update.
#[derive(AsChangeset, Insertable)]
#[diesel(table_name = files, treat_none_as_null = true)]
struct NewRow<'a> {
    file_name: &'a str,
    is_private: bool,
    is_folder: bool,
    file_url: Option<&'a str>,
    file_size: i64,
    file_type: Option<String>,
    content_hash: Option<&'a str>,
    folder: Option<&'a str>,
    attached_to_doctype: Option<&'a str>,
    attached_to_name: Option<&'a str>,
    attached_to_field: Option<&'a str>,
    modified: NaiveDateTime,
    modified_by: &'a str,
}

fn new_row<'a>(at: Instant, by: &'a str, file: &'a StoredFile) -> NewRow<'a> {
    let attached = file.attached.as_ref();
    NewRow {
        file_name: &file.file_name,
        is_private: file.is_private,
        is_folder: file.is_folder,
        file_url: file.file_url.as_deref(),
        file_size: file.size,
        file_type: if file.is_folder { None } else { file_type(&file.file_name) },
        content_hash: file.content.as_ref().map(ContentHash::as_str),
        folder: file.folder.as_deref(),
        attached_to_doctype: attached.map(|to| to.doctype.as_str()),
        attached_to_name: attached.map(|to| to.name.as_str()),
        attached_to_field: attached.and_then(|to| to.field.as_deref()),
        modified: at.naive_utc(),
        modified_by: by,
    }
}

/// The file or folder of a document's name.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_file(conn: &mut Conn, name: &str) -> Result<Option<StoredFile>, StoreError> {
    let row: Option<FileRow> = files::table.find(name).select(columns()).get_result(conn).optional()?;
    row.map(FileRow::into_domain).transpose()
}

/// The files that a URL stands for: all with the same content.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_by_url(conn: &mut Conn, url: &str) -> Result<Vec<StoredFile>, StoreError> {
    let rows: Vec<FileRow> =
        files::table.filter(files::file_url.eq(url)).select(columns()).order(files::name).limit(ROWS_OF_URL).load(conn)?;
    rows.into_iter().map(FileRow::into_domain).collect()
}

/// Whether no file has this URL. If so, nobody else is told the same until the transaction ends.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn claim_url(conn: &mut Conn, url: &str) -> Result<bool, StoreError> {
    dialect::lock_word(conn, url)?;
    let taken: bool = diesel::select(exists(files::table.filter(files::file_url.eq(url)))).get_result(conn)?;
    Ok(!taken)
}

/// Keeps others from linking to a URL, and its file from getting another one, until the transaction ends.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn hold_url(conn: &mut Conn, url: &str) -> Result<(), StoreError> {
    dialect::lock_word(conn, url)
}

/// Gives the links to a file the URL that the file gets, before its own row has it. The file is the first row with its
/// URL; nothing happens where `name` is only a link itself.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn move_links(conn: &mut Conn, name: &str, was: &str, url: &str, is_private: bool) -> Result<(), StoreError> {
    hold_url(conn, was)?;
    let of_url = || files::table.filter(files::file_url.eq(was));
    let first: Option<String> = of_url().select(files::name).order((files::creation, files::name)).first(conn).optional()?;
    if first.as_deref() == Some(name) {
        let links = of_url().filter(files::name.ne(name));
        diesel::update(links).set((files::file_url.eq(url), files::is_private.eq(is_private))).execute(conn)?;
    }
    Ok(())
}

/// Keeps a content from being removed until the transaction ends, and makes sure that it is there: call it before
/// the row that names it.
///
/// # Errors
/// [`StoreError`] from the database or the disk.
pub fn hold_content(conn: &mut Conn, blobs: &Blobs, content: &Content) -> Result<(), StoreError> {
    dialect::lock_word(conn, content.hash.as_str())?;
    blobs.keep(content)
}

/// The same for a content that a row names already; `false` when none does any more.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn hold_used_content(conn: &mut Conn, hash: &ContentHash) -> Result<bool, StoreError> {
    dialect::lock_word(conn, hash.as_str())?;
    is_content_used(conn, hash)
}

/// Whether a row names a content, as of now.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn is_content_used(conn: &mut Conn, hash: &ContentHash) -> Result<bool, StoreError> {
    Ok(diesel::select(exists(files::table.filter(files::content_hash.eq(hash.as_str())))).get_result(conn)?)
}

/// Removes a content that no row names, within a write transaction. Should that roll back, nothing is lost. Returns
/// whether it was unused.
///
/// # Errors
/// [`StoreError`] from the database or the disk.
pub fn remove_unused(conn: &mut Conn, blobs: &Blobs, hash: &ContentHash) -> Result<bool, StoreError> {
    let unused = !hold_used_content(conn, hash)?;
    if unused {
        blobs.remove(hash)?;
    }
    Ok(unused)
}

/// Keeps a new file or folder.
///
/// # Errors
/// [`StoreError::Unique`] when the name is taken, [`StoreError::ForeignKey`] when its folder does not exist.
pub fn insert_file(conn: &mut Conn, at: Instant, file: &StoredFile) -> Result<(), StoreError> {
    diesel::insert_into(files::table)
        .values((
            files::name.eq(&file.name),
            files::owner.eq(&file.owner),
            files::creation.eq(at.naive_utc()),
            new_row(at, &file.owner, file),
        ))
        .execute(conn)?;
    Ok(())
}

/// Replaces everything about a file but its name and owner. Returns whether it exists.
///
/// # Errors
/// [`StoreError::ForeignKey`] when its folder does not exist.
pub fn update_file(conn: &mut Conn, at: Instant, by: &str, file: &StoredFile) -> Result<bool, StoreError> {
    Ok(diesel::update(files::table.find(&file.name)).set(new_row(at, by, file)).execute(conn)? == 1)
}

/// Removes a file's row. Returns whether it existed.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn delete_file(conn: &mut Conn, name: &str) -> Result<bool, StoreError> {
    Ok(diesel::delete(files::table.find(name)).execute(conn)? == 1)
}

/// Lets the files that are attached to a document be attached to its new name.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn rename_attached(conn: &mut Conn, doctype: &str, old: &str, new: &str) -> Result<(), StoreError> {
    let attached = files::table.filter(files::attached_to_doctype.eq(doctype)).filter(files::attached_to_name.eq(old));
    diesel::update(attached).set(files::attached_to_name.eq(new)).execute(conn)?;
    Ok(())
}

/// Removes the rows of the files that are attached to a document; returns the contents they named.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn delete_attached(conn: &mut Conn, doctype: &str, name: &str) -> Result<Vec<ContentHash>, StoreError> {
    let attached = || files::table.filter(files::attached_to_doctype.eq(doctype)).filter(files::attached_to_name.eq(name));
    let contents: Vec<Option<String>> = attached().select(files::content_hash).distinct().load(conn)?;
    diesel::delete(attached()).execute(conn)?;
    Ok(contents.into_iter().flatten().filter_map(|text| ContentHash::parse(&text)).collect())
}
