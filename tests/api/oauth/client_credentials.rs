//! Clients that act by themselves, as their service account.

use serde_json::json;

use super::{OAUTH, expect_refusal};
use crate::both_databases;
use crate::support::{TestApp, TokenPair};

both_databases!(
    a_machine_acts_as_its_service_account_and_gets_no_refresh_token,
    scopes_are_checked_and_keep_their_order,
    a_machine_without_a_working_service_account_gets_nothing,
    public_clients_cannot_be_machines,
);

async fn a_machine_acts_as_its_service_account_and_gets_no_refresh_token(app: TestApp) {
    let robot = app.user("robot@example.com").await;
    let machine = app.machine(&robot, "all").await;
    let reply = machine.issue().await.expect_status(200);
    let body = reply.json();
    let members: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["access_token", "expires_in", "token_type", "scope"]);
    let who = machine.holder(&TokenPair::of(&reply).access).whoami().await.expect_status(200).message();
    assert_eq!(who, "robot@example.com");
}

async fn scopes_are_checked_and_keep_their_order(app: TestApp) {
    let robot = app.user("robot@example.com").await;
    let machine = app.machine(&robot, "write:todo read:note email").await;
    assert_eq!(machine.issue().await.string("scope"), "write:todo read:note email");
    let ask = async |scope: &str| machine.get_token(&[("grant_type", "client_credentials"), ("scope", scope)]).await;
    assert_eq!(ask("email write:todo").await.string("scope"), "email write:todo");
    expect_refusal(&ask("all").await, 400, "invalid_scope");
    expect_refusal(&ask("wri\\te").await, 400, "invalid_scope");
}

async fn a_machine_without_a_working_service_account_gets_nothing(app: TestApp) {
    let robot = app.user("robot@example.com").await;
    let machine = app.machine(&robot, "all").await;
    let tokens = TokenPair::of(&machine.issue().await);
    let disable = app.administrator().await.put("/api/resource/User/robot@example.com").json(&json!({"enabled": 0}));
    disable.send().await.expect_status(200);
    expect_refusal(&machine.issue().await, 400, "unauthorized_client");
    machine.holder(&tokens.access).whoami().await.expect_status(401);

    let body = json!({"app_name": "M", "scopes": "all", "default_redirect_uri": "https://m.example/", "grant_type": "Client Credentials"});
    let reply = app.administrator().await.post("/api/resource/OAuth%20Client").json(&body).send().await.expect_status(417);
    assert!(reply.text().contains("service account"), "{}", reply.text());
}

async fn public_clients_cannot_be_machines(app: TestApp) {
    let robot = app.user("robot@example.com").await;
    let body = json!({"app_name": "M", "scopes": "all", "default_redirect_uri": "https://m.example/", "grant_type": "Client Credentials", "user": robot.name, "token_endpoint_auth_method": "None"});
    app.administrator().await.post("/api/resource/OAuth%20Client").json(&body).send().await.expect_status(417);
    let public = app.client(json!({"token_endpoint_auth_method": "None"})).await;
    let form = [("grant_type", "client_credentials"), ("client_id", public.id.as_str())];
    expect_refusal(&app.anonymous().post(&format!("{OAUTH}.get_token")).form(&form).send().await, 400, "unauthorized_client");
}
