//! The page on which users see the apps they let in, and show them out again.

use std::time::Duration;

use serde_json::json;

use crate::both_databases;
use crate::support::{Caller, PASSWORD, Reply, TestApp, TestClient, TokenPair, VERIFIER, decide};

both_databases!(
    every_app_with_access_is_listed_in_plain_words,
    what_an_app_may_do_elsewhere_is_told_apart,
    a_withdrawn_app_loses_its_tokens_at_once_and_is_asked_about_again,
    only_a_button_of_our_own_page_withdraws,
    the_page_is_for_who_is_logged_in,
    an_app_whose_logins_have_ended_stays_listed_while_its_consent_is_remembered,
);

const APPS: &str = "/me/apps";
const OAUTH: &str = "/api/method/frappe.integrations.oauth2";

async fn page(browser: &Caller) -> String {
    browser.get(APPS).header("accept", "text/html").send().await.expect_status(200).text()
}

/// The part of the page that is about one app.
fn about<'a>(page: &'a str, client: &TestClient) -> Option<&'a str> {
    page.split("<h2").skip(1).find(|part| part.contains(&client.id))
}

fn csrf_token(page: &str) -> String {
    let field = page.split("name=\"csrf_token\" value=\"").nth(1).expect("a form");
    field.split('"').next().unwrap_or_default().to_owned()
}

/// Presses the button of an app.
async fn withdraw(browser: &Caller, client: &TestClient, app: &TestApp) -> Reply {
    let token = csrf_token(&page(browser).await);
    let form = [("client_id", client.id.as_str()), ("csrf_token", token.as_str())];
    browser.post(APPS).form(&form).header("origin", &app.url).send().await
}

