//! The consent page, Allow and Deny, and when it need not be shown again.

use serde_json::json;

use super::{OAUTH, authorize, but, hidden_field, ordinary, scene, scene_with};
use crate::both_databases;
use crate::support::{ADMIN_PASSWORD, Caller, PASSWORD, Reply, TestApp, TestClient};

both_databases!(
    allow_gives_a_code_and_is_remembered_until_more_is_asked,
    deny_is_told_to_the_client_and_not_remembered,
    a_page_is_answered_once_and_only_in_the_session_that_was_shown_it,
    a_page_expires,
    allow_is_for_what_the_page_said_and_nothing_else,
    a_link_to_approve_never_allows_anything,
    approve_by_post_with_a_csrf_token_allows,
    consent_without_its_csrf_token_or_from_elsewhere_is_refused,
    apps_that_any_program_can_pose_as_are_asked_about_every_time,
    prompt_consent_asks_even_a_trusted_client,
    what_makes_credentials_is_asked_each_time,
    nobody_trusts_an_app_in_administrators_name,
    new_addresses_are_asked_about_anew,
    what_is_new_is_shown_apart_from_what_was_allowed_before,
);

async fn decide(app: &TestApp, browser: &Caller, page: &Reply, decision: &str) -> Reply {
    let (request, csrf) = (hidden_field(&page.text(), "request"), hidden_field(&page.text(), "csrf_token"));
    let form = [("request", request.as_str()), ("csrf_token", csrf.as_str()), ("decision", decision)];
    browser.post(&format!("{OAUTH}.approve")).form(&form).header("origin", &app.url).header("accept", "text/html").send().await
}

async fn allow_gives_a_code_and_is_remembered_until_more_is_asked(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"skip_authorization": 0, "app_name": "Ledger & Sons"})).await;
    let challenge = TestClient::challenge();
    let page = authorize(&browser, &ordinary(&client, &challenge, "openid")).await.expect_status(200);
    assert!(page.text().contains("Ledger &amp; Sons") || page.text().contains("Ledger &#38; Sons"), "{}", page.text());
    assert!(page.text().contains("app.example.com"));
    let policy = page.header("content-security-policy").expect("a policy").to_owned();
    assert!(policy.contains("form-action 'self' https://app.example.com") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let allowed = decide(&app, &browser, &page, "allow").await.expect_status(302);
    assert_eq!(allowed.location_parameter("state").as_deref(), Some("a state"));
    client.exchange(&allowed.location_parameter("code").expect("a code")).await.expect_status(200);

    assert!(authorize(&browser, &ordinary(&client, &challenge, "openid")).await.expect_status(302).location_parameter("code").is_some());
    let more = authorize(&browser, &ordinary(&client, &challenge, "openid email")).await.expect_status(200);
    decide(&app, &browser, &more, "allow").await.expect_status(302);
    for remembered in ["openid email", "email", "openid"] {
        authorize(&browser, &ordinary(&client, &challenge, remembered)).await.expect_status(302);
    }
    let other = app.user("other@example.com").await.cookie().await;
    authorize(&other, &ordinary(&client, &challenge, "openid")).await.expect_status(200);
}

async fn deny_is_told_to_the_client_and_not_remembered(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"skip_authorization": 0})).await;
    let challenge = TestClient::challenge();
    for decision in ["deny", "", "maybe"] {
        let page = authorize(&browser, &ordinary(&client, &challenge, "openid")).await.expect_status(200);
        let denied = decide(&app, &browser, &page, decision).await.expect_status(302);
        let parameter = |name: &str| denied.location_parameter(name);
        assert_eq!((parameter("error").as_deref(), parameter("state").as_deref()), (Some("access_denied"), Some("a state")));
        assert_eq!((parameter("iss").as_deref(), parameter("code")), (Some(app.url.as_str()), None));
    }
}

