//! Users and clients of a running server, made as an administrator makes them: over HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::app::ADMIN_PASSWORD;
use super::{Caller, Reply, Request};

/// The password of every user made by [`TestApp::user`].
pub const PASSWORD: &str = "a long enough pass phrase 7!";
/// Where codes are sent; nothing listens there.
pub const REDIRECT_URI: &str = "https://app.example.com/callback";
/// A PKCE verifier (RFC 7636 section 4.1).
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk-0123";

const OAUTH: &str = "/api/method/frappe.integrations.oauth2";

/// A server as its administrator sees it. A `TestApp` and a `Program` are one, so these are their methods too.
pub struct Site {
    anonymous: Caller,
    administrator: tokio::sync::OnceCell<Caller>,
}

impl Site {
    /// The server at this URL.
    pub fn at(url: &str) -> Self {
        Self { anonymous: Caller::anonymous(url), administrator: tokio::sync::OnceCell::new() }
    }

    /// Nobody in particular.
    pub fn anonymous(&self) -> Caller {
        self.anonymous.clone()
    }

    /// A browser that nobody logged in with yet.
    pub fn browser(&self) -> Caller {
        self.anonymous.with_cookies()
    }

    /// `Administrator`, with an API key.
    pub async fn administrator(&self) -> Caller {
        let log_in = async || self.existing_user("Administrator", ADMIN_PASSWORD).api_key().await;
        self.administrator.get_or_init(log_in).await.clone()
    }

    /// A user that exists already.
    pub fn existing_user(&self, name: &str, password: &str) -> TestUser {
        TestUser { name: name.to_owned(), password: password.to_owned(), anonymous: self.anonymous() }
    }

    /// A new user without roles.
    pub async fn user(&self, email: &str) -> TestUser {
        self.user_with_roles(email, &[]).await
    }

    /// A new user with roles.
    pub async fn user_with_roles(&self, email: &str, roles: &[&str]) -> TestUser {
        let roles: Vec<Value> = roles.iter().map(|role| json!({ "role": role })).collect();
        let first_name = email.split('@').next().expect("split yields one part at least");
        let body = json!({ "email": email, "first_name": first_name, "new_password": PASSWORD, "roles": roles, "send_welcome_email": 0 });
        self.administrator().await.post("/api/resource/User").json(&body).send().await.expect_status(200);
        self.existing_user(email, PASSWORD)
    }

    /// A new client that acts by itself, as `user`.
    pub async fn machine(&self, user: &TestUser, scopes: &str) -> TestClient {
        self.client(json!({ "grant_type": "Client Credentials", "user": user.name, "scopes": scopes })).await
    }

    /// A new OAuth client: Frappe's fields, with `fields` laid over defaults that a web app would choose.
    pub async fn client(&self, fields: Value) -> TestClient {
        let mut body = json!({
            "app_name": "Test App",
            "scopes": "all openid profile email",
            "redirect_uris": REDIRECT_URI,
            "default_redirect_uri": REDIRECT_URI,
            "grant_type": "Authorization Code",
            "response_type": "Code",
            // Without it only users of the desk may approve, as in Frappe.
            "allowed_roles": [{ "role": "All" }],
        });
        for (name, value) in fields.as_object().expect("an object of fields") {
            body[name] = value.clone();
        }
        let created = self.administrator().await.post("/api/resource/OAuth%20Client").json(&body).send().await.expect_status(200).data();
        let text = |name: &str| created[name].as_str().map(str::to_owned);
        TestClient { id: text("client_id").expect("a client id"), secret: text("client_secret"), anonymous: self.anonymous() }
    }
}

/// Someone with a password.
#[derive(Clone)]
pub struct TestUser {
    pub name: String,
    pub password: String,
    anonymous: Caller,
}

impl TestUser {
    /// Logged in like a browser: the caller keeps its cookies.
    pub async fn cookie(&self) -> Caller {
        let caller = self.anonymous.with_cookies();
        let credentials = json!({ "usr": self.name, "pwd": self.password });
        caller.post("/api/method/login").json(&credentials).send().await.expect_status(200);
        assert!(caller.cookie("sid").is_some_and(|sid| sid != "Guest"), "login sets the sid cookie");
        caller
    }

    /// With a fresh API key (scheme `token`); a pair made before stops working.
    pub async fn api_key(&self) -> Caller {
        let (key, secret) = self.generate_keys().await;
        self.anonymous.with_authorization(format!("token {key}:{secret}"))
    }

