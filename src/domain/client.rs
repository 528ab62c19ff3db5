//! OAuth clients: what an app registered, and which redirect URIs and credentials that allows.

use super::Scope;

/// How a client proves who it is at the token endpoint (RFC 7591 `token_endpoint_auth_method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// A secret, sent as HTTP Basic or in the body; either is accepted.
    Secret,
    /// A secret, pinned to HTTP Basic.
    SecretBasic,
    /// A secret, pinned to the request body.
    SecretPost,
    /// A JWT that the client signs with its own private key (RFC 7523 section 2.2).
    PrivateKeyJwt,
    /// A public client: no secret, PKCE instead.
    None,
}

impl AuthMethod {
    /// All of them.
    pub const ALL: [AuthMethod; 5] = [Self::Secret, Self::SecretBasic, Self::SecretPost, Self::PrivateKeyJwt, Self::None];

    /// Those that have a word of their own in RFC 7591. Basic first: some clients take the first one they
    /// know, and all know this one.
    pub const ANNOUNCED: [AuthMethod; 4] = [Self::SecretBasic, Self::SecretPost, Self::PrivateKeyJwt, Self::None];

    /// The stored word. `client_secret` is Ostiary's own for "either way of sending it".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "client_secret",
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::None => "none",
        }
    }

    /// Reads RFC 7591's words and Frappe's labels (`Client Secret Basic`, `Private Key JWT`, `None`).
    pub fn from_text(text: &str) -> Option<Self> {
        let word = text.trim().to_lowercase().replace(' ', "_");
        Self::ALL.into_iter().find(|method| method.as_str() == word)
    }

    /// Whether the client cannot prove who it is.
    pub fn is_public(self) -> bool {
        self == Self::None
    }

    /// Whether it does so by a secret that we made.
    pub fn has_secret(self) -> bool {
        matches!(self, Self::Secret | Self::SecretBasic | Self::SecretPost)
    }
}

/// A signature algorithm: of the id tokens that we sign, and of the assertions that clients sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningAlgorithm {
    Rs256,
    Es256,
    /// Over Ed25519 (RFC 8037).
    EdDsa,
}

/// Says the same as `EdDSA` does here (RFC 9864), and is what openid-client writes. Our own signatures keep the older name,
/// which every library knows.
pub const ED25519: &str = "Ed25519";

impl SigningAlgorithm {
    /// All that are offered, the default first.
    pub const ALL: [SigningAlgorithm; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// JOSE's name (RFC 7518, RFC 8037).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads JOSE's name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }

    /// Reads what others call it in what they signed: JOSE's name, or [`ED25519`].
    pub fn from_others(text: &str) -> Option<Self> {
        Self::from_text(text).or_else(|| (text == ED25519).then_some(Self::EdDsa))
    }
}

/// A registered OAuth client. Its secret is not part of it: only hashes are stored, elsewhere. Nor
/// are the roles of which a user must hold one, which only `authorize` asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    pub client_id: String,
    pub app_name: String,
    /// The service account of client_credentials.
    pub user: Option<String>,
    /// No consent page (Frappe's `skip_authorization`): a client the administrator trusts.
    pub skip_authorization: bool,
    /// Whether an administrator vouches for it; one that registered itself has nobody.
    pub verified: bool,
    /// What the client may ask for, and what it gets when it asks for nothing.
    pub scope: Scope,
    pub redirect_uris: Vec<String>,
    pub default_redirect_uri: Option<String>,
    /// Where a logout that the client asked for may lead back to; compared as raw text.
    pub post_logout_redirect_uris: Vec<String>,
    /// `authorization_code`, `refresh_token`, `client_credentials`.
    pub grant_types: Vec<String>,
    pub auth_method: AuthMethod,
    /// Its public keys, a JWK Set as JSON text; never together with `jwks_uri`.
    pub jwks: Option<String>,
    /// Where it publishes them.
    pub jwks_uri: Option<String>,
    /// The one algorithm of its assertions, where it named one.
    pub auth_signing_algorithm: Option<SigningAlgorithm>,
    /// "Old Frappe integration": may exchange a code with code, client_id and redirect_uri alone.
    pub legacy_no_pkce: bool,
    /// Sees every token at introspection, not its own alone.
    pub is_resource_server: bool,
    pub id_token_algorithm: SigningAlgorithm,
    pub client_uri: Option<String>,
    pub logo_uri: Option<String>,
    pub tos_uri: Option<String>,
    pub policy_uri: Option<String>,
    pub software_id: Option<String>,
    pub software_version: Option<String>,
    pub contacts: Vec<String>,
}

