//! The registry of clients: what the doctype `OAuth Client`, the doctype `Social Login Key` and
//! `ostiary client` do to them. Secrets leave here once and are stored as hashes.

use std::time::Duration;

use super::grants::{AUTHORIZATION_CODE, CLIENT_CREDENTIALS, GRANTS, REFRESH_TOKEN};
use crate::audit::{self, AuditEvent};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::domain::client::{AuthMethod, Client, SigningAlgorithm, check_redirect_uri};
use crate::domain::user::{ADMINISTRATOR, GUEST};
use crate::domain::{Instant, Scope};
use crate::error::{AppError, Denied};
use crate::secrets::{PublicKeySet, SecretHash, mint};
use crate::store::clients::{self, ClientRecord};
use crate::store::epochs::{self, CLIENTS, EVERYBODY};
use crate::store::{consents, grants, roles, tokens, users};

/// What `ostiary client add --kind` offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// A server that keeps a secret.
    Web,
    /// A page in a browser: no secret, PKCE.
    Browser,
    /// A program on the user's device: no secret, PKCE, private scheme or loopback.
    Native,
    /// A machine that acts as its service account.
    Machine,
    /// An integration written against Frappe's documents: code, client_id and redirect_uri, nothing else.
    OldFrappe,
}

impl ClientKind {
    /// All of them.
    pub const ALL: [ClientKind; 5] = [Self::Web, Self::Browser, Self::Native, Self::Machine, Self::OldFrappe];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Browser => "browser",
            Self::Native => "native",
            Self::Machine => "machine",
            Self::OldFrappe => "old-frappe",
        }
    }

    /// Reads the word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// A client of this kind with everything at its default.
    pub fn template(self, app_name: &str, scope: Scope, redirect_uris: Vec<String>) -> Client {
        let (auth_method, grant_types): (_, &[&str]) = match self {
            Self::Web | Self::OldFrappe => (AuthMethod::Secret, &[AUTHORIZATION_CODE, REFRESH_TOKEN]),
            Self::Browser | Self::Native => (AuthMethod::None, &[AUTHORIZATION_CODE, REFRESH_TOKEN]),
            Self::Machine => (AuthMethod::Secret, &[CLIENT_CREDENTIALS]),
        };
        Client {
            client_id: String::new(),
            app_name: app_name.to_owned(),
            user: None,
            skip_authorization: false,
            verified: true,
            scope,
            default_redirect_uri: redirect_uris.first().cloned(),
            redirect_uris,
            post_logout_redirect_uris: Vec::new(),
            grant_types: grant_types.iter().map(|&name| name.to_owned()).collect(),
            auth_method,
            jwks: None,
            jwks_uri: None,
            auth_signing_algorithm: None,
            legacy_no_pkce: self == Self::OldFrappe,
            is_resource_server: false,
            id_token_algorithm: SigningAlgorithm::ALL[0],
            client_uri: None,
            logo_uri: None,
            tos_uri: None,
            policy_uri: None,
            software_id: None,
            software_version: None,
            contacts: Vec::new(),
        }
    }
}

/// A client that was registered or changed, and its new secret if it got one: shown now and never again.
#[derive(Clone)]
pub struct Registered {
    pub client: Client,
    pub secret: Option<String>,
}

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registered({}, [redacted])", self.client.client_id)
    }
}

/// Registers a client, under a new id unless it brings one. `allowed_roles` empty: every user may approve it.
///
/// # Errors
/// [`AppError::Validation`] that says what is wrong with it; [`AppError::LinkNotFound`] for a user or role;
/// [`AppError::NotPermitted`] for one that would act as Administrator, unless that is who asks.
pub fn register(cx: &mut Cx, client: Client, allowed_roles: &[String], by: &str) -> Result<Registered, AppError> {
    let client_id = if client.client_id.is_empty() { mint::name(10) } else { client.client_id };
    let client = Client { client_id, ..client };
    require_own_power(client.user.as_deref(), by)?;
    check(cx, &client, allowed_roles)?;
    let record = ClientRecord { client, owner: by.to_owned(), creation: cx.now, modified: cx.now, modified_by: by.to_owned() };
    clients::insert_client(cx.conn, &record)?;
    let client = record.client;
    clients::replace_allowed_roles(cx.conn, cx.now, &client.client_id, allowed_roles, by)?;
    let secret = match client.auth_method.has_secret() {
        true => Some(give_secret(cx, &client.client_id)?),
        false => None,
    };
    note_own(cx, &client.client_id, by, "registered")?;
    Ok(Registered { client, secret })
}

