//! The only room that names diesel: connections, the [`Db`] facade, migrations, and one file per
//! aggregate with free functions (`find_`, `get_`, `list_`, `insert_`, `update_`, `consume_`,
//! `revoke_`, `purge_`).
//!
//! SQLite and Postgres share every query; whatever differs is a function in [`dialect`]. Row
//! structs are private to their file and become `domain` values there. Races are settled by a
//! conditional `UPDATE`, never by read-then-write. Look-ups by a unique key end in `get_result`, not
//! `first`: SQLite plans a query with a bound LIMIT anew at every run, which costs more than the look-up.
//!
//! To add a table: one migration directory of the same name on both sides, `schema.rs`, and a file here.

mod conn;
mod db;
pub mod dialect;
mod effects;
pub mod epochs;
mod error;
mod migrate;
mod pattern;
mod pool;
#[rustfmt::skip]
pub(crate) mod schema;

pub mod api_keys;
pub mod assertions;
pub mod audit;
pub mod authorization_requests;
pub mod backup;
pub mod blobs;
pub mod client_documents;
pub mod clients;
pub mod codes;
pub mod consents;
mod ddl;
pub mod doctypes;
pub mod document_secrets;
mod document_sources;
pub mod documents;
pub mod durable;
pub mod files;
pub mod grants;
pub mod installation;
pub mod oauth_resources;
pub mod roles;
pub mod search;
pub mod series;
pub mod sessions;
pub mod signing_keys;
pub mod social_login_keys;
mod statement;
#[cfg(test)]
pub(crate) mod testing;
pub mod tokens;
pub mod user_documents;
pub mod users;
mod watch;
mod writer;

pub use conn::Conn;
pub use db::{Db, Settings};
pub use ddl::DdlError;
pub use effects::{Effects, Shared};
pub use error::StoreError;
pub use pool::{Backend, DatabaseUrl, InvalidDatabaseUrl};