impl Client {
    /// Whether it may use a grant type at all.
    pub fn may(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|known| known == grant_type)
    }

    /// Whether PKCE is demanded of it: of public clients always (RFC 9700 section 2.1.1), unless the
    /// administrator marked it as an old Frappe integration. A confidential client proves itself.
    pub fn needs_pkce(&self) -> bool {
        self.auth_method.is_public() && !self.legacy_no_pkce
    }

    /// Where a request without `redirect_uri` goes: the default, or the only one there is.
    pub fn implied_redirect_uri(&self) -> Option<&str> {
        match (&self.default_redirect_uri, self.redirect_uris.as_slice()) {
            (Some(uri), _) => Some(uri),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }

    /// Finds the registered redirect URI that `presented` matches: raw text equality, except that
    /// the port of an http loopback URI may vary (RFC 8252 section 7.3).
    pub fn matches_redirect_uri(&self, presented: &str) -> bool {
        self.redirect_uris
            .iter()
            .chain(self.default_redirect_uri.iter())
            .any(|registered| registered == presented || same_but_for_loopback_port(registered, presented))
    }

    /// Whether it has no address but on the user's own machine, where any program can pose as it.
    pub fn has_only_loopback_addresses(&self) -> bool {
        self.redirect_uris.iter().chain(&self.default_redirect_uri).all(|uri| may_be_this_machine(uri))
    }

    /// Whether an approval may be remembered or skipped for a redirect URI: only where no other
    /// local program can pose as the client (design: consent).
    pub fn may_skip_consent(&self, redirect_uri: &str) -> bool {
        let exact_https = redirect_uri.starts_with("https://") && !may_be_this_machine(redirect_uri);
        // An old integration may come without its secret, so it proves no more than a public client.
        let proves_itself = !self.auth_method.is_public() && !self.legacy_no_pkce;
        proves_itself || exact_https
    }
}

/// Whether a URI's host is this machine.
pub(super) fn has_loopback_host(uri: &str) -> bool {
    url::Url::parse(uri).is_ok_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        // `::ffff:127.0.0.1` leads to this machine too.
        Some(url::Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    })
}

/// Whether a browser may take a URI's host for the machine it runs on, however it is spelled.
fn may_be_this_machine(uri: &str) -> bool {
    // Names that Debian and Fedora ship for it.
    const SHIPPED: [&str; 5] = ["localhost6", "ip6-localhost", "ip6-loopback", "localhost.localdomain", "localhost6.localdomain6"];
    let other_spelling = url::Url::parse(uri).is_ok_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => SHIPPED.contains(&name.strip_suffix('.').unwrap_or(name)),
        Some(url::Host::Ipv4(address)) => address.is_unspecified(),
        Some(url::Host::Ipv6(address)) => address.to_canonical().is_unspecified(),
        None => false,
    });
    other_spelling || has_loopback_host(uri)
}

/// Splits an `http` URI on a loopback host into what stands before and after its port.
fn loopback_split(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host_end = ["127.0.0.1", "[::1]", "localhost"].into_iter().find(|host| rest.starts_with(host))?.len();
    let after_host = &rest[host_end..];
    let tail = match after_host.strip_prefix(':') {
        Some(port_and_tail) => {
            let digits = port_and_tail.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 || digits > 5 {
                return None;
            }
            &port_and_tail[digits..]
        }
        None => after_host,
    };
    // What follows must be a path, a query or nothing: `127.0.0.1.evil.example` is another host.
    if tail.is_empty() || tail.starts_with('/') || tail.starts_with('?') { Some((&rest[..host_end], tail)) } else { None }
}

