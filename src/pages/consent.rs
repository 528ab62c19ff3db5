//! The consent page: who asks, what for, for whom. It must let a careful reader say no for the right reason.

use askama::Template;

use super::{ScopeLine, WebLink, Weight, filters, paths};

/// One pending authorization request, put to the user.
#[derive(Clone, Debug, Template)]
#[template(path = "oauth/consent.html")]
pub struct ConsentView {
    pub site_name: String,
    // Who asks.
    pub app_name: String,
    /// The host that the app describes itself at, where its client id is a URL.
    pub described_at: Option<String>,
    /// Only of an app that somebody vouches for.
    pub logo: Option<WebLink>,
    pub destination: Destination,
    /// It has no address but on the user's own machine.
    pub only_local: bool,
    /// Registered by an administrator of this server, rather than by itself.
    pub verified: bool,
    pub client_uri: Option<WebLink>,
    pub tos_uri: Option<WebLink>,
    pub policy_uri: Option<WebLink>,
    // What for.
    /// Where the permissions hold, unless that is this site as a whole.
    pub at: Option<Place>,
    pub scopes: Vec<ScopeLine>,
    /// What was allowed before and is shown apart; empty where `scopes` is everything.
    pub known: Vec<ScopeLine>,
    /// The scope as it was asked for, for those who want the exact words.
    pub scope_text: String,
    /// The client exchanges its code without PKCE.
    pub legacy_no_pkce: bool,
    // For whom.
    pub user_full_name: String,
    pub user_email: String,
    /// The path that brings somebody else back to this request after logging in.
    pub switch_user_to: String,
    // What is posted.
    pub pending_id: String,
    pub csrf_token: String,
}

/// A resource, as far as a user can judge it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A part of this site, by its path, and what it is called where it has a name.
    Here { title: Option<String>, path: String },
    /// Somebody else's, by host and path.
    Elsewhere { title: String, place: String },
}

impl Place {
    /// Reads it off a resource's URL.
    pub fn of(uri: &str, title: Option<String>, elsewhere: bool) -> Self {
        let place = uri.split_once("://").map_or(uri, |(_, place)| place);
        let path = place.find('/').map_or("/", |at| &place[at..]);
        match elsewhere {
            true => Self::Elsewhere { title: title.unwrap_or_else(|| place.to_owned()), place: place.to_owned() },
            false => Self::Here { title, path: path.to_owned() },
        }
    }
}

/// Where the answer goes, as far as a user can judge it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A web site, by host (and port, unless it is the usual one).
    Web(String),
    /// A program on the user's own machine, by host and port. Any program can pose as it.
    Local(String),
    /// An installed app, by its private scheme. Another app can claim the same scheme.
    App(String),
}

impl Destination {
    /// Reads it off a validated redirect URI.
    pub fn of(redirect_uri: &str) -> Self {
        let Ok(url) = url::Url::parse(redirect_uri) else { return Self::App(redirect_uri.to_owned()) };
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => String::new(),
        };
        let local = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "http" | "https" if local => Self::Local(host),
            "http" | "https" => Self::Web(host),
            scheme => Self::App(scheme.to_owned()),
        }
    }
}

impl ConsentView {
    /// Stands in for a logo.
    fn initial(&self) -> String {
        let name = super::display::clean(&self.app_name, 80);
        name.chars().find(|letter| letter.is_alphanumeric()).map_or_else(|| "?".to_owned(), |letter| letter.to_uppercase().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_read_off_the_redirect_uri() {
        for (uri, destination) in [
            ("https://app.example/cb", Destination::Web("app.example".into())),
            ("https://app.example:8443/cb", Destination::Web("app.example:8443".into())),
            ("https://localhost.evil.example/", Destination::Web("localhost.evil.example".into())),
            ("https://аpple.example/", Destination::Web("xn--pple-43d.example".into())),
            ("http://127.0.0.1:1234/cb", Destination::Local("127.0.0.1:1234".into())),
            ("http://[::1]:1234/cb", Destination::Local("[::1]:1234".into())),
            ("com.example.app:/cb", Destination::App("com.example.app".into())),
        ] {
            assert_eq!(Destination::of(uri), destination);
        }
    }
}
