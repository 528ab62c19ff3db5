//! `[server]`: where it listens and what it is called from outside.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

/// The `[server]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port to listen on. `OSTIARY_LISTEN`, default `127.0.0.1:8000`.
    pub listen: SocketAddr,
    /// The URL clients use; it is the issuer. `OSTIARY_PUBLIC_URL`, default `http://<listen>`.
    pub public_url: Option<String>,
    /// Accept a public URL that is neither https nor loopback. Default off.
    pub insecure_http: bool,
    /// Certificate chain (PEM). `OSTIARY_TLS_CERT`, default none.
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM). `OSTIARY_TLS_KEY`, default none.
    pub tls_key: Option<PathBuf>,
    /// Where `/metrics` is served. `OSTIARY_METRICS_LISTEN`, default off.
    pub metrics_listen: Option<SocketAddr>,
    /// Networks whose `X-Forwarded-For` and `-Proto` are believed. `OSTIARY_TRUSTED_PROXIES`, default none.
    pub trusted_proxies: Vec<IpNet>,
    /// Worker threads; 0 means one per core. Default 0.
    pub workers: usize,
    /// Largest request body in bytes. Default 25 MiB, as in Frappe.
    pub max_body: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            public_url: None,
            insecure_http: false,
            tls_cert: None,
            tls_key: None,
            metrics_listen: None,
            trusted_proxies: Vec::new(),
            workers: 0,
            max_body: 25 * 1024 * 1024,
        }
    }
}

/// The URL the outside uses: scheme, host and port, nothing else. Never taken from a Host header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Checks a public URL: absolute http(s), without path, query, fragment or credentials.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn parse(text: &str, insecure_http: bool) -> Result<Self, String> {
        let url = url::Url::parse(text).map_err(|error| format!("public URL {text:?} is not a URL: {error}"))?;
        let bare = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare {
            return Err(format!("public URL {text:?} must be scheme, host and port only"));
        }
        let loopback = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => return Err(format!("public URL {text:?} has no host")),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback || insecure_http => {}
            "http" => return Err(format!("public URL {text:?} is not https; put TLS in front or start with --insecure-http")),
            _ => return Err(format!("public URL {text:?} must be http or https")),
        }
        Ok(Self(url.origin().ascii_serialization()))
    }

    /// The URL without a slash at its end: the issuer, and what paths are appended to.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether browsers reach the server over TLS; decides the cookies' `Secure`.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_https_or_loopback_urls_are_public_urls() {
        for (text, normal) in [
            ("https://a.example", "https://a.example"),
            ("https://a.example:8443/", "https://a.example:8443"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://localhost:1", "http://localhost:1"),
        ] {
            assert_eq!(PublicUrl::parse(text, false).expect(text).as_str(), normal);
        }
        for text in
            ["http://a.example", "https://a.example/path", "https://a.example/?q", "https://u@a.example", "ftp://a.example", "a.example"]
        {
            assert!(PublicUrl::parse(text, false).is_err(), "{text}");
        }
        assert!(PublicUrl::parse("http://a.example", true).is_ok());
    }
}
