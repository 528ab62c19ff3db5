//! Protected resources (RFC 8707, RFC 9728): what an access token is for, and which paths that opens here.
//!
//! Resources are compared as text, so only the normal spelling of a URL is ever one. Paths of requests
//! are compared decoded, and a path that could be read in two ways is below nothing.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::Scope;
use super::client::has_loopback_host;
use super::scope::IDENTITY;

/// Longest URL of a resource.
pub const MAX_URI: usize = 500;

/// A resource that an administrator registered.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// The URL as [`registered_form`] gives it; tokens carry it as it stands here.
    pub uri: String,
    /// What people call it.
    pub title: String,
    /// The scopes that mean something there; empty when it does not say.
    pub scope: Scope,
    /// The client that may introspect its tokens.
    pub introspecting_client: Option<String>,
}

impl Resource {
    /// Whether a token for it may have a scope word: its own, those of identity, or any when it names none.
    pub fn knows(&self, word: &str) -> bool {
        self.scope.is_empty() || self.scope.contains(word) || IDENTITY.contains(&word)
    }
}

/// Every registered resource.
#[derive(Debug, Default)]
pub struct Resources(Vec<Arc<Resource>>);

impl Resources {
    /// Takes them as they are.
    pub fn new(resources: Vec<Resource>) -> Self {
        Self(resources.into_iter().map(Arc::new).collect())
    }

    /// The resource of a URL, which must be spelled as it was registered.
    pub fn find(&self, uri: &str) -> Option<&Arc<Resource>> {
        self.0.iter().find(|resource| resource.uri == uri)
    }

    /// The resource whose path below `public_url` a request's path is at or below: the nearest, if there are several.
    pub fn covering(&self, public_url: &str, path: &str) -> Option<&Arc<Resource>> {
        self.0
            .iter()
            .filter(|resource| path_below(&resource.uri, public_url).is_some_and(|base| Below::new(base).covers(path)))
            .max_by_key(|resource| resource.uri.len())
    }
}

/// The text of a URL without the slash that may stand at its end when it has no path.
pub fn without_empty_path(uri: &str) -> &str {
    match uri.strip_suffix('/') {
        // What is left must be scheme and authority alone: `https://a/` but not `https://a/b/`.
        Some(rest) if rest.split("://").nth(1).is_some_and(|authority| !authority.is_empty() && !authority.contains('/')) => rest,
        _ => uri,
    }
}

/// The path of a URL that lies below `public_url`, if it is spelled as it must be: no query or fragment,
/// no dot or empty segments, nothing escaped that need not be and nothing that hides a separator.
pub fn path_below<'u>(uri: &'u str, public_url: &str) -> Option<&'u str> {
    let path = uri.strip_prefix(public_url)?;
    (path.len() > 1 && path.starts_with('/') && uri.len() <= MAX_URI && is_canonical_path(path)).then_some(path)
}

fn is_canonical_path(path: &str) -> bool {
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let plain = match byte {
            b'%' => {
                let digit =
                    |byte: Option<u8>| byte.filter(|byte| !byte.is_ascii_lowercase()).and_then(|byte| char::from(byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else { return false };
                // What is unreserved has one spelling, and no escape may stand for a separator or another escape.
                u8::try_from(high * 16 + low)
                    .is_ok_and(|byte| !byte.is_ascii_alphanumeric() && !byte.is_ascii_control() && !b"-._~/\\%".contains(&byte))
            }
            _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte),
        };
        if !plain {
            return false;
        }
    }
    let inner = path.strip_suffix('/').unwrap_or(path);
    percent_decode_str(path).decode_utf8().is_ok() && inner.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | ".."))
}

/// A path and everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Below(Arc<str>);

impl Below {
    /// From a path that [`path_below`] accepted.
    pub fn new(canonical: &str) -> Self {
        let decoded = percent_decode_str(canonical).decode_utf8_lossy();
        Self(decoded.strip_suffix('/').unwrap_or(&decoded).into())
    }

