//! `ostiary serve`: migrate, make what is missing, listen.

use super::first_login::first_login;
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
    super::print(&text);
    Ok(())
}
