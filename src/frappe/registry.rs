//! The table of API methods: name, whether guests may call it, roles, verbs, scopes, limit, handler.
//!
//! `ostiary methods` prints it. To add a method: a handler in `methods/<python_module>.rs` and a row here.

use super::call::{Handler, Verb};
use super::methods::{auth, helpdesk_auth, helpdesk_knowledge_base, oauth_client, oauth2, sessions, upload_file, user};
use crate::auth::Caller;
use crate::domain::limit::Limit;
use crate::domain::scope::{ADMIN_CREDENTIALS, IDENTITY};
use crate::domain::user::SYSTEM_MANAGER;
use crate::http::cors::Sharing;

/// A row of the table.
pub struct Method {
    /// The dotted path, as clients call it.
    pub path: &'static str,
    /// Whether it may be called without credentials.
    pub guest: bool,
    /// Roles of which the caller needs one; empty where who is logged in may call it.
    pub roles: &'static [&'static str],
    pub verbs: &'static [Verb],
    /// Scopes that reach it besides `all` and its own `method:` word. A single one is demanded by the method itself.
    pub scopes: &'static [&'static str],
    /// The tightest limit that counts its calls.
    pub limit: Limit,
    /// Whether a form may bring it a file, which is written to disk as it comes.
    pub takes_file: bool,
    pub door: Door,
    pub handler: Handler,
}

impl Method {
    const fn limited(self, limit: Limit) -> Self {
        Self { limit, ..self }
    }

    const fn taking_file(self) -> Self {
        Self { takes_file: true, ..self }
    }

    const fn for_roles(self, roles: &'static [&'static str]) -> Self {
        Self { roles, ..self }
    }

    /// The scopes that reach it, `all` among them, but for its own `method:` word; none where no token is looked at.
    pub fn reached_by(&self) -> Vec<&'static str> {
        match self.door {
            Door::OAuth(_) => Vec::new(),
            // What guards credentials is part of no other scope.
            Door::Frappe | Door::OAuthUser(_) if self.scopes == [ADMIN_CREDENTIALS] => vec![ADMIN_CREDENTIALS],
            Door::Frappe | Door::OAuthUser(_) => ["all"].into_iter().chain(self.scopes.iter().copied()).collect(),
        }
    }

    /// Whether the caller has a role that may call it.
    pub fn is_open_to(&self, caller: &Caller) -> bool {
        self.roles.is_empty() || caller.is_administrator() || self.roles.iter().any(|role| caller.has_role(role))
    }
}

/// Whose shapes a method's errors have, and who authenticates its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Frappe's envelope; the caller is identified before the handler runs.
    Frappe,
    /// RFC-shaped JSON; an `Authorization` header is the client's, not a user's, and cookies count
    /// for nothing.
    OAuth(Sharing),
    /// RFC-shaped, acting for the user of a session or token (authorize, approve, userinfo).
    OAuthUser(Sharing),
}

use Verb::{Delete, Get, Post, Put};

const ANY: &[Verb] = &[Get, Post, Put, Delete];
const SAFE_OR_POST: &[Verb] = &[Get, Post];
const POST: &[Verb] = &[Post];
const POST_OR_PUT: &[Verb] = &[Post, Put];
const GET: &[Verb] = &[Get];
/// The scopes that let files be added; the documents they belong to take theirs besides.
const FILES: &[&str] = &["write", "write:file"];

const fn method(path: &'static str, guest: bool, verbs: &'static [Verb], scopes: &'static [&'static str], handler: Handler) -> Method {
    Method { path, guest, roles: &[], verbs, scopes, limit: Limit::Request, takes_file: false, door: Door::Frappe, handler }
}

const fn oauth(path: &'static str, verbs: &'static [Verb], scopes: &'static [&'static str], door: Door, handler: Handler) -> Method {
    Method { path, guest: true, roles: &[], verbs, scopes, limit: Limit::Request, takes_file: false, door, handler }
}

