//! `ostiary serve`: migrate, make what is missing, listen.

use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use crate::app::{self, Application, Parts};
use crate::config::Config;
use crate::store::DatabaseUrl;
use crate::telemetry;

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(config: Config) -> Result<(), String> {
    let _log = telemetry::start(&config.log).map_err(|error| error.to_string())?;
    let database = DatabaseUrl::parse(&config.database.url).map_err(|error| error.to_string())?;
    app::serve(config, Parts::default(), |application| banner(application, &database))
}

/// Says where it listens, on which database, under which name, and on a new database how to log in.
fn banner(application: &Application, database: &DatabaseUrl) -> Result<(), String> {
    let mut text = format!(
        "Ostiary {} is ready\n  listening on  {}\n  public URL    {} (the issuer)\n  database      {database}\n",
        env!("CARGO_PKG_VERSION"),
        application.address(),
        application.public_url(),
    );
    if let Some(password) = application.first_password() {
        text.push_str(&first_login(password, database)?);
    }
    // A closed standard output must not keep the server from serving.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(())
}

/// The random password of a new database: shown on a terminal, else kept in a file only its owner can read,
/// because standard output of a service ends up in logs.
fn first_login(password: &SecretString, database: &DatabaseUrl) -> Result<String, String> {
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
