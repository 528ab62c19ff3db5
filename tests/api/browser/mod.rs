//! The main job in a real browser: somebody else's page sends a person here to log in and allow it.
//!
//! Each test has a Chromium with an empty profile, and presses what a person would press. The other
//! page lives at `localhost`, the server at `127.0.0.1`: two sites to a browser. At the end of each
//! test the console must be empty: no page of ours breaks its own Content-Security-Policy.

mod third_party;
mod window;

use serde_json::{Value, json};
use url::Url;

use crate::both_databases;
use crate::support::process::Demo;
use crate::support::{Backend, PASSWORD, TestApp, TestClient, TestUser, TokenPair, run};
use third_party::{ThirdParty, Visit};
use window::Window;

both_databases!(
    a_person_allows_an_app_on_another_site,
    a_person_denies_an_app,
    an_app_with_a_private_scheme_gets_its_code,
    a_program_on_a_loopback_port_gets_its_code,
    a_code_may_be_posted,
    a_wrong_password_is_told_on_the_page_and_the_way_back_is_kept,
    somebody_else_may_take_over_on_the_consent_page,
    a_person_logs_in_and_out_by_themselves,
    a_person_shows_an_app_out,
    no_page_can_be_framed,
    a_private_file_leads_to_the_login_and_back,
);

/// A server, a person, somebody else's site, and a window on it.
struct Scene {
    app: TestApp,
    amina: TestUser,
    site: ThirdParty,
    client: TestClient,
    redirect_uri: String,
    window: Window,
}

impl Scene {
    /// With a client of that site; `fields` as for [`crate::support::Site::client`].
    async fn set(app: TestApp, fields: Value) -> Self {
        let site = ThirdParty::open();
        let mut all = json!({ "app_name": "Holiday Planner", "redirect_uris": site.callback(), "default_redirect_uri": site.callback() });
        all.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        let redirect_uri = all["redirect_uris"].as_str().expect("one URI").to_owned();
        let (amina, client) = (app.user("amina@example.com").await, app.client(all).await);
        Self { app, amina, site, client, redirect_uri, window: Window::open().await }
    }

