//! What authentication needs to know of a request, as plain data; built by `http/extract.rs`.

use std::net::IpAddr;

/// The facts of one request.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// Whether the verb may change state (anything but GET, HEAD and OPTIONS).
    pub changes_state: bool,
    /// The path as it was sent.
    pub path: &'a str,
    /// The `Authorization` header; `Some(Err)` when it is there but not readable text, or there twice.
    pub authorization: Option<Result<&'a str, ()>>,
    /// The `sid` cookie.
    pub sid: Option<&'a str>,
    /// `Frappe-Authorization-Source`.
    pub source: Option<&'a str>,
    /// `X-Frappe-CSRF-Token`.
    pub csrf_token: Option<&'a str>,
    pub origin: Option<&'a str>,
    pub sec_fetch_site: Option<&'a str>,
    pub host: Option<&'a str>,
    pub user_agent: Option<&'a str>,
    /// The client's address: the rightmost hop that no trusted proxy reported.
    pub address: IpAddr,
}
