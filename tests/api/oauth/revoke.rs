//! Revocation: what ends, and who may end it.

use serde_json::json;

use super::{OAUTH, expect_refusal, scene, scene_with};
use crate::both_databases;
use crate::support::{TestApp, TestClient};

both_databases!(
    an_access_token_ends_alone_and_a_refresh_token_with_its_family,
    an_unknown_token_is_nothing_to_complain_about,
    a_confidential_client_proves_itself_and_ends_its_own_tokens_only,
    whoever_holds_a_public_clients_token_may_end_it,
    verbs_and_missing_tokens_are_told,
    a_token_in_the_address_is_refused_and_goes_on,
);

fn token(pair: &Option<String>) -> &str {
    pair.as_deref().expect("a refresh token")
}

async fn an_access_token_ends_alone_and_a_refresh_token_with_its_family(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let first = client.log_in(&browser, "all").await;
    let done = client.post("revoke_token", &[("token", &first.access), ("token_type_hint", "banana")]).await.expect_status(200);
    assert_eq!((done.text().as_str(), done.header("content-type")), ("{}", Some("application/json")));
    client.holder(&first.access).whoami().await.expect_status(401);
    let second = crate::support::TokenPair::of(&client.refresh(token(&first.refresh)).await);
    client.holder(&second.access).whoami().await.expect_status(200);
    // The hint is wrong on purpose.
    client.post("revoke_token", &[("token", token(&second.refresh)), ("token_type_hint", "access_token")]).await.expect_status(200);
    client.holder(&second.access).whoami().await.expect_status(401);
    expect_refusal(&client.refresh(token(&second.refresh)).await, 400, "invalid_grant");
}

async fn an_unknown_token_is_nothing_to_complain_about(app: TestApp) {
    let (_, client) = scene(&app).await;
    client.post("revoke_token", &[("token", "nosuch")]).await.expect_status(200);
    let url = format!("{OAUTH}.revoke_token");
    app.anonymous().post(&url).form(&[("token", "nosuch")]).send().await.expect_status(200);
    app.anonymous().post(&url).form(&[("token", "nosuch"), ("client_id", &client.id)]).send().await.expect_status(200);
}

async fn a_confidential_client_proves_itself_and_ends_its_own_tokens_only(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let thief = app.client(json!({"skip_authorization": 1})).await;
    let tokens = client.log_in(&browser, "all").await;
    let url = format!("{OAUTH}.revoke_token");
    for form in [vec![("token", tokens.access.as_str())], vec![("token", tokens.access.as_str()), ("client_id", client.id.as_str())]] {
        expect_refusal(&app.anonymous().post(&url).form(&form).send().await, 401, "invalid_client");
    }
    expect_refusal(&thief.post("revoke_token", &[("token", &tokens.access)]).await, 400, "unauthorized_client");
    expect_refusal(&thief.post("revoke_token", &[("token", token(&tokens.refresh))]).await, 400, "unauthorized_client");
    let wrong = TestClient { secret: Some("wrong".into()), ..client.clone() };
    expect_refusal(&wrong.post("revoke_token", &[("token", &tokens.access)]).await, 401, "invalid_client");
    client.holder(&tokens.access).whoami().await.expect_status(200);
}

async fn whoever_holds_a_public_clients_token_may_end_it(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"token_endpoint_auth_method": "None"})).await;
    let other = app.client(json!({"token_endpoint_auth_method": "None"})).await;
    let tokens = client.log_in(&browser, "all").await;
    let url = format!("{OAUTH}.revoke_token");
    let named = [("token", tokens.access.as_str()), ("client_id", other.id.as_str())];
    expect_refusal(&app.anonymous().post(&url).form(&named).send().await, 400, "unauthorized_client");
    app.anonymous().post(&url).form(&[("token", token(&tokens.refresh))]).send().await.expect_status(200);
    client.holder(&tokens.access).whoami().await.expect_status(401);
}

async fn verbs_and_missing_tokens_are_told(app: TestApp) {
    let (_, client) = scene(&app).await;
    expect_refusal(&client.post("revoke_token", &[]).await, 400, "invalid_request");
    expect_refusal(&app.anonymous().get(&format!("{OAUTH}.revoke_token")).query(&[("token", "x")]).send().await, 405, "invalid_request");
}

async fn a_token_in_the_address_is_refused_and_goes_on(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"token_endpoint_auth_method": "None"})).await;
    let tokens = client.log_in(&browser, "all").await;
    let url = format!("{OAUTH}.revoke_token");
    let token = [("token", tokens.access.as_str())];
    let harmless = [("token_type_hint", "access_token")];
    let anonymous = app.anonymous();
    for request in [
        anonymous.post(&url).query(&token),
        anonymous.post(&url).query(&token).form(&token),
        anonymous.post(&url).query(&harmless).form(&token),
    ] {
        expect_refusal(&request.send().await, 400, "invalid_request");
    }
    client.holder(&tokens.access).whoami().await.expect_status(200);
    anonymous.post(&url).form(&token).send().await.expect_status(200);
    client.holder(&tokens.access).whoami().await.expect_status(401);
}