    /// Whether a request's path, as it was sent, is this one or below it at a boundary of segments.
    pub fn covers(&self, path: &str) -> bool {
        let Ok(decoded) = percent_decode_str(path).decode_utf8() else { return false };
        let straight = decoded.chars().all(|letter| letter != '\\' && !letter.is_control())
            && decoded.split('/').all(|segment| !matches!(segment, "." | ".."));
        straight && decoded.strip_prefix(&*self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Which requests to this server's API a credential opens, as far as their path goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    Everything,
    /// A token for a path of the API.
    Path(Below),
    /// A token for somebody else's API.
    Nothing,
}

impl Reach {
    /// What a token for a resource opens at the server that is called `public_url`.
    pub fn of(resource: Option<&str>, public_url: &str) -> Self {
        match resource {
            None => Self::Everything,
            Some(uri) => path_below(uri, public_url).map_or(Self::Nothing, |path| Self::Path(Below::new(path))),
        }
    }

    /// Whether it opens a request's path, as it was sent.
    pub fn opens(&self, path: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Path(below) => below.covers(path),
            Self::Nothing => false,
        }
    }
}

/// A URL that must not be registered as a resource, with the reason in plain words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Resource {0}")]
pub struct InvalidResource(String);

/// Checks the URL of a resource at registration and returns it as it is kept: without a slash for an empty path.
///
/// # Errors
/// [`InvalidResource`] says what is wrong with it.
pub fn registered_form(text: &str, public_url: &str) -> Result<String, InvalidResource> {
    let refuse = |reason: &str| Err(InvalidResource(reason.to_owned()));
    if text.len() > MAX_URI {
        return refuse(&format!("must have at most {MAX_URI} characters"));
    }
    let Ok(url) = url::Url::parse(text) else { return refuse("must be an absolute URL such as https://api.example/v1") };
    if text.contains(['?', '#']) {
        return refuse("must not have a query or a fragment");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("must not contain a user name or password");
    }
    let kept = without_empty_path(text);
    let ours = kept == public_url || kept.strip_prefix(public_url).is_some_and(|rest| rest.starts_with('/'));
    match url.scheme() {
        "https" => {}
        "http" if ours || has_loopback_host(text) => {}
        _ => return refuse("must be https (http is accepted on loopback only)"),
    }
    if kept != without_empty_path(url.as_str()) {
        return refuse(&format!("must be in its normal spelling: {}", without_empty_path(url.as_str())));
    }
    if kept == public_url {
        return refuse("is this server itself; tokens are for it unless another resource is named");
    }
    if ours && path_below(kept, public_url).is_none() {
        return refuse("is a path of this server and must be plain: no empty segments, and only those characters escaped that have to be");
    }
    Ok(kept.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOME: &str = "https://id.example";

    #[test]
    fn only_one_spelling_of_a_path_below_is_a_resource() {
        for good in ["/api", "/api/", "/api/resource/HD%20Ticket", "/a/b.c/~d", "/caf%C3%A9", "/a;b=1/c:d@e"] {
            assert_eq!(path_below(&format!("{HOME}{good}"), HOME), Some(good));
        }
        for bad in [
            "",
            "/",
            "//",
            "/a//b",
            "/a//",
            "//a",
            "/.",
            "/..",
            "/a/../b",
            "/a/./b",
            "/a/..",
            "/%2e%2e/b",
            "/%2E",
            "/a%2Fb",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/%61pi",
            "/a%25b",
            "/a%252e",
            "/a%00",
            "/a%0A",
            "/a%c3%a9",
            "/a%C3",
            "/a%",
            "/a%4",
            "/a%zz",
            "/a%+1",
            "/a?b",
            "/a#b",
            "/a b",
            "/é",
            "/a|b",
            ".evil.example",
            ":8443/api",
            "@evil.example/",
        ] {
            assert_eq!(path_below(&format!("{HOME}{bad}"), HOME), None, "{bad}");
        }
        for elsewhere in
            ["http://id.example/api", "https://id.example.evil/api", "https://other.example/api", "HTTPS://id.example/api", "/api"]
        {
            assert_eq!(path_below(elsewhere, HOME), None, "{elsewhere}");
        }
    }

    #[test]
    fn a_path_covers_itself_and_what_is_below_it_however_the_request_is_spelled() {
        let base = Below::new("/api/resource/HD%20Ticket");
        for good in
            ["/api/resource/HD%20Ticket", "/api/resource/HD%20Ticket/", "/api/resource/HD%20Ticket/a%2Fb", "/%61pi/resource/HD%20Ticket/x"]
        {
            assert!(base.covers(good), "{good}");
        }
        for bad in [
            "/api/resource/HD%20Tickets",
            "/api/resource/HD",
            "/api/resource/hd%20ticket",
            "/",
            "",
            "/api/resource/HD%20Ticket/../User",
            "/api/resource/HD%20Ticket/%2e%2e/User",
            "/api/resource/HD%20Ticket%2F..%2FUser",
            "/api/resource/HD%20Ticket/..",
            "/api/resource/HD%20Ticket/.",
            "/api/resource/HD%20Ticket/..%5cUser",
            "/api/resource/HD%20Ticket/%00",
            "/api/resource/HD%20Ticket/%ff",
            "//api/resource/HD%20Ticket",
            "/api/v1/resource/HD%20Ticket",
            "/x/api/resource/HD%20Ticket",
        ] {
            assert!(!base.covers(bad), "{bad}");
        }
    }

    #[test]
    fn a_token_reaches_what_it_is_for() {
        let reach = |resource| Reach::of(resource, HOME);
        assert_eq!(reach(None), Reach::Everything);
        assert_eq!(reach(Some("https://mcp.example/mcp")), Reach::Nothing);
        // Also where the server moved: from a path that is its own no more, or to where another resource was.
        assert_eq!((reach(Some("https://old.example/api")), reach(Some(HOME))), (Reach::Nothing, Reach::Nothing));
        assert!(reach(Some("https://id.example/api/")).opens("/api/x") && reach(Some("https://id.example/api/")).opens("/api"));
        assert!(!reach(Some("https://id.example/api")).opens("/apix"));
    }

    #[test]
    fn urls_are_registered_in_their_normal_spelling_only() {
        for (text, kept) in [
            ("https://mcp.example", "https://mcp.example"),
            ("https://mcp.example/", "https://mcp.example"),
            ("https://mcp.example:8443/a/", "https://mcp.example:8443/a/"),
            ("http://127.0.0.1:9000/mcp", "http://127.0.0.1:9000/mcp"),
            ("https://id.example/api/resource/ToDo", "https://id.example/api/resource/ToDo"),
        ] {
            assert_eq!(registered_form(text, HOME).as_deref(), Ok(kept));
        }
        for bad in [
            "",
            "mcp",
            "/mcp",
            "urn:mcp",
            "ftp://mcp.example",
            "http://mcp.example",
            "https://mcp.example?x",
            "https://mcp.example/#",
            "https://u@mcp.example",
            "https://u:p@mcp.example",
            "https://@mcp.example/",
            "HTTPS://mcp.example",
            "https://MCP.example",
            "https://mcp.example:443",
            "https://mcp.example/a/../b",
            "https://mcp.example/%2e%2e/b",
            " https://mcp.example",
            "https://mcp.example/a b",
            "https:/mcp.example",
            "https://id.example",
            "https://id.example/",
            "https://id.example//a",
            "https://id.example/a%2Fb",
            "https://mcp.example\\a",
        ] {
            assert!(registered_form(bad, HOME).is_err(), "{bad}");
        }
        assert!(registered_form(&format!("https://mcp.example/{}", "a".repeat(MAX_URI)), HOME).is_err());
    }

    proptest! {
        /// Whatever is accepted means the same to every reader of URLs.
        #[test]
        fn an_accepted_path_is_what_a_url_parser_makes_of_it(path in "/[a-b./%25eEfF0\\\\?#;@: é-]{0,12}") {
            let uri = format!("{HOME}{path}");
            if let Some(path) = path_below(&uri, HOME) {
                let url = url::Url::parse(&uri).expect("a URL");
                prop_assert_eq!(url.as_str(), &uri);
                prop_assert_eq!(url.path(), path);
                prop_assert!(Below::new(path).covers(path));
            }
        }

        /// A request that is let through is still below the path after any reader has resolved it.
        #[test]
        fn no_spelling_of_a_request_leaves_the_path(tail in "[/\\\\.%25a-c2eEfF05]{0,16}") {
            let (base, request) = (Below::new("/api/a"), format!("/api/a{tail}"));
            if base.covers(&request) {
                let resolved = url::Url::parse(HOME).expect("a URL").join(&request).expect("a path");
                let decoded = percent_decode_str(resolved.path()).decode_utf8().expect("UTF-8").into_owned();
                prop_assert!(decoded == "/api/a" || decoded.starts_with("/api/a/"), "{}", decoded);
            }
        }

        #[test]
        fn no_text_makes_the_checks_panic(text in any::<String>(), path in any::<String>()) {
            let _ = registered_form(&text, HOME);
            if let Ok(kept) = registered_form(&format!("https://a.example/{text}"), HOME) {
                prop_assert_eq!(registered_form(&kept, HOME), Ok(kept.clone()));
            }
            let _ = Reach::of(Some(&text), HOME).opens(&path);
        }
    }
}
