//! `ostiary backup`: a consistent copy of a SQLite database while it serves, with its seal key.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::app::{Workshop, key_file};
use crate::config::Config;
use crate::secrets::SealKey;
use crate::store::durable::write_private;
use crate::store::{DatabaseUrl, StoreError, backup};

#[derive(Args)]
pub(super) struct Arguments {
    /// The new file; the seal key is written beside it as ostiary.key
    file: PathBuf,
    /// Leave the seal key out; without it nobody can use the copy
    #[arg(long)]
    without_key: bool,
}

pub(super) fn run(config: Config, arguments: &Arguments) -> Result<String, String> {
    let from = match DatabaseUrl::parse(&config.database.url).map_err(|error| error.to_string())? {
        DatabaseUrl::Sqlite(path) => path,
        DatabaseUrl::Postgres(_) => {
            return Err("backup copies SQLite files only; on Postgres use pg_dump, and keep OSTIARY_SEAL_KEY with the dump".into());
        }
    };
    let to = &arguments.file;
    let key_is_in_settings = config.security.seal_key.is_some();
    // Also proves that the database has its key: a copy with another one would be worthless.
    let workshop = Workshop::beside(config).map_err(|error| error.to_string())?;
    if to.exists() {
        return Err(format!("{} exists already; a backup never overwrites", to.display()));
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(format!("there is no folder {}; make it first, or name a file elsewhere", folder.display()));
    }
    backup::copy_sqlite(&from, to).map_err(|error| match error {
        // Says which file, and why it cannot be used.
        StoreError::Unavailable(cause) => cause,
        other => other.to_string(),
    })?;
    let key = if arguments.without_key {
        "Its seal key is not with it: keep ostiary.key (or OSTIARY_SEAL_KEY) elsewhere, or the copy is worthless.".to_owned()
    } else if key_is_in_settings {
        "Its seal key is in OSTIARY_SEAL_KEY: keep that with the copy, or the copy is worthless.".to_owned()
    } else {
        write_key(&workshop.env.seal, &key_file(to)).inspect_err(|_| {
            // Half a backup would be taken for a whole one.
            let _ = std::fs::remove_file(to);
        })?
    };
    let bytes = std::fs::metadata(to).map(|metadata| metadata.len()).unwrap_or_default();
    let files = workshop.env.blobs.directory();
    let files = if files.is_dir() { format!("Uploaded files are not in it: copy {} as well.\n", files.display()) } else { String::new() };
    Ok(format!("Copied {} to {} ({} KiB).\n{key}\n{files}", from.display(), to.display(), bytes.div_ceil(1024)))
}

/// Puts the key beside the copy, where a server started on the copy looks for it.
fn write_key(key: &SealKey, file: &Path) -> Result<String, String> {
    let refuse = |error: std::io::Error| format!("cannot write {}: {error}", file.display());
    if file.exists() {
        let known = std::fs::read_to_string(file).map_err(refuse)?;
        let same = SealKey::from_text(&known).is_some_and(|known| known.to_text() == key.to_text());
        return match same {
            true => Ok(format!("Its seal key is in {} already.", file.display())),
            false => Err(format!("{} holds another seal key; choose another folder", file.display())),
        };
    }
    write_private(file, &key.to_text()).map_err(refuse)?;
    Ok(format!("Its seal key is in {}: whoever has both can read everything.", file.display()))
}
