//! What must survive power loss beside the database: files whose names are on disk too.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Makes a file that only its owner can read, with a line of text, and does not return before it is on disk.
///
/// # Errors
/// When there is such a file already, and when it cannot be written; then none is left behind.
pub fn write_private(file: &Path, line: &str) -> std::io::Result<()> {
    let mut handle = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    let written = writeln!(handle, "{line}").and_then(|()| handle.sync_all()).and_then(|()| sync_directory_of(file));
    if written.is_err() {
        let _ = std::fs::remove_file(file);
    }
    written
}

/// Writes down that a new file is in its directory. Without it a file that was synced itself can be gone after
/// power was lost, because its name was only in the system's cache.
///
/// # Errors
/// When the directory cannot be opened or synced.
pub fn sync_directory_of(file: &Path) -> std::io::Result<()> {
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}
