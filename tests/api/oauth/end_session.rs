//! Logout that an app asks for (OpenID Connect RP-Initiated Logout 1.0).

use serde_json::json;

use super::id_token_hint::{altered, outlive_the_keys};
use super::{OAUTH, hidden_field, scene_with};
use crate::both_databases;
use crate::support::{Caller, Reply, TestApp, TestClient};

both_databases!(
    the_user_is_asked_and_comes_back_to_the_app,
    a_hint_names_the_app_however_old_it_is,
    a_hint_that_is_older_than_every_key_names_the_app_and_proves_nothing,
    only_a_registered_address_is_led_back_to,
    a_link_alone_logs_nobody_out,
    who_is_logged_out_already_goes_straight_back,
    the_hint_stands_in_no_address_and_on_no_page_here_either,
    nobody_is_led_at_once_where_nobody_vouches_for_the_way,
    without_an_address_the_user_is_told,
);

const BACK: &str = "https://app.example.com/bye";

async fn setting(app: &TestApp) -> (Caller, TestClient) {
    scene_with(app, json!({"post_logout_redirect_uris": format!("{BACK} com.example.app:/bye")})).await
}

async fn ask(browser: &Caller, parameters: &[(&str, &str)]) -> Reply {
    browser.get(&format!("{OAUTH}.end_session")).query(parameters).header("accept", "text/html").send().await
}

/// Presses the button of the page that was shown.
async fn press(browser: &Caller, page: &Reply) -> Reply {
    let html = page.text();
    let named = |input: &str| Some(input.split("name=\"").nth(1)?.split('"').next()?.to_owned());
    let fields: Vec<(String, String)> = html
        .split("<input")
        .skip(1)
        .filter_map(named)
        .map(|name| {
            let value = hidden_field(&html, &name).replace("&#38;", "&");
            (name, value)
        })
        .collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post(&format!("{OAUTH}.end_session")).form(&fields).send().await
}

async fn the_user_is_asked_and_comes_back_to_the_app(app: TestApp) {
    let (browser, client) = setting(&app).await;
    let tokens = client.log_in(&browser, "openid").await;
    let hint = tokens.id_token.as_deref().expect("an id token");
    let asked = [("id_token_hint", hint), ("post_logout_redirect_uri", BACK), ("state", "a b&c"), ("unknown", "x")];
    let page = ask(&browser, &asked).await.expect_status(200);
    assert!(page.text().contains("Log out?") && page.text().contains("amina@example.com"), "{}", page.text());
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("form-action 'self' https://app.example.com")));
    browser.whoami().await.expect_status(200);

    let sid = browser.cookie("sid").expect("a session");
    let left = press(&browser, &page).await.expect_status(302);
    assert_eq!(left.header("location"), Some("https://app.example.com/bye?state=a+b%26c"));
    browser.whoami().await.expect_status(403);
    browser.set_cookie("sid", &sid);
    browser.whoami().await.expect_status(401);
    // What the app may do goes on: only the session ended.
    client.holder(&tokens.access).whoami().await.expect_status(200);
}

async fn a_hint_names_the_app_however_old_it_is(app: TestApp) {
    let (browser, client) = setting(&app).await;
    let hint = client.log_in(&browser, "openid").await.id_token.expect("an id token");
    app.advance(std::time::Duration::from_secs(7200));
    ask(&browser, &[("id_token_hint", &hint), ("post_logout_redirect_uri", BACK)]).await.expect_status(200);
    ask(&browser, &[("id_token_hint", &hint), ("client_id", &client.id)]).await.expect_status(200);

    let other = app.client(json!({})).await;
    ask(&browser, &[("id_token_hint", &hint), ("client_id", &other.id)]).await.expect_status(400);
    let (body, signature) = hint.rsplit_once('.').expect("a signature");
    let turned: String = signature.chars().rev().collect();
    for bad in [format!("{body}.{turned}"), format!("{body}."), "x".to_owned()] {
        ask(&browser, &[("id_token_hint", &bad)]).await.expect_status(400);
    }
}

