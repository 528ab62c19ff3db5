//! Where the seal key comes from, and the refusal to start with a wrong one.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;

use super::StartError;
use crate::config::Config;
use crate::secrets::SealKey;
use crate::store::durable::{sync_directory_of, write_private};
use crate::store::{self, DatabaseUrl, Db};

/// The name of the key file beside a SQLite database.
pub const KEY_FILE: &str = "ostiary.key";
/// Said where Postgres has no key.
pub(super) const NEEDED_WITH_POSTGRES: &str =
    "OSTIARY_SEAL_KEY must be set with Postgres: 32 bytes in base64 (make one with: openssl rand -base64 32)";
/// What is kept in the database to recognise the key: a MAC of a constant.
const CHECK: &str = "seal_check";

/// What was found before the database was opened.
pub(super) enum Found {
    Key(SealKey),
    /// No key yet; a file may be made here if the database is new.
    Missing(Option<PathBuf>),
}

/// The key file of a SQLite database.
pub fn key_file(database: &Path) -> PathBuf {
    database.with_file_name(KEY_FILE)
}

/// Looks in the settings, then beside the database file.
pub(super) fn find(config: &Config, url: &DatabaseUrl) -> Result<Found, StartError> {
    if let Some(text) = &config.security.seal_key {
        return SealKey::from_text(text.expose_secret()).map(Found::Key).ok_or_else(|| {
            StartError::Seal("OSTIARY_SEAL_KEY must be 32 bytes in base64 (make one with: openssl rand -base64 32)".into())
        });
    }
    match url {
        DatabaseUrl::Postgres(_) => Ok(Found::Missing(None)),
        DatabaseUrl::Sqlite(path) => {
            let file = key_file(path);
            match std::fs::read_to_string(&file) {
                Ok(text) => SealKey::from_text(&text)
                    .map(Found::Key)
                    .ok_or_else(|| StartError::Seal(format!("{} does not hold a seal key (32 bytes in base64)", file.display()))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Found::Missing(Some(file))),
                Err(error) => Err(StartError::Seal(format!("cannot read the seal key {}: {error}", file.display()))),
            }
        }
    }
}

/// Compares the key with the database's check value. A new database gets a new key file; one
/// that holds sealed rows without its key is refused, never given another.
pub(super) fn settle(found: Found, db: &Db, url: &DatabaseUrl) -> Result<SealKey, StartError> {
    let stored = db.lookup_blocking(|conn, _| Ok(store::installation::find_value(conn, CHECK)?))?;
    let key = match (found, &stored) {
        (Found::Key(key), _) => key,
        (Found::Missing(_), Some(_)) => {
            let place = match url {
                DatabaseUrl::Sqlite(path) => format!("put its {} back", key_file(path).display()),
                DatabaseUrl::Postgres(_) => "set OSTIARY_SEAL_KEY".into(),
            };
            return Err(StartError::Seal(format!(
                "the seal key of this database is missing: {place}; nothing sealed with it can be read without it"
            )));
        }
        (Found::Missing(None), None) => {
            return Err(StartError::Seal(NEEDED_WITH_POSTGRES.into()));
        }
        (Found::Missing(Some(file)), None) => make_file(&file)?,
    };
    let check = key.mac("seal-check", b"ostiary");
    match stored {
        Some(stored) if stored == check => {}
        Some(_) => return Err(StartError::Seal("the seal key is not the one this database was made with".into())),
        None => {
            let value = check.clone();
            db.write_blocking("set up: seal key", move |conn, _| {
                store::installation::insert_value(conn, CHECK, &value)?;
                Ok(())
            })?;
        }
    }
    Ok(key)
}

/// Makes a key file that only its owner can read. Another process that was faster wins.
fn make_file(file: &Path) -> Result<SealKey, StartError> {
    let refuse = |error: std::io::Error| StartError::Seal(format!("cannot write the seal key {}: {error}", file.display()));
    let key = SealKey::generate();
    // Written whole under another name first, so that nobody reads half a key.
    let draft = file.with_extension(format!("key.{}", std::process::id()));
    write_private(&draft, &key.to_text()).map_err(refuse)?;
    let linked = std::fs::hard_link(&draft, file);
    let _ = std::fs::remove_file(&draft);
    // Before anything is sealed with it: a database must not outlive its key, whoever made the file.
    sync_directory_of(file).map_err(refuse)?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let text = std::fs::read_to_string(file).map_err(refuse)?;
            SealKey::from_text(&text).ok_or_else(|| StartError::Seal(format!("{} does not hold a seal key", file.display())))
        }
        Err(error) => Err(refuse(error)),
    }
}
