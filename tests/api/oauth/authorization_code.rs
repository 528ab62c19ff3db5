//! Exchanging codes: what they are bound to, and the shape of the answer.

use std::time::Duration;

use ostiary::cx::Cx;
use ostiary::oauth::revoke;
use serde_json::json;

use super::{OAUTH, REDIRECT_URI, authorize, but, expect_refusal, ordinary, scene, scene_with};
use crate::both_databases;
use crate::support::{PASSWORD, TestApp, TestClient, TokenPair, VERIFIER};

both_databases!(
    the_answer_has_frappes_members_in_frappes_order,
    form_json_and_multipart_bodies_are_read,
    an_unknown_code_is_invalid_grant,
    a_failed_pkce_check_burns_the_code,
    a_verifier_without_a_challenge_is_refused,
    the_redirect_uri_must_match_as_raw_text_and_be_sent_unless_pkce_was_used,
    a_redirect_uri_that_was_not_sent_before_is_not_demanded,
    another_clients_code_is_refused_and_not_spent,
    a_code_expires_after_a_minute,
    a_replay_ends_everything_the_code_bought,
    a_disabled_user_buys_nothing,
    a_code_of_a_user_who_was_disabled_or_deleted_stays_burnt,
    a_withdrawn_apps_code_is_burnt_and_no_other,
    the_documented_exchange_works_for_an_old_integration_and_says_what_it_needs_for_a_strict_client,
    grant_types_are_checked_against_what_exists_and_what_the_client_may,
    a_parameter_repeated_in_a_json_body_is_refused_as_in_a_form,
    a_token_for_another_resource_is_refused_by_every_grant_and_nothing_is_spent,
    parameters_in_the_query_and_other_verbs_are_refused,
);

async fn the_answer_has_frappes_members_in_frappes_order(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let with_openid = client.exchange(&client.code(&browser, "openid all").await).await.expect_status(200);
    let members: Vec<String> = with_openid.json().as_object().expect("an object").keys().cloned().collect();
    assert_eq!(members, ["access_token", "expires_in", "token_type", "scope", "refresh_token", "id_token"]);
    assert_eq!(with_openid.header("cache-control"), Some("no-store"));
    assert_eq!(with_openid.header("content-type"), Some("application/json"));
    let body = client.exchange(&client.code(&browser, "all").await).await.expect_status(200).json();
    let members: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["access_token", "expires_in", "token_type", "scope", "refresh_token"]);
    // A second is lost, and `bearer` is lower case, where oxide-auth writes the answer.
    assert_eq!((&body["expires_in"], &body["token_type"], &body["scope"]), (&json!(3600), &json!("Bearer"), &json!("all")));
}

