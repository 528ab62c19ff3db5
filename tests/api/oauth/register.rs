//! Dynamic client registration (RFC 7591).

use ostiary::config::Registration;
use serde_json::{Value, json};

use super::{OAUTH, but, expect_refusal, ordinary};
use crate::both_databases;
use crate::support::{Caller, Reply, Setup, TestApp, TestClient, TokenPair};

both_databases!(
    by_default_nobody_can_register_a_client,
    anybody_can_where_it_is_open_and_the_flow_works,
    a_public_client_gets_no_secret,
    the_consent_page_says_that_nobody_vouches_and_that_can_be_changed,
    what_cannot_be_is_refused_with_its_name,
    no_trust_comes_by_registration,
    only_administrators_register_where_that_is_asked_for,
    registrations_are_limited_per_address,
);

async fn site(setup: Setup, who: Registration) -> TestApp {
    setup.configure(|config| config.oauth.registration = who).start().await
}

async fn register(caller: &Caller, metadata: &Value) -> Reply {
    caller.post(&format!("{OAUTH}.register_client")).json(metadata).send().await
}

fn metadata() -> Value {
    json!({
        "client_name": "Garden Planner",
        "redirect_uris": ["https://app.example.com/callback", "com.example.garden:/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "openid all",
        "client_uri": "https://app.example.com",
        "contacts": ["ada@example.com"],
        "post_logout_redirect_uris": ["https://app.example.com/bye"],
        "unknown": {"is": "ignored"},
    })
}

async fn by_default_nobody_can_register_a_client(app: TestApp) {
    let refused = register(&app.anonymous(), &metadata()).await;
    expect_refusal(&refused, 404, "invalid_request");
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        assert!(app.anonymous().get(path).send().await.json().get("registration_endpoint").is_none());
    }
}

async fn anybody_can_where_it_is_open_and_the_flow_works(setup: Setup) {
    let app = site(setup, Registration::Open).await;
    let discovered = app.anonymous().get("/.well-known/oauth-authorization-server").send().await.json();
    assert_eq!(discovered["registration_endpoint"], format!("{}{OAUTH}.register_client", app.url));

    let reply = register(&app.anonymous(), &metadata()).await.expect_status(201);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let client = reply.json();
    for name in
        ["client_name", "redirect_uris", "grant_types", "response_types", "scope", "client_uri", "contacts", "post_logout_redirect_uris"]
    {
        assert_eq!(client[name], metadata()[name], "{name}");
    }
    assert_eq!((&client["token_endpoint_auth_method"], &client["client_secret_expires_at"]), (&json!("client_secret_basic"), &json!(0)));
    assert!(client["client_id_issued_at"].is_i64() && client.get("unknown").is_none() && client.get("logo_uri").is_none(), "{client}");

    let client = TestClient {
        id: client["client_id"].as_str().expect("an id").to_owned(),
        secret: Some(client["client_secret"].as_str().expect("a secret").to_owned()),
        anonymous: app.anonymous(),
    };
    let browser = app.user("amina@example.com").await.cookie().await;
    let tokens = log_in(&browser, &client).await;
    client.holder(&tokens.access).whoami().await.expect_status(200);
    TokenPair::of(&client.refresh(tokens.refresh.as_deref().expect("a refresh token")).await);
}

/// The whole flow with the consent page.
async fn log_in(browser: &Caller, client: &TestClient) -> TokenPair {
    let challenge = TestClient::challenge();
    let page = super::authorize(browser, &ordinary(client, &challenge, "openid all")).await.expect_status(200);
    let answer = crate::support::decide(browser, &page, "allow").await;
    TokenPair::of(&client.exchange(&answer.location_parameter("code").expect("a code")).await)
}

async fn a_public_client_gets_no_secret(setup: Setup) {
    let app = site(setup, Registration::Open).await;
    let mut asked = metadata();
    asked["token_endpoint_auth_method"] = "none".into();
    let body = register(&app.anonymous(), &asked).await.expect_status(201).json();
    assert!(body.get("client_secret").is_none() && body.get("client_secret_expires_at").is_none(), "{body}");
    let client = TestClient { id: body["client_id"].as_str().expect("an id").to_owned(), secret: None, anonymous: app.anonymous() };
    let browser = app.user("amina@example.com").await.cookie().await;
    let challenge = TestClient::challenge();
    let without = but(ordinary(&client, &challenge, "openid"), &[("code_challenge", ""), ("code_challenge_method", "")]);
    let refused = super::authorize(&browser, &without).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_request"), "PKCE is not optional for it");
    log_in(&browser, &client).await;
}

async fn the_consent_page_says_that_nobody_vouches_and_that_can_be_changed(setup: Setup) {
    let app = site(setup, Registration::Open).await;
    let body = register(&app.anonymous(), &metadata()).await.expect_status(201).json();
    let client = TestClient { id: body["client_id"].as_str().expect("an id").to_owned(), secret: None, anonymous: app.anonymous() };
    let browser = app.user("amina@example.com").await.cookie().await;
    let challenge = TestClient::challenge();
    let asked = ordinary(&client, &challenge, "openid");
    assert!(super::authorize(&browser, &asked).await.expect_status(200).text().contains("Not verified"));
    let record = format!("/api/resource/OAuth Client/{}", client.id);
    let administrator = app.administrator().await;
    assert_eq!(administrator.get(&record).send().await.data()["verified"], 0);
    administrator.put(&record).json(&json!({"verified": 1})).send().await.expect_status(200);
    assert!(!super::authorize(&browser, &asked).await.expect_status(200).text().contains("Not verified"));
    // Who registers by hand vouches.
    let by_hand = app.client(json!({})).await;
    assert!(
        !super::authorize(&browser, &ordinary(&by_hand, &challenge, "openid")).await.expect_status(200).text().contains("Not verified")
    );
}

