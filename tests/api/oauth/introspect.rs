//! Introspection: who may ask, and what is said.

use std::time::Duration;

use serde_json::json;

use super::clients::rotate;
use super::{OAUTH, expect_refusal, scene, scene_with};
use crate::both_databases;
use crate::support::{TestApp, TestClient, TestUser};

both_databases!(
    frappes_members_come_first_and_in_order,
    a_client_sees_its_own_tokens_and_a_resource_server_all,
    who_the_user_is_is_told_only_to_those_who_may_know_their_address,
    dead_tokens_are_inactive_and_nothing_else,
    a_remembered_answer_ends_with_the_secret_that_asked,
    only_those_who_may_ask_are_answered,
    system_managers_see_every_token,
    a_token_in_the_address_is_not_looked_at,
);

async fn frappes_members_come_first_and_in_order(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let tokens = client.log_in(&browser, "all openid").await;
    let body = client.post("introspect_token", &[("token", &tokens.access)]).await.expect_status(200).json();
    let members: Vec<&String> = body.as_object().expect("an object").keys().collect();
    let frappes = [
        "client_id",
        "trusted_client",
        "active",
        "exp",
        "scope",
        "sub",
        "name",
        "given_name",
        "family_name",
        "email",
        "picture",
        "roles",
        "iss",
    ];
    assert_eq!(members[..frappes.len()], frappes);
    assert_eq!((&body["client_id"], &body["trusted_client"], &body["active"]), (&json!(client.id), &json!(1), &json!(true)));
    assert_eq!(
        (&body["scope"], &body["username"], &body["token_type"]),
        (&json!("all openid"), &json!("amina@example.com"), &json!("Bearer"))
    );
    assert_eq!(body["exp"].as_i64().zip(body["iat"].as_i64()).map(|(exp, iat)| exp - iat), Some(3600));

    let plain = client.log_in(&browser, "all").await;
    let body = client.post("introspect_token", &[("token", &plain.access), ("token_type_hint", "banana")]).await.expect_status(200).json();
    assert!(body["sub"].is_string() && body.get("email").is_none(), "{body}");
    let refresh = plain.refresh.expect("a refresh token");
    let body = client.post("introspect_token", &[("token", &refresh)]).await.expect_status(200).json();
    assert_eq!((&body["active"], body.get("token_type")), (&json!(true), None));
}

async fn a_client_sees_its_own_tokens_and_a_resource_server_all(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let access = client.log_in(&browser, "all").await.access;
    let (stranger, server) = (app.client(json!({})).await, app.client(json!({"is_resource_server": 1})).await);
    assert_eq!(stranger.post("introspect_token", &[("token", &access)]).await.expect_status(200).json(), json!({"active": false}));
    assert_eq!(server.post("introspect_token", &[("token", &access)]).await.expect_status(200).json()["active"], true);
}

/// The user name is their address.
async fn who_the_user_is_is_told_only_to_those_who_may_know_their_address(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"scopes": "all openid email profile"})).await;
    let ask = async |asker: &TestClient, token: &str| {
        // Twice, because the second answer is a remembered one.
        let first = asker.post("introspect_token", &[("token", token)]).await.expect_status(200);
        let second = asker.post("introspect_token", &[("token", token)]).await.expect_status(200);
        assert_eq!(first.text(), second.text());
        first
    };
    let (server, manager) = (app.client(json!({"is_resource_server": 1})).await, app.administrator().await);
    for (scope, told) in [("openid", false), ("openid profile", false), ("openid email", true), ("email", true), ("all", true)] {
        let tokens = client.log_in(&browser, scope).await;
        for token in [Some(&tokens.access), tokens.refresh.as_ref()].into_iter().flatten() {
            let own = ask(&client, token).await;
            assert_eq!(own.json().get("username"), told.then(|| json!("amina@example.com")).as_ref(), "{scope}");
            assert_eq!(own.text().contains("amina@example.com"), told, "{scope}: {}", own.text());
            assert!(own.json()["sub"].is_string(), "{scope}");
            let by_manager = manager.post(&format!("{OAUTH}.introspect_token")).form(&[("token", token)]).send().await.expect_status(200);
            for all_seeing in [ask(&server, token).await, by_manager] {
                assert_eq!(all_seeing.json()["username"], "amina@example.com", "{scope}");
            }
        }
    }
    // The mark is taken back: nothing that was remembered goes on telling.
    let access = client.log_in(&browser, "openid").await.access;
    let put = async |mark: i32| {
        let request = manager.put(&format!("/api/resource/OAuth Client/{}", client.id)).json(&json!({"is_resource_server": mark}));
        request.send().await.expect_status(200)
    };
    put(1).await;
    assert_eq!(ask(&client, &access).await.json()["username"], "amina@example.com");
    put(0).await;
    assert_eq!(ask(&client, &access).await.json().get("username"), None);
}