fn same_but_for_loopback_port(registered: &str, presented: &str) -> bool {
    match (loopback_split(registered), loopback_split(presented)) {
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}

/// A redirect URI that must not be registered, with the reason in plain words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("redirect URI {uri}: {reason}")]
pub struct InvalidRedirectUri {
    pub uri: String,
    pub reason: &'static str,
}

/// Checks a redirect URI at registration (RFC 9700 section 2.1, RFC 8252 section 7): `https`,
/// `http` on loopback, or a private-use scheme with a dot in it for native apps.
///
/// # Errors
/// [`InvalidRedirectUri`] says what is wrong with it.
pub fn check_redirect_uri(uri: &str) -> Result<(), InvalidRedirectUri> {
    let refuse = |reason| Err(InvalidRedirectUri { uri: uri.to_owned(), reason });
    if uri.len() > 2000 {
        return refuse("is longer than 2000 characters");
    }
    if uri.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return refuse("contains spaces or control characters");
    }
    let Ok(url) = url::Url::parse(uri) else { return refuse("is not an absolute URI") };
    if uri.contains('#') {
        return refuse("must not have a fragment");
    }
    if uri.contains('*') {
        return refuse("must not contain a wildcard");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("must not contain a user name or password");
    }
    // A parser takes more (`;`, `,`, quotes), and a host stands where those end something: in headers.
    if !url.host_str().unwrap_or_default().chars().all(is_of_a_host) {
        return refuse("has a host with other characters than letters, digits, '-', '.', '_'");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if has_loopback_host(uri) => Ok(()),
        "http" => refuse("must be https (http is accepted on loopback only)"),
        scheme if scheme.contains('.') => Ok(()),
        _ => refuse("has a scheme that is neither https nor a private-use scheme in reverse domain notation (com.example.app)"),
    }
}

