//! The table of API methods: name, whether guests may call it, roles, verbs, which scopes reach it, limit, handler.
//!
//! `ostiary methods` prints it. To add a method: a handler in `methods/<python_module>.rs` and a row here.

use super::call::{Handler, Verb};
use super::document_methods;
use super::methods::client::{read, rights, write};
use super::methods::{
    auth, change_log, desk_form, desk_query_report, desk_reportview, desk_search, global_search, helpdesk_auth, helpdesk_knowledge_base,
    oauth_client, oauth2, sessions, share, upload_file, user,
};
use crate::auth::Caller;
use crate::domain::Scope;
use crate::domain::limit::Limit;
use crate::domain::scope::{ADMIN_CREDENTIALS, ALL, Access, IDENTITY};
use crate::domain::user::SYSTEM_MANAGER;
use crate::error::AppError;
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
    /// Which scopes reach it.
    pub reached: Reached,
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

    /// Whether it is called at a path of its own, and not by its name.
    pub fn has_own_path(&self) -> bool {
        self.path.starts_with('/')
    }

    /// Whether the caller has a role that may call it.
    pub fn is_open_to(&self, caller: &Caller) -> bool {
        self.roles.is_empty() || caller.is_administrator() || self.roles.iter().any(|role| caller.has_role(role))
    }
}

