//! `authorize`: what is refused, where errors go, and what a login has to do with it.

use std::time::Duration;

use serde_json::json;

use super::{OAUTH, REDIRECT_URI, authorize, but, ordinary, scene, scene_with};
use crate::both_databases;
use crate::support::{PASSWORD, TestApp, TestClient};

both_databases!(
    a_bad_client_or_redirect_uri_is_an_error_page_and_never_a_redirect,
    every_other_error_is_redirected_with_state_and_issuer,
    a_repeated_state_is_refused_and_not_echoed,
    a_public_client_must_send_a_challenge,
    a_guest_logs_in_and_comes_back_with_all_parameters,
    an_api_key_is_not_a_login,
    prompt_none_never_shows_a_page,
    prompt_login_and_max_age_want_a_new_login,
    the_login_that_was_asked_for_cannot_be_pretended,
    a_post_to_approve_skips_no_login,
    a_user_without_an_allowed_role_is_denied,
    loopback_ports_may_vary_for_all_three_spellings,
    no_scope_means_the_registered_one_and_order_is_kept,
    form_post_carries_the_answer_in_a_page,
);

async fn a_bad_client_or_redirect_uri_is_an_error_page_and_never_a_redirect(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let challenge = TestClient::challenge();
    let good = ordinary(&client, &challenge, "openid");
    for changes in [
        vec![("client_id", "")],
        vec![("client_id", "nobody")],
        vec![("redirect_uri", "https://evil.example/cb")],
        vec![("redirect_uri", "https://app.example.com/callback/")],
        vec![("redirect_uri", "https://app.example.com:443/callback")],
        vec![("redirect_uri", "not a uri")],
    ] {
        let asked = but(good.clone(), &changes);
        let page = authorize(&browser, &asked).await.expect_status(400);
        assert!(
            page.header("location").is_none() && page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")),
            "{changes:?}"
        );
        let json = browser.get(&format!("{OAUTH}.authorize")).query(&asked).send().await.expect_status(400).json();
        assert_eq!((&json["error"], &json["status_code"]), (&json!("invalid_request"), &json!(400)), "{changes:?}");
        assert!(json["description"].is_string());
    }
    for name in ["client_id", "redirect_uri"] {
        let mut twice = good.clone();
        twice.push((name, if name == "client_id" { client.id.as_str() } else { REDIRECT_URI }));
        assert!(authorize(&browser, &twice).await.expect_status(400).header("location").is_none(), "{name} twice");
    }
    // The control: the same request without a fault gets its code.
    assert!(authorize(&browser, &good).await.expect_status(302).location_parameter("code").is_some());
}

async fn every_other_error_is_redirected_with_state_and_issuer(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let challenge = TestClient::challenge();
    let good = ordinary(&client, &challenge, "openid");
    for (changes, error) in [
        (vec![("response_type", "")], "invalid_request"),
        (vec![("response_type", "banana")], "unsupported_response_type"),
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("response_type", "code id_token")], "unsupported_response_type"),
        (vec![("scope", "openid secret")], "invalid_scope"),
        (vec![("scope", "open\"id")], "invalid_scope"),
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (vec![("code_challenge_method", "")], "invalid_request"),
        (vec![("code_challenge_method", "s256")], "invalid_request"),
        (vec![("code_challenge_method", "S999")], "invalid_request"),
        (vec![("code_challenge", "tooshort")], "invalid_request"),
        (vec![("code_challenge", "")], "invalid_request"),
        (vec![("request", "eyJhbGciOiJub25lIn0.e30.")], "request_not_supported"),
        (vec![("request_uri", "https://app.example.com/request")], "request_uri_not_supported"),
        (vec![("response_mode", "fragment")], "invalid_request"),
        (vec![("prompt", "none login")], "invalid_request"),
        (vec![("prompt", "banana")], "invalid_request"),
        (vec![("max_age", "-1")], "invalid_request"),
        (vec![("resource", "https://other.example.com")], "invalid_target"),
    ] {
        let reply = authorize(&browser, &but(good.clone(), &changes)).await.expect_status(302);
        let parameter = |name: &str| reply.location_parameter(name);
        assert!(reply.location().as_str().starts_with(REDIRECT_URI), "{changes:?}");
        assert_eq!(parameter("error").as_deref(), Some(error), "{changes:?}");
        assert_eq!(parameter("state").as_deref(), Some("a state"), "{changes:?}");
        assert_eq!(parameter("iss").as_deref(), Some(app.url.as_str()), "{changes:?}");
        assert!(parameter("error_description").is_some_and(|text| !text.is_empty()) && parameter("code").is_none(), "{changes:?}");
    }
    // This server is the one resource there is, with or without a slash.
    for resource in [app.url.clone(), format!("{}/", app.url)] {
        let named = authorize(&browser, &but(good.clone(), &[("resource", &resource)])).await.expect_status(302);
        assert!(named.location_parameter("code").is_some(), "{resource}");
    }
    let success = authorize(&browser, &good).await.expect_status(302);
    assert_eq!(success.location_parameter("iss").as_deref(), Some(app.url.as_str()));
    assert_eq!(success.header("cache-control"), Some("no-store"));
}