async fn every_app_with_access_is_listed_in_plain_words(app: TestApp) {
    let amina = app.user("amina@example.com").await.cookie().await;
    let boris = app.user("boris@example.com").await.cookie().await;
    let asked = app.client(json!({"app_name": "Ledger <b>", "scopes": "openid email read:todo phone"})).await;
    let trusted = app.client(json!({"app_name": "House App", "scopes": "openid all", "skip_authorization": 1})).await;
    let uri = "http://127.0.0.1:9/cb";
    let local = json!({"app_name": "Terminal", "token_endpoint_auth_method": "None", "redirect_uris": uri, "default_redirect_uri": uri, "scopes": "openid"});
    let local = app.client(local).await;
    let unknown = app.client(json!({"app_name": "Stranger", "verified": 0, "scopes": "openid"})).await;
    let of_boris = app.client(json!({"app_name": "Only of Boris"})).await;
    assert!(page(&amina).await.contains("id=\"no-apps\""), "nothing yet");

    asked.log_in(&amina, "openid email read:todo").await;
    trusted.log_in(&amina, "openid all").await;
    unknown.code(&amina, "openid").await;
    of_boris.log_in(&boris, "openid").await;
    let challenge = TestClient::challenge();
    let parameters = [
        ("client_id", local.id.as_str()),
        ("redirect_uri", uri),
        ("response_type", "code"),
        ("scope", "openid"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let question = amina.get(&format!("{OAUTH}.authorize")).query(&parameters).send().await;
    decide(&amina, &question, "allow").await.expect_status(302);

    let listed = page(&amina).await;
    assert!(!listed.contains("id=\"no-apps\"") && !listed.contains("Only of Boris") && !listed.contains("<b>"));
    assert_eq!(listed.matches("Withdraw access</button>").count(), 4);
    for (client, present, absent) in [
        (
            &asked,
            vec!["app.example.com", "see your e-mail address", "type ToDo", "Last login:"],
            vec!["phone", "Not verified", "without asking"],
        ),
        (&trusted, vec!["House App", "do everything you can do here", "without asking you"], vec!["Not verified"]),
        (&local, vec!["Terminal", "127.0.0.1:9", "not logged in now"], vec!["Last login:"]),
        (&unknown, vec!["Stranger", "Not verified"], vec![]),
    ] {
        let about = about(&listed, client).expect("listed");
        assert!(present.iter().all(|text| about.contains(text)), "{present:?} in {about}");
        assert!(absent.iter().all(|text| !about.contains(text)), "no {absent:?} in {about}");
    }
    let reply = amina.get("/third_party_apps").send().await.expect_status(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.header("content-security-policy").is_some_and(|policy| policy.contains("frame-ancestors 'none'")));
    assert!(amina.get("/").send().await.text().contains("href=\"/me/apps\""), "the way there");
}

async fn what_an_app_may_do_elsewhere_is_told_apart(app: TestApp) {
    let amina = app.user("amina@example.com").await.cookie().await;
    let resource = json!({"resource": "https://mcp.example/tools", "resource_name": "Tool Box", "scopes": "all tools:run"});
    app.administrator().await.post("/api/resource/OAuth%20Resource").json(&resource).send().await.expect_status(200);
    let client = app.client(json!({"scopes": "openid read:todo tools:run"})).await;
    client.log_in(&amina, "openid read:todo").await;
    let request = client.authorize_request(&amina, "tools:run").query(&[("resource", "https://mcp.example/tools")]);
    decide(&amina, &request.send().await, "allow").await.expect_status(302);
    let listed = page(&amina).await;
    let (here, there) = about(&listed, &client).and_then(|about| about.split_once("Tool Box")).expect("both");
    assert!(here.contains("type ToDo") && !here.contains("tools:run"), "{here}");
    assert!(there.contains("mcp.example/tools") && there.contains("use “tools:run”") && !there.contains("type ToDo"), "{there}");
    withdraw(&amina, &client, &app).await.expect_status(302);
    assert!(about(&page(&amina).await, &client).is_none(), "one button for all of it");
}

async fn a_withdrawn_app_loses_its_tokens_at_once_and_is_asked_about_again(app: TestApp) {
    let amina = app.user("amina@example.com").await.cookie().await;
    let boris = app.user("boris@example.com").await.cookie().await;
    let (one, other) = (app.client(json!({})).await, app.client(json!({})).await);
    let mut tokens: Vec<(TestClient, TokenPair)> = Vec::new();
    for (client, browser) in [(&one, &amina), (&one, &amina), (&other, &amina), (&one, &boris)] {
        tokens.push((client.clone(), client.log_in(browser, "openid all").await));
    }
    let unspent = one.code(&amina, "openid all").await;
    for (client, tokens) in &tokens {
        client.holder(&tokens.access).whoami().await.expect_status(200);
    }
    let done = withdraw(&amina, &one, &app).await.expect_status(302);
    assert_eq!(done.header("location"), Some("/me/apps?withdrawn=1"));
    assert!(amina.get("/me/apps?withdrawn=1").send().await.text().contains("can do nothing in your name any more"));
    for (client, tokens) in &tokens[..2] {
        client.holder(&tokens.access).whoami().await.expect_status(401);
        client.refresh(tokens.refresh.as_deref().expect("one")).await.expect_status(400);
    }
    one.exchange(&unspent).await.expect_status(400);
    for (client, tokens) in &tokens[2..] {
        client.holder(&tokens.access).whoami().await.expect_status(200);
        client.refresh(tokens.refresh.as_deref().expect("one")).await.expect_status(200);
    }
    let left = page(&amina).await;
    assert!(about(&left, &one).is_none() && about(&left, &other).is_some());
    one.authorize(&amina, "openid all").await.expect_status(200);
    assert!(other.authorize(&amina, "openid all").await.location_parameter("code").is_some(), "the control");
    // Once more ends nothing, and says nothing.
    assert_eq!(withdraw(&amina, &one, &app).await.expect_status(302).header("location"), Some("/me/apps"));
}

async fn only_a_button_of_our_own_page_withdraws(app: TestApp) {
    let user = app.user("amina@example.com").await;
    let browser = user.cookie().await;
    let client = app.client(json!({"skip_authorization": 1})).await;
    let tokens = client.log_in(&browser, "openid all").await;
    let post = |by: &Caller, form: &[(&str, &str)]| by.post(APPS).form(form).header("accept", "text/html");
    // A session that was never shown a page.
    post(&browser, &[("client_id", &client.id)]).send().await.expect_status(400);
    let token = csrf_token(&page(&browser).await);
    let whole = [("client_id", client.id.as_str()), ("csrf_token", token.as_str())];
    post(&browser, &[("client_id", &client.id)]).send().await.expect_status(400);
    post(&browser, &[("client_id", &client.id), ("csrf_token", "wrong")]).send().await.expect_status(400);
    post(&browser, &[("csrf_token", &token)]).send().await.expect_status(400);
    post(&browser, &whole).header("origin", "https://evil.example").send().await.expect_status(400);
    post(&browser, &whole).header("sec-fetch-site", "cross-site").send().await.expect_status(400);
    let elsewhere = app.existing_user("amina@example.com", PASSWORD).cookie().await;
    page(&elsewhere).await;
    post(&elsewhere, &whole).send().await.expect_status(400);
    browser.get(APPS).query(&whole).send().await.expect_status(200);
    client.holder(&tokens.access).whoami().await.expect_status(200);
    post(&browser, &whole).header("origin", &app.url).send().await.expect_status(302);
    client.holder(&tokens.access).whoami().await.expect_status(401);
}

async fn the_page_is_for_who_is_logged_in(app: TestApp) {
    let user = app.user("amina@example.com").await;
    for nobody in [app.browser(), user.api_key().await, user.basic(), user.bearer(&app, "all").await] {
        let sent = nobody.get(APPS).send().await.expect_status(302);
        assert_eq!(sent.location().path(), "/login");
        assert_eq!(sent.location_parameter("redirect-to").as_deref(), Some(APPS));
        let posted = nobody.post(APPS).form(&[("client_id", "x")]).send().await;
        assert_eq!((posted.status, posted.location().path()), (302, "/login"));
    }
    let browser = app.browser();
    let form = [("usr", "amina@example.com"), ("pwd", PASSWORD), ("redirect_to", APPS)];
    let back = browser.post("/login").form(&form).header("origin", &app.url).send().await.expect_status(302);
    assert_eq!(back.header("location"), Some(APPS));
    page(&browser).await;
}

async fn an_app_whose_logins_have_ended_stays_listed_while_its_consent_is_remembered(app: TestApp) {
    let browser = app.user("amina@example.com").await.cookie().await;
    let (asked, trusted) = (app.client(json!({})).await, app.client(json!({"skip_authorization": 1})).await);
    for client in [&asked, &trusted] {
        let tokens = client.log_in(&browser, "openid").await;
        let token = tokens.refresh.expect("a refresh token");
        client.post("revoke_token", &[("token", &token)]).await.expect_status(200);
    }
    let listed = page(&browser).await;
    assert!(about(&listed, &asked).is_some_and(|about| about.contains("not logged in now")));
    assert!(about(&listed, &trusted).is_none(), "nothing is left of its login, and nothing is remembered");
    // A login through it is dated by when it was.
    let code = asked.code(&browser, "openid").await;
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", crate::support::REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    asked.get_token(&exchange).await.expect_status(200);
    assert!(about(&page(&browser).await, &asked).is_some_and(|about| about.contains("Last login:")));
    app.advance(Duration::from_secs(181 * 86_400));
    let later = app.existing_user("amina@example.com", PASSWORD).cookie().await;
    assert!(about(&page(&later).await, &asked).is_some_and(|about| about.contains("not logged in now")), "the grant is over");
}