async fn a_page_is_answered_once_and_only_in_the_session_that_was_shown_it(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"skip_authorization": 0})).await;
    let challenge = TestClient::challenge();
    let page = authorize(&browser, &ordinary(&client, &challenge, "openid")).await.expect_status(200);
    // Another session of the same user, with a CSRF token of its own.
    let elsewhere = app.existing_user("amina@example.com", PASSWORD).cookie().await;
    let own = authorize(&elsewhere, &ordinary(&client, &challenge, "openid")).await.expect_status(200);
    let (request, csrf) = (hidden_field(&page.text(), "request"), hidden_field(&own.text(), "csrf_token"));
    let form = [("request", request.as_str()), ("csrf_token", csrf.as_str()), ("decision", "allow")];
    elsewhere.post(&format!("{OAUTH}.approve")).form(&form).send().await.expect_status(400);

    assert!(decide(&app, &browser, &page, "allow").await.expect_status(302).location_parameter("code").is_some());
    decide(&app, &browser, &page, "allow").await.expect_status(400);
}

async fn a_page_expires(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"skip_authorization": 0})).await;
    let challenge = TestClient::challenge();
    let page = authorize(&browser, &ordinary(&client, &challenge, "openid")).await.expect_status(200);
    app.advance(std::time::Duration::from_secs(601));
    decide(&app, &browser, &page, "allow").await.expect_status(400);
}

async fn a_link_to_approve_never_allows_anything(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"skip_authorization": 0})).await;
    let challenge = TestClient::challenge();
    let approve = |parameters: Vec<(&'static str, String)>| {
        let pairs: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.get(&format!("{OAUTH}.approve")).query(&pairs).header("accept", "text/html")
    };
    let asked: Vec<(&'static str, String)> = vec![
        ("client_id", client.id.clone()),
        ("redirect_uri", super::REDIRECT_URI.into()),
        ("response_type", "code".into()),
        ("scope", "openid".into()),
        ("code_challenge", challenge.clone()),
        ("code_challenge_method", "S256".into()),
    ];
    let page = approve(asked.clone()).send().await.expect_status(200);
    let mut tricked = asked.clone();
    tricked.push(("decision", "allow".into()));
    approve(tricked).send().await.expect_status(200);
    decide(&app, &browser, &page, "allow").await.expect_status(302);
    // Remembered now, so the link is as good as authorize itself.
    assert!(approve(asked).send().await.expect_status(302).location_parameter("code").is_some());
}

async fn approve_by_post_with_a_csrf_token_allows(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"skip_authorization": 0})).await;
    let challenge = TestClient::challenge();
    let asked = ordinary(&client, &challenge, "openid");
    let post = || browser.post(&format!("{OAUTH}.approve")).form(&asked).header("accept", "text/html");
    // A session that was never handed a token proves nothing by posting.
    post().send().await.expect_status(200);
    let token = browser.get("/api/method/frappe.sessions.get_csrf_token").send().await.expect_status(200).message();
    post().send().await.expect_status(400);
    let allowed = post().header("x-frappe-csrf-token", token.as_str().expect("a token")).send().await.expect_status(302);
    assert!(allowed.location_parameter("code").is_some());
}

async fn consent_without_its_csrf_token_or_from_elsewhere_is_refused(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"skip_authorization": 0})).await;
    let challenge = TestClient::challenge();
    let page = authorize(&browser, &ordinary(&client, &challenge, "openid")).await.expect_status(200);
    let (request, csrf) = (hidden_field(&page.text(), "request"), hidden_field(&page.text(), "csrf_token"));
    let post = |token: &str, origin: &str| {
        let form = [("request", request.as_str()), ("csrf_token", token), ("decision", "allow")];
        browser.post(&format!("{OAUTH}.approve")).form(&form).header("origin", origin)
    };
    post("wrong", &app.url).send().await.expect_status(400);
    post(&csrf, "https://evil.example").send().await.expect_status(400);
    post(&csrf, &app.url).header("sec-fetch-site", "cross-site").send().await.expect_status(400);
    assert!(post(&csrf, &app.url).send().await.expect_status(302).location_parameter("code").is_some());
}