async fn a_repeated_state_is_refused_and_not_echoed(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let challenge = TestClient::challenge();
    let mut asked = ordinary(&client, &challenge, "openid");
    asked.push(("state", "another"));
    let reply = authorize(&browser, &asked).await.expect_status(302);
    assert_eq!(reply.location_parameter("error").as_deref(), Some("invalid_request"));
    assert_eq!(reply.location_parameter("state"), None);
}

async fn a_public_client_must_send_a_challenge(app: TestApp) {
    let (browser, strict) = scene_with(&app, json!({"token_endpoint_auth_method": "None"})).await;
    let challenge = TestClient::challenge();
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let reply = authorize(&browser, &but(ordinary(&strict, &challenge, "openid"), &without)).await.expect_status(302);
    assert_eq!(reply.location_parameter("error").as_deref(), Some("invalid_request"));
    assert!(reply.location_parameter("error_description").is_some_and(|text| text.contains("legacy_no_pkce")));
    assert!(authorize(&browser, &ordinary(&strict, &challenge, "openid")).await.location_parameter("code").is_some());

    let lenient = app.client(json!({"token_endpoint_auth_method": "None", "legacy_no_pkce": 1, "skip_authorization": 1})).await;
    assert!(authorize(&browser, &but(ordinary(&lenient, &challenge, "openid"), &without)).await.location_parameter("code").is_some());
}

async fn a_guest_logs_in_and_comes_back_with_all_parameters(app: TestApp) {
    let (_, client) = scene(&app).await;
    let challenge = TestClient::challenge();
    let browser = app.browser();
    let reply = authorize(&browser, &but(ordinary(&client, &challenge, "openid email"), &[("login_hint", "amina@example.com")]))
        .await
        .expect_status(302);
    assert_eq!(reply.location().path(), "/login");
    assert_eq!(reply.location_parameter("login_hint").as_deref(), Some("amina@example.com"));
    let back = reply.location_parameter("redirect-to").expect("where to come back to");
    let form = [("usr", "amina@example.com"), ("pwd", PASSWORD), ("redirect_to", back.as_str())];
    let logged_in = browser.post("/login").form(&form).header("origin", &app.url).send().await.expect_status(302);
    let location = logged_in.header("location").expect("a redirect").to_owned();
    assert_eq!(location, back);
    let answered = browser.get(&location).send().await.expect_status(302);
    assert!(answered.location_parameter("code").is_some());
    assert_eq!(answered.location_parameter("state").as_deref(), Some("a state"));
}

async fn an_api_key_is_not_a_login(app: TestApp) {
    let (_, client) = scene(&app).await;
    let key = app.existing_user("amina@example.com", PASSWORD).api_key().await;
    let challenge = TestClient::challenge();
    let reply = authorize(&key, &ordinary(&client, &challenge, "openid")).await.expect_status(302);
    assert_eq!(reply.location().path(), "/login");
}

