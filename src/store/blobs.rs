//! The contents of uploaded files, on disk: each once, under its SHA-256 and nothing else.
//!
//! A content comes in as a temporary file that is hashed while it is written ([`Incoming`]), is
//! synced ([`Content`]), and gets its lasting name with [`Blobs::place`] before a row may name it.
//! What no row names is removed by [`super::files::remove_unused`], which alone calls
//! [`Blobs::remove`]: both sides hold the same lock, so a row never outlives its content.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use aws_lc_rs::digest;

use super::StoreError;
use super::durable::sync_directory_of;
use crate::domain::Instant;
use crate::domain::file::ContentHash;
use crate::secrets::mint;

/// Contents that are on their way in.
const INCOMING: &str = "incoming";

/// How many directories the contents are spread over: one for each first byte of a hash.
pub const SHELVES: u16 = 256;

/// The directory of contents.
#[derive(Clone, Debug)]
pub struct Blobs {
    directory: PathBuf,
}

impl Blobs {
    /// In a directory that is made when the first content comes.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Begins to take a content in.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the directory cannot be written.
    pub fn receive(&self) -> Result<Incoming, StoreError> {
        let begun = || {
            let shelf = self.directory.join(INCOMING);
            make_directory(&shelf)?;
            let path = shelf.join(mint::name(26));
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            Ok(Incoming { file, hash: digest::Context::new(&digest::SHA256), size: 0, temporary: Temporary(path) })
        };
        begun().map_err(unavailable)
    }

    /// Gives a content its lasting name; does nothing more where it has one already. Durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the directory cannot be written.
    pub fn place(&self, content: &Content) -> Result<(), StoreError> {
        let path = self.path(&content.hash);
        let placed = || {
            make_directory(path.parent().unwrap_or(&self.directory))?;
            match fs::hard_link(&content.temporary.0, &path) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
                // Whoever linked it first may not have synced yet.
                _ => sync_directory_of(&path),
            }
        };
        placed().map_err(unavailable)
    }

    /// Makes sure, under the lock of this content, that it is still there.
    ///
    /// # Errors
    /// As [`Blobs::place`].
    pub(super) fn keep(&self, content: &Content) -> Result<(), StoreError> {
        // Removed since it was placed, because nothing named it yet.
        if self.holds(&content.hash) { Ok(()) } else { self.place(content) }
    }

    /// Whether a content is there.
    pub fn holds(&self, hash: &ContentHash) -> bool {
        self.path(hash).exists()
    }

    /// Opens a content; `None` when it is not there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot be read.
    pub fn open(&self, hash: &ContentHash) -> Result<Option<File>, StoreError> {
        match File::open(self.path(hash)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Removes a content; only under its lock, and only when no row names it.
    pub(super) fn remove(&self, hash: &ContentHash) -> Result<(), StoreError> {
        match fs::remove_file(self.path(hash)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(unavailable(error)),
            _ => Ok(()),
        }
    }

    /// The contents of one shelf that have been there since before `before`.
    pub fn list_shelf(&self, number: u8, before: Instant) -> Vec<ContentHash> {
        let shelf = format!("{number:02x}");
        older_than(&self.directory.join(&shelf), before)
            .filter_map(|path| ContentHash::parse(&format!("{shelf}{}", path.file_name()?.to_str()?)))
            .collect()
    }

    /// Removes what was on its way in when a process died.
    pub fn purge_incoming(&self, before: Instant) {
        for path in older_than(&self.directory.join(INCOMING), before) {
            let _ = fs::remove_file(path);
        }
    }

    fn path(&self, hash: &ContentHash) -> PathBuf {
        let (shelf, rest) = hash.as_str().split_at(2);
        self.directory.join(shelf).join(rest)
    }
}

/// The files of a directory that were last changed before a moment; none where there is no directory.
fn older_than(directory: &Path, before: Instant) -> impl Iterator<Item = PathBuf> {
    let before = before.unix_micros();
    let old = move |entry: &fs::DirEntry| {
        let changed = entry.metadata().ok().filter(fs::Metadata::is_file).and_then(|metadata| metadata.modified().ok());
        let changed = changed.and_then(|changed| changed.duration_since(UNIX_EPOCH).ok());
        changed.and_then(|changed| i64::try_from(changed.as_micros()).ok()).is_some_and(|changed| changed < before)
    };
    fs::read_dir(directory).into_iter().flatten().flatten().filter(old).map(|entry| entry.path())
}

/// Makes a directory that only its owner can look into, and writes down that it is there.
fn make_directory(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for made in path.ancestors().take(2) {
        sync_directory_of(made)?;
    }
    Ok(())
}

fn unavailable(error: std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("the directory of files: {error}"))
}

/// A content that is on its way in. Dropping it removes what was written.
pub struct Incoming {
    file: File,
    hash: digest::Context,
    size: u64,
    temporary: Temporary,
}

impl Incoming {
    /// Writes the next piece. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the disk is full.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(piece).map_err(unavailable)?;
        self.hash.update(piece);
        self.size += piece.len() as u64;
        Ok(())
    }

    /// Writes it all down. Blocks until it is on disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the disk is full.
    pub fn finish(self) -> Result<Content, StoreError> {
        self.file.sync_all().map_err(unavailable)?;
        let hash = ContentHash::of_digest(self.hash.finish().as_ref());
        Ok(Content { hash, size: self.size, temporary: self.temporary })
    }
}

/// A whole content on disk, under a temporary name that goes when this is dropped.
#[derive(Debug)]
pub struct Content {
    pub hash: ContentHash,
    /// Bytes.
    pub size: u64,
    temporary: Temporary,
}

/// A file that is removed when dropped.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