async fn form_json_and_multipart_bodies_are_read(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let secret = client.secret.clone().expect("a secret");
    let code = client.code(&browser, "all").await;
    let body = json!({"grant_type": "authorization_code", "code": code, "client_id": client.id, "client_secret": secret, "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER});
    app.anonymous().post(&format!("{OAUTH}.get_token")).json(&body).send().await.expect_status(200);
    let code = client.code(&browser, "all").await;
    let mut text = String::new();
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", &client.id),
        ("client_secret", &secret),
        ("code_verifier", VERIFIER),
    ] {
        text.push_str(&format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    }
    text.push_str("--xx--\r\n");
    let multipart =
        app.anonymous().post(&format!("{OAUTH}.get_token")).header("content-type", "multipart/form-data; boundary=xx").body(text);
    multipart.send().await.expect_status(200);
}

async fn an_unknown_code_is_invalid_grant(app: TestApp) {
    let (_, client) = scene(&app).await;
    expect_refusal(&client.exchange("ost_ac_nosuchcode").await, 400, "invalid_grant");
    let without = client.get_token(&[("grant_type", "authorization_code"), ("redirect_uri", REDIRECT_URI)]).await;
    expect_refusal(&without, 400, "invalid_request");
    assert_eq!(without.json()["error_description"], "Missing code parameter.");
}

async fn a_failed_pkce_check_burns_the_code(app: TestApp) {
    let (browser, client) = scene(&app).await;
    for verifier in [Some("wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"), None] {
        let code = client.code(&browser, "all").await;
        let mut exchange = vec![("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT_URI)];
        exchange.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        expect_refusal(&client.get_token(&exchange).await, 400, "invalid_grant");
        expect_refusal(&client.exchange(&code).await, 400, "invalid_grant");
    }
}

async fn a_verifier_without_a_challenge_is_refused(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let asked = but(ordinary(&client, "", "all"), &without);
    let code = authorize(&browser, &asked).await.location_parameter("code").expect("a code");
    expect_refusal(&client.exchange(&code).await, 400, "invalid_grant");
    let code = authorize(&browser, &asked).await.location_parameter("code").expect("a code");
    let plain = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT_URI)];
    client.get_token(&plain).await.expect_status(200);
}

async fn the_redirect_uri_must_match_as_raw_text_and_be_sent_unless_pkce_was_used(app: TestApp) {
    let other = "https://app.example.com/other";
    let (browser, client) = scene_with(&app, json!({"redirect_uris": format!("{REDIRECT_URI} {other}")})).await;
    let code = client.code(&browser, "all").await;
    let exchange = |redirect_uri: &'static str, verifier: bool, code: String| {
        let client = client.clone();
        async move {
            let mut parameters = vec![("grant_type", "authorization_code"), ("code", code.as_str())];
            if !redirect_uri.is_empty() {
                parameters.push(("redirect_uri", redirect_uri));
            }
            if verifier {
                parameters.push(("code_verifier", VERIFIER));
            }
            client.get_token(&parameters).await
        }
    };
    for wrong in
        [other, "https://app.example.com/callback/", "https://app.example.com:443/callback", "HTTPS://app.example.com/callback", "nonsense"]
    {
        expect_refusal(&exchange(wrong, true, code.clone()).await, 400, "invalid_grant");
    }
    exchange("", true, code).await.expect_status(200);

    let without = but(ordinary(&client, "", "all"), &[("code_challenge", ""), ("code_challenge_method", "")]);
    let code = authorize(&browser, &without).await.location_parameter("code").expect("a code");
    expect_refusal(&exchange("", false, code.clone()).await, 400, "invalid_request");
    exchange(REDIRECT_URI, false, code).await.expect_status(200);
}

async fn a_redirect_uri_that_was_not_sent_before_is_not_demanded(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let asked = but(ordinary(&client, "", "all"), &[("code_challenge", ""), ("code_challenge_method", ""), ("redirect_uri", "")]);
    let reply = authorize(&browser, &asked).await.expect_status(302);
    assert!(reply.location().as_str().starts_with(REDIRECT_URI));
    let code = reply.location_parameter("code").expect("a code");
    client.get_token(&[("grant_type", "authorization_code"), ("code", &code)]).await.expect_status(200);
}

async fn another_clients_code_is_refused_and_not_spent(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let thief = app.client(json!({"skip_authorization": 1})).await;
    let code = client.code(&browser, "all").await;
    expect_refusal(&thief.exchange(&code).await, 400, "invalid_grant");
    client.exchange(&code).await.expect_status(200);
}

async fn a_code_expires_after_a_minute(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let (early, late) = (client.code(&browser, "all").await, client.code(&browser, "all").await);
    app.advance(Duration::from_secs(58));
    client.exchange(&early).await.expect_status(200);
    app.advance(Duration::from_secs(3));
    expect_refusal(&client.exchange(&late).await, 400, "invalid_grant");
}

async fn a_replay_ends_everything_the_code_bought(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let code = client.code(&browser, "all").await;
    let tokens = TokenPair::of(&client.exchange(&code).await);
    let unrelated = client.log_in(&browser, "all").await;
    client.holder(&tokens.access).whoami().await.expect_status(200);
    expect_refusal(&client.exchange(&code).await, 400, "invalid_grant");
    client.holder(&tokens.access).whoami().await.expect_status(401);
    expect_refusal(&client.refresh(&tokens.refresh.expect("a refresh token")).await, 400, "invalid_grant");
    client.holder(&unrelated.access).whoami().await.expect_status(200);
}

async fn a_disabled_user_buys_nothing(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let code = client.code(&browser, "all").await;
    let change = app.administrator().await.put("/api/resource/User/amina@example.com").json(&json!({"enabled": 0}));
    change.send().await.expect_status(200);
    expect_refusal(&client.exchange(&code).await, 400, "invalid_grant");
}

async fn a_code_of_a_user_who_was_disabled_or_deleted_stays_burnt(app: TestApp) {
    let (amina, client) = scene(&app).await;
    let bruno = app.user("bruno@example.com").await.cookie().await;
    let administrator = app.administrator().await;
    let change = async |body: serde_json::Value| {
        administrator.put("/api/resource/User/amina@example.com").json(&body).send().await.expect_status(200);
    };
    let (hers, his) = (client.code(&amina, "all").await, client.code(&bruno, "all").await);
    change(json!({"enabled": 0})).await;
    change(json!({"enabled": 1})).await;
    expect_refusal(&client.exchange(&hers).await, 400, "invalid_grant");
    client.exchange(&his).await.expect_status(200);

    let amina = app.existing_user("amina@example.com", PASSWORD).cookie().await;
    let (hers, his) = (client.code(&amina, "all").await, client.code(&bruno, "all").await);
    administrator.delete("/api/resource/User/amina@example.com").send().await.expect_status(202);
    // Another person under the same address.
    let amina = app.user("amina@example.com").await.cookie().await;
    expect_refusal(&client.exchange(&hers).await, 400, "invalid_grant");
    client.exchange(&his).await.expect_status(200);
    client.log_in(&amina, "all").await;
}

async fn a_withdrawn_apps_code_is_burnt_and_no_other(app: TestApp) {
    let (amina, client) = scene(&app).await;
    let other = app.client(json!({"skip_authorization": 1})).await;
    let bruno = app.user("bruno@example.com").await.cookie().await;
    let tokens = client.log_in(&amina, "all").await;
    let (hers, his) = (client.code(&amina, "all").await, client.code(&bruno, "all").await);
    let elsewhere = other.code(&amina, "all").await;
    let (env, client_id) = (app.env().clone(), client.id.clone());
    let withdraw = app.db().write("withdraw", move |conn, effects| {
        let now = env.clock.now();
        revoke::withdraw(&mut Cx { conn, now, env: &env, effects }, "amina@example.com", &client_id, None)
    });
    withdraw.await.expect("the app is withdrawn");
    client.holder(&tokens.access).whoami().await.expect_status(401);
    expect_refusal(&client.exchange(&hers).await, 400, "invalid_grant");
    client.exchange(&his).await.expect_status(200);
    other.exchange(&elsewhere).await.expect_status(200);
}

async fn the_documented_exchange_works_for_an_old_integration_and_says_what_it_needs_for_a_strict_client(app: TestApp) {
    let (browser, strict) = scene(&app).await;
    let old = app.client(json!({"skip_authorization": 1, "legacy_no_pkce": 1})).await;
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let code = |client: &TestClient| {
        let (browser, asked) = (
            browser.clone(),
            but(ordinary(client, "", "all"), &without).into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect::<Vec<_>>(),
        );
        async move {
            let pairs: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            authorize(&browser, &pairs).await.location_parameter("code").expect("a code")
        }
    };
    let documented = |client: &TestClient, code: String| json!({"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI, "client_id": client.id});
    let post = |body| app.anonymous().post(&format!("{OAUTH}.get_token")).json(&body).send();
    let refused = post(documented(&strict, code(&strict).await)).await;
    expect_refusal(&refused, 401, "invalid_client");
    assert!(refused.json()["error_description"].as_str().is_some_and(|text| text.contains("legacy_no_pkce")));

    let tokens = TokenPair::of(&post(documented(&old, code(&old).await)).await);
    let refresh = json!({"grant_type": "refresh_token", "refresh_token": tokens.refresh, "client_id": old.id});
    post(refresh).await.expect_status(200);
    // Optional, but not ignored.
    let mut wrong = documented(&old, code(&old).await);
    wrong["client_secret"] = "wrong".into();
    expect_refusal(&post(wrong).await, 401, "invalid_client");
}

async fn grant_types_are_checked_against_what_exists_and_what_the_client_may(app: TestApp) {
    let (_, client) = scene(&app).await;
    for parameters in [vec![], vec![("grant_type", "password")], vec![("grant_type", "implicit")]] {
        expect_refusal(&client.get_token(&parameters).await, 400, "unsupported_grant_type");
    }
    expect_refusal(&client.get_token(&[("grant_type", "client_credentials")]).await, 400, "unauthorized_client");
    let twice = [("grant_type", "authorization_code"), ("grant_type", "authorization_code"), ("code", "x")];
    expect_refusal(&client.get_token(&twice).await, 400, "invalid_request");
}

async fn a_parameter_repeated_in_a_json_body_is_refused_as_in_a_form(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let (id, secret) = (client.id.as_str(), client.secret.as_deref().expect("a secret"));
    let code = client.code(&browser, "all").await;
    let grant = format!(r#""grant_type": "authorization_code", "redirect_uri": "{REDIRECT_URI}", "code_verifier": "{VERIFIER}""#);
    let own = format!(r#""client_id": "{id}", "client_secret": "{secret}""#);
    for (endpoint, body) in [
        ("get_token", format!(r#"{{{own}, {grant}, "code": "another", "code": "{code}"}}"#)),
        ("get_token", format!(r#"{{{own}, {grant}, "code": "{code}", "code": null}}"#)),
        ("get_token", format!(r#"{{{own}, {grant}, "code": "{code}", "client_id": "{id}"}}"#)),
        ("revoke_token", format!(r#"{{{own}, "token": "x", "token": "x"}}"#)),
        ("introspect_token", format!(r#"{{{own}, "token": "x", "token": "x"}}"#)),
    ] {
        let request = app.anonymous().post(&format!("{OAUTH}.{endpoint}")).header("content-type", "application/json");
        expect_refusal(&request.body(body.clone()).send().await, 400, "invalid_request");
    }
    // Nothing was spent, and elsewhere the last one wins, as in Frappe.
    client.exchange(&code).await.expect_status(200);
    let user = app.existing_user("amina@example.com", crate::support::PASSWORD);
    let body = format!(r#"{{"usr": "nobody", "usr": "{}", "pwd": "{}"}}"#, user.name, user.password);
    app.anonymous().post("/api/method/login").header("content-type", "application/json").body(body).send().await.expect_status(200);
}

async fn a_token_for_another_resource_is_refused_by_every_grant_and_nothing_is_spent(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let machine = app.machine(&app.existing_user("amina@example.com", crate::support::PASSWORD), "all").await;
    let code = client.code(&browser, "all").await;
    let exchange = [("grant_type", "authorization_code"), ("code", code.as_str()), ("code_verifier", VERIFIER)];
    for other in ["https://other.example.com", "https://other.example.com/", "not a URI"] {
        let refused = client.get_token(&[exchange.as_slice(), &[("resource", other)]].concat()).await;
        expect_refusal(&refused, 400, "invalid_target");
        expect_refusal(&machine.get_token(&[("grant_type", "client_credentials"), ("resource", other)]).await, 400, "invalid_target");
    }
    let own = ("resource", app.url.as_str());
    let first = TokenPair::of(&client.get_token(&[exchange.as_slice(), &[own]].concat()).await);
    machine.get_token(&[("grant_type", "client_credentials"), own]).await.expect_status(200);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", first.refresh.as_deref().expect("a refresh token"))];
    let refused = client.get_token(&[refresh.as_slice(), &[("resource", "https://other.example.com")]].concat()).await;
    expect_refusal(&refused, 400, "invalid_target");
    client.get_token(&[refresh.as_slice(), &[own]].concat()).await.expect_status(200);
}

async fn parameters_in_the_query_and_other_verbs_are_refused(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let code = client.code(&browser, "all").await;
    let query = [("grant_type", "authorization_code"), ("code", code.as_str()), ("client_id", client.id.as_str())];
    let url = format!("{OAUTH}.get_token");
    expect_refusal(&app.anonymous().post(&url).query(&query).send().await, 400, "invalid_request");
    let got = app.anonymous().get(&url).query(&query).send().await;
    expect_refusal(&got, 405, "invalid_request");
    assert_eq!(got.header("allow"), Some("POST"));
    client.exchange(&code).await.expect_status(200);
}