/// Replaces a client's registration; `allowed_roles` `None` leaves them. One whose way to authenticate
/// becomes a secret gets its first, one that has another way from now on loses all.
///
/// # Errors
/// As [`register`], and [`AppError::NotFound`].
pub fn update(cx: &mut Cx, client: Client, allowed_roles: Option<&[String]>, by: &str) -> Result<Registered, AppError> {
    let registered = replace(cx, client, allowed_roles, by)?;
    note_all(cx, &registered.client.client_id, by, "changed")?;
    Ok(registered)
}

/// [`update`] by the client's own description, as it is published now. Anybody can publish a new one every minute, so
/// only what is cached of this client is forgotten.
///
/// # Errors
/// As [`register`].
pub(super) fn update_described(cx: &mut Cx, client: Client) -> Result<(), AppError> {
    let registered = replace(cx, client, None, GUEST)?;
    note_own(cx, &registered.client.client_id, GUEST, "changed")
}

fn replace(cx: &mut Cx, client: Client, allowed_roles: Option<&[String]>, by: &str) -> Result<Registered, AppError> {
    let before = clients::find_client(cx.conn, &client.client_id)?.ok_or_else(|| AppError::not_found("OAuth Client", &client.client_id))?;
    require_own_power(before.user.as_deref(), by)?;
    require_own_power(client.user.as_deref(), by)?;
    check(cx, &client, allowed_roles.unwrap_or_default())?;
    if !clients::update_client(cx.conn, cx.now, &client, by)? {
        return Err(AppError::not_found("OAuth Client", &client.client_id));
    }
    if let Some(roles) = allowed_roles {
        clients::replace_allowed_roles(cx.conn, cx.now, &client.client_id, roles, by)?;
    }
    let secret = if !client.auth_method.has_secret() {
        clients::revoke_secrets(cx.conn, &client.client_id)?;
        None
    } else if clients::has_secret(cx.conn, &client.client_id)? {
        None
    } else {
        Some(give_secret(cx, &client.client_id)?)
    };
    if client.redirect_uris.iter().chain(&client.default_redirect_uri).any(|uri| !before.matches_redirect_uri(uri)) {
        // What users allowed was an answer to the old addresses; the new ones may be somebody else's.
        consents::revoke_consents_of_client(cx.conn, &client.client_id)?;
    }
    Ok(Registered { client, secret })
}

/// How long a replaced secret stays valid beside the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap(Duration);

impl Overlap {
    const MOST_DAYS: u64 = 90;

    /// Reads `30m`, `12h` or `7d`; a number alone is days.
    ///
    /// # Errors
    /// A text that says what is accepted.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let refuse = || format!("give a time from 1m to {}d, such as 30m, 12h or 7d", Self::MOST_DAYS);
        let digits = text.trim_end_matches(['m', 'h', 'd']);
        let seconds = match &text[digits.len()..] {
            "m" => 60,
            "h" => 3600,
            "d" | "" => 86_400,
            _ => return Err(refuse()),
        };
        let count: u64 = digits.parse().map_err(|_| refuse())?;
        let total = count.checked_mul(seconds).filter(|total| (60..=Self::MOST_DAYS * 86_400).contains(total));
        total.map(|total| Self(Duration::from_secs(total))).ok_or_else(refuse)
    }
}

/// A secret that was replaced.
#[derive(Clone)]
pub struct Rotated {
    /// The new one: shown now and never again.
    pub secret: String,
    /// Until when the old one is accepted too.
    pub old_until: Option<Instant>,
}

impl std::fmt::Debug for Rotated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rotated([redacted], {:?})", self.old_until)
    }
}

