//! Refreshing: rotation, reuse, scopes and lifetimes. Races are in `concurrency.rs`.

use std::time::Duration;

use serde_json::json;

use super::{OAUTH, expect_refusal, scene, scene_with};
use crate::both_databases;
use crate::support::{TestApp, TokenPair};

both_databases!(
    every_use_rotates_and_the_answer_has_no_id_token,
    a_narrower_scope_does_not_stick,
    a_refresh_names_its_client_and_belongs_to_it,
    within_the_grace_only_the_same_question_gets_the_same_answer,
    an_old_token_whose_successor_was_used_is_refused_and_ends_nothing,
    reuse_after_the_grace_ends_the_family,
    lifetimes_are_idle_and_absolute,
    a_disabled_user_cannot_refresh,
    scopes_the_client_no_longer_registers_are_not_refreshed,
    missing_and_unknown_tokens_are_refused,
);

const DAY: Duration = Duration::from_secs(86_400);

async fn every_use_rotates_and_the_answer_has_no_id_token(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let first = client.log_in(&browser, "openid all").await;
    let reply = client.refresh(first.refresh.as_deref().expect("a refresh token")).await.expect_status(200);
    let body = reply.json();
    let members: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["access_token", "expires_in", "token_type", "scope", "refresh_token"]);
    assert_eq!((&body["expires_in"], &body["scope"]), (&json!(3600), &json!("openid all")));
    assert_ne!(body["refresh_token"].as_str(), first.refresh.as_deref());
    client.holder(&TokenPair::of(&reply).access).whoami().await.expect_status(200);
    // The first access token lives until its own end.
    client.holder(&first.access).whoami().await.expect_status(200);
}

async fn a_narrower_scope_does_not_stick(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let first = client.log_in(&browser, "all openid email").await;
    let narrow = |token: String, scope: &'static str| {
        let client = client.clone();
        async move { client.get_token(&[("grant_type", "refresh_token"), ("refresh_token", &token), ("scope", scope)]).await }
    };
    let wider = narrow(first.refresh.clone().expect("a refresh token"), "all openid profile").await;
    expect_refusal(&wider, 400, "invalid_scope");
    let less = narrow(first.refresh.expect("a refresh token"), "email openid").await.expect_status(200);
    assert_eq!(less.string("scope"), "email openid");
    let whole = client.refresh(&less.string("refresh_token")).await.expect_status(200);
    assert_eq!(whole.string("scope"), "all openid email");
}

async fn a_refresh_names_its_client_and_belongs_to_it(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"token_endpoint_auth_method": "None"})).await;
    let other = app.client(json!({"token_endpoint_auth_method": "None", "skip_authorization": 1})).await;
    let refresh = client.log_in(&browser, "all").await.refresh.expect("a refresh token");
    expect_refusal(&other.refresh(&refresh).await, 400, "invalid_grant");
    let nameless =
        app.anonymous().post(&format!("{OAUTH}.get_token")).form(&[("grant_type", "refresh_token"), ("refresh_token", &refresh)]);
    expect_refusal(&nameless.send().await, 401, "invalid_client");
    client.refresh(&refresh).await.expect_status(200);
}

async fn within_the_grace_only_the_same_question_gets_the_same_answer(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let presented = client.log_in(&browser, "all openid").await.refresh.expect("a refresh token");
    let first = client.refresh(&presented).await.expect_status(200);
    app.advance(Duration::from_secs(5));
    let again = client.refresh(&presented).await.expect_status(200);
    assert_eq!(
        (first.string("access_token"), first.string("refresh_token")),
        (again.string("access_token"), again.string("refresh_token"))
    );
    assert_eq!(again.json()["expires_in"], 3595);
    let other = [("grant_type", "refresh_token"), ("refresh_token", presented.as_str()), ("scope", "openid")];
    expect_refusal(&client.get_token(&other).await, 400, "invalid_grant");
    client.holder(&first.string("access_token")).whoami().await.expect_status(200);
    client.refresh(&first.string("refresh_token")).await.expect_status(200);
}

