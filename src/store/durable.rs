//! What must survive power loss beside the database: files whose names are on disk too.

use std::fs::File;
use std::path::Path;

/// Writes down that a new file is in its directory. Without it a file that was synced itself can be gone after
/// power was lost, because its name was only in the system's cache.
///
/// # Errors
/// When the directory cannot be opened or synced.
pub fn sync_directory_of(file: &Path) -> std::io::Result<()> {
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}
