//! The `claims` parameter (OpenID Connect Core section 5.5), and the claims that scopes open.

use jsonwebtoken::dangerous::insecure_decode;
use serde_json::{Value, json};

use super::{OAUTH, authorize, but, ordinary, scene_with};
use crate::both_databases;
use crate::support::{Caller, PASSWORD, Setup, TestApp, TestClient, TokenPair, decide};

both_databases!(
    a_claim_is_released_where_it_was_asked_for_and_nowhere_else,
    a_claim_is_not_released_to_a_client_that_did_not_register_its_scope,
    a_claim_is_asked_about_and_remembered_like_its_scope,
    a_narrowed_token_and_a_shrunk_client_are_told_less,
    without_openid_no_claim_is_released,
    all_at_somebody_elses_resource_opens_no_claim_here,
    a_malformed_claims_parameter_is_refused_and_unknown_claims_are_ignored,
    an_essential_acr_that_cannot_be_met_is_refused,
    the_phone_scope_opens_the_number_and_says_that_nobody_checked_it,
    an_address_is_verified_only_where_the_operator_says_so,
);

const EVERYTHING: &str = "all openid profile email phone roles";

/// A browser of a user with a phone number, and a client with these fields.
async fn setting(app: &TestApp, fields: Value) -> (Caller, TestClient) {
    let (browser, client) = scene_with(app, fields).await;
    let number = json!({"mobile_no": "+49 30 1234567"});
    app.administrator().await.put("/api/resource/User/amina@example.com").json(&number).send().await.expect_status(200);
    (browser, client)
}

/// Logs in with a request that has these parameters, of which the user is not asked about.
async fn tokens(browser: &Caller, client: &TestClient, scope: &str, changes: &[(&str, &str)]) -> (TokenPair, String) {
    let challenge = TestClient::challenge();
    let code = authorize(browser, &but(ordinary(client, &challenge, scope), changes)).await.location_parameter("code").expect("a code");
    let reply = client.exchange(&code).await;
    (TokenPair::of(&reply), reply.string("scope"))
}

/// The claims of an id token whose signature is another test's business.
fn said(tokens: &TokenPair) -> Value {
    insecure_decode::<Value>(tokens.id_token.as_deref().expect("an id token")).expect("a token").claims
}

async fn userinfo(client: &TestClient, access: &str) -> Value {
    let url = format!("{OAUTH}.openid_profile");
    let by_get = client.holder(access).get(&url).send().await.expect_status(200).json();
    let by_post = client.holder(access).post(&url).send().await.expect_status(200).json();
    assert_eq!(by_get, by_post);
    by_get
}

#[track_caller]
fn expect(claims: &Value, present: &[&str], absent: &[&str]) {
    assert!(present.iter().all(|name| claims.get(name).is_some()), "{present:?} in {claims}");
    assert!(absent.iter().all(|name| claims.get(name).is_none()), "no {absent:?} in {claims}");
}

async fn a_claim_is_released_where_it_was_asked_for_and_nowhere_else(app: TestApp) {
    let (browser, client) = setting(&app, json!({"scopes": EVERYTHING})).await;
    let asked = r#"{"userinfo": {"email": null, "phone_number": {"essential": true}}, "id_token": {"name": null, "roles": {"essential": false}, "auth_time": {"essential": true}}}"#;
    let (tokens, scope) = tokens(&browser, &client, "openid", &[("claims", asked)]).await;
    assert_eq!(scope, "openid", "the scope is what was granted, whatever claims were asked for");
    expect(&said(&tokens), &["sub", "name", "roles", "auth_time"], &["email", "phone_number", "given_name", "picture"]);
    for access in [tokens.access.clone(), TokenPair::of(&client.refresh(tokens.refresh.as_deref().expect("one")).await).access] {
        let info = userinfo(&client, &access).await;
        expect(&info, &["sub", "email", "phone_number", "iss"], &["name", "roles", "email_verified", "phone_number_verified"]);
        assert_eq!((&info["email"], &info["phone_number"]), (&json!("amina@example.com"), &json!("+49 30 1234567")));
    }
    // The control: a grant of the same client without such a request.
    let (plain, _) = self::tokens(&browser, &client, "openid", &[]).await;
    expect(&userinfo(&client, &plain.access).await, &["sub"], &["email", "phone_number", "name"]);
    expect(&said(&plain), &["sub", "auth_time"], &["name", "roles"]);
}