async fn a_hint_that_is_older_than_every_key_names_the_app_and_proves_nothing(app: TestApp) {
    let (browser, client) = setting(&app).await;
    let hint = client.log_in(&browser, "openid").await.id_token.expect("an id token");
    outlive_the_keys(&app).await;
    let browser = app.existing_user("amina@example.com", crate::support::PASSWORD).cookie().await;
    let asked = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BACK)];
    let page = ask(&browser, &asked).await.expect_status(200);
    assert!(page.text().contains("Log out?"), "{}", page.text());
    browser.whoami().await.expect_status(200);
    assert_eq!(press(&browser, &page).await.expect_status(302).header("location"), Some(BACK));
    browser.whoami().await.expect_status(403);

    let unregistered = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", "https://evil.example/bye")];
    ask(&browser, &unregistered).await.expect_status(400);
    let other = app.client(json!({})).await;
    ask(&browser, &[("id_token_hint", &hint), ("client_id", &other.id)]).await.expect_status(400);
    let foreign = altered(&hint, &json!({}), &json!({"iss": "https://other.example"}));
    ask(&browser, &[("id_token_hint", &foreign), ("client_id", &client.id)]).await.expect_status(400);
}

async fn only_a_registered_address_is_led_back_to(app: TestApp) {
    let (browser, client) = setting(&app).await;
    ask(&browser, &[("client_id", &client.id), ("post_logout_redirect_uri", BACK)]).await.expect_status(200);
    ask(&browser, &[("client_id", &client.id), ("post_logout_redirect_uri", "com.example.app:/bye")]).await.expect_status(200);
    for bad in ["https://app.example.com/bye/", "https://app.example.com/bye?x=1", "https://evil.example/bye", "//evil.example", "/"] {
        for who in [&browser, &app.anonymous()] {
            let refused = ask(who, &[("client_id", &client.id), ("post_logout_redirect_uri", bad)]).await.expect_status(400);
            assert_eq!(refused.header("location"), None, "{bad}");
        }
    }
    // Nobody vouches for an address without a client, nor for a client that is none.
    ask(&browser, &[("post_logout_redirect_uri", BACK)]).await.expect_status(400);
    ask(&browser, &[("client_id", "nosuch"), ("post_logout_redirect_uri", BACK)]).await.expect_status(400);
    ask(&browser, &[("client_id", &client.id), ("post_logout_redirect_uri", BACK), ("post_logout_redirect_uri", BACK)])
        .await
        .expect_status(400);
    browser.whoami().await.expect_status(200);
    let unsafe_address = json!({"post_logout_redirect_uris": "javascript:alert(1)"});
    let put = app.administrator().await.put(&format!("/api/resource/OAuth Client/{}", client.id)).json(&unsafe_address);
    put.send().await.expect_status(417);
}

async fn a_link_alone_logs_nobody_out(app: TestApp) {
    let (browser, client) = setting(&app).await;
    let asked = [("client_id", client.id.as_str()), ("decision", "log_out")];
    ask(&browser, &asked).await.expect_status(200);
    // The session has its token from here on: a form without it is refused.
    browser.post(&format!("{OAUTH}.end_session")).form(&asked).send().await.expect_status(400);
    let forged = [("client_id", client.id.as_str()), ("decision", "log_out"), ("csrf_token", "x")];
    browser.post(&format!("{OAUTH}.end_session")).form(&forged).send().await.expect_status(400);
    browser.whoami().await.expect_status(200);
    // An API key is no session to end.
    let key = app.user("bashir@example.com").await.api_key().await;
    ask(&key, &asked).await.expect_status(200);
    key.whoami().await.expect_status(200);
}

