//! Ostiary: an OAuth 2.0 / OpenID Connect authorization server and the resource API behind it.
//!
//! The rooms below stand on five floors, and a room imports only from the floors beneath it
//! (`tests/api/architecture.rs` reads the sources and fails on a `use` that climbs):
//!
//! | floor | rooms | what it may know |
//! | --- | --- | --- |
//! | 5 | [`cli`], [`app`] | everything; wires things together |
//! | 4 | [`frappe`] → [`pages`] → [`http`], [`sample_app`] | HTTP and HTML: the only floor that names actix or askama |
//! | 3 | [`auth`], [`oauth`] → [`oidc`], [`files`], [`search`] → [`resource`], [`background`], [`audit`], [`limits`], [`cx`] | flows: plain synchronous functions over one connection and one instant |
//! | 2 | [`store`], [`fetch`] → [`config`] ← [`telemetry`] | the outside world; `store` is the only room that names diesel |
//! | 1 | [`domain`], [`doctype`], [`secrets`], [`error`] | pure values: no I/O, no clock, no globals |
//!
//! `ARCHITECTURE.md` follows one request through the house and says where to add what.

pub mod app;
pub mod audit;
pub mod auth;
pub mod background;
pub mod cli;
pub mod config;
pub mod cx;
pub mod doctype;
pub mod domain;
pub mod error;
pub mod fetch;
pub mod files;
pub mod frappe;
pub mod http;
pub mod limits;
pub mod oauth;
pub mod oidc;
pub mod pages;
pub mod resource;
pub mod sample_app;
pub mod search;
pub mod secrets;
pub mod store;
pub mod telemetry;
