//! The headers every page is sent with. Nothing inline, nothing from elsewhere, never framed.

use super::WebLink;

/// `Referrer-Policy`. Stricter ones make browsers send `Origin: null` with our own forms.
pub const REFERRER_POLICY: &str = "same-origin";
/// `Cache-Control`: pages show who is logged in and carry tokens.
pub const CACHE_CONTROL: &str = "no-store";

/// What one page needs beyond the common policy.
#[derive(Clone, Debug, Default)]
pub struct Policy<'a> {
    /// The validated redirect URI that posting this page's form may end at: the consent page's,
    /// the form_post page's, and that of a login on the way to `authorize`. Browsers check
    /// `form-action` along the whole chain of redirects and stop where it ends otherwise.
    pub redirect_uri: Option<&'a str>,
    /// A client's logo.
    pub logo: Option<&'a WebLink>,
    /// Whether the page loads a script from `/static/`.
    pub script: bool,
}

impl Policy<'_> {
    /// The value of `Content-Security-Policy`.
    pub fn content_security_policy(&self) -> String {
        let mut text = String::from("default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; img-src 'self'");
        if let Some(source) = self.logo.map(WebLink::origin).filter(|source| is_source(source)) {
            text.push(' ');
            text.push_str(&source);
        }
        if self.script {
            text.push_str("; script-src 'self'");
        }
        text.push_str("; form-action 'self'");
        if let Some(source) = self.redirect_uri.and_then(form_action_source).filter(|source| is_source(source)) {
            text.push(' ');
            text.push_str(&source);
        }
        text
    }
}

/// How a redirect URI is spelled in `form-action`: its origin, or its private scheme.
fn form_action_source(redirect_uri: &str) -> Option<String> {
    let url = url::Url::parse(redirect_uri).ok()?;
    match (url.scheme(), url.host()) {
        // The grammar of source expressions has no IPv6 literals: Chromium ignores `http://[::1]:80`.
        ("http" | "https", Some(url::Host::Ipv6(_))) => Some(format!("{}:", url.scheme())),
        ("http" | "https", Some(_)) => Some(url.origin().ascii_serialization()),
        ("http" | "https", None) => None,
        (scheme, _) => Some(format!("{scheme}:")),
    }
}

/// Whether this is one source and nothing more: a parser takes hosts with `;` and `,`, which end a directive and a policy.
/// None such can be registered; this is for what was registered before.
fn is_source(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]/+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_may_end_at_the_redirect_uri_and_nowhere_else() {
        let form_action = |uri| {
            let text = Policy { redirect_uri: Some(uri), ..Policy::default() }.content_security_policy();
            text.split("form-action ").nth(1).expect("always there").to_owned()
        };
        assert_eq!(form_action("https://app.example/cb?x=;script-src%20*"), "'self' https://app.example");
        assert_eq!(form_action("http://127.0.0.1:8400/cb"), "'self' http://127.0.0.1:8400");
        assert_eq!(form_action("http://[::1]:8400/cb"), "'self' http:");
        assert_eq!(form_action("com.example.app:/cb"), "'self' com.example.app:");
        assert_eq!(form_action("https://evil.example;sandbox/cb"), "'self'");
        assert_eq!(Policy::default().content_security_policy().split("form-action ").nth(1), Some("'self'"));
    }

    #[test]
    fn scripts_and_foreign_pictures_are_allowed_only_where_asked() {
        let plain = Policy::default().content_security_policy();
        assert!(plain.contains("default-src 'none'") && !plain.contains("script-src") && plain.contains("img-src 'self';"), "{plain}");
        let logo = WebLink::new("https://cdn.example/a/logo.png").expect("a link");
        let text = Policy { logo: Some(&logo), script: true, ..Policy::default() }.content_security_policy();
        assert!(text.contains("img-src 'self' https://cdn.example;") && text.contains("script-src 'self';"), "{text}");
    }

    proptest! {
        #[test]
        fn an_address_adds_one_source_and_nothing_else(
            scheme in prop::sample::select(vec!["https://", "http://", "com.example.app://"]),
            host in prop_oneof!["[!-~]{1,20}", "[a-z;,' ]{1,12}", ".{0,12}"],
            tail in "[!-~]{0,12}",
        ) {
            let uri = format!("{scheme}{host}/{tail}");
            let logo = WebLink::new(&uri);
            let text = Policy { redirect_uri: Some(&uri), logo: logo.as_ref(), ..Policy::default() }.content_security_policy();
            let plain = Policy::default().content_security_policy();
            prop_assert!(text.is_ascii() && !text.contains(','), "{}", text);
            let (with, without): (Vec<&str>, Vec<&str>) = (text.split("; ").collect(), plain.split("; ").collect());
            prop_assert_eq!(with.len(), without.len());
            prop_assert_eq!(text.matches(';').count(), plain.matches(';').count());
            for (with, without) in with.iter().zip(without) {
                let added = with.strip_prefix(without);
                prop_assert!(added.is_some_and(|added| added.split(' ').count() <= 2 && !added.contains('\'')), "{}", text);
            }
        }
    }
}
