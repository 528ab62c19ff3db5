//! OAuth scopes (RFC 6749 section 3.3): an ordered set of words, and what each word allows.
//!
//! A scope never adds to the user's rights, it only narrows them (design: "Scopes").

use std::fmt;

/// The widest scope: everything its user may do, except guarded credentials. Frappe's meaning of `all`.
pub const ALL: &str = "all";
/// Lets a scoped credential make or change credentials; part of no other scope.
pub const ADMIN_CREDENTIALS: &str = "admin:credentials";

/// Scope words that carry identity claims and nothing on the resource API.
pub const IDENTITY: [&str; 6] = ["openid", "profile", "email", "phone", "roles", "offline_access"];

/// An ordered set of scope words. The order is that of the request and survives to the reply,
/// because clients compare the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(Vec<String>);

/// What a request wants to do with the documents of a doctype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Safe verbs: list, count, read.
    Read,
    /// Everything else.
    Write,
}

/// A word outside the grammar of RFC 6749 section 3.3, or a list that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scope must be words of printable ASCII without quotes and backslashes, separated by spaces")]
pub struct InvalidScope;

impl Scope {
    /// Parses a space separated list; repeated words count once. An empty text is the empty scope.
    ///
    /// # Errors
    /// [`InvalidScope`] for characters outside RFC 6749's `scope-token`, or beyond 100 words of 200 bytes.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let mut words: Vec<String> = Vec::new();
        for word in text.split([' ', '\n', '\t', '\r']).filter(|word| !word.is_empty()) {
            let printable = word.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'"' && b != b'\\');
            if !printable || word.len() > 200 || words.len() == 100 {
                return Err(InvalidScope);
            }
            if !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
        Ok(Self(words))
    }

    /// The words in order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether no word is present.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether exactly this word is present.
    pub fn contains(&self, word: &str) -> bool {
        self.0.iter().any(|known| known == word)
    }

    /// Whether every word of `other` is in this scope.
    pub fn covers(&self, other: &Scope) -> bool {
        other.words().all(|word| self.contains(word))
    }

    /// The words that are in both, in this scope's order.
    #[must_use]
    pub fn intersect(&self, other: &Scope) -> Scope {
        Scope(self.0.iter().filter(|word| other.contains(word)).cloned().collect())
    }

    /// The words that `keep` says yes to.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Scope {
        Scope(self.0.iter().filter(|word| keep(word)).cloned().collect())
    }

    /// This scope followed by the words of `other` that it lacks.
    #[must_use]
    pub fn union(&self, other: &Scope) -> Scope {
        let mut words = self.0.clone();
        words.extend(other.0.iter().filter(|word| !self.contains(word)).cloned());
        Scope(words)
    }

    /// This scope without the words of `other`.
    #[must_use]
    pub fn without(&self, other: &Scope) -> Scope {
        Scope(self.0.iter().filter(|word| !other.contains(word)).cloned().collect())
    }

    /// This scope and one more word of ours.
    #[must_use]
    pub fn with(mut self, word: &'static str) -> Scope {
        if !self.contains(word) {
            self.0.push(word.to_owned());
        }
        self
    }

    /// Whether a doctype (spelled as in [`doctype_word`]) may be reached for `access`.
    pub fn allows_doctype(&self, doctype: &str, access: Access) -> bool {
        self.0.iter().any(|word| match word.split_once(':') {
            None => word == ALL || word == "write" || (word == "read" && access == Access::Read),
            Some(("write", target)) => target == doctype,
            Some(("read", target)) => access == Access::Read && target == doctype,
            Some(_) => false,
        })
    }

    /// Whether the API method `path` may be called: `all`, or its own `method:` word.
    pub fn allows_method(&self, path: &str) -> bool {
        self.0.iter().any(|word| word == ALL || word.strip_prefix("method:").is_some_and(|target| target == path))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}

/// How a doctype is spelled inside a scope word: lower case, spaces as underscores (`HD Ticket` → `hd_ticket`).
pub fn doctype_word(doctype: &str) -> String {
    doctype.to_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_is_kept_and_repeats_count_once() {
        let scope = Scope::parse("openid  all openid").expect("valid");
        assert_eq!(scope.to_string(), "openid all");
    }

    #[test]
    fn write_includes_read_but_read_does_not_include_write() {
        let write = Scope::parse("write:hd_ticket").expect("valid");
        let read = Scope::parse("read:hd_ticket").expect("valid");
        assert!(write.allows_doctype("hd_ticket", Access::Read));
        assert!(write.allows_doctype("hd_ticket", Access::Write));
        assert!(read.allows_doctype("hd_ticket", Access::Read));
        assert!(!read.allows_doctype("hd_ticket", Access::Write));
        assert!(!read.allows_doctype("todo", Access::Read));
    }

    #[test]
    fn identity_words_reach_no_doctype_and_all_does_not_hide_in_longer_words() {
        let identity = Scope::parse("openid profile email phone roles offline_access").expect("valid");
        assert!(!identity.allows_doctype("todo", Access::Read));
        let lookalike = Scope::parse("allx read:all method:all").expect("valid");
        assert!(!lookalike.allows_doctype("todo", Access::Read));
        assert!(!lookalike.allows_method("ping"));
    }

    #[test]
    fn quotes_backslashes_and_controls_are_refused() {
        for bad in ["a\"b", "a\\b", "a\u{0}b", "ü"] {
            assert_eq!(Scope::parse(bad), Err(InvalidScope), "{bad:?}");
        }
    }

    fn any_scope() -> impl Strategy<Value = Scope> {
        let word = prop_oneof![
            prop::sample::select(vec!["openid", "all", "read", "write", "read:todo", "write:todo", "admin:credentials", "method:ping"])
                .prop_map(str::to_owned),
            "[!#-\\[\\]-~]{1,12}",
        ];
        prop::collection::vec(word, 0..8).prop_map(|words| Scope::parse(&words.join(" ")).expect("words of the grammar"))
    }

    proptest! {
        #[test]
        fn any_text_is_a_scope_that_reads_back_the_same_or_is_refused(text in ".{0,60}") {
            if let Ok(scope) = Scope::parse(&text) {
                prop_assert_eq!(Scope::parse(&scope.to_string()), Ok(scope.clone()));
                prop_assert!(scope.to_string().bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'));
            }
        }

        #[test]
        fn union_and_intersection_are_what_sets_have(left in any_scope(), right in any_scope()) {
            let (both, common) = (left.union(&right), left.intersect(&right));
            prop_assert!(both.covers(&left) && both.covers(&right));
            prop_assert!(left.covers(&common) && right.covers(&common));
            prop_assert!(both.words().all(|word| left.contains(word) || right.contains(word)));
            prop_assert_eq!(left.covers(&right), both == left);
        }

        #[test]
        fn a_narrower_scope_never_reaches_further(wide in any_scope(), other in any_scope(), doctype in "[a-z_]{1,6}|todo") {
            let narrow = wide.intersect(&other);
            for access in [Access::Read, Access::Write] {
                prop_assert!(!narrow.allows_doctype(&doctype, access) || wide.allows_doctype(&doctype, access));
            }
            prop_assert!(!narrow.allows_method("ping") || wide.allows_method("ping"));
            prop_assert!(!wide.allows_doctype(&doctype, Access::Write) || wide.allows_doctype(&doctype, Access::Read));
        }
    }
}