/// Replaces a client's secret. The old one is refused from here on, or after `overlap`; one that was
/// replaced before it ends now, so that never more than two are valid.
///
/// # Errors
/// [`AppError::NotFound`]; [`AppError::Validation`] for a client without secrets; [`AppError::NotPermitted`] for one
/// that acts as Administrator.
pub fn rotate_secret(cx: &mut Cx, client_id: &str, overlap: Option<Overlap>, by: &str) -> Result<Rotated, AppError> {
    let client = clients::find_client(cx.conn, client_id)?.ok_or_else(|| AppError::not_found("OAuth Client", client_id))?;
    require_own_power(client.user.as_deref(), by)?;
    let without = match client.auth_method {
        AuthMethod::Secret | AuthMethod::SecretBasic | AuthMethod::SecretPost => None,
        AuthMethod::PrivateKeyJwt => Some("authenticates with its own key (Token Endpoint Auth Method Private Key JWT)"),
        AuthMethod::None => Some("is public (Token Endpoint Auth Method None)"),
    };
    if let Some(how) = without {
        return Err(AppError::Validation(format!("This client {how}: it has no secret.")));
    }
    let old_until = overlap.map(|Overlap(duration)| cx.now.plus(duration));
    clients::retire_secrets(cx.conn, client_id, old_until)?;
    let secret = give_secret(cx, client_id)?;
    note_all(cx, client_id, by, if old_until.is_some() { "secret rotated, old one kept for a time" } else { "secret rotated" })?;
    Ok(Rotated { secret, old_until })
}

/// [`rotate_secret`] for a caller, whose own reach the client must not exceed.
///
/// # Errors
/// As [`rotate_secret`] and [`require_reach`].
pub fn rotate_secret_for(cx: &mut Cx, caller: &Caller, client_id: &str, overlap: Option<Overlap>) -> Result<Rotated, AppError> {
    let client = clients::find_client(cx.conn, client_id)?.ok_or_else(|| AppError::not_found("OAuth Client", client_id))?;
    require_reach(caller, &client)?;
    rotate_secret(cx, client_id, overlap, caller.name())
}

/// Removes a client. While a token of it is in force that is refused, unless `force` ends them first.
///
/// # Errors
/// [`AppError::NotFound`]; [`AppError::LinkExists`] naming what is in force.
pub fn remove(cx: &mut Cx, client_id: &str, by: &str, force: bool) -> Result<(), AppError> {
    let live = match grants::find_live_of_client(cx.conn, cx.now, client_id)? {
        Some(grant) => Some(grant),
        None => tokens::find_live_without_grant(cx.conn, cx.now, client_id)?,
    };
    if let Some(token) = live.filter(|_| !force) {
        return Err(AppError::LinkExists {
            doctype: "OAuth Client".into(),
            name: client_id.to_owned(),
            by_doctype: "OAuth Bearer Token".into(),
            by_name: token,
        });
    }
    // Tokens need no deleting: one whose client is gone opens nothing.
    if !clients::delete_client(cx.conn, client_id)? {
        return Err(AppError::not_found("OAuth Client", client_id));
    }
    note_all(cx, client_id, by, "removed")
}

/// Refuses a client that would reach further or live longer than the credential that registers it
/// (design: "Credentials are guarded"). One that acts by itself lives until it is removed.
///
/// # Errors
/// [`AppError::NotPermitted`].
pub fn require_reach(caller: &Caller, client: &Client) -> Result<(), AppError> {
    let refuse = |text: &str| Err(AppError::NotPermitted(Denied::Because(text.into())));
    if caller.is_limited() && (client.user.is_some() || client.may(CLIENT_CREDENTIALS)) {
        return refuse(
            "A client with a service account would outlive the credential that asks: use a session, or an API key without scope and expiry",
        );
    }
    let Some(scope) = &caller.scope else { return Ok(()) };
    if !scope.covers(&client.scope) {
        return refuse("A client cannot have scopes that the credential registering it lacks");
    }
    Ok(())
}

fn give_secret(cx: &mut Cx, client_id: &str) -> Result<String, AppError> {
    let secret = mint::secret(mint::Kind::ClientSecret);
    clients::insert_secret(cx.conn, cx.now, client_id, &SecretHash::of(&secret))?;
    Ok(secret)
}

/// Keeps what was done to a client, and has every cache forget everything: users, credentials, resources, clients and
/// introspections may all have depended on what it was.
fn note_all(cx: &mut Cx, client_id: &str, by: &str, what: &'static str) -> Result<(), AppError> {
    epochs::bump(cx.conn, cx.effects, cx.now, EVERYBODY)?;
    record(cx, client_id, by, what)
}

/// Keeps what was done to a client, and has the caches forget what they hold of this one, and which origins all of them
/// have: enough for a client that is new, and for one that changes its own description, which anybody can do at will.
fn note_own(cx: &mut Cx, client_id: &str, by: &str, what: &'static str) -> Result<(), AppError> {
    epochs::bump(cx.conn, cx.effects, cx.now, CLIENTS)?;
    epochs::bump(cx.conn, cx.effects, cx.now, client_id)?;
    record(cx, client_id, by, what)
}