async fn apps_that_any_program_can_pose_as_are_asked_about_every_time(app: TestApp) {
    let challenge = TestClient::challenge();
    let browser = app.user("amina@example.com").await.cookie().await;
    let native = json!({"token_endpoint_auth_method": "None"});
    // One that may come without its secret proves no more.
    let old_frappe = json!({"legacy_no_pkce": 1});
    for (uri, kind) in [
        ("http://127.0.0.1:9/cb", &native),
        ("http://127.0.0.1:9/cb", &old_frappe),
        ("http://localhost:9/cb", &native),
        ("http://localhost:9/cb", &old_frappe),
        ("https://localhost:9/cb", &native),
        ("https://localhost.:9/cb", &native),
        ("https://[::ffff:127.0.0.1]:9/cb", &old_frappe),
        ("https://0.0.0.0:9/cb", &native),
        ("https://[::]:9/cb", &native),
        ("https://ip6-localhost:9/cb", &native),
        ("https://localhost.localdomain:9/cb", &native),
        ("com.example.app:/cb", &native),
        ("com.example.app:/cb", &old_frappe),
    ] {
        let mut fields = json!({"skip_authorization": 1, "redirect_uris": uri, "default_redirect_uri": uri});
        for (name, value) in kind.as_object().expect("an object") {
            fields[name] = value.clone();
        }
        let client = app.client(fields).await;
        let asked = but(ordinary(&client, &challenge, "openid"), &[("redirect_uri", uri)]);
        let page = authorize(&browser, &asked).await.expect_status(200);
        let allowed = decide(&app, &browser, &page, "allow").await.expect_status(302);
        assert!(allowed.header("location").is_some_and(|location| location.starts_with(&format!("{uri}?code="))));
        authorize(&browser, &asked).await.expect_status(200);
        let silent = authorize(&browser, &but(asked, &[("prompt", "none")])).await.expect_status(302);
        assert!(silent.header("location").is_some_and(|location| location.contains("error=interaction_required")));
    }
    // The control: at an https address nobody else can answer, and nobody else has a client's secret.
    for kind in [&native, &old_frappe, &json!({})] {
        let mut fields = kind.clone();
        fields["skip_authorization"] = json!(1);
        let web = app.client(fields).await;
        assert!(authorize(&browser, &ordinary(&web, &challenge, "openid")).await.expect_status(302).location_parameter("code").is_some());
    }
    let uri = "http://127.0.0.1:9/cb";
    let secret = app.client(json!({"skip_authorization": 1, "redirect_uris": uri, "default_redirect_uri": uri})).await;
    let asked = but(ordinary(&secret, &challenge, "openid"), &[("redirect_uri", uri)]);
    assert!(authorize(&browser, &asked).await.expect_status(302).location_parameter("code").is_some());
}

async fn prompt_consent_asks_even_a_trusted_client(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({})).await;
    let challenge = TestClient::challenge();
    authorize(&browser, &but(ordinary(&client, &challenge, "openid"), &[("prompt", "consent")])).await.expect_status(200);
    authorize(&browser, &ordinary(&client, &challenge, "openid")).await.expect_status(302);
}

async fn what_makes_credentials_is_asked_each_time(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"scopes": "all openid admin:credentials"})).await;
    let challenge = TestClient::challenge();
    // What was never allowed wants consent; what was, and is asked all the same, wants the user.
    for error in ["consent_required", "interaction_required"] {
        let page = authorize(&browser, &ordinary(&client, &challenge, "openid admin:credentials")).await.expect_status(200);
        let silent = but(ordinary(&client, &challenge, "openid admin:credentials"), &[("prompt", "none")]);
        assert_eq!(authorize(&browser, &silent).await.location_parameter("error").as_deref(), Some(error));
        decide(&app, &browser, &page, "allow").await.expect_status(302);
    }
    // The control: the rest of what it may ask for is settled.
    authorize(&browser, &ordinary(&client, &challenge, "all openid")).await.expect_status(302);
}

async fn nobody_trusts_an_app_in_administrators_name(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let challenge = TestClient::challenge();
    let asked = ordinary(&client, &challenge, "all");
    assert!(authorize(&browser, &asked).await.expect_status(302).location_parameter("code").is_some(), "the control");
    let administrator = app.existing_user("Administrator", ADMIN_PASSWORD).cookie().await;
    let page = authorize(&administrator, &asked).await.expect_status(200);
    let silent = but(asked.clone(), &[("prompt", "none")]);
    assert_eq!(authorize(&administrator, &silent).await.location_parameter("error").as_deref(), Some("consent_required"));
    // What Administrator allowed is remembered, as anybody's is.
    decide(&app, &administrator, &page, "allow").await.expect_status(302);
    assert!(authorize(&administrator, &asked).await.expect_status(302).location_parameter("code").is_some());
}

