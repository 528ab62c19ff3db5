//! Showing what somebody else wrote: names that cannot pose as the page around them, links that lead nowhere odd.

/// A link that others chose: absolute `https`, or `http` on this machine, and nothing else (no `javascript:`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebLink(url::Url);

impl WebLink {
    /// Accepts a link, or leaves it out.
    pub fn new(text: &str) -> Option<Self> {
        let url = url::Url::parse(text).ok()?;
        let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let plain = url.username().is_empty() && url.password().is_none();
        (plain && (url.scheme() == "https" || (url.scheme() == "http" && local))).then_some(Self(url))
    }

    /// The link, normalised.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Scheme, host and port: what a content security policy names.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

/// Cleans a text of everything that would change how its surroundings read (controls, directional
/// marks, invisible letters, towers of accents) and cuts it to `max` characters.
pub(crate) fn clean(text: &str, max: usize) -> String {
    let mut out = String::new();
    let (mut length, mut accents, mut gap) = (0, 0, false);
    for letter in text.chars() {
        if letter.is_whitespace() || letter.is_control() {
            gap = length > 0;
            continue;
        }
        if is_invisible(letter) {
            continue;
        }
        accents = if is_accent(letter) { accents + 1 } else { 0 };
        if accents > 2 {
            continue;
        }
        if length == max {
            out.push('…');
            break;
        }
        if std::mem::take(&mut gap) {
            out.push(' ');
            length += 1;
        }
        out.push(letter);
        length += 1;
    }
    if out.is_empty() { "(no name)".to_owned() } else { out }
}

/// Directional marks and overrides, zero-width and filler letters, tags. The two joiners stay:
/// Persian and emoji need them.
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_accent(letter: char) -> bool {
    matches!(letter,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Filters for templates.
pub(crate) mod filters {
    /// Shows a text that somebody else chose, at most `max` characters of it.
    #[askama::filter_fn]
    pub fn shown(text: impl std::fmt::Display, _: &dyn askama::Values, max: usize) -> askama::Result<String> {
        Ok(super::clean(&text.to_string(), max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_would_change_their_surroundings() {
        assert_eq!(clean("  Good \u{202e}ppA\u{202c}\n\tname ", 80), "Good ppA name");
        assert_eq!(clean("\u{200b}\u{3164}\u{2800}", 80), "(no name)");
        assert_eq!(clean("Z\u{301}\u{301}\u{301}\u{301}", 80), "Z\u{301}\u{301}");
        assert_eq!(clean(&"x".repeat(200), 10), format!("{}…", "x".repeat(10)));
        assert_eq!(clean("می\u{200c}خواهم", 80), "می\u{200c}خواهم");
    }

    #[test]
    fn only_web_links_are_links() {
        for good in ["https://app.example/terms?a=b", "http://localhost:9000/"] {
            assert!(WebLink::new(good).is_some(), "{good}");
        }
        for bad in ["javascript:alert(1)", "data:text/html,x", "http://app.example", "https://bank.example@evil.example/", "/relative", ""]
        {
            assert!(WebLink::new(bad).is_none(), "{bad}");
        }
    }
}