fn record(cx: &mut Cx, client_id: &str, by: &str, what: &'static str) -> Result<(), AppError> {
    Ok(audit::record(cx, None, &AuditEvent::ClientChanged { by: by.to_owned(), client_id: client_id.to_owned(), what })?)
}

/// A client with client_credentials is its user. Whoever could register one for Administrator, or get
/// the secret of one, would be Administrator.
fn require_own_power(acts_as: Option<&str>, by: &str) -> Result<(), AppError> {
    if acts_as == Some(ADMINISTRATOR) && by != ADMINISTRATOR {
        let reason = "Only Administrator can register or change a client that acts as Administrator";
        return Err(AppError::NotPermitted(Denied::Because(reason.into())));
    }
    Ok(())
}

fn check(cx: &mut Cx, client: &Client, allowed_roles: &[String]) -> Result<(), AppError> {
    let refuse = |text: String| Err(AppError::Validation(text));
    if client.app_name.trim().is_empty() {
        return refuse("App Name is required".into());
    }
    if client.scope.is_empty() {
        return refuse("Scopes are required".into());
    }
    for uri in client.redirect_uris.iter().chain(&client.default_redirect_uri).chain(&client.post_logout_redirect_uris) {
        check_redirect_uri(uri).map_err(|error| AppError::Validation(error.to_string()))?;
    }
    if let Some(unknown) = client.grant_types.iter().find(|name| !GRANTS.iter().any(|grant| grant.name == name.as_str())) {
        return refuse(format!("Grant type {unknown} is not offered"));
    }
    if client.may(AUTHORIZATION_CODE) && client.redirect_uris.is_empty() && client.default_redirect_uri.is_none() {
        return refuse("A client that logs users in needs a redirect URI".into());
    }
    if client.may(CLIENT_CREDENTIALS) {
        if client.auth_method.is_public() {
            return refuse("client_credentials is for clients that authenticate: by a secret, or by a key of their own".into());
        }
        if client.user.is_none() {
            return refuse("client_credentials needs a service account: set the field user".into());
        }
        if client.user.as_deref() == Some(GUEST) {
            return refuse("Guest cannot be a service account: set the field user to somebody who can log in".into());
        }
    }
    check_keys(client)?;
    for (label, uri) in [
        ("Client URI", &client.client_uri),
        ("Logo URI", &client.logo_uri),
        ("TOS URI", &client.tos_uri),
        ("Policy URI", &client.policy_uri),
    ] {
        // They become links on the consent page.
        if uri.as_deref().is_some_and(|uri| !is_web_url(uri)) {
            return refuse(format!("{label} must be an http or https URL"));
        }
    }
    if let Some(user) = &client.user
        && users::find_user(cx.conn, user)?.is_none()
    {
        return Err(AppError::LinkNotFound { label: "User".into(), value: user.clone() });
    }
    for role in allowed_roles {
        if roles::find_role(cx.conn, role)?.is_none() {
            return Err(AppError::LinkNotFound { label: "Role".into(), value: role.clone() });
        }
    }
    Ok(())
}

/// Refuses keys that nothing could be verified with, and a client that is to use keys and has none.
fn check_keys(client: &Client) -> Result<(), AppError> {
    let refuse = |text: String| Err(AppError::Validation(text));
    if client.jwks.is_some() && client.jwks_uri.is_some() {
        return refuse("Give jwks or jwks_uri, not both".into());
    }
    if let Some(Err(error)) = client.jwks.as_deref().map(PublicKeySet::parse) {
        return refuse(format!("jwks {error}"));
    }
    if client.jwks_uri.as_deref().is_some_and(|uri| !is_key_address(uri)) {
        return refuse("jwks_uri must be an https URL without user name, password and fragment".into());
    }
    if client.auth_method == AuthMethod::PrivateKeyJwt {
        if client.jwks.is_none() && client.jwks_uri.is_none() {
            return refuse("private_key_jwt needs the client's public keys: jwks or jwks_uri".into());
        }
        if client.legacy_no_pkce {
            return refuse("An old Frappe integration (legacy_no_pkce) cannot use private_key_jwt".into());
        }
    }
    Ok(())
}

fn is_key_address(uri: &str) -> bool {
    uri.len() <= 2000
        && url::Url::parse(uri)
            .is_ok_and(|url| url.scheme() == "https" && url.username().is_empty() && url.password().is_none() && url.fragment().is_none())
}

fn is_web_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