/// Every API method, by name.
pub static METHODS: &[Method] = &[
    method("frappe.auth.get_logged_user", false, ANY, &IDENTITY, auth::get_logged_user),
    method("frappe.client.attach_file", false, POST_OR_PUT, FILES, upload_file::attach_file),
    method("frappe.core.doctype.user.user.generate_keys", false, POST, &[ADMIN_CREDENTIALS], user::generate_keys),
    method(
        "frappe.integrations.doctype.oauth_client.oauth_client.rotate_secret",
        false,
        POST,
        &[ADMIN_CREDENTIALS],
        oauth_client::rotate_secret,
    )
    .for_roles(&[SYSTEM_MANAGER]),
    oauth("frappe.integrations.oauth2.approve", SAFE_OR_POST, &IDENTITY, Door::OAuthUser(Sharing::Configured), oauth2::approve)
        .limited(Limit::Authorize),
    oauth("frappe.integrations.oauth2.authorize", SAFE_OR_POST, &IDENTITY, Door::OAuthUser(Sharing::Configured), oauth2::authorize)
        .limited(Limit::Authorize),
    oauth("frappe.integrations.oauth2.end_session", SAFE_OR_POST, &IDENTITY, Door::OAuthUser(Sharing::Configured), oauth2::end_session),
    oauth("frappe.integrations.oauth2.get_token", POST, &[], Door::OAuth(Sharing::PublicClients), oauth2::get_token)
        .limited(Limit::GetToken),
    oauth("frappe.integrations.oauth2.introspect_token", POST, &[], Door::OAuth(Sharing::Configured), oauth2::introspect_token)
        .limited(Limit::Introspect),
    oauth("frappe.integrations.oauth2.jwks", GET, &[], Door::OAuth(Sharing::Anyone), oauth2::jwks),
    oauth("frappe.integrations.oauth2.openid_configuration", GET, &[], Door::OAuth(Sharing::Anyone), oauth2::openid_configuration),
    oauth(
        "frappe.integrations.oauth2.openid_profile",
        SAFE_OR_POST,
        &["openid"],
        Door::OAuthUser(Sharing::PublicClients),
        oauth2::openid_profile,
    ),
    oauth(
        "frappe.integrations.oauth2.register_client",
        POST,
        &[ADMIN_CREDENTIALS],
        Door::OAuthUser(Sharing::PublicClients),
        oauth2::register_client,
    )
    .limited(Limit::Register),
    oauth("frappe.integrations.oauth2.revoke_token", POST, &[], Door::OAuth(Sharing::PublicClients), oauth2::revoke_token)
        .limited(Limit::Revoke),
    method("frappe.ping", true, ANY, &IDENTITY, auth::ping),
    method("frappe.sessions.get_csrf_token", false, GET, &[], sessions::get_csrf_token),
    method("helpdesk.api.auth.get_user", false, ANY, &["read", "write"], helpdesk_auth::get_user),
    method("helpdesk.api.knowledge_base.get_article", true, ANY, &["read", "write"], helpdesk_knowledge_base::get_article),
    method("login", true, POST, &[], auth::login).limited(Limit::LoginFailure),
    method("logout", true, POST, &[], auth::logout),
    method("ping", true, ANY, &IDENTITY, auth::ping),
    // Open to guests because Frappe refuses them by another text than for other methods.
    method("upload_file", true, POST_OR_PUT, FILES, upload_file::upload_file).taking_file(),
];

/// The row of a method.
pub fn find(path: &str) -> Option<&'static Method> {
    METHODS.binary_search_by(|method| method.path.cmp(path)).ok().map(|index| &METHODS[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_find_finds_every_row() {
        for method in METHODS {
            assert!(find(method.path).is_some_and(|found| std::ptr::eq(found, method)), "{}", method.path);
        }
        assert!(find("frappe.nosuch").is_none());
    }
}