async fn dead_tokens_are_inactive_and_nothing_else(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let ask = async |token: &str| client.post("introspect_token", &[("token", token)]).await.expect_status(200).json();
    let (expiring, revoked, spent) =
        (client.log_in(&browser, "all").await, client.log_in(&browser, "all").await, client.log_in(&browser, "all").await);
    client.post("revoke_token", &[("token", &revoked.access)]).await.expect_status(200);
    client.refresh(spent.refresh.as_deref().expect("a refresh token")).await.expect_status(200);
    for dead in ["nosuch", &revoked.access, spent.refresh.as_deref().expect("a refresh token")] {
        assert_eq!(ask(dead).await, json!({"active": false}));
    }
    assert_eq!(ask(&expiring.access).await["active"], true);
    app.advance(Duration::from_secs(3601));
    assert_eq!(ask(&expiring.access).await, json!({"active": false}));
}

async fn a_remembered_answer_ends_with_the_secret_that_asked(app: TestApp) {
    let (browser, old) = scene(&app).await;
    let access = old.log_in(&browser, "all").await.access;
    let new = rotate(&app, &old, "1m").await;
    for client in [&old, &new, &old, &new] {
        assert_eq!(client.post("introspect_token", &[("token", &access)]).await.expect_status(200).json()["active"], true);
    }
    app.advance(Duration::from_secs(61));
    expect_refusal(&old.post("introspect_token", &[("token", &access)]).await, 401, "invalid_client");
    assert_eq!(new.post("introspect_token", &[("token", &access)]).await.expect_status(200).json()["active"], true);
}

async fn only_those_who_may_ask_are_answered(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"token_endpoint_auth_method": "None"})).await;
    let access = client.log_in(&browser, "all").await.access;
    let url = format!("{OAUTH}.introspect_token");
    expect_refusal(&client.post("introspect_token", &[("token", &access)]).await, 401, "invalid_client");
    expect_refusal(&app.anonymous().post(&url).form(&[("token", &access)]).send().await, 401, "invalid_client");
    let user = app.existing_user("amina@example.com", crate::support::PASSWORD).api_key().await;
    expect_refusal(&user.post(&url).form(&[("token", &access)]).send().await, 401, "invalid_client");
    expect_refusal(&client.holder(&access).post(&url).form(&[("token", &access)]).send().await, 401, "invalid_client");
    let confidential = app.client(json!({})).await;
    expect_refusal(&confidential.post("introspect_token", &[]).await, 400, "invalid_request");
    assert_eq!(confidential.post("introspect_token", &[("token", &access)]).await.expect_status(200).json(), json!({"active": false}));
    expect_refusal(&app.anonymous().get(&url).query(&[("token", &access)]).send().await, 405, "invalid_request");
}

async fn system_managers_see_every_token(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let access = client.log_in(&browser, "all").await.access;
    let manager: TestUser = app.user_with_roles("manager@example.com", &["System Manager"]).await;
    for caller in [manager.api_key().await, manager.cookie().await] {
        let reply = caller.post(&format!("{OAUTH}.introspect_token")).form(&[("token", &access)]).send().await.expect_status(200);
        assert_eq!(reply.json()["active"], true);
    }
}

async fn a_token_in_the_address_is_not_looked_at(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let access = client.log_in(&browser, "all").await.access;
    let token = [("token", access.as_str())];
    let secret = client.secret.as_deref().expect("a secret");
    let proof = [("client_id", client.id.as_str()), ("client_secret", secret)];
    let url = format!("{OAUTH}.introspect_token");
    let key = app.administrator().await;
    for caller in [app.anonymous(), key] {
        for request in [
            caller.post(&url).query(&token).form(&proof),
            caller.post(&url).query(&proof).form(&token),
            caller.post(&url).query(&token),
            client.request("introspect_token", &token).query(&[("x", "")]),
        ] {
            expect_refusal(&request.send().await, 400, "invalid_request");
        }
        let got = caller.get(&url).query(&token).send().await;
        expect_refusal(&got, 405, "invalid_request");
        assert_eq!(got.header("allow"), Some("POST"));
    }
    assert_eq!(client.post("introspect_token", &token).await.expect_status(200).json()["active"], true);
}
