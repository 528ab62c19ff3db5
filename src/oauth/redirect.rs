//! [`Redirection`]: an answer that travels to the client through the user's browser.

use super::error::ProtocolError;
use super::params::Params;

/// How the answer is carried (OAuth 2.0 Multiple Response Types; Form Post Response Mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseMode {
    Query,
    FormPost,
}

impl ResponseMode {
    /// All that are offered.
    pub const ALL: [ResponseMode; 2] = [Self::Query, Self::FormPost];

    /// The wire word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// Who an answer goes to.
pub(super) struct To<'a> {
    pub app_name: &'a str,
    pub redirect_uri: &'a str,
    pub mode: ResponseMode,
    pub state: Option<&'a str>,
}

/// Where the browser goes, and with what.
#[derive(Clone, PartialEq, Eq)]
pub struct Redirection {
    /// The app that is waiting there.
    pub app_name: String,
    /// The validated redirect URI, as raw text.
    pub redirect_uri: String,
    pub params: Params,
    pub mode: ResponseMode,
}

impl Redirection {
    /// An answer with `state` and the issuer (RFC 9207) added.
    pub(super) fn new(to: To<'_>, answer: Vec<(&str, String)>, issuer: &str) -> Self {
        let params =
            answer.into_iter().chain(to.state.map(|state| ("state", state.to_owned()))).chain([("iss", issuer.to_owned())]).collect();
        Self { app_name: to.app_name.to_owned(), redirect_uri: to.redirect_uri.to_owned(), params, mode: to.mode }
    }

    /// A refusal as an answer (RFC 6749 section 4.1.2.1).
    pub(super) fn refusal(to: To<'_>, error: &ProtocolError, issuer: &str) -> Self {
        let mut answer = vec![("error", error.code.as_str().to_owned())];
        if let Some(description) = &error.description {
            answer.push(("error_description", printable(description)));
        }
        Self::new(to, answer, issuer)
    }

    /// The whole URL for [`ResponseMode::Query`].
    pub fn url(&self) -> String {
        with_query(&self.redirect_uri, &self.params)
    }
}

/// A registered address with parameters added. Its own text is left as it is: a parser's normal form
/// may be another URL to the client.
pub(super) fn with_query(redirect_uri: &str, params: &Params) -> String {
    let separator = if redirect_uri.contains('?') { '&' } else { '?' };
    format!("{redirect_uri}{separator}{}", params.to_query())
}

impl std::fmt::Debug for Redirection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redirection({}, [redacted])", self.redirect_uri)
    }
}

/// `error_description` may hold printable ASCII without quotes and backslashes only.
fn printable(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~') && c != '"' && c != '\\' { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(uri: &str) -> Redirection {
        let to = To { app_name: "App", redirect_uri: uri, mode: ResponseMode::Query, state: Some("s&t") };
        Redirection::new(to, vec![("code", "c".into())], "https://a.example")
    }

    #[test]
    fn parameters_are_added_to_the_raw_redirect_uri() {
        assert_eq!(to("https://A.example:443/cb").url(), "https://A.example:443/cb?code=c&state=s%26t&iss=https%3A%2F%2Fa.example");
        assert_eq!(to("com.example.app:/cb?x=1").url(), "com.example.app:/cb?x=1&code=c&state=s%26t&iss=https%3A%2F%2Fa.example");
    }
}