async fn prompt_none_never_shows_a_page(app: TestApp) {
    let (browser, trusted) = scene(&app).await;
    let asked = app.client(json!({})).await;
    let challenge = TestClient::challenge();
    let silent = |client| but(ordinary(client, &challenge, "openid"), &[("prompt", "none")]);
    let error = |reply: &crate::support::Reply| reply.location_parameter("error");
    assert_eq!(error(&authorize(&app.browser(), &silent(&trusted)).await.expect_status(302)).as_deref(), Some("login_required"));
    assert_eq!(error(&authorize(&browser, &silent(&asked)).await.expect_status(302)).as_deref(), Some("consent_required"));
    assert!(authorize(&browser, &silent(&trusted)).await.expect_status(302).location_parameter("code").is_some());
    app.advance(Duration::from_secs(20));
    let stale = but(silent(&trusted), &[("max_age", "10")]);
    assert_eq!(error(&authorize(&browser, &stale).await.expect_status(302)).as_deref(), Some("login_required"));
}

async fn prompt_login_and_max_age_want_a_new_login(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let challenge = TestClient::challenge();
    app.advance(Duration::from_secs(100));
    for change in [("prompt", "login"), ("prompt", "select_account"), ("max_age", "60"), ("max_age", "0")] {
        let first = authorize(&browser, &but(ordinary(&client, &challenge, "openid"), &[change])).await.expect_status(302);
        assert_eq!((first.location().path(), first.location_parameter("again").as_deref()), ("/login", Some("1")), "{change:?}");
        let back = first.location_parameter("redirect-to").expect("where to come back to");
        // Coming back without having logged in changes nothing.
        let unmoved = browser.get(&back).header("accept", "text/html").send().await.expect_status(302);
        assert_eq!(unmoved.location().path(), "/login", "{change:?}");
        app.advance(Duration::from_secs(1));
        let again = app.existing_user("amina@example.com", PASSWORD).cookie().await;
        // The way back may take longer than the login may be old.
        app.advance(Duration::from_secs(3));
        let done = again.get(&back).header("accept", "text/html").send().await.expect_status(302);
        assert!(done.location_parameter("code").is_some(), "{change:?}: {}", done.location());
        app.advance(Duration::from_secs(100));
    }
    let recent = but(ordinary(&client, &challenge, "openid"), &[("max_age", "100000")]);
    assert!(authorize(&browser, &recent).await.location_parameter("code").is_some());
}

async fn the_login_that_was_asked_for_cannot_be_pretended(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let other = app.client(json!({"skip_authorization": 1})).await;
    let challenge = TestClient::challenge();
    let asked = |client, state| but(ordinary(client, &challenge, "openid"), &[("prompt", "login"), ("state", state)]);
    let marker = async |asked: &[(&str, &str)]| {
        let reply = authorize(&browser, asked).await.expect_status(302);
        assert_eq!(reply.location().path(), "/login");
        let back = reply.location_parameter("redirect-to").expect("where to come back to");
        let back = url::Url::parse(&app.url).expect("a URL").join(&back).expect("a path");
        back.query_pairs().find(|(name, _)| name == "login_after").expect("when it was asked for").1.into_owned()
    };
    // Handed out before the login of the session that will be used.
    let (own, foreign) = (marker(&asked(&client, "one")).await, marker(&asked(&other, "one")).await);
    let session = app.existing_user("amina@example.com", PASSWORD).cookie().await;
    let (micros, proof) = own.split_once('.').expect("a time and its proof");
    let earlier = format!("{}.{proof}", micros.parse::<i64>().expect("a number") - 100_000_000);
    for forged in ["0", "1", "-1", "0.", "99999999999999999999.x", micros, &format!("{micros}."), &format!("0.{proof}"), &earlier, &foreign]
    {
        let mut pretending = asked(&client, "one");
        pretending.push(("login_after", forged));
        let reply = authorize(&session, &pretending).await.expect_status(302);
        assert_eq!(reply.location().path(), "/login", "{forged}: {}", reply.location());
    }
    // Nor does the mark of one request speak for another, or for the same one much later.
    let mut another = asked(&client, "two");
    another.push(("login_after", &own));
    assert_eq!(authorize(&session, &another).await.expect_status(302).location().path(), "/login");
    let mut honest = asked(&client, "one");
    honest.push(("login_after", &own));
    assert!(authorize(&session, &honest).await.expect_status(302).location_parameter("code").is_some());
    app.advance(Duration::from_secs(3601));
    assert_eq!(authorize(&session, &honest).await.expect_status(302).location().path(), "/login");
}

