//! `Social Login Key` as Frappe's public documents use it: creating one with a redirect URL and no
//! provider registers an OAuth client and shows its id and secret.

use serde_json::{Map, Value};

use super::oauth_client::secret;
use super::{Created, Draft, SystemDoctype};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::Values;
use crate::domain::Scope;
use crate::error::AppError;
use crate::oauth::clients::{self, ClientKind};
use crate::store;
use crate::store::social_login_keys::{self, SocialLoginKey as Key};

/// The adapter.
pub struct SocialLoginKey;

/// What the client may ask for: Frappe's default for an OAuth Client.
const SCOPE: &str = "all openid";

impl SystemDoctype for SocialLoginKey {
    fn doctype(&self) -> &'static str {
        "Social Login Key"
    }

    fn create(&self, cx: &mut Cx, draft: &Draft<'_>) -> Result<Created, AppError> {
        refuse_upstream(draft)?;
        let (provider_name, redirect_url) = (required(draft.values, "provider_name")?, required(draft.values, "redirect_url")?);
        // Frappe names the document by the provider in lower case with underscores.
        let name = provider_name.to_lowercase().replace(' ', "_");
        if social_login_keys::find_key(cx.conn, &name)?.is_some() {
            return Err(AppError::Duplicate { doctype: self.doctype().into(), name });
        }
        let scope = Scope::parse(SCOPE).map_err(AppError::internal)?;
        let client = ClientKind::Web.template(provider_name, scope, vec![redirect_url.to_owned()]);
        let registered = clients::register(cx, client, &[], draft.caller.name())?;
        let key = Key {
            name: name.clone(),
            provider_name: provider_name.to_owned(),
            client_id: registered.client.client_id.clone(),
            redirect_url: redirect_url.to_owned(),
            owner: draft.caller.name().to_owned(),
            creation: draft.at,
            modified: draft.at,
            modified_by: draft.caller.name().to_owned(),
        };
        social_login_keys::insert_key(cx.conn, &key)?;
        Ok(Created { name, shown_once: secret(registered) })
    }

    fn update(&self, cx: &mut Cx, draft: &Draft<'_>, _: &Map<String, Value>) -> Result<Map<String, Value>, AppError> {
        refuse_upstream(draft)?;
        if draft.values.check("enable_social_login") == Some(false) {
            return Err(AppError::Unsupported("disabling a Social Login Key (delete it instead)".into()));
        }
        let missing = || AppError::not_found("Social Login Key", draft.name);
        let key = social_login_keys::find_key(cx.conn, draft.name)?.ok_or_else(missing)?;
        if let Some(redirect_url) = draft.values.text("redirect_url") {
            let mut client = store::clients::find_client(cx.conn, &key.client_id)?.ok_or_else(missing)?;
            // The app's other addresses stay.
            client.redirect_uris.retain(|uri| *uri != key.redirect_url);
            client.redirect_uris.insert(0, redirect_url.to_owned());
            client.default_redirect_uri = Some(redirect_url.to_owned());
            clients::update(cx, client, None, draft.caller.name())?;
            social_login_keys::update_redirect_url(cx.conn, draft.at, draft.name, redirect_url, draft.caller.name())?;
        }
        Ok(Map::new())
    }

    /// Its client goes with it.
    fn delete(&self, cx: &mut Cx, caller: &Caller, name: &str) -> Result<(), AppError> {
        let key = social_login_keys::find_key(cx.conn, name)?.ok_or_else(|| AppError::not_found("Social Login Key", name))?;
        clients::remove(cx, &key.client_id, caller.name(), false)
    }
}

fn required<'a>(values: &'a Values, fieldname: &str) -> Result<&'a str, AppError> {
    values.text(fieldname).ok_or_else(|| AppError::Validation(format!("{fieldname} is required")))
}

/// Frappe: a provider to log in *with*, here: not yet, and never silently half of it.
fn refuse_upstream(draft: &Draft<'_>) -> Result<(), AppError> {
    let provider = ["base_url", "authorize_url", "access_token_url", "api_endpoint"];
    let named = provider.into_iter().chain(["client_id"]).find(|fieldname| draft.values.text(fieldname).is_some());
    let secret = draft.body.get("client_secret").and_then(Value::as_str).unwrap_or_default();
    // Frappe's desk sends a password field that was not touched as asterisks.
    let chosen = secret.chars().any(|letter| letter != '*').then_some("client_secret");
    match named.or(chosen) {
        None if draft.values.text("social_login_provider").is_none_or(|provider| matches!(provider, "Custom" | "Frappe")) => Ok(()),
        None => Err(AppError::Unsupported("logging in with another provider (social_login_provider)".into())),
        Some(fieldname) => Err(AppError::Unsupported(format!("logging in with another provider ({fieldname})"))),
    }
}
