//! `OAuth Client`: the registry of clients as a doctype.

use serde_json::{Map, Value};

use super::{Created, Draft, SystemDoctype};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::Values;
use crate::domain::Scope;
use crate::domain::client::{AuthMethod, Client, SigningAlgorithm};
use crate::error::AppError;
use crate::oauth::clients::{self, ClientKind, Registered};
use crate::oauth::grants::{AUTHORIZATION_CODE, CLIENT_CREDENTIALS, REFRESH_TOKEN};
use crate::store;

/// The adapter.
pub struct OAuthClient;

impl SystemDoctype for OAuthClient {
    fn doctype(&self) -> &'static str {
        "OAuth Client"
    }

    fn deleted_along(&self) -> &'static [&'static str] {
        // Only a token that is in force keeps its client; `clients::remove` looks for one.
        &["OAuth Bearer Token", "OAuth Client Role", "Social Login Key"]
    }

    fn create(&self, cx: &mut Cx, draft: &Draft<'_>) -> Result<Created, AppError> {
        refuse_chosen_secret(draft)?;
        let mut client = ClientKind::Web.template("", Scope::default(), Vec::new());
        client.client_id = draft.name.to_owned();
        change(&mut client, draft.values)?;
        clients::require_reach(draft.caller, &client)?;
        // Frappe: an empty table becomes Desk User, so an app for everybody names the role All.
        let roles = allowed_roles(draft.values).filter(|roles| !roles.is_empty()).unwrap_or_else(|| vec!["Desk User".to_owned()]);
        let registered = clients::register(cx, client, &roles, draft.caller.name())?;
        Ok(Created { name: registered.client.client_id.clone(), shown_once: secret(registered) })
    }

    fn update(&self, cx: &mut Cx, draft: &Draft<'_>, _: &Map<String, Value>) -> Result<Map<String, Value>, AppError> {
        refuse_chosen_secret(draft)?;
        let found = store::clients::find_client(cx.conn, draft.name)?;
        let mut client = found.ok_or_else(|| AppError::not_found("OAuth Client", draft.name))?;
        clients::require_reach(draft.caller, &client)?;
        change(&mut client, draft.values)?;
        clients::require_reach(draft.caller, &client)?;
        let roles = allowed_roles(draft.values);
        let registered = clients::update(cx, client, roles.as_deref(), draft.caller.name())?;
        Ok(secret(registered))
    }

    fn spares(&self, whole: &Values) -> &'static [&'static str] {
        // Frappe: demanded of every client, here: of those that send users somewhere, because a machine does not.
        if whole.text("grant_type") == Some(MACHINE) { &["default_redirect_uri"] } else { &[] }
    }

    fn delete(&self, cx: &mut Cx, caller: &Caller, name: &str) -> Result<(), AppError> {
        clients::remove(cx, name, caller.name(), false)
    }
}

/// The secret, to be shown this once.
pub(super) fn secret(registered: Registered) -> Map<String, Value> {
    registered.secret.map(|secret| ("client_secret".to_owned(), Value::from(secret))).into_iter().collect()
}

/// Secrets are made here: a chosen one would be guessable.
fn refuse_chosen_secret(draft: &Draft<'_>) -> Result<(), AppError> {
    let sent = draft.body.get("client_secret").and_then(Value::as_str).unwrap_or_default();
    // Frappe's desk sends a password field that was not touched as asterisks.
    if sent.chars().any(|letter| letter != '*') {
        return Err(AppError::Validation("App Client Secret is made by the server and shown once; it cannot be chosen".into()));
    }
    Ok(())
}

fn allowed_roles(values: &Values) -> Option<Vec<String>> {
    let rows = values.rows("allowed_roles")?;
    let mut roles: Vec<String> = rows.iter().filter_map(|row| row.text("role")).map(str::to_owned).collect();
    let mut seen = std::collections::HashSet::new();
    roles.retain(|role| seen.insert(role.clone()));
    Some(roles)
}