async fn what_cannot_be_is_refused_with_its_name(setup: Setup) {
    let app = site(setup, Registration::Open).await;
    let anonymous = app.anonymous();
    for uri in [
        "http://app.example.com/callback",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://app.example.com/callback#x",
        "https://*.example.com/callback",
        "https://user@app.example.com/callback",
        "myapp:/callback",
        "/callback",
        "",
    ] {
        expect_refusal(&register(&anonymous, &with("redirect_uris", json!([uri]))).await, 400, "invalid_redirect_uri");
        expect_refusal(&register(&anonymous, &with("post_logout_redirect_uris", json!([uri]))).await, 400, "invalid_redirect_uri");
    }
    for (name, value) in [
        ("redirect_uris", Value::Null),
        ("redirect_uris", json!([])),
        ("redirect_uris", json!("https://app.example.com/callback")),
        ("redirect_uris", json!([1])),
        ("redirect_uris", json!(vec!["https://app.example.com/callback"; 21])),
        ("client_name", json!(["x"])),
        ("client_name", json!("x".repeat(141))),
        ("client_name", json!("a\u{7}b")),
        ("grant_types", json!(["implicit"])),
        ("grant_types", json!(["client_credentials"])),
        ("grant_types", json!(["refresh_token"])),
        ("response_types", json!(["token"])),
        ("token_endpoint_auth_method", json!("tls_client_auth")),
        ("token_endpoint_auth_method", json!("client_secret")),
        ("id_token_signed_response_alg", json!("none")),
        ("id_token_signed_response_alg", json!("HS256")),
        ("logo_uri", json!("javascript:alert(1)")),
        ("client_uri", json!("app.example.com")),
        ("contacts", json!("ada@example.com")),
        ("scope", json!("all admin:credentials")),
        ("scope", json!("a\"b")),
    ] {
        let refused = register(&anonymous, &with(name, value.clone())).await;
        expect_refusal(&refused, 400, "invalid_client_metadata");
        let label = name.trim_end_matches("_uri").trim_end_matches("_uris").replace('_', " ");
        let said = refused.string("error_description").to_lowercase();
        assert!(said.contains(name) || said.contains(&label), "{name} {value}: {said}");
    }
    let form = anonymous.post(&format!("{OAUTH}.register_client")).form(&[("redirect_uris", "https://app.example.com/callback")]);
    expect_refusal(&form.send().await, 400, "invalid_client_metadata");
    let twice = r#"{"redirect_uris": ["https://a.example/"], "redirect_uris": ["https://b.example/"]}"#;
    let twice = anonymous.post(&format!("{OAUTH}.register_client")).header("content-type", "application/json").body(twice).send().await;
    expect_refusal(&twice, 400, "invalid_client_metadata");
}

fn with(name: &str, value: Value) -> Value {
    let mut asked = metadata();
    asked[name] = value;
    asked
}

async fn no_trust_comes_by_registration(setup: Setup) {
    let app = site(setup, Registration::Open).await;
    let asked = json!({
        "redirect_uris": ["https://app.example.com/callback"],
        "skip_authorization": 1, "user": "Administrator", "legacy_no_pkce": 1, "is_resource_server": 1, "verified": 1, "client_id": "chosen",
    });
    let body = register(&app.anonymous(), &asked).await.expect_status(201).json();
    assert_ne!(body["client_id"], "chosen");
    let record = format!("/api/resource/OAuth Client/{}", body["client_id"].as_str().expect("an id"));
    let record = app.administrator().await.get(&record).send().await.expect_status(200).data();
    for name in ["skip_authorization", "legacy_no_pkce", "is_resource_server", "verified"] {
        assert_eq!(record[name], 0, "{name}");
    }
    assert_eq!((&record["user"], &record["app_name"], &record["owner"]), (&Value::Null, &json!("app.example.com"), &json!("Guest")));
    assert_eq!(record["scopes"], "all openid");
}

async fn only_administrators_register_where_that_is_asked_for(setup: Setup) {
    let app = site(setup, Registration::Admin).await;
    expect_refusal(&register(&app.anonymous(), &metadata()).await, 401, "invalid_token");
    let user = app.user("amina@example.com").await;
    register(&user.api_key().await, &metadata()).await.expect_status(400);
    let administrator = app.administrator().await;
    let body = register(&administrator, &metadata()).await.expect_status(201).json();
    let record = format!("/api/resource/OAuth Client/{}", body["client_id"].as_str().expect("an id"));
    assert_eq!(administrator.get(&record).send().await.data()["verified"], 1);
}

async fn registrations_are_limited_per_address(setup: Setup) {
    let app = setup
        .configure(|config| {
            config.oauth.registration = Registration::Open;
            config.limits.scale = 1.0;
        })
        .start()
        .await;
    let mut answers = Vec::new();
    for _ in 0..12 {
        answers.push(register(&app.anonymous(), &metadata()).await);
    }
    assert!(answers[..10].iter().all(|reply| reply.status == 201), "{:?}", answers.iter().map(|reply| reply.status).collect::<Vec<_>>());
    let refused = &answers[10];
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (429, true));
    assert_eq!(refused.error().as_deref(), Some("temporarily_unavailable"));
}
