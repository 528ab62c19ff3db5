//! The database and environment without a server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::{Parts, StartError, bootstrap, seal};
use crate::config::{Config, ConfigError};
use crate::cx::{Cx, Env};
use crate::error::AppError;
use crate::resource::doctypes;
use crate::store::{self, DatabaseUrl, Db};

/// What commands work with, beside a running server or without one.
pub struct Workshop {
    pub db: Db,
    pub env: Arc<Env>,
    /// Administrator's new password, when this start made the database.
    pub first_password: Option<SecretString>,
}

impl Workshop {
    /// Opens the database, applies migrations, makes what is missing.
    ///
    /// # Errors
    /// [`StartError`] in one line.
    pub fn open(config: Config, parts: Parts, address: SocketAddr) -> Result<Self, StartError> {
        let (db, env) = open(config, parts, address, Db::open)?;
        let first_password = bootstrap::run(&db, &env)?;
        Ok(Self { db, env, first_password })
    }

    /// Opens a database that a server of this version has made, and changes nothing.
    ///
    /// # Errors
    /// [`StartError`] in one line.
    pub fn beside(config: Config) -> Result<Self, StartError> {
        let address = config.server.listen;
        let (db, env) = open(config, Parts::default(), address, Db::open_existing)?;
        Ok(Self { db, env, first_password: None })
    }

    /// Runs a flow that only looks.
    ///
    /// # Errors
    /// Whatever the flow returns.
    pub fn read<T>(&self, flow: impl FnOnce(&mut Cx) -> Result<T, AppError>) -> Result<T, AppError> {
        let env = &self.env;
        self.db.lookup_blocking(|conn, effects| flow(&mut Cx { conn, now: env.clock.now(), env, effects }))
    }

    /// Runs a flow in a transaction that is durable when this returns; running servers hear of it.
    ///
    /// # Errors
    /// Whatever the flow returns.
    pub fn write<T: Send + 'static>(
        &self,
        name: &'static str,
        mut flow: impl FnMut(&mut Cx) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        let env = Arc::clone(&self.env);
        self.db.write_blocking(name, move |conn, effects| flow(&mut Cx { conn, now: env.clock.now(), env: &env, effects }))
    }
}

/// The database as these settings have it, opened by `opener`.
fn open(
    config: Config,
    parts: Parts,
    address: SocketAddr,
    opener: fn(&DatabaseUrl, store::Settings) -> Result<Db, store::StoreError>,
) -> Result<(Db, Arc<Env>), StartError> {
    let public_url = config.public_url(address)?;
    let url = DatabaseUrl::parse(&config.database.url).map_err(|error| ConfigError(error.to_string()))?;
    let settings = store::Settings {
        lookup_connections: config.database.lookup_connections,
        query_connections: config.database.query_connections,
        write_connections: config.database.write_connections,
        query_deadline: Duration::from_secs(config.database.query_deadline),
        ..store::Settings::default()
    };
    let seal = seal::find(&config, &url)?;
    let db = opener(&url, settings)?;
    let seal = seal::settle(seal, &db, &url)?;
    let doctypes = db.lookup_blocking(|conn, _| Ok(doctypes::load(conn)?))?;
    let env = Env::new(config, public_url, seal, parts.clock, doctypes, db.epochs()).with_hooks(parts.hooks);
    Ok((db, Arc::new(env)))
}
