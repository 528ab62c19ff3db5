//! The apps that a user let in, as the user's own page lists them. Showing one out again is
//! [`withdraw`](super::revoke::withdraw).

use std::collections::BTreeMap;

use super::authorize::ConsentedAt;
use super::client_documents;
use crate::cx::Cx;
use crate::domain::client::Client;
use crate::domain::{Instant, Scope};
use crate::error::AppError;
use crate::store::{clients, consents, grants};

/// An app that may do something in a user's name, or that would not be asked about.
#[derive(Clone, Debug, PartialEq)]
pub struct AllowedApp {
    pub client: Client,
    /// The host that says who the client is, for one that describes itself.
    pub described_at: Option<String>,
    /// What it may do or know, resource by resource.
    pub access: Vec<Access>,
    /// When it was first let in, as far as that is still remembered.
    pub since: Instant,
    /// When the user last logged in to it, if what that gave it is still in force.
    pub last_login: Option<Instant>,
}

/// What an app may do at one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// The resource, unless it is the whole API of this server.
    pub at: Option<ConsentedAt>,
    pub scope: Scope,
}

/// An app as it is put together; this server's own API is no resource, and comes first.
struct Found {
    scopes: BTreeMap<Option<String>, Scope>,
    since: Instant,
    last_login: Option<Instant>,
}

impl Found {
    fn first_seen(since: Instant) -> Self {
        Self { scopes: BTreeMap::new(), since, last_login: None }
    }

    fn add(&mut self, resource: Option<String>, scope: &Scope, since: Instant) {
        let known = self.scopes.entry(resource).or_default();
        *known = known.union(scope);
        self.since = self.since.min(since);
    }
}

/// The apps that a user allowed and those that hold grants of theirs in force, by name.
///
/// # Errors
/// [`AppError`] from the database.
pub fn list(cx: &mut Cx, user: &str) -> Result<Vec<AllowedApp>, AppError> {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for consent in consents::list_of_user(cx.conn, user)? {
        let entry = found.entry(consent.client_id).or_insert_with(|| Found::first_seen(consent.created));
        entry.add(consent.resource, &consent.scope, consent.created);
    }
    for group in grants::list_live_by_client(cx.conn, cx.now, user)? {
        let carriers = group.claims.map(|claims| claims.carriers()).unwrap_or_default();
        let entry = found.entry(group.client_id).or_insert_with(|| Found::first_seen(group.first));
        entry.add(group.resource, &group.scope.union(&carriers), group.first);
        entry.last_login = entry.last_login.max(Some(group.last));
    }
    let ids: Vec<&str> = found.keys().map(String::as_str).collect();
    let mut apps = Vec::with_capacity(ids.len());
    for client in clients::list_by_id(cx.conn, &ids)? {
        let Some(Found { scopes, since, last_login }) = found.remove(&client.client_id) else { continue };
        let mut access = Vec::with_capacity(scopes.len());
        for (resource, scope) in scopes {
            access.push(Access { at: resource.map(|uri| ConsentedAt::of(cx, uri)).transpose()?, scope });
        }
        let described_at = match client_documents::describes_itself(cx, &client.client_id)? {
            true => client_documents::host_of(&client.client_id),
            false => None,
        };
        apps.push(AllowedApp { client, described_at, access, since, last_login });
    }
    apps.sort_by_cached_key(|app| (app.client.app_name.to_lowercase(), app.client.client_id.clone()));
    Ok(apps)
}
