//! From an actix request to plain facts.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::auth::RequestFacts;

/// The text of a header; `None` when absent, repeated or not readable text.
pub fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The facts of a request that authentication needs.
pub fn facts<'a>(request: &'a HttpRequest, trusted_proxies: &[IpNet]) -> RequestFacts<'a> {
    let headers = request.headers();
    let mut authorizations = headers.get_all(header::AUTHORIZATION);
    let authorization = match (authorizations.next(), authorizations.next()) {
        (None, _) => None,
        (Some(only), None) => Some(only.to_str().map_err(|_| ())),
        (Some(_), Some(_)) => Some(Err(())),
    };
    RequestFacts {
        changes_state: !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS),
        path: request.path(),
        authorization,
        sid: sid(headers),
        source: text(headers, &HeaderName::from_static("frappe-authorization-source")),
        csrf_token: text(headers, &HeaderName::from_static("x-frappe-csrf-token")),
        origin: text(headers, &header::ORIGIN),
        sec_fetch_site: text(headers, &HeaderName::from_static("sec-fetch-site")),
        host: text(headers, &header::HOST),
        user_agent: text(headers, &header::USER_AGENT),
        address: client_address(request, trusted_proxies),
    }
}

/// The `sid` cookie. Of several (a cookie tossed in by a sibling domain or path beside ours) none
/// is believed, unless they agree.
fn sid(headers: &HeaderMap) -> Option<&str> {
    let mut found: Option<&str> = None;
    for value in headers.get_all(header::COOKIE) {
        for pair in value.to_str().unwrap_or_default().split(';') {
            if let Some(sid) = pair.trim().strip_prefix("sid=") {
                match found {
                    Some(known) if known != sid => return Some("conflict"),
                    _ => found = Some(sid),
                }
            }
        }
    }
    found
}

/// Where a request comes from: the rightmost hop that no trusted proxy stands at.
pub fn client_address(request: &HttpRequest, trusted_proxies: &[IpNet]) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip().to_canonical());
    let trusted = |address: &IpAddr| trusted_proxies.iter().any(|network| network.contains(address));
    if trusted_proxies.is_empty() || !trusted(&peer) {
        return peer;
    }
    let mut client = peer;
    let hops: Vec<&str> =
        request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
    for hop in hops.into_iter().rev() {
        let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
        client = address.to_canonical();
        if !trusted(&client) {
            break;
        }
    }
    client
}

/// The media type of tables as text (RFC 4180).
pub const CSV: &str = "text/csv";

/// Whether the caller wants JSON rather than a page (contract 5): asked for by `Accept` or
/// `X-Requested-With`, or any `/api/` path unless `Accept` starts with `text`. Who wants a table is no person either.
pub fn wants_json(request: &HttpRequest) -> bool {
    let accept = text(request.headers(), &header::ACCEPT).unwrap_or_default();
    let scripted = text(request.headers(), &HeaderName::from_static("x-requested-with")) == Some("XMLHttpRequest");
    (!accept.is_empty() && (scripted || accept.contains("application/json")))
        || (request.path().starts_with("/api/") && (!accept.starts_with("text") || accept.starts_with(CSV)))
}