async fn an_old_token_whose_successor_was_used_is_refused_and_ends_nothing(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let presented = client.log_in(&browser, "all").await.refresh.expect("a refresh token");
    let second = TokenPair::of(&client.refresh(&presented).await);
    let third = TokenPair::of(&client.refresh(second.refresh.as_deref().expect("a refresh token")).await);
    expect_refusal(&client.refresh(&presented).await, 400, "invalid_grant");
    client.holder(&third.access).whoami().await.expect_status(200);
    client.refresh(third.refresh.as_deref().expect("a refresh token")).await.expect_status(200);
}

async fn reuse_after_the_grace_ends_the_family(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let presented = client.log_in(&browser, "all").await.refresh.expect("a refresh token");
    let second = TokenPair::of(&client.refresh(&presented).await);
    let unrelated = client.log_in(&browser, "all").await;
    app.advance(Duration::from_secs(11));
    expect_refusal(&client.refresh(&presented).await, 400, "invalid_grant");
    client.holder(&second.access).whoami().await.expect_status(401);
    expect_refusal(&client.refresh(second.refresh.as_deref().expect("a refresh token")).await, 400, "invalid_grant");
    client.holder(&unrelated.access).whoami().await.expect_status(200);
}

async fn lifetimes_are_idle_and_absolute(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let idle = client.log_in(&browser, "all").await.refresh.expect("a refresh token");
    app.advance(31 * DAY);
    expect_refusal(&client.refresh(&idle).await, 400, "invalid_grant");
    let browser = app.existing_user("amina@example.com", crate::support::PASSWORD).cookie().await;
    let mut used = client.log_in(&browser, "all").await;
    for _ in 0..7 {
        app.advance(25 * DAY);
        used = TokenPair::of(&client.refresh(used.refresh.as_deref().expect("a refresh token")).await);
    }
    app.advance(6 * DAY);
    expect_refusal(&client.refresh(used.refresh.as_deref().expect("a refresh token")).await, 400, "invalid_grant");
}

async fn a_disabled_user_cannot_refresh(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let tokens = client.log_in(&browser, "all").await;
    let set = async |enabled: i32| {
        let change = app.administrator().await.put("/api/resource/User/amina@example.com").json(&json!({"enabled": enabled}));
        change.send().await.expect_status(200);
    };
    set(0).await;
    client.holder(&tokens.access).whoami().await.expect_status(401);
    expect_refusal(&client.refresh(tokens.refresh.as_deref().expect("a refresh token")).await, 400, "invalid_grant");
    set(1).await;
    expect_refusal(&client.refresh(tokens.refresh.as_deref().expect("a refresh token")).await, 400, "invalid_grant");
}

async fn scopes_the_client_no_longer_registers_are_not_refreshed(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let tokens = client.log_in(&browser, "all openid email").await;
    let change =
        app.administrator().await.put(&format!("/api/resource/OAuth%20Client/{}", client.id)).json(&json!({"scopes": "email openid"}));
    change.send().await.expect_status(200);
    let narrower = client.refresh(tokens.refresh.as_deref().expect("a refresh token")).await.expect_status(200);
    assert_eq!(narrower.string("scope"), "openid email");
}

async fn missing_and_unknown_tokens_are_refused(app: TestApp) {
    let (_, client) = scene(&app).await;
    let missing = client.get_token(&[("grant_type", "refresh_token")]).await;
    expect_refusal(&missing, 400, "invalid_request");
    assert_eq!(missing.json()["error_description"], "Missing refresh token parameter.");
    expect_refusal(&client.refresh("nosuch").await, 400, "invalid_grant");
    let twice = [("grant_type", "refresh_token"), ("refresh_token", "a"), ("refresh_token", "b")];
    expect_refusal(&client.get_token(&twice).await, 400, "invalid_request");
}
