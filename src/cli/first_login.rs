//! How a new database's random password reaches whoever started it.

use std::io::{ErrorKind, IsTerminal as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use crate::store::DatabaseUrl;
use crate::store::durable::write_private;

/// Beyond this many kept passwords somebody should look.
const MOST_FILES: u32 = 100;

/// The line that says how to log in. The password is shown on a terminal, else kept in a file only
/// its owner can read, because standard output of a service ends up in logs.
///
/// # Errors
/// One line when that file cannot be written.
pub(super) fn first_login(password: &SecretString, database: &DatabaseUrl) -> Result<String, String> {
    if std::io::stdout().is_terminal() {
        let password = password.expose_secret();
        return Ok(format!(
            "  log in as     Administrator, password {password} (shown this once; change it with: ostiary user set-password Administrator)\n"
        ));
    }
    let file = keep(password.expose_secret(), &password_file(database))?;
    Ok(format!(
        "  log in as     Administrator, password in {} (change it with: ostiary user set-password Administrator, then delete the file)\n",
        file.display()
    ))
}

/// Named after the database, because several may be in one directory.
fn password_file(database: &DatabaseUrl) -> PathBuf {
    match database {
        DatabaseUrl::Sqlite(path) => {
            let mut file = path.clone().into_os_string();
            file.push(".admin-password");
            file.into()
        }
        DatabaseUrl::Postgres(_) => PathBuf::from("ostiary.admin-password"),
    }
}

/// Writes a new file, under the next free name where another password is kept already: it may be the only copy.
fn keep(password: &str, wanted: &Path) -> Result<PathBuf, String> {
    let mut file = wanted.to_owned();
    let mut number = 1;
    loop {
        let refuse = |error: std::io::Error| format!("cannot keep Administrator's password in {}: {error}", file.display());
        match write_private(&file, password) {
            Ok(()) => return Ok(file),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && number < MOST_FILES => {
                number += 1;
                file = wanted.with_added_extension(number.to_string());
            }
            Err(error) => return Err(refuse(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_file_is_named_after_its_database() {
        let of = |url: &str| password_file(&DatabaseUrl::parse(url).expect(url)).display().to_string();
        assert_eq!(of("sqlite://ostiary.db"), "ostiary.db.admin-password");
        assert_eq!(of("sqlite:///srv/a/b.sqlite"), "/srv/a/b.sqlite.admin-password");
        assert_eq!(of("postgres://localhost/ostiary"), "ostiary.admin-password");
    }
}
