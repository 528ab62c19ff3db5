//! OAuth 2.0 and OpenID Connect as clients see them.

mod attacks;
mod authorization_code;
mod authorize;
mod claims;
mod client_auth;
mod client_credentials;
mod client_metadata;
mod clients;
mod consent;
mod discovery;
mod end_session;
mod id_token_hint;
mod introspect;
mod jwks_uri;
mod limits;
mod openid;
mod private_key_jwt;
mod protected_resource;
mod refresh_token;
mod register;
mod resource;
mod revoke;

use serde_json::{Value, json};

use crate::support::{Caller, Reply, TestApp, TestClient};

/// Where codes are sent unless a test says otherwise.
pub const REDIRECT_URI: &str = "https://app.example.com/callback";
/// Below it are the endpoints.
pub const OAUTH: &str = "/api/method/frappe.integrations.oauth2";

/// A logged-in browser and a client that needs no consent page.
pub async fn scene(app: &TestApp) -> (Caller, TestClient) {
    scene_with(app, json!({})).await
}

/// The same with other fields of the client.
pub async fn scene_with(app: &TestApp, fields: Value) -> (Caller, TestClient) {
    let browser = app.user("amina@example.com").await.cookie().await;
    let mut body = json!({"skip_authorization": 1});
    for (name, value) in fields.as_object().expect("an object of fields") {
        body[name] = value.clone();
    }
    (browser, app.client(body).await)
}

/// Sends a browser to `authorize` with exactly these parameters.
pub async fn authorize(browser: &Caller, parameters: &[(&str, &str)]) -> Reply {
    browser.get(&format!("{OAUTH}.authorize")).query(parameters).header("accept", "text/html").send().await
}

/// The parameters of an ordinary request, with PKCE.
pub fn ordinary<'a>(client: &'a TestClient, challenge: &'a str, scope: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("client_id", client.id.as_str()),
        ("redirect_uri", REDIRECT_URI),
        ("response_type", "code"),
        ("scope", scope),
        ("state", "a state"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ]
}

/// Those parameters with some replaced; an empty value drops one.
pub fn but<'a>(mut parameters: Vec<(&'a str, &'a str)>, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    for (name, value) in changes {
        parameters.retain(|(known, _)| known != name);
        if !value.is_empty() {
            parameters.push((name, value));
        }
    }
    parameters
}

/// Fails unless this is an OAuth refusal of this kind.
#[track_caller]
pub fn expect_refusal(reply: &Reply, status: u16, error: &str) {
    assert_eq!((reply.status, reply.error().as_deref()), (status, Some(error)), "{}", reply.text());
    assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with("application/json")), "{:?}", reply.headers);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

/// The text of a hidden field of a page.
#[track_caller]
pub fn hidden_field(page: &str, name: &str) -> String {
    let marker = format!("name=\"{name}\"");
    let input = page.split("<input").find(|input| input.contains(&marker)).unwrap_or_else(|| panic!("no field {name} in {page}"));
    let value = input.split("value=\"").nth(1).unwrap_or_else(|| panic!("no value of {name} in {input}"));
    value.split('"').next().unwrap_or_default().to_owned()
}