/// Which scopes reach a method. A caller whose credential has none may call every method that its user may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// `all`, and the method's own `method:` word.
    All,
    /// These words too.
    Also(&'static [&'static str]),
    /// The words of identity too: it tells no more than they do.
    IdentityToo,
    /// `all` or this word. The method asks for them itself, so its own word alone would not do.
    AllOr(&'static str),
    /// This word and no other, for what guards credentials.
    OnlyWith(&'static str),
    /// Whatever reaches the documents in question: the flows ask for each doctype that a request touches, so the
    /// table lets every scope pass.
    Documents(Access),
    /// No token is looked at: the caller is a client, not a user.
    NoToken,
}

impl Reached {
    /// Refuses a scope that does not reach the method `path`; the error names one that would.
    ///
    /// # Errors
    /// [`AppError::InsufficientScope`].
    pub fn check(self, path: &str, scope: &Scope) -> Result<(), AppError> {
        let own = || format!("method:{path}");
        let (reached, needed) = match self {
            Self::All => (scope.allows_method(path), own()),
            Self::IdentityToo => (scope.allows_method(path) || IDENTITY.iter().any(|word| scope.contains(word)), own()),
            Self::Also(words) => (scope.allows_method(path) || words.iter().any(|word| scope.contains(word)), own()),
            Self::AllOr(word) => (scope.contains(ALL) || scope.contains(word), word.to_owned()),
            Self::OnlyWith(word) => (scope.contains(word), word.to_owned()),
            Self::Documents(_) | Self::NoToken => return Ok(()),
        };
        if reached { Ok(()) } else { Err(AppError::InsufficientScope { needed }) }
    }

    /// The words that reach it, but for its own, as `ostiary methods` lists them.
    pub fn words(self) -> Vec<&'static str> {
        match self {
            Self::All => vec![ALL],
            Self::IdentityToo => [ALL].into_iter().chain(IDENTITY).collect(),
            Self::Also(words) => [ALL].into_iter().chain(words.iter().copied()).collect(),
            Self::AllOr(word) => vec![ALL, word],
            Self::OnlyWith(word) => vec![word],
            Self::Documents(Access::Read) => vec![ALL, "read", "write", "read:<doctype>", "write:<doctype>"],
            Self::Documents(Access::Write) => vec![ALL, "write", "write:<doctype>"],
            Self::NoToken => Vec::new(),
        }
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

use Reached::{All, AllOr, Also, Documents, IdentityToo, NoToken, OnlyWith};
use Verb::{Delete, Get, Post, Put};

const ANY: &[Verb] = &[Get, Post, Put, Delete];
const SAFE_OR_POST: &[Verb] = &[Get, Post];
const CHANGE: &[Verb] = &[Post, Put];
const DELETE_OR_POST: &[Verb] = &[Delete, Post];
const POST: &[Verb] = &[Post];
const GET: &[Verb] = &[Get];
/// The scopes that let files be added; the documents they belong to take theirs besides.
const FILES: Reached = Also(&["write", "write:file"]);

const fn method(path: &'static str, guest: bool, verbs: &'static [Verb], reached: Reached, handler: Handler) -> Method {
    Method { path, guest, roles: &[], verbs, reached, limit: Limit::Request, takes_file: false, door: Door::Frappe, handler }
}

const fn oauth(path: &'static str, verbs: &'static [Verb], reached: Reached, door: Door, handler: Handler) -> Method {
    Method { path, guest: true, roles: &[], verbs, reached, limit: Limit::Request, takes_file: false, door, handler }
}

/// Every API method, by name.
pub static METHODS: &[Method] = &[
    method("frappe.auth.get_logged_user", false, ANY, IdentityToo, auth::get_logged_user),
    method("frappe.client.attach_file", false, CHANGE, FILES, upload_file::attach_file),
    method("frappe.client.bulk_update", false, CHANGE, Documents(Access::Write), write::bulk_update),
    method("frappe.client.cancel", false, CHANGE, Documents(Access::Write), write::cancel),
    method("frappe.client.delete", false, DELETE_OR_POST, Documents(Access::Write), write::delete),
    method("frappe.client.get", false, ANY, Documents(Access::Read), read::get),
    method("frappe.client.get_count", false, ANY, Documents(Access::Read), read::get_count),
    method("frappe.client.get_doc_permissions", false, ANY, Documents(Access::Read), rights::get_doc_permissions),
    method("frappe.client.get_list", false, ANY, Documents(Access::Read), read::get_list),
    method("frappe.client.get_password", false, ANY, Documents(Access::Read), read::get_password),
    method("frappe.client.get_single_value", false, ANY, Documents(Access::Read), read::get_single_value),
    method("frappe.client.get_time_zone", true, ANY, IdentityToo, read::get_time_zone),
    method("frappe.client.get_value", false, ANY, Documents(Access::Read), read::get_value),
    method("frappe.client.has_permission", false, ANY, Documents(Access::Read), rights::has_permission),
    method("frappe.client.insert", false, CHANGE, Documents(Access::Write), write::insert),
    method("frappe.client.insert_many", false, CHANGE, Documents(Access::Write), write::insert_many),
    method("frappe.client.rename_doc", false, CHANGE, Documents(Access::Write), write::rename_doc),
    method("frappe.client.save", false, CHANGE, Documents(Access::Write), write::save),
    method("frappe.client.set_value", false, CHANGE, Documents(Access::Write), write::set_value),
    method("frappe.client.submit", false, CHANGE, Documents(Access::Write), write::submit),
    method("frappe.client.validate_link", false, ANY, Documents(Access::Read), read::validate_link),
    method("frappe.core.doctype.user.user.generate_keys", false, POST, OnlyWith(ADMIN_CREDENTIALS), user::generate_keys),
    method("frappe.desk.form.load.getdoc", false, ANY, Documents(Access::Read), desk_form::getdoc),
    method("frappe.desk.form.load.getdoctype", false, ANY, Documents(Access::Read), desk_form::getdoctype),
    method("frappe.desk.form.save.savedocs", false, CHANGE, Documents(Access::Write), desk_form::savedocs),
    method("frappe.desk.query_report.run", false, SAFE_OR_POST, Documents(Access::Read), desk_query_report::run),
    method("frappe.desk.reportview.get", false, ANY, Documents(Access::Read), desk_reportview::get),
    method("frappe.desk.reportview.get_count", false, ANY, Documents(Access::Read), desk_reportview::get_count),
    method("frappe.desk.reportview.get_list", false, ANY, Documents(Access::Read), desk_reportview::get_list),
    method("frappe.desk.search.search_link", false, ANY, Documents(Access::Read), desk_search::search_link),
    method(
        "frappe.integrations.doctype.oauth_client.oauth_client.rotate_secret",
        false,
        POST,
        OnlyWith(ADMIN_CREDENTIALS),
        oauth_client::rotate_secret,
    )
    .for_roles(&[SYSTEM_MANAGER]),
    oauth("frappe.integrations.oauth2.approve", SAFE_OR_POST, IdentityToo, Door::OAuthUser(Sharing::Configured), oauth2::approve)
        .limited(Limit::Authorize),
    oauth("frappe.integrations.oauth2.authorize", SAFE_OR_POST, IdentityToo, Door::OAuthUser(Sharing::Configured), oauth2::authorize)
        .limited(Limit::Authorize),
    oauth("frappe.integrations.oauth2.end_session", SAFE_OR_POST, IdentityToo, Door::OAuthUser(Sharing::Configured), oauth2::end_session),
    oauth("frappe.integrations.oauth2.get_token", POST, NoToken, Door::OAuth(Sharing::PublicClients), oauth2::get_token)
        .limited(Limit::GetToken),
    oauth("frappe.integrations.oauth2.introspect_token", POST, NoToken, Door::OAuth(Sharing::Configured), oauth2::introspect_token)
        .limited(Limit::Introspect),
    oauth("frappe.integrations.oauth2.jwks", GET, NoToken, Door::OAuth(Sharing::Anyone), oauth2::jwks),
    oauth("frappe.integrations.oauth2.openid_configuration", GET, NoToken, Door::OAuth(Sharing::Anyone), oauth2::openid_configuration),
    oauth(
        "frappe.integrations.oauth2.openid_profile",
        SAFE_OR_POST,
        AllOr("openid"),
        Door::OAuthUser(Sharing::PublicClients),
        oauth2::openid_profile,
    ),
    oauth(
        "frappe.integrations.oauth2.register_client",
        POST,
        OnlyWith(ADMIN_CREDENTIALS),
        Door::OAuthUser(Sharing::PublicClients),
        oauth2::register_client,
    )
    .limited(Limit::Register),
    oauth("frappe.integrations.oauth2.revoke_token", POST, NoToken, Door::OAuth(Sharing::PublicClients), oauth2::revoke_token)
        .limited(Limit::Revoke),
    method("frappe.ping", true, ANY, IdentityToo, auth::ping),
    method("frappe.sessions.get_csrf_token", false, GET, All, sessions::get_csrf_token),
    method("frappe.share.add", false, CHANGE, Documents(Access::Write), share::add),
    method("frappe.share.get_users", false, ANY, Documents(Access::Read), share::get_users),
    // Frappe: no request reaches it, here: one does, because what was shared over the API is taken back over it.
    method("frappe.share.remove", false, DELETE_OR_POST, Documents(Access::Write), share::remove),
    method("frappe.share.set_permission", false, CHANGE, Documents(Access::Write), share::set_permission),
    method("frappe.utils.change_log.get_versions", false, ANY, All, change_log::get_versions),
    method("frappe.utils.global_search.search", false, ANY, Documents(Access::Read), global_search::search),
    method("helpdesk.api.auth.get_user", false, ANY, Documents(Access::Read), helpdesk_auth::get_user),
    method("helpdesk.api.knowledge_base.get_article", true, ANY, Documents(Access::Read), helpdesk_knowledge_base::get_article),
    method("login", true, POST, All, auth::login).limited(Limit::LoginFailure),
    method("logout", true, POST, All, auth::logout),
    method("ping", true, ANY, IdentityToo, auth::ping),
    method("run_doc_method", false, SAFE_OR_POST, Documents(Access::Write), document_methods::run_doc_method),
    // Open to guests because Frappe refuses them by another text than for other methods.
    method("upload_file", true, CHANGE, FILES, upload_file::upload_file).taking_file(),
];

/// `/api/search`: a path of its own, and no method's name.
// Frappe: no such path, here: a search, because the documents have it.
pub static SEARCH: Method = method("/api/search", false, GET, Documents(Access::Read), global_search::api_search);

/// `/api/report/{name}`: the same, for saved reports.
// Frappe: no such path, here: reports, because the documents have it.
pub static REPORT: Method = method("/api/report/{name}", false, GET, Documents(Access::Read), desk_query_report::api_report);

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

    #[test]
    fn a_word_reaches_what_its_row_says_and_nothing_else() {
        let reaches = |reached: Reached, word: &str| reached.check("a.b", &Scope::parse(word).expect("a scope")).is_ok();
        for (reached, yes, no) in [
            (All, &["all", "method:a.b"][..], &["openid", "read", "write", "method:a.c"][..]),
            (FILES, &["all", "method:a.b", "write", "write:file"], &["read", "write:todo", "openid"]),
            (IdentityToo, &["all", "method:a.b", "openid", "roles"], &["read", "write"]),
            (AllOr("openid"), &["all", "openid"], &["profile", "method:a.b"]),
            (OnlyWith(ADMIN_CREDENTIALS), &[ADMIN_CREDENTIALS], &["all", "method:a.b", "write"]),
            (Documents(Access::Read), &["read:todo", "openid"], &[]),
        ] {
            assert!(yes.iter().all(|word| reaches(reached, word)), "{reached:?}");
            assert!(!no.iter().any(|word| reaches(reached, word)), "{reached:?}");
            assert!(reached.words().iter().all(|word| reached == Documents(Access::Read) || reaches(reached, word)), "{reached:?}");
        }
        let needed = OnlyWith(ADMIN_CREDENTIALS).check("a.b", &Scope::parse("all").expect("a scope"));
        assert_eq!(needed, Err(AppError::InsufficientScope { needed: ADMIN_CREDENTIALS.to_owned() }));
    }
}
