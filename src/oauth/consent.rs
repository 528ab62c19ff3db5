//! What the consent page says: who asks, what for, and for whom.

use super::redirect::{destination, form_action};
use crate::domain::Scope;
use crate::domain::client::Client;

/// Everything a consent page needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentView {
    /// What the form posts back, with the session's CSRF token.
    pub pending_id: String,
    pub client_id: String,
    pub app_name: String,
    pub client_uri: Option<String>,
    pub logo_uri: Option<String>,
    pub tos_uri: Option<String>,
    pub policy_uri: Option<String>,
    /// Host (or private scheme) that the user is sent to.
    pub destination: String,
    /// Whether an administrator vouches for the client; registering oneself does not.
    pub verified: bool,
    /// Whether any program on the user's machine could be the one that asks.
    pub unprovable: bool,
    pub scopes: Vec<ScopeLine>,
    /// The user who would allow it.
    pub user: String,
    pub full_name: String,
    /// For the page's `form-action` policy.
    pub form_action: String,
}

/// One scope in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeLine {
    pub word: String,
    pub text: String,
    /// Whether the user allowed it to this client before.
    pub known: bool,
}

/// What a consent page is about.
pub(super) struct About<'a> {
    pub pending_id: &'a str,
    pub client: &'a Client,
    pub redirect_uri: &'a str,
    pub scope: &'a Scope,
    pub known: &'a Scope,
    pub user: &'a str,
    pub full_name: &'a str,
}

impl ConsentView {
    pub(super) fn new(about: &About) -> Self {
        let client = about.client;
        Self {
            pending_id: about.pending_id.to_owned(),
            client_id: client.client_id.clone(),
            app_name: client.app_name.clone(),
            client_uri: client.client_uri.clone(),
            logo_uri: client.logo_uri.clone(),
            tos_uri: client.tos_uri.clone(),
            policy_uri: client.policy_uri.clone(),
            destination: destination(about.redirect_uri),
            // Every client there is was registered by an administrator.
            verified: true,
            unprovable: !client.may_skip_consent(about.redirect_uri),
            scopes: about.scope.words().map(|word| line(word, about.known)).collect(),
            user: about.user.to_owned(),
            full_name: about.full_name.to_owned(),
            form_action: form_action(about.redirect_uri),
        }
    }
}

fn line(word: &str, known: &Scope) -> ScopeLine {
    ScopeLine { word: word.to_owned(), text: describe(word), known: known.contains(word) }
}

/// A scope word as a sentence that ends "… on your behalf" would.
pub fn describe(word: &str) -> String {
    match word {
        "openid" => "Know who you are on this site".to_owned(),
        "profile" => "See your name and picture".to_owned(),
        "email" => "See your e-mail address".to_owned(),
        "roles" => "See your roles".to_owned(),
        "offline_access" => "Stay connected while you are away".to_owned(),
        "all" => "Do everything you can do on this site".to_owned(),
        "read" => "Read everything you can read".to_owned(),
        "write" => "Read, create, change and delete everything you can".to_owned(),
        "admin:credentials" => "Make and change API keys, clients, passwords and sessions".to_owned(),
        other => match other.split_once(':') {
            Some(("read", doctype)) => format!("Read your {} documents", spaced(doctype)),
            Some(("write", doctype)) => format!("Read, create, change and delete your {} documents", spaced(doctype)),
            Some(("method", path)) => format!("Use the function {path}"),
            _ => format!("Use “{other}”"),
        },
    }
}

fn spaced(doctype: &str) -> String {
    doctype.replace('_', " ")
}