async fn a_post_to_approve_skips_no_login(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"skip_authorization": 0})).await;
    let challenge = TestClient::challenge();
    let token = browser.get("/api/method/frappe.sessions.get_csrf_token").send().await.expect_status(200).message();
    let approve = async |asked: &[(&str, &str)]| {
        let request = browser.post(&format!("{OAUTH}.approve")).form(asked).header("accept", "text/html");
        request.header("x-frappe-csrf-token", token.as_str().expect("a token")).send().await.expect_status(302)
    };
    app.advance(Duration::from_secs(100));
    let plain = ordinary(&client, &challenge, "openid");
    for change in [("prompt", "login"), ("prompt", "select_account"), ("max_age", "60")] {
        let reply = approve(&but(plain.clone(), &[change])).await;
        assert_eq!(reply.location().path(), "/login", "{change:?}: {}", reply.location());
    }
    for change in [("max_age", "1000"), ("prompt", "consent")] {
        assert!(approve(&but(plain.clone(), &[change])).await.location_parameter("code").is_some(), "{change:?}");
    }
}

async fn a_user_without_an_allowed_role_is_denied(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"allowed_roles": [{"role": "Agent"}]})).await;
    let challenge = TestClient::challenge();
    let denied = authorize(&browser, &ordinary(&client, &challenge, "openid")).await.expect_status(302);
    assert_eq!(denied.location_parameter("error").as_deref(), Some("access_denied"));
    let agent = app.user_with_roles("agent@example.com", &["Agent"]).await.cookie().await;
    assert!(authorize(&agent, &ordinary(&client, &challenge, "openid")).await.location_parameter("code").is_some());
}

async fn loopback_ports_may_vary_for_all_three_spellings(app: TestApp) {
    let uris = "http://127.0.0.1:9/cb http://[::1]:9/cb http://localhost:9/cb";
    let (browser, client) = scene_with(&app, json!({"redirect_uris": uris, "default_redirect_uri": "http://127.0.0.1:9/cb"})).await;
    let challenge = TestClient::challenge();
    for uri in ["http://127.0.0.1:54321/cb", "http://[::1]:54321/cb", "http://localhost:54321/cb"] {
        let reply = authorize(&browser, &but(ordinary(&client, &challenge, "openid"), &[("redirect_uri", uri)])).await.expect_status(302);
        let location = reply.header("location").expect("a redirect").to_owned();
        assert!(location.starts_with(&format!("{uri}?code=")), "{location}");
        let code = reply.location_parameter("code").expect("a code");
        let exchange = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", uri),
            ("code_verifier", crate::support::VERIFIER),
        ];
        client.get_token(&exchange).await.expect_status(200);
    }
    for uri in ["http://127.0.0.2:9/cb", "https://127.0.0.1:9/cb", "http://127.0.0.1:9/other", "http://localhost.evil.example:9/cb"] {
        authorize(&browser, &but(ordinary(&client, &challenge, "openid"), &[("redirect_uri", uri)])).await.expect_status(400);
    }
}

async fn no_scope_means_the_registered_one_and_order_is_kept(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"scopes": "email all openid profile"})).await;
    let challenge = TestClient::challenge();
    for (asked, granted) in [
        ("", "email all openid profile"),
        ("profile openid", "profile openid"),
        ("openid offline_access email", "openid offline_access email"),
    ] {
        let reply = authorize(&browser, &but(ordinary(&client, &challenge, "x"), &[("scope", asked)])).await;
        let code = reply.location_parameter("code").expect("a code");
        assert_eq!(client.exchange(&code).await.string("scope"), granted);
    }
}

async fn form_post_carries_the_answer_in_a_page(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let challenge = TestClient::challenge();
    let asked = but(ordinary(&client, &challenge, "openid"), &[("response_mode", "form_post")]);
    let page = authorize(&browser, &asked).await.expect_status(200);
    let text = page.text();
    assert!(text.contains(&format!("action=\"{REDIRECT_URI}\"")), "{text}");
    assert_eq!(super::hidden_field(&text, "state"), "a state");
    client.exchange(&super::hidden_field(&text, "code")).await.expect_status(200);
    let refused = authorize(&browser, &but(asked, &[("scope", "secret")])).await.expect_status(200);
    assert_eq!(super::hidden_field(&refused.text(), "error"), "invalid_scope");
}