    /// The address that the site sends people to.
    fn address(&self, more: &[(&str, &str)]) -> Url {
        let challenge = TestClient::challenge();
        let endpoint = format!("{}/api/method/frappe.integrations.oauth2.authorize", self.app.url);
        let mut address = Url::parse(&endpoint).expect("a URL");
        address.query_pairs_mut().extend_pairs([
            ("client_id", self.client.id.as_str()),
            ("redirect_uri", &self.redirect_uri),
            ("response_type", "code"),
            ("scope", "openid all"),
            ("state", "a state & more"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        address.query_pairs_mut().extend_pairs(more);
        address
    }

    /// Follows the link on the site's page; ends on our login page.
    async fn leave_for_login(&self, more: &[(&str, &str)]) {
        self.site.link_to(&self.address(more));
        self.window.visit(&self.site.url("/")).await;
        self.window.press("login").await;
        self.window.await_address(&format!("{}/login", self.app.url)).await;
        assert!(self.window.page_text().await.contains("to go on to Holiday Planner"));
    }

    /// Logs in with the form on the page.
    async fn log_in(&self, user: &TestUser, password: &str) {
        self.window.fill("usr", &user.name).await;
        self.window.fill("pwd", password).await;
        self.window.press("login").await;
    }

    /// All the way to the consent page.
    async fn reach_consent(&self, more: &[(&str, &str)]) {
        self.leave_for_login(more).await;
        self.log_in(&self.amina, PASSWORD).await;
        let heading = self.window.page_text_when("allow").await;
        assert!(heading.contains("Holiday Planner asks for access to your account"), "{heading}");
        assert!(heading.contains(&self.amina.name), "{heading}");
    }

    /// Exchanges a code that arrived; returns who it is about.
    async fn redeem(&self, code: &str) -> Value {
        let parameters = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("code_verifier", crate::support::VERIFIER),
        ];
        let tokens = TokenPair::of(&self.client.get_token(&parameters).await);
        assert!(tokens.id_token.is_some() && tokens.refresh.is_some());
        self.client.holder(&tokens.access).whoami().await.expect_status(200).message()
    }

    /// What every answer carries.
    fn expect_state_and_issuer(&self, visit: &Visit) {
        assert_eq!(visit.get("state"), Some("a state & more"));
        assert_eq!(visit.get("iss"), Some(self.app.url.as_str()));
    }

    async fn close(self) {
        self.window.expect_quiet().await;
        self.window.close().await;
    }
}

async fn a_person_allows_an_app_on_another_site(app: TestApp) {
    let scene = Scene::set(app, json!({})).await;
    scene.reach_consent(&[]).await;
    scene.window.press("allow").await;
    let visit = scene.site.await_visit().await;
    scene.expect_state_and_issuer(&visit);
    assert_eq!(visit.method, "GET");
    assert_eq!(visit.referer.as_deref().unwrap_or_default(), "", "our addresses, with all they carry, are not shown to others");
    assert_eq!(scene.window.text("welcome").await, "Welcome back");
    assert_eq!(scene.redeem(visit.get("code").expect("a code")).await, json!(scene.amina.name));

    // The second time nothing is asked: the person is logged in and has allowed it.
    scene.window.visit(&scene.site.url("/")).await;
    scene.window.press("login").await;
    let visit = scene.site.await_visit().await;
    assert_eq!(scene.redeem(visit.get("code").expect("a code")).await, json!(scene.amina.name));

    // Logged out in between, the login form leads all the way to the other site.
    scene.window.visit(&format!("{}/logout", scene.app.url)).await;
    scene.window.press("logout").await;
    scene.leave_for_login(&[]).await;
    scene.log_in(&scene.amina, PASSWORD).await;
    let visit = scene.site.await_visit().await;
    assert_eq!(scene.redeem(visit.get("code").expect("a code")).await, json!(scene.amina.name));
    scene.close().await;
}

#[test]
fn a_person_tries_the_demo() {
    run(Backend::Sqlite, demo);
}

async fn demo(_: Backend) {
    let (demo, window) = (Demo::start().await, Window::open().await);
    // Two sites: the app's cookie has to survive the way there and back.
    window.visit(&demo.sample_app).await;
    window.press("login").await;
    window.await_address(&format!("{}/login", demo.issuer)).await;
    window.fill("usr", "customer@example.com").await;
    window.fill("pwd", "demo-customer").await;
    window.press("login").await;
    window.press("allow").await;
    window.await_address(&format!("{}/", demo.sample_app)).await;
    assert!(window.page_text_when("todos").await.contains("Renew the support contract"));
    window.expect_quiet().await;
    window.close().await;
}

async fn a_person_denies_an_app(app: TestApp) {
    let scene = Scene::set(app, json!({})).await;
    scene.reach_consent(&[]).await;
    scene.window.press("deny").await;
    let visit = scene.site.await_visit().await;
    scene.expect_state_and_issuer(&visit);
    assert_eq!((visit.get("error"), visit.get("code")), (Some("access_denied"), None));
    scene.close().await;
}

async fn an_app_with_a_private_scheme_gets_its_code(app: TestApp) {
    let redirect_uri = "com.example.app:/callback";
    let fields = json!({ "redirect_uris": redirect_uri, "default_redirect_uri": redirect_uri, "token_endpoint_auth_method": "None" });
    let scene = Scene::set(app, fields).await;
    // Where a page's policy forbids its form to end there, that is on the console, and the address is never asked for.
    scene.site.link_to(&Url::parse("com.example.app:/callback?code=1").expect("a URL"));
    scene.window.visit(&scene.site.strict_url()).await;
    scene.window.press("go").await;
    scene.window.await_console("form-action 'self'").await;
    assert_eq!(scene.window.attempts("com.example.app:").await, []);

    scene.reach_consent(&[]).await;
    assert!(scene.window.page_text().await.contains("com.example.app"), "the page says where the answer goes");
    scene.window.press("allow").await;
    // No app of that name is installed here. What shows that one would get its code: the browser
    // asks for its address, no policy is complained about, and the code is good. (The window is of
    // no more use then: the browser asks in a dialog of its own whether to open the app.)
    let attempt = scene.window.await_attempt("com.example.app:/callback?").await;
    let parameters = attempt.query_pairs().into_owned().collect();
    let visit = Visit { method: "GET".into(), parameters, referer: None };
    scene.expect_state_and_issuer(&visit);
    assert_eq!(scene.redeem(visit.get("code").expect("a code")).await, json!(scene.amina.name));
    scene.window.expect_quiet().await;
    assert!(scene.window.has("allow").await, "the page stays behind the app");

    scene.close().await;
}

async fn a_program_on_a_loopback_port_gets_its_code(app: TestApp) {
    // It registered no port, and listens on the one that was free.
    let fields = json!({
        "redirect_uris": "http://127.0.0.1/callback",
        "default_redirect_uri": "http://127.0.0.1/callback",
        "token_endpoint_auth_method": "None",
    });
    let mut scene = Scene::set(app, fields).await;
    scene.redirect_uri = scene.site.near_url("/callback");
    for _ in 0..2 {
        scene.window.visit(scene.address(&[]).as_str()).await;
        if scene.window.address().await.path() == "/login" {
            scene.log_in(&scene.amina, PASSWORD).await;
        }
        // Any program could say that it is this one: asked every time.
        assert!(scene.window.page_text_when("allow").await.contains("runs on this device"));
        scene.window.press("allow").await;
        let visit = scene.site.await_visit().await;
        scene.expect_state_and_issuer(&visit);
        assert_eq!(scene.redeem(visit.get("code").expect("a code")).await, json!(scene.amina.name));
    }
    scene.close().await;
}

async fn a_code_may_be_posted(app: TestApp) {
    let scene = Scene::set(app, json!({})).await;
    scene.reach_consent(&[("response_mode", "form_post")]).await;
    scene.window.press("allow").await;
    let visit = scene.site.await_visit().await;
    scene.expect_state_and_issuer(&visit);
    assert_eq!(visit.method, "POST");
    let address = scene.window.await_address(&scene.redirect_uri).await;
    assert_eq!(address.query(), None, "no code in an address");
    assert_eq!(scene.redeem(visit.get("code").expect("a code")).await, json!(scene.amina.name));
    // Denied in the same way.
    scene.window.visit(scene.address(&[("response_mode", "form_post"), ("prompt", "consent")]).as_str()).await;
    scene.window.press("deny").await;
    let visit = scene.site.await_visit().await;
    scene.expect_state_and_issuer(&visit);
    assert_eq!((visit.method.as_str(), visit.get("error")), ("POST", Some("access_denied")));
    scene.close().await;
}

async fn a_wrong_password_is_told_on_the_page_and_the_way_back_is_kept(app: TestApp) {
    let scene = Scene::set(app, json!({})).await;
    scene.leave_for_login(&[]).await;
    scene.log_in(&scene.amina, "not the password").await;
    assert_eq!(scene.window.text("login-error").await, "Invalid login credentials");
    assert_eq!(scene.window.value("usr").await, scene.amina.name, "the name need not be typed again");
    assert_eq!(scene.window.value("pwd").await, "");
    assert!(scene.window.page_text().await.contains("to go on to Holiday Planner"));
    // A 401 for a page is noted by the browser, and nothing else.
    let notes = scene.window.console().await;
    assert!(notes.iter().all(|note| note.contains("401")), "{notes:#?}");
    scene.window.fill("pwd", PASSWORD).await;
    scene.window.press("login").await;
    scene.window.press("allow").await;
    let visit = scene.site.await_visit().await;
    scene.expect_state_and_issuer(&visit);
    assert_eq!(scene.redeem(visit.get("code").expect("a code")).await, json!(scene.amina.name));
    scene.close().await;
}

async fn somebody_else_may_take_over_on_the_consent_page(app: TestApp) {
    let scene = Scene::set(app, json!({})).await;
    let badru = scene.app.user("badru@example.com").await;
    scene.reach_consent(&[]).await;
    scene.window.press("switch-user").await;
    scene.window.await_address(&format!("{}/login", scene.app.url)).await;
    scene.log_in(&badru, PASSWORD).await;
    let page = scene.window.page_text_when("allow").await;
    assert!(page.contains(&badru.name) && !page.contains(&scene.amina.name), "{page}");
    scene.window.press("allow").await;
    let visit = scene.site.await_visit().await;
    scene.expect_state_and_issuer(&visit);
    assert_eq!(scene.redeem(visit.get("code").expect("a code")).await, json!(badru.name));
    scene.close().await;
}

async fn a_person_logs_in_and_out_by_themselves(app: TestApp) {
    let scene = Scene::set(app, json!({})).await;
    scene.window.visit(&scene.app.url).await;
    scene.window.await_address(&format!("{}/login", scene.app.url)).await;
    scene.log_in(&scene.amina, PASSWORD).await;
    assert!(scene.window.page_text_when("logout").await.contains("You are logged in as"));
    // The page of its own asks first: a link alone logs nobody out.
    scene.window.visit(&format!("{}/logout", scene.app.url)).await;
    assert!(scene.window.page_text().await.contains("Log out?"));
    scene.window.visit(&scene.app.url).await;
    assert!(scene.window.page_text().await.contains("You are logged in as"));
    scene.window.visit(&format!("{}/logout", scene.app.url)).await;
    scene.window.press("logout").await;
    scene.window.await_address(&format!("{}/login", scene.app.url)).await;
    scene.window.visit(&scene.app.url).await;
    scene.window.await_address(&format!("{}/login", scene.app.url)).await;
    scene.close().await;
}

async fn a_person_shows_an_app_out(app: TestApp) {
    let scene = Scene::set(app, json!({})).await;
    scene.reach_consent(&[]).await;
    scene.window.press("allow").await;
    let visit = scene.site.await_visit().await;
    assert_eq!(scene.redeem(visit.get("code").expect("a code")).await, json!(scene.amina.name));

    scene.window.visit(&scene.app.url).await;
    scene.window.press("apps").await;
    let page = scene.window.page_text_when("withdraw-1").await;
    assert!(page.contains("Holiday Planner") && page.contains("localhost") && page.contains("do everything you can do here"), "{page}");
    scene.window.press("withdraw-1").await;
    let page = scene.window.page_text_when("no-apps").await;
    assert!(page.contains("can do nothing in your name any more") && !page.contains("Holiday Planner"), "{page}");

    // The site asks anew, and so does the page.
    scene.window.visit(&scene.site.url("/")).await;
    scene.window.press("login").await;
    assert!(scene.window.page_text_when("allow").await.contains("Holiday Planner asks for access"));
    scene.close().await;
}

async fn no_page_can_be_framed(app: TestApp) {
    let scene = Scene::set(app, json!({})).await;
    scene.reach_consent(&[]).await;
    scene.window.expect_quiet().await;
    // From 127.0.0.1 the frame gets the session's cookies: without the policy it would show the buttons.
    for path in ["", "/login?again=1", "/logout"] {
        let address = match path {
            "" => scene.address(&[]),
            _ => Url::parse(&format!("{}{path}", scene.app.url)).expect("a URL"),
        };
        scene.site.link_to(&address);
        scene.window.visit(&scene.site.near_url("/frame")).await;
        scene.window.await_console("frame-ancestors 'none'").await;
        scene.window.enter_frame().await;
        for id in ["allow", "login", "logout"] {
            assert!(!scene.window.has(id).await, "{id} is in a frame");
        }
    }
    scene.close().await;
}

async fn a_private_file_leads_to_the_login_and_back(app: TestApp) {
    let (amina, badru) = (app.user("amina@example.com").await, app.user("badru@example.com").await);
    let dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let file = json!({ "filename": "plan.png", "filedata": dot, "decode_base64": 1, "is_private": 1 });
    let kept = amina.api_key().await.post("/api/method/frappe.client.attach_file").json(&file).send().await.expect_status(200).message();
    let address = format!("{}{}", app.url, kept["file_url"].as_str().expect("a URL"));
    let window = Window::open().await;
    // Whoever may not open it may log in as somebody else.
    for user in [&badru, &amina] {
        window.visit(&address).await;
        assert!(window.page_text_when("onward").await.contains("You cannot open this file"));
        window.press("onward").await;
        window.await_address(&format!("{}/login", app.url)).await;
        window.fill("usr", &user.name).await;
        window.fill("pwd", PASSWORD).await;
        window.press("login").await;
        window.await_address(&address).await;
        assert_eq!(window.has("onward").await, user.name == badru.name);
    }
    // A 403 for a page is noted by the browser, and nothing else.
    let notes = window.console().await;
    assert!(notes.iter().all(|note| note.contains("403")), "{notes:#?}");
    window.close().await;
}
