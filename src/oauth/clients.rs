//! The registry of clients: what the doctype `OAuth Client`, the doctype `Social Login Key` and
//! `ostiary client` do to them. Secrets leave here once and are stored as hashes.

use super::grants::{AUTHORIZATION_CODE, CLIENT_CREDENTIALS, GRANTS, REFRESH_TOKEN};
use crate::audit::{self, AuditEvent};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::domain::Scope;
use crate::domain::client::{AuthMethod, Client, SigningAlgorithm, check_redirect_uri};
use crate::domain::user::{ADMINISTRATOR, GUEST};
use crate::error::{AppError, Denied};
use crate::secrets::{SecretHash, mint};
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
    let secret = match client.auth_method.is_public() {
        true => None,
        false => Some(give_secret(cx, &client.client_id)?),
    };
    note_described(cx, &client.client_id, by, "registered")?;
    Ok(Registered { client, secret })
}

/// Replaces a client's registration; `allowed_roles` `None` leaves them. One that becomes
/// confidential gets its first secret, one that becomes public loses all.
///
/// # Errors
/// As [`register`], and [`AppError::NotFound`].
pub fn update(cx: &mut Cx, client: Client, allowed_roles: Option<&[String]>, by: &str) -> Result<Registered, AppError> {
    let registered = replace(cx, client, allowed_roles, by)?;
    note(cx, &registered.client.client_id, by, "changed")?;
    Ok(registered)
}

/// [`update`] by the client's own description, as it is published now. Anybody can publish a new one every minute, so
/// only what is cached of this client is forgotten.
///
/// # Errors
/// As [`register`].
pub(super) fn update_described(cx: &mut Cx, client: Client) -> Result<(), AppError> {
    let registered = replace(cx, client, None, GUEST)?;
    note_described(cx, &registered.client.client_id, GUEST, "changed")
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
    let secret = if client.auth_method.is_public() {
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

/// Replaces a client's secret; the old one is refused from here on. Returns the new one.
///
/// # Errors
/// [`AppError::NotFound`]; [`AppError::Validation`] for a public client; [`AppError::NotPermitted`] for one that
/// acts as Administrator.
pub fn rotate_secret(cx: &mut Cx, client_id: &str, by: &str) -> Result<String, AppError> {
    let client = clients::find_client(cx.conn, client_id)?.ok_or_else(|| AppError::not_found("OAuth Client", client_id))?;
    require_own_power(client.user.as_deref(), by)?;
    if client.auth_method.is_public() {
        return Err(AppError::Validation("This client is public (Token Endpoint Auth Method None): it has no secret.".into()));
    }
    clients::revoke_secrets(cx.conn, client_id)?;
    let secret = give_secret(cx, client_id)?;
    note(cx, client_id, by, "secret rotated")?;
    Ok(secret)
}

/// [`rotate_secret`] for a caller, whose own reach the client must not exceed.
///
/// # Errors
/// As [`rotate_secret`] and [`require_reach`].
pub fn rotate_secret_for(cx: &mut Cx, caller: &Caller, client_id: &str) -> Result<String, AppError> {
    let client = clients::find_client(cx.conn, client_id)?.ok_or_else(|| AppError::not_found("OAuth Client", client_id))?;
    require_reach(caller, &client)?;
    rotate_secret(cx, client_id, caller.name())
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
    note(cx, client_id, by, "removed")
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

/// Keeps what an administrator did; whatever was cached is not trusted any more.
fn note(cx: &mut Cx, client_id: &str, by: &str, what: &'static str) -> Result<(), AppError> {
    epochs::bump(cx.conn, cx.effects, cx.now, EVERYBODY)?;
    record(cx, client_id, by, what)
}

/// Keeps what a client said of itself, for which no other need be asked for again.
fn note_described(cx: &mut Cx, client_id: &str, by: &str, what: &'static str) -> Result<(), AppError> {
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
            return refuse("client_credentials is for clients with a secret".into());
        }
        if client.user.is_none() {
            return refuse("client_credentials needs a service account: set the field user".into());
        }
        if client.user.as_deref() == Some(GUEST) {
            return refuse("Guest cannot be a service account: set the field user to somebody who can log in".into());
        }
    }
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

fn is_web_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
