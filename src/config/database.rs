//! `[database]`: where the data is.

use serde::Deserialize;

/// The `[database]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseConfig {
    /// `sqlite://PATH` or `postgres://…`. `OSTIARY_DATABASE_URL`, default `sqlite://ostiary.db`.
    pub url: String,
    /// Connections for reads by key. Default 4.
    pub lookup_connections: u32,
    /// Connections for lists and searches. Default 4.
    pub query_connections: u32,
    /// Postgres connections for writes. Default 6.
    pub write_connections: u32,
    /// Seconds after which a list or search is stopped. Default 10.
    pub query_deadline: u64,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { url: "sqlite://ostiary.db".into(), lookup_connections: 4, query_connections: 4, write_connections: 6, query_deadline: 10 }
    }
}