async fn a_claim_is_not_released_to_a_client_that_did_not_register_its_scope(app: TestApp) {
    let (browser, client) = setting(&app, json!({"scopes": "openid email read"})).await;
    let asked =
        r#"{"userinfo": {"email": null, "phone_number": null, "name": null}, "id_token": {"roles": {"essential": true}, "email": null}}"#;
    let (tokens, _) = tokens(&browser, &client, "openid", &[("claims", asked)]).await;
    expect(&userinfo(&client, &tokens.access).await, &["email"], &["phone_number", "name"]);
    expect(&said(&tokens), &["email"], &["roles"]);
}

async fn a_claim_is_asked_about_and_remembered_like_its_scope(app: TestApp) {
    let (browser, client) = setting(&app, json!({"scopes": EVERYTHING, "skip_authorization": 0})).await;
    let challenge = TestClient::challenge();
    let plain = ordinary(&client, &challenge, "openid");
    let email = but(plain.clone(), &[("claims", r#"{"userinfo": {"email": null}}"#)]);
    let phone = but(plain.clone(), &[("claims", r#"{"id_token": {"phone_number": null}}"#)]);
    let page = authorize(&browser, &plain).await.expect_status(200);
    assert!(!page.text().contains("see your e-mail address"));
    decide(&browser, &page, "allow").await.expect_status(302);

    let silent = but(email.clone(), &[("prompt", "none")]);
    assert_eq!(authorize(&browser, &silent).await.location_parameter("error").as_deref(), Some("consent_required"));
    let page = authorize(&browser, &email).await.expect_status(200);
    assert!(page.text().contains("see your e-mail address") && !page.text().contains("see your phone number"), "{}", page.text());
    let code = decide(&browser, &page, "allow").await.expect_status(302).location_parameter("code").expect("a code");
    let tokens = TokenPair::of(&client.exchange(&code).await);
    expect(&userinfo(&client, &tokens.access).await, &["email"], &["name"]);

    assert!(authorize(&browser, &silent).await.location_parameter("code").is_some(), "remembered");
    let page = authorize(&browser, &phone).await.expect_status(200);
    assert!(page.text().contains("see your phone number"), "{}", page.text());
    decide(&browser, &page, "deny").await.expect_status(302);
    authorize(&browser, &phone).await.expect_status(200);
}

async fn a_narrowed_token_and_a_shrunk_client_are_told_less(app: TestApp) {
    let (browser, client) = setting(&app, json!({"scopes": "openid profile email phone"})).await;
    let asked = [("claims", r#"{"userinfo": {"email": null, "phone_number": null}}"#)];
    let (wide, _) = tokens(&browser, &client, "openid profile", &asked).await;
    let refresh = wide.refresh.expect("a refresh token");
    let narrowed = client.get_token(&[("grant_type", "refresh_token"), ("refresh_token", &refresh), ("scope", "openid")]).await;
    expect(&userinfo(&client, &TokenPair::of(&narrowed).access).await, &["sub"], &["email", "phone_number", "name"]);

    expect(&userinfo(&client, &wide.access).await, &["email", "phone_number", "name"], &[]);
    let record = format!("/api/resource/OAuth Client/{}", client.id);
    let shrunk = json!({"scopes": "openid profile phone"});
    app.administrator().await.put(&record).json(&shrunk).send().await.expect_status(200);
    expect(&userinfo(&client, &wide.access).await, &["phone_number", "name"], &["email"]);
}

async fn without_openid_no_claim_is_released(app: TestApp) {
    let (browser, client) = setting(&app, json!({"scopes": EVERYTHING})).await;
    let asked = [("claims", r#"{"userinfo": {"phone_number": null}}"#)];
    let (all, _) = tokens(&browser, &client, "all", &asked).await;
    expect(&userinfo(&client, &all.access).await, &["email"], &["phone_number"]);
    let (openid, _) = tokens(&browser, &client, "openid all", &asked).await;
    expect(&userinfo(&client, &openid.access).await, &["email", "phone_number"], &[]);
}

async fn all_at_somebody_elses_resource_opens_no_claim_here(app: TestApp) {
    let (browser, client) = setting(&app, json!({"scopes": EVERYTHING})).await;
    let resource = json!({"resource": "https://mcp.example/tools", "resource_name": "Tools"});
    app.administrator().await.post("/api/resource/OAuth%20Resource").json(&resource).send().await.expect_status(200);
    let elsewhere = [("resource", "https://mcp.example/tools"), ("claims", r#"{"id_token": {"phone_number": null}}"#)];
    for (changes, present, absent) in [
        (&elsewhere[..], vec!["sub", "phone_number"], vec!["email", "name", "roles"]),
        (&[], vec!["sub", "email", "name", "roles"], vec!["phone_number"]),
    ] {
        let (tokens, scope) = tokens(&browser, &client, "openid all", changes).await;
        assert_eq!(scope, "openid all");
        expect(&said(&tokens), &present, &absent);
        let seen = client.post("introspect_token", &[("token", &tokens.access)]).await.expect_status(200).json();
        expect(&seen, &["sub", "active", "aud"], if changes.is_empty() { &[] } else { &["email", "name", "roles"] });
    }
}

async fn a_malformed_claims_parameter_is_refused_and_unknown_claims_are_ignored(app: TestApp) {
    let (browser, client) = setting(&app, json!({"scopes": EVERYTHING})).await;
    let challenge = TestClient::challenge();
    let plain = ordinary(&client, &challenge, "openid");
    let (long, deep) = (format!("{{\"userinfo\": {{}}{}}}", " ".repeat(4096)), "[".repeat(2000));
    let members = format!("{{\"userinfo\":{}", "{\"a\":".repeat(300));
    for bad in [
        "x",
        "null",
        "[]",
        "\"userinfo\"",
        "{\"userinfo\": []}",
        "{\"userinfo\": null}",
        "{\"id_token\": {\"email\": 1}}",
        "{\"id_token\": {\"nobody_knows\": {\"essential\": 1}}}",
        "{\"id_token\": {\"sub\": {\"value\": null}}}",
        "{\"id_token\": {\"acr\": {\"essential\": true, \"values\": [1]}}}",
        &long,
        &deep,
        &members,
    ] {
        let reply = authorize(&browser, &but(plain.clone(), &[("claims", bad)])).await.expect_status(302);
        let parameter = |name: &str| reply.location_parameter(name);
        assert_eq!((parameter("error").as_deref(), parameter("code")), (Some("invalid_request"), None), "{bad}");
        assert_eq!(parameter("state").as_deref(), Some("a state"), "{bad}");
        assert!(parameter("error_description").is_some_and(|text| text.contains("claims")), "{bad}");
    }
    let mut twice = plain.clone();
    twice.extend([("claims", "{}"), ("claims", "{}")]);
    assert_eq!(authorize(&browser, &twice).await.location_parameter("error").as_deref(), Some("invalid_request"));
    for good in [
        "{}",
        "{\"userinfo\": {}}",
        "{\"userinfo\": {\"nickname\": null, \"name#de\": null, \"https://x.example/a\": {\"essential\": true, \"x\": [1]}}, \"y\": 7}",
        "{\"id_token\": {\"acr\": {\"values\": [\"urn:x\"]}, \"amr\": null, \"birthdate\": {\"values\": [1, {}]}}}",
    ] {
        let asked = but(plain.clone(), &[("claims", good), ("claims_locales", "de fr"), ("ui_locales", "de"), ("acr_values", "urn:x 1")]);
        let reply = authorize(&browser, &asked).await.expect_status(302);
        assert!(reply.location_parameter("code").is_some(), "{good}: {}", reply.location());
    }
}

async fn an_essential_acr_that_cannot_be_met_is_refused(app: TestApp) {
    let (browser, client) = setting(&app, json!({"scopes": EVERYTHING})).await;
    let challenge = TestClient::challenge();
    for (wish, error) in [
        (r#"{"essential": true, "value": "urn:mace:incommon:iap:silver"}"#, Some("unmet_authentication_requirements")),
        (r#"{"essential": true, "values": ["1", "2"]}"#, Some("unmet_authentication_requirements")),
        (r#"{"essential": true, "values": ["1", "0"]}"#, None),
        (r#"{"essential": true}"#, None),
        (r#"{"values": ["1", "2"]}"#, None),
    ] {
        let claims = format!(r#"{{"id_token": {{"acr": {wish}}}}}"#);
        let reply = authorize(&browser, &but(ordinary(&client, &challenge, "openid"), &[("claims", &claims)])).await.expect_status(302);
        assert_eq!(reply.location_parameter("error").as_deref(), error, "{wish}");
        assert_eq!(reply.location_parameter("code").is_some(), error.is_none(), "{wish}");
    }
}

async fn the_phone_scope_opens_the_number_and_says_that_nobody_checked_it(app: TestApp) {
    let (browser, client) = setting(&app, json!({"scopes": EVERYTHING})).await;
    let (with, _) = tokens(&browser, &client, "openid phone", &[]).await;
    for claims in [userinfo(&client, &with.access).await, said(&with)] {
        assert_eq!((&claims["phone_number"], &claims["phone_number_verified"]), (&json!("+49 30 1234567"), &json!(false)), "{claims}");
        expect(&claims, &["sub"], &["email", "name"]);
    }
    let (without, _) = tokens(&browser, &client, "openid", &[]).await;
    expect(&userinfo(&client, &without.access).await, &["sub"], &["phone_number", "phone_number_verified"]);
    // The landline where there is no mobile number; nothing where there is neither.
    let record = "/api/resource/User/amina@example.com";
    let administrator = app.administrator().await;
    administrator.put(record).json(&json!({"mobile_no": "", "phone": "030 7654321"})).send().await.expect_status(200);
    assert_eq!(userinfo(&client, &with.access).await["phone_number"], "030 7654321");
    administrator.put(record).json(&json!({"phone": null})).send().await.expect_status(200);
    expect(&userinfo(&client, &with.access).await, &["sub"], &["phone_number", "phone_number_verified"]);
}

async fn an_address_is_verified_only_where_the_operator_says_so(setup: Setup) {
    let check = async |app: TestApp, verified: bool| {
        let browser = app.existing_user("amina@example.com", PASSWORD).cookie().await;
        let client = app.client(json!({"scopes": EVERYTHING, "skip_authorization": 1})).await;
        let (tokens, _) = tokens(&browser, &client, "openid email", &[]).await;
        for claims in [userinfo(&client, &tokens.access).await, said(&tokens)] {
            assert_eq!((&claims["email"], &claims["email_verified"]), (&json!("amina@example.com"), &json!(verified)));
        }
        // Administrator's address is nobody's in particular.
        let administrator = app.existing_user("Administrator", crate::support::ADMIN_PASSWORD).cookie().await;
        let page = client.authorize(&administrator, "openid email").await;
        let code = decide(&administrator, &page, "allow").await.location_parameter("code").expect("a code");
        assert_eq!(said(&TokenPair::of(&client.exchange(&code).await))["email_verified"], false);
    };
    let app = setup.clone().start().await;
    app.user("amina@example.com").await;
    check(app, false).await;
    check(setup.configure(|config| config.oauth.emails_verified = true).start().await, true).await;
}