async fn new_addresses_are_asked_about_anew(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"skip_authorization": 0})).await;
    let challenge = TestClient::challenge();
    let asked = ordinary(&client, &challenge, "openid");
    let page = authorize(&browser, &asked).await.expect_status(200);
    decide(&app, &browser, &page, "allow").await.expect_status(302);
    let record = format!("/api/resource/OAuth Client/{}", client.id);
    let administrator = app.administrator().await;
    administrator.put(&record).json(&json!({"app_name": "Renamed"})).send().await.expect_status(200);
    authorize(&browser, &asked).await.expect_status(302);
    let further = json!({"redirect_uris": "https://app.example.com/callback https://other.example.com/callback"});
    administrator.put(&record).json(&further).send().await.expect_status(200);
    authorize(&browser, &asked).await.expect_status(200);
    authorize(&browser, &but(asked, &[("redirect_uri", "https://other.example.com/callback")])).await.expect_status(200);
}

async fn what_is_new_is_shown_apart_from_what_was_allowed_before(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"skip_authorization": 0, "scopes": "openid email read:todo"})).await;
    let challenge = TestClient::challenge();
    let first = authorize(&browser, &ordinary(&client, &challenge, "openid read:todo")).await.expect_status(200);
    assert!(first.text().contains("It would be able to") && !first.text().contains("allowed it before"), "{}", first.text());
    decide(&app, &browser, &first, "allow").await.expect_status(302);

    let more = ordinary(&client, &challenge, "openid read:todo email");
    let page = authorize(&browser, &more).await.expect_status(200).text();
    let (new, before) = page.split_once("What you allowed it before").expect("two lists");
    assert!(new.contains("see your e-mail address") && !new.contains("type ToDo"), "{new}");
    assert!(before.contains("type ToDo") && before.contains("know who you are") && !before.contains("see your e-mail"), "{before}");
    assert!(page.contains("openid read:todo email") && page.contains("href=\"/me/apps\""));
    // Asked for although nothing is new: all of it once more.
    let again = but(ordinary(&client, &challenge, "openid read:todo"), &[("prompt", "consent")]);
    let page = authorize(&browser, &again).await.expect_status(200).text();
    assert!(page.contains("It would be able to") && page.contains("type ToDo") && !page.contains("allowed it before"), "{page}");
}

async fn allow_is_for_what_the_page_said_and_nothing_else(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"skip_authorization": 0, "scopes": "openid"})).await;
    let (administrator, record) = (app.administrator().await, format!("/api/resource/OAuth%20Client/{}", client.id));
    let challenge = TestClient::challenge();
    // Without a scope it asks for whatever it has registered by then.
    let asked = but(ordinary(&client, &challenge, "openid"), &[("scope", "")]);
    for change in [json!({"scopes": "openid all admin:credentials"}), json!({"app_name": "Somebody Else"}), json!({"verified": 0})] {
        let page = authorize(&browser, &asked).await.expect_status(200);
        administrator.put(&record).json(&change).send().await.expect_status(200);
        let again = decide(&app, &browser, &page, "allow").await.expect_status(200);
        assert!(again.header("location").is_none(), "{change}");
        assert!(again.text().contains(if change.get("scopes").is_some() { "API keys" } else { "Allow" }), "{}", again.text());
        let allowed = decide(&app, &browser, &again, "allow").await.expect_status(302);
        let tokens = client.exchange(&allowed.location_parameter("code").expect("a code")).await.expect_status(200);
        assert_eq!(tokens.json()["scope"], "openid all admin:credentials");
    }
    // What changes nothing of what it says asks nothing again.
    let page = authorize(&browser, &asked).await.expect_status(200);
    administrator.put(&record).json(&json!({"policy_uri": "https://app.example.com/privacy"})).send().await.expect_status(200);
    decide(&app, &browser, &page, "allow").await.expect_status(302);
}
