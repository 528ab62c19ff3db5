//! How a new database's random password reaches whoever started it.

use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use crate::store::DatabaseUrl;

/// The line that says how to log in. The password is shown on a terminal, else kept in a file only
/// its owner can read, because standard output of a service ends up in logs.
///
/// # Errors
/// One line when that file cannot be written.
pub(super) fn first_login(password: &SecretString, database: &DatabaseUrl) -> Result<String, String> {
    if std::io::stdout().is_terminal() {
        let password = password.expose_secret();
        return Ok(format!("  log in as     Administrator, password {password} (shown this once; change it after logging in)\n"));
    }
    let file = password_file(database);
    let refuse = |error: std::io::Error| format!("cannot keep Administrator's password in {}: {error}", file.display());
    let mut handle = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&file).map_err(refuse)?;
    writeln!(handle, "{}", password.expose_secret()).and_then(|()| handle.sync_all()).map_err(refuse)?;
    Ok(format!("  log in as     Administrator, password in {} (change it after logging in, then delete the file)\n", file.display()))
}

fn password_file(database: &DatabaseUrl) -> PathBuf {
    match database {
        DatabaseUrl::Sqlite(path) => path.with_file_name("ostiary-administrator-password"),
        DatabaseUrl::Postgres(_) => PathBuf::from("ostiary-administrator-password"),
    }
}
