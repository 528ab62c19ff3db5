//! `ostiary migrate`: what `serve` does before it listens.

use super::first_login::first_login;
use crate::app::{Parts, Workshop};
use crate::config::Config;
use crate::store::DatabaseUrl;

pub(super) fn run(config: Config) -> Result<String, String> {
    let database = DatabaseUrl::parse(&config.database.url).map_err(|error| error.to_string())?;
    let address = config.server.listen;
    let workshop = Workshop::open(config, Parts::default(), address).map_err(|error| error.to_string())?;
    let applied = workshop.db.migrations().map_err(super::refusal)?;
    let mut text = format!("{database} is up to date ({applied} migrations)\n");
    if let Some(password) = &workshop.first_password {
        text.push_str(&first_login(password, &database)?);
    }
    Ok(text)
}
