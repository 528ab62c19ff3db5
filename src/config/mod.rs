//! Settings: built-in defaults, then `ostiary.toml`, then environment `OSTIARY_*`, then flags.
//!
//! Parsed once, checked at start, passed as a value. The environment is read only here. One file
//! per section; to add a setting, add a field with its default and its documentation.

mod database;
mod fetch;
mod files;
mod limits;
mod log;
mod oauth;
mod resolve;
mod security;
mod server;
mod site;

pub use database::DatabaseConfig;
pub use fetch::FetchConfig;
pub use files::FilesConfig;
pub use limits::{LimitsConfig, QuotaConfig};
pub use log::{LogConfig, LogFormat};
pub use oauth::{OAuthConfig, Registration};
pub use resolve::{ConfigError, Overrides, parse_network};
pub use security::SecurityConfig;
pub use server::{PublicUrl, ServerConfig};
pub use site::SiteConfig;

use serde::Deserialize;

/// Everything that can be set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: ServerConfig,
    pub database: DatabaseConfig,
    pub security: SecurityConfig,
    pub oauth: OAuthConfig,
    pub fetch: FetchConfig,
    pub files: FilesConfig,
    pub limits: LimitsConfig,
    pub log: LogConfig,
    pub site: SiteConfig,
}

impl Config {
    /// Settings for a test: a port of the system's choice and the given database.
    pub fn for_tests(database_url: &str) -> Self {
        let mut config = Self::default();
        config.server.listen = "127.0.0.1:0".parse().expect("a literal address");
        config.database.url = database_url.to_owned();
        config
    }
}
