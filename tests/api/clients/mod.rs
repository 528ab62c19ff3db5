//! The whole flow by clients this project did not write, over real HTTP: the crates `oauth2` and
//! `openidconnect`, and from their registries `openid-client`, Authlib, requests-oauthlib, the MCP TypeScript SDK, frappe-client
//! and frappe-js-sdk. Only the crates' HTTP client is handed to them, and only the person is scripted.

mod authlib;
mod driver;
mod frappe;
mod mcp_sdk;
mod oauth2_crate;
mod openapi;
mod openid_client;
mod openidconnect_crate;
mod requests_oauthlib;

use openidconnect::{HttpRequest, HttpResponse};
use ostiary::config::Registration;
use serde_json::json;
use url::Url;

use crate::support::{Caller, REDIRECT_URI, Setup, TestApp, TestClient, TestUser, decide};

/// Ways to authenticate: as the doctype spells them and as RFC 7591 does.
const METHODS: [(&str, &str); 3] =
    [("Client Secret Basic", "client_secret_basic"), ("Client Secret Post", "client_secret_post"), ("None", "none")];

/// A server where apps may register themselves.
async fn registration_open(setup: Setup) -> TestApp {
    setup.configure(|config| config.oauth.registration = Registration::Open).start().await
}

/// A web app with a page for users who logged out.
async fn web_app(app: &TestApp, method: &str, algorithm: &str) -> TestClient {
    let fields = json!({
        "token_endpoint_auth_method": method,
        "id_token_alg": algorithm,
        "scopes": "openid profile email offline_access read",
        "post_logout_redirect_uris": "https://app.example.com/bye",
    });
    app.client(fields).await
}

/// Sends what a client crate made, as it is. Redirects are not followed.
async fn send(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
    let mut request = reqwest::Request::try_from(request)?;
    // The crates revoke over TLS only. It ends here, as it does at a proxy in front of the server.
    if request.url().scheme() == "https" {
        request.url_mut().set_scheme("http").expect("both are web schemes");
    }
    let response = http.execute(request).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut answer = HttpResponse::new(response.bytes().await?.to_vec());
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// An address of the server as somebody names it who reaches it over TLS.
fn over_tls(url: &str) -> String {
    url.replacen("http://", "https://", 1)
}

/// What arrived at the client's redirect URI.
struct Landed(Url);

impl Landed {
    fn get(&self, name: &str) -> Option<String> {
        self.0.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// A person opens the client's address without being logged in, logs in with the form they get,
/// follows the way back and presses Allow.
async fn allow(browser: &Caller, user: &TestUser, address: &Url) -> Landed {
    let login = browser.get(address.as_str()).send().await.expect_status(302);
    let back = login.location_parameter("redirect-to").expect("the way back");
    let form = [("usr", user.name.as_str()), ("pwd", &user.password), ("redirect_to", &back)];
    browser.post(login.location().path()).form(&form).send().await.expect_status(302);
    let page = browser.get(&back).send().await.expect_status(200);
    let landed = decide(browser, &page, "allow").await.expect_status(302).location();
    assert!(landed.as_str().starts_with(REDIRECT_URI), "{landed}");
    Landed(landed)
}