    /// The pair itself.
    pub async fn generate_keys(&self) -> (String, String) {
        let path = "/api/method/frappe.core.doctype.user.user.generate_keys";
        let reply = self.cookie().await.post(path).json(&json!({ "user": self.name })).send().await.expect_status(200).message();
        let text = |name: &str| reply[name].as_str().expect(name).to_owned();
        (text("api_key"), text("api_secret"))
    }

    /// With name and password in `Authorization: Basic`.
    pub fn basic(&self) -> Caller {
        self.anonymous.with_authorization(format!("Basic {}", STANDARD.encode(format!("{}:{}", self.name, self.password))))
    }

    /// With an access token of this scope, bought by a trusted client of its own.
    pub async fn bearer(&self, site: &Site, scope: &str) -> Caller {
        let client = site.client(json!({ "scopes": scope, "skip_authorization": 1 })).await;
        let tokens = client.log_in(&self.cookie().await, scope).await;
        self.anonymous.with_authorization(format!("Bearer {}", tokens.access))
    }
}

/// A registered OAuth client.
#[derive(Clone)]
pub struct TestClient {
    pub id: String,
    /// None for a public client.
    pub secret: Option<String>,
    /// Who sends its requests.
    pub anonymous: Caller,
}

/// What get_token answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPair {
    pub access: String,
    pub refresh: Option<String>,
    pub id_token: Option<String>,
}

impl TokenPair {
    /// Reads a successful answer.
    #[track_caller]
    pub fn of(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "body: {}", reply.text());
        let body = reply.json();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        Self { access: text("access_token").expect("an access token"), refresh: text("refresh_token"), id_token: text("id_token") }
    }
}

impl TestClient {
    /// The challenge of [`VERIFIER`] (S256).
    pub fn challenge() -> String {
        URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes()))
    }

    /// Sends a logged-in browser to `authorize`.
    pub async fn authorize(&self, browser: &Caller, scope: &str) -> Reply {
        self.authorize_request(browser, scope).send().await
    }

    /// The same for a server that may be dead.
    pub fn authorize_request(&self, browser: &Caller, scope: &str) -> Request {
        let challenge = Self::challenge();
        let parameters = [
            ("client_id", self.id.as_str()),
            ("redirect_uri", REDIRECT_URI),
            ("response_type", "code"),
            ("scope", scope),
            ("state", "a state"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        browser.get(&format!("{OAUTH}.authorize")).query(&parameters)
    }

    /// A code; where the user is asked, they allow it.
    pub async fn code(&self, browser: &Caller, scope: &str) -> String {
        let mut reply = self.authorize(browser, scope).await;
        if reply.status == 200 {
            reply = super::decide(browser, &reply, "allow").await;
        }
        reply.location_parameter("code").unwrap_or_else(|| panic!("no code in {}", reply.location()))
    }

    /// Posts to get_token as this client (`client_secret_post`, or its id alone when public).
    pub async fn get_token(&self, parameters: &[(&str, &str)]) -> Reply {
        self.post("get_token", parameters).await
    }

    /// Posts a form to one of the OAuth endpoints as this client.
    pub async fn post(&self, endpoint: &str, parameters: &[(&str, &str)]) -> Reply {
        self.request(endpoint, parameters).send().await
    }

    /// The same for who wants to send it elsewhere or to a server that may be dead.
    pub fn request(&self, endpoint: &str, parameters: &[(&str, &str)]) -> Request {
        let mut form = vec![("client_id", self.id.as_str())];
        form.extend(self.secret.as_deref().map(|secret| ("client_secret", secret)));
        form.extend_from_slice(parameters);
        self.anonymous.post(&format!("{OAUTH}.{endpoint}")).form(&form)
    }

    /// Exchanges a code.
    pub async fn exchange(&self, code: &str) -> Reply {
        self.exchange_request(code).send().await
    }

    /// The same for a server that may be dead.
    pub fn exchange_request(&self, code: &str) -> Request {
        let parameters =
            [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT_URI), ("code_verifier", VERIFIER)];
        self.request("get_token", &parameters)
    }

    /// Refreshes.
    pub async fn refresh(&self, refresh_token: &str) -> Reply {
        self.get_token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// A token of client_credentials.
    pub async fn issue(&self) -> Reply {
        self.get_token(&[("grant_type", "client_credentials")]).await
    }

    /// Code and exchange in one.
    pub async fn log_in(&self, browser: &Caller, scope: &str) -> TokenPair {
        TokenPair::of(&self.exchange(&self.code(browser, scope).await).await)
    }

    /// Someone who presents this access token.
    pub fn holder(&self, access_token: &str) -> Caller {
        self.anonymous.with_authorization(format!("Bearer {access_token}"))
    }
}