async fn who_is_logged_out_already_goes_straight_back(app: TestApp) {
    let (_, client) = setting(&app).await;
    let asked = [("client_id", client.id.as_str()), ("post_logout_redirect_uri", BACK), ("state", "s")];
    let reply = ask(&app.anonymous(), &asked).await.expect_status(302);
    assert_eq!(reply.header("location"), Some("https://app.example.com/bye?state=s"));
    // A form from the app's own page carries no cookie of ours; the redirect has the browser send it.
    let posted = app.anonymous().post(&format!("{OAUTH}.end_session")).form(&asked).send().await.expect_status(302);
    assert!(posted.header("location").is_some_and(|to| to.starts_with("/api/method/frappe.integrations.oauth2.end_session?client_id=")));
}

async fn the_hint_stands_in_no_address_and_on_no_page_here_either(app: TestApp) {
    let (browser, client) = setting(&app).await;
    let hint = client.log_in(&browser, "openid").await.id_token.expect("an id token");
    let claims = hint.split('.').nth(1).expect("claims");
    let asked = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BACK)];
    let sent = app.anonymous().post(&format!("{OAUTH}.end_session")).form(&asked).send().await.expect_status(302);
    let location = sent.header("location").expect("a way on").to_owned();
    assert!(!location.contains(claims) && !location.contains("id_token_hint"), "{location}");
    let gone = app.anonymous().get(&location).header("accept", "text/html").send().await.expect_status(302);
    assert_eq!(gone.header("location"), Some(BACK));
    let page = browser.get(&location).header("accept", "text/html").send().await.expect_status(200);
    assert!(!page.text().contains(claims), "{}", page.text());
    assert_eq!(press(&browser, &page).await.expect_status(302).header("location"), Some(BACK));
    let forged = [("hinted_user", client.id.as_str()), ("post_logout_redirect_uri", BACK)];
    ask(&app.anonymous(), &forged).await.expect_status(400);
}

async fn nobody_is_led_at_once_where_nobody_vouches_for_the_way(app: TestApp) {
    let (browser, client) = setting(&app).await;
    let hint = client.log_in(&browser, "openid").await.id_token.expect("an id token");
    let unverified = json!({"verified": 0});
    app.administrator().await.put(&format!("/api/resource/OAuth Client/{}", client.id)).json(&unverified).send().await.expect_status(200);
    let named = |to| [("client_id", client.id.as_str()), ("post_logout_redirect_uri", to), ("state", "a b&c")];
    let guest = app.browser();
    let page = ask(&guest, &named(BACK)).await.expect_status(200);
    assert_eq!(page.header("location"), None);
    let html = page.text();
    assert!(html.contains("You are logged out") && html.contains("<bdi>app.example.com</bdi>"), "{html}");
    assert!(html.contains("href=\"https://app.example.com/bye?state=a+b%26c\""), "{html}");
    // A refresh of the page by itself would be a redirect too.
    assert!(!html.contains("http-equiv") && page.header("refresh").is_none(), "{html}");
    let html = ask(&guest, &named("com.example.app:/bye")).await.expect_status(200).text();
    assert!(html.contains("<bdi>com.example.app</bdi>") && html.contains("href=\"com.example.app:/bye?state=a+b%26c\""), "{html}");
    // An id token says that a user of this server was there.
    let hinted = ask(&guest, &[("id_token_hint", &hint), ("post_logout_redirect_uri", BACK)]).await.expect_status(302);
    assert_eq!(hinted.header("location"), Some(BACK));
    // Whoever presses the button has chosen to go on.
    let question = ask(&browser, &named(BACK)).await.expect_status(200);
    press(&browser, &question).await.expect_status(302);
}

async fn without_an_address_the_user_is_told(app: TestApp) {
    let (browser, _) = setting(&app).await;
    let page = ask(&browser, &[]).await.expect_status(200);
    let told = press(&browser, &page).await.expect_status(200);
    assert!(told.text().contains("You are logged out"), "{}", told.text());
    browser.whoami().await.expect_status(403);
}