/// Applies the fields that are part of a change.
fn change(client: &mut Client, values: &Values) -> Result<(), AppError> {
    let not_an_option =
        |label: &str, value: &str| AppError::NotAnOption { label: label.into(), value: value.into(), options: Vec::new(), row: None };
    for (fieldname, value) in values.iter() {
        let text = value.as_text().map(str::trim).filter(|text| !text.is_empty());
        let check = values.check(fieldname).unwrap_or(false);
        match fieldname {
            "app_name" => client.app_name = text.unwrap_or_default().to_owned(),
            "user" => client.user = text.map(str::to_owned),
            "skip_authorization" => client.skip_authorization = check,
            "verified" => client.verified = check,
            "scopes" => {
                client.scope = Scope::parse(text.unwrap_or_default()).map_err(|error| AppError::Validation(format!("Scopes: {error}")))?;
            }
            "redirect_uris" => client.redirect_uris = words(text),
            "default_redirect_uri" => client.default_redirect_uri = text.map(str::to_owned),
            "post_logout_redirect_uris" => client.post_logout_redirect_uris = words(text),
            "grant_type" => client.grant_types = grant_types(text.unwrap_or("Authorization Code"))?,
            "response_type" if text == Some("Token") => return Err(refuse_implicit()),
            "token_endpoint_auth_method" => {
                let method = text.unwrap_or("Client Secret");
                client.auth_method = AuthMethod::from_text(method).ok_or_else(|| not_an_option("Token Endpoint Auth Method", method))?;
            }
            "jwks" => client.jwks = text.map(str::to_owned),
            "jwks_uri" => client.jwks_uri = text.map(str::to_owned),
            "token_endpoint_auth_signing_alg" => {
                let read =
                    |name| SigningAlgorithm::from_text(name).ok_or_else(|| not_an_option("Token Endpoint Auth Signing Algorithm", name));
                client.auth_signing_algorithm = text.map(read).transpose()?;
            }
            "legacy_no_pkce" => client.legacy_no_pkce = check,
            "is_resource_server" => client.is_resource_server = check,
            "id_token_alg" => {
                let name = text.unwrap_or("RS256");
                client.id_token_algorithm = SigningAlgorithm::from_text(name).ok_or_else(|| not_an_option("ID Token Algorithm", name))?;
            }
            "client_uri" => client.client_uri = text.map(str::to_owned),
            "logo_uri" => client.logo_uri = text.map(str::to_owned),
            "tos_uri" => client.tos_uri = text.map(str::to_owned),
            "policy_uri" => client.policy_uri = text.map(str::to_owned),
            "software_id" => client.software_id = text.map(str::to_owned),
            "software_version" => client.software_version = text.map(str::to_owned),
            "contacts" => client.contacts = text.unwrap_or_default().lines().map(str::to_owned).collect(),
            // What follows from the rest, or was checked before.
            _ => {}
        }
    }
    Ok(())
}

fn words(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// The grant type of clients that act by themselves.
const MACHINE: &str = "Client Credentials";

fn grant_types(label: &str) -> Result<Vec<String>, AppError> {
    match label {
        "Authorization Code" => Ok(vec![AUTHORIZATION_CODE.to_owned(), REFRESH_TOKEN.to_owned()]),
        MACHINE => Ok(vec![CLIENT_CREDENTIALS.to_owned()]),
        _ => Err(refuse_implicit()),
    }
}

/// Frappe: a choice, here: refused, because RFC 9700 section 2.1.2 retires it.
fn refuse_implicit() -> AppError {
    AppError::Validation(
        "Grant Type Implicit (Response Type Token) is not offered: it puts access tokens into addresses and browser histories. \
         Use Authorization Code; a client without a secret sets Token Endpoint Auth Method to None and uses PKCE"
            .into(),
    )
}
