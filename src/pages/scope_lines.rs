//! Scopes in plain words. A new scope word needs a line here: what nobody can read, nobody can consent to.

use crate::domain::Scope;
use crate::domain::scope::{ADMIN_CREDENTIALS, ALL, IDENTITY};

/// One thing an app asks to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeLine {
    /// Completes "The app will be able to …".
    pub title: String,
    pub detail: Option<&'static str>,
    pub weight: Weight,
}

/// How much a user should hesitate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Identity, reading, one doctype.
    Ordinary,
    /// Changes everything the user may change.
    Broad,
    /// Outlives the approval: makes other credentials.
    Dangerous,
}

/// Says a scope in plain words, the widest word standing for those it includes. `doctype_label`
/// knows how a doctype is called whose scope spelling is `hd_ticket`.
pub fn scope_lines(scope: &Scope, doctype_label: impl Fn(&str) -> Option<String>) -> Vec<ScopeLine> {
    let label = |word: &str| doctype_label(word).unwrap_or_else(|| word.replace('_', " "));
    let line = |title: String, detail, weight| Some(ScopeLine { title, detail, weight });
    let everything = scope.contains(ALL);
    let (write, read) = (scope.contains("write"), scope.contains("read"));
    let one = |word: &str| match word {
        "openid" => line("know who you are".into(), Some("An identifier of your account that stays the same."), Weight::Ordinary),
        "profile" => line("see your name and picture".into(), None, Weight::Ordinary),
        "email" => line("see your e-mail address".into(), None, Weight::Ordinary),
        "phone" => line("see your phone number".into(), None, Weight::Ordinary),
        "roles" => line("see which roles you have".into(), None, Weight::Ordinary),
        "offline_access" => line("stay connected while you are away".into(), None, Weight::Ordinary),
        ALL => line(
            "do everything you can do here".into(),
            Some("See, create, change and delete whatever you may, in your name. Credentials excepted."),
            Weight::Broad,
        ),
        "write" if everything => None,
        "write" => line("see, create, change and delete every document that you may".into(), None, Weight::Broad),
        "read" if everything || write => None,
        "read" => line("see every document that you may see".into(), None, Weight::Ordinary),
        ADMIN_CREDENTIALS => line(
            "manage accounts and credentials".into(),
            Some(
                "Make and change API keys, apps, passwords and roles, as far as you may. Allow this only to a tool that you run yourself.",
            ),
            Weight::Dangerous,
        ),
        _ => match word.split_once(':') {
            Some(("write" | "read" | "method", _)) if everything => None,
            Some(("write", _)) if write => None,
            Some(("write", doctype)) => {
                line(format!("see, create, change and delete documents of type {}", label(doctype)), None, Weight::Ordinary)
            }
            Some(("read", doctype)) if write || read || scope.contains(&format!("write:{doctype}")) => None,
            Some(("read", doctype)) => line(format!("see documents of type {}", label(doctype)), None, Weight::Ordinary),
            Some(("method", path)) => line(format!("call the function {path}"), None, Weight::Ordinary),
            _ => line(format!("use “{word}”"), Some("This server does not know this permission; it opens nothing here."), Weight::Ordinary),
        },
    };
    scope.words().filter_map(one).collect()
}

/// [`scope_lines`] for another resource than this server: what identity means is the same everywhere, any other word
/// means what it means there, whatever it would mean here.
pub fn scope_lines_elsewhere(scope: &Scope) -> Vec<ScopeLine> {
    let line = |word: &str| match IDENTITY.contains(&word) {
        true => scope_lines(&scope.only(|known| known == word), |_| None),
        false => vec![ScopeLine { title: format!("use “{word}”"), detail: None, weight: Weight::Ordinary }],
    };
    scope.words().flat_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(scope: &str) -> Vec<String> {
        let label = |word: &str| (word == "hd_ticket").then(|| "HD Ticket".to_owned());
        scope_lines(&Scope::parse(scope).expect("valid"), label).into_iter().map(|line| line.title).collect()
    }

    #[test]
    fn every_known_scope_has_words_of_its_own() {
        let known = "openid profile email phone roles offline_access all admin:credentials";
        assert_eq!(titles(known).len(), 8);
        for word in known.split(' ').chain(["read", "write", "read:todo", "write:todo", "method:frappe.client.get_list"]) {
            let lines = scope_lines(&Scope::parse(word).expect("valid"), |_| None);
            assert_eq!(lines.len(), 1, "{word}");
            assert!(!lines[0].title.contains('“'), "{word} is shown as unknown");
        }
        assert_eq!(
            titles("read:hd_ticket write:work_order"),
            ["see documents of type HD Ticket", "see, create, change and delete documents of type work order"]
        );
    }

    #[test]
    fn narrower_words_are_not_repeated_but_credentials_always_are() {
        assert_eq!(titles("all read write read:todo write:todo method:ping").len(), 1);
        assert_eq!(titles("write read read:todo write:todo").len(), 1);
        assert_eq!(titles("read:todo write:todo").len(), 1);
        assert_eq!(titles("read write:todo").len(), 2, "reading everything does not include writing one");
        assert_eq!(titles("all admin:credentials").len(), 2);
    }

    #[test]
    fn elsewhere_no_word_of_this_server_is_explained_or_left_out() {
        let lines = scope_lines_elsewhere(&Scope::parse("email all read admin:credentials").expect("valid"));
        let titles: Vec<&str> = lines.iter().map(|line| line.title.as_str()).collect();
        assert_eq!(titles, ["see your e-mail address", "use “all”", "use “read”", "use “admin:credentials”"]);
        assert!(lines.iter().all(|line| line.detail.is_none()));
    }

    #[test]
    fn unknown_words_are_shown_not_hidden() {
        assert_eq!(titles("all frobnicate"), ["do everything you can do here", "use “frobnicate”"]);
    }
}