/// Whether a character may stand in the name or address of a host. Brackets and colons are IPv6's.
fn is_of_a_host(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-._:[]".contains(letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(redirect_uris: &[&str]) -> Client {
        Client {
            client_id: "c".into(),
            app_name: "App".into(),
            user: None,
            skip_authorization: false,
            verified: true,
            scope: Scope::default(),
            redirect_uris: redirect_uris.iter().map(|&uri| uri.to_owned()).collect(),
            default_redirect_uri: None,
            post_logout_redirect_uris: Vec::new(),
            grant_types: vec!["authorization_code".into()],
            auth_method: AuthMethod::Secret,
            jwks: None,
            jwks_uri: None,
            auth_signing_algorithm: None,
            legacy_no_pkce: false,
            is_resource_server: false,
            id_token_algorithm: SigningAlgorithm::Rs256,
            client_uri: None,
            logo_uri: None,
            tos_uri: None,
            policy_uri: None,
            software_id: None,
            software_version: None,
            contacts: Vec::new(),
        }
    }

    #[test]
    fn redirect_uris_match_exactly_but_for_the_port_of_loopback() {
        let app = client(&["https://app.example/cb", "http://127.0.0.1:9999/cb", "http://localhost/cb", "http://[::1]:1/cb"]);
        for good in
            ["https://app.example/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1/cb", "http://localhost:65535/cb", "http://[::1]:8080/cb"]
        {
            assert!(app.matches_redirect_uri(good), "{good}");
        }
        for bad in [
            "https://app.example/cb/",
            "https://app.example/cb?x=1",
            "https://app.example:443/cb",
            "https://APP.example/cb",
            "http://127.0.0.1:9999/other",
            "http://127.0.0.1.evil.example:9999/cb",
            "http://127.0.0.1:80@evil.example/cb",
            "http://localhost.evil.example/cb",
            "https://127.0.0.1:9999/cb",
            "http://127.0.0.2:9999/cb",
        ] {
            assert!(!app.matches_redirect_uri(bad), "{bad}");
        }
    }

    #[test]
    fn dangerous_redirect_uris_cannot_be_registered() {
        for good in [
            "https://a.example/cb",
            "https://a_b-c.example.:8443/cb;d,e'f",
            "https://b\u{fc}cher.example/cb",
            "http://127.0.0.1:9/cb",
            "http://[::1]:9/cb",
            "http://localhost/cb",
            "com.example.app:/cb",
            "com.example.app://cb",
        ] {
            assert_eq!(check_redirect_uri(good), Ok(()), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "http://a.example/cb",
            "https://a.example/cb#f",
            "https://u:p@a.example/",
            "https://*.a.example/",
            "/relative",
            "myapp:/cb",
            "https://a.example/ b",
            "https://a.example;sandbox/cb",
            "https://a.example,b.example/cb",
            "https://a.example'/cb",
            "https://a.example;script-src:8443/cb",
            "com.example.app://a;b/cb",
        ] {
            assert!(check_redirect_uri(bad).is_err(), "{bad}");
        }
    }

    /// URIs that nearly are each other.
    fn nearby_uri() -> impl Strategy<Value = String> {
        let scheme = prop::sample::select(vec!["https://", "http://", "HTTP://", "com.example.app:/", "javascript:", "//"]);
        let host = prop::sample::select(vec![
            "127.0.0.1",
            "[::1]",
            "localhost",
            "LOCALHOST",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "app.example",
            "127.1",
            "0",
        ]);
        let port = prop_oneof![Just(String::new()), "(:[0-9]{0,6})", Just(":80@evil.example".to_owned())];
        let tail = prop::sample::select(vec!["", "/", "/cb", "/cb/", "/cb?x=1", "/cb#f", "/cb%2f", "/../cb", "?x=1", "\\cb", "\u{e9}"]);
        (scheme, host, port, tail).prop_map(|(scheme, host, port, tail)| format!("{scheme}{host}{port}{tail}"))
    }

    /// URIs with a host that ends something else where it is written into a header.
    fn odd_host() -> impl Strategy<Value = String> {
        (prop::sample::select(vec!["https://", "com.example.app://"]), "[a-z.;,'\"!$&()=+~_%-]{1,12}")
            .prop_map(|(scheme, host)| format!("{scheme}{host}.example/cb"))
    }

    /// A URI without the port that stands after a loopback host of `http`: written anew, to compare with.
    fn without_loopback_port(uri: &str) -> Option<String> {
        let found = ["http://127.0.0.1", "http://[::1]", "http://localhost"].into_iter().find(|start| uri.starts_with(start))?;
        let rest = &uri[found.len()..];
        let tail = rest.strip_prefix(':').map_or(rest, |port| port.trim_start_matches(|c: char| c.is_ascii_digit()));
        (tail.is_empty() || tail.starts_with(['/', '?'])).then(|| format!("{found}{tail}"))
    }

    proptest! {
        #[test]
        fn a_redirect_uri_matches_only_itself_or_another_port_of_loopback(registered in nearby_uri(), presented in nearby_uri()) {
            let app = client(&[&registered]);
            prop_assert!(app.matches_redirect_uri(&registered));
            if app.matches_redirect_uri(&presented) && registered != presented {
                let bare = without_loopback_port(&presented);
                prop_assert!(bare.is_some());
                prop_assert_eq!(bare, without_loopback_port(&registered));
                let (left, right) = (url::Url::parse(&registered), url::Url::parse(&presented));
                if let (Ok(left), Ok(right)) = (left, right) {
                    prop_assert_eq!(left.host(), right.host());
                }
            }
        }

        #[test]
        fn what_may_be_registered_is_https_loopback_or_a_private_scheme(uri in prop_oneof![nearby_uri(), odd_host(), ".{0,40}"]) {
            if check_redirect_uri(&uri).is_ok() {
                let url = url::Url::parse(&uri).expect("an absolute URI");
                prop_assert!(url.fragment().is_none() && url.username().is_empty() && url.password().is_none());
                let harmless = match url.scheme() {
                    "https" => url.host().is_some(),
                    "http" => has_loopback_host(&uri),
                    scheme => scheme.contains('.'),
                };
                prop_assert!(harmless);
                let host = url.host_str().unwrap_or_default();
                prop_assert!(host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '[' | ']')), "{}", host);
            }
        }
    }
}
