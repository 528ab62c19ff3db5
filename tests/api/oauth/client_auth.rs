//! How clients prove who they are at the token endpoint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{OAUTH, expect_refusal};
use crate::both_databases;
use crate::support::{Caller, Reply, TestApp, TestClient};

both_databases!(
    a_secret_is_accepted_in_the_header_or_the_body_but_not_in_both,
    basic_credentials_are_form_decoded,
    wrong_secrets_and_unknown_clients_are_told_the_same,
    who_proves_nothing_is_told_the_same_whatever_the_client_is,
    a_pinned_method_is_the_only_one,
    a_public_client_has_no_secret_to_send,
    a_user_is_not_a_client,
);

fn basic(app: &TestApp, id: &str, secret: &str) -> Caller {
    app.anonymous().with_authorization(format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))
}

async fn ask(caller: &Caller, parameters: &[(&str, &str)]) -> Reply {
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend_from_slice(parameters);
    caller.post(&format!("{OAUTH}.get_token")).form(&form).send().await
}

async fn machine(app: &TestApp, method: &str) -> TestClient {
    let user = app.user(&format!("{}@example.com", method.to_lowercase().replace(' ', "."))).await;
    app.client(json!({"grant_type": "Client Credentials", "user": user.name, "scopes": "all", "token_endpoint_auth_method": method})).await
}

async fn a_secret_is_accepted_in_the_header_or_the_body_but_not_in_both(app: TestApp) {
    let client = machine(&app, "Client Secret").await;
    let secret = client.secret.as_deref().expect("a secret");
    let named = ("client_id", client.id.as_str());
    ask(&app.anonymous(), &[named, ("client_secret", secret)]).await.expect_status(200);
    ask(&basic(&app, &client.id, secret), &[]).await.expect_status(200);
    // The same client named again in the body is no second credential.
    ask(&basic(&app, &client.id, secret), &[named]).await.expect_status(200);
    expect_refusal(&ask(&basic(&app, &client.id, secret), &[named, ("client_secret", secret)]).await, 400, "invalid_request");
    expect_refusal(&ask(&basic(&app, &client.id, secret), &[("client_id", "another")]).await, 400, "invalid_request");
    expect_refusal(&ask(&app.anonymous(), &[named]).await, 401, "invalid_client");
    expect_refusal(&ask(&app.anonymous(), &[]).await, 401, "invalid_client");
}

async fn basic_credentials_are_form_decoded(app: TestApp) {
    let client = machine(&app, "Client Secret").await;
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let caller = basic(&app, &encoded(&client.id), &encoded(client.secret.as_deref().expect("a secret")));
    ask(&caller, &[("client_id", client.id.as_str())]).await.expect_status(200);
}

async fn wrong_secrets_and_unknown_clients_are_told_the_same(app: TestApp) {
    let client = machine(&app, "Client Secret").await;
    let wrong = ask(&basic(&app, &client.id, "ost_cs_wrong"), &[]).await;
    let unknown = ask(&basic(&app, "nosuchclient", "ost_cs_wrong"), &[]).await;
    for reply in [&wrong, &unknown] {
        expect_refusal(reply, 401, "invalid_client");
        assert!(reply.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Basic ")));
    }
    assert_eq!(wrong.text(), unknown.text());
    let in_body = ask(&app.anonymous(), &[("client_id", client.id.as_str()), ("client_secret", "wrong")]).await;
    expect_refusal(&in_body, 401, "invalid_client");
    assert!(in_body.header("www-authenticate").is_none_or(|challenge| !challenge.starts_with("Basic ")));
    client.issue().await.expect_status(200);
}

async fn who_proves_nothing_is_told_the_same_whatever_the_client_is(app: TestApp) {
    let mut ids = vec!["nosuchclient".to_owned(), "n".repeat(300)];
    for method in ["Client Secret", "Client Secret Basic", "Client Secret Post"] {
        ids.push(machine(&app, method).await.id);
    }
    let with_key = json!({"token_endpoint_auth_method": "Private Key JWT", "jwks_uri": "https://app.example/keys"});
    ids.push(app.client(with_key).await.id);
    let mut told = Vec::new();
    for id in &ids {
        let (named, nobody) = (("client_id", id.as_str()), app.anonymous());
        let mut replies = Vec::new();
        for endpoint in ["get_token", "introspect_token"] {
            let url = format!("{OAUTH}.{endpoint}");
            let common = [("grant_type", "authorization_code"), ("code", "x"), ("token", "x")];
            let with = |more: &[(&'static str, &'static str)]| [&common[..], more].concat();
            for request in [
                nobody.post(&url).form(&[&with(&[])[..], &[named]].concat()),
                nobody.post(&url).form(&[&with(&[("client_secret", "wrong")])[..], &[named]].concat()),
                basic(&app, id, "wrong").post(&url).form(&common),
                basic(&app, id, "").post(&url).form(&common),
            ] {
                let reply = request.send().await;
                expect_refusal(&reply, 401, "invalid_client");
                replies.push((reply.header("www-authenticate").map(str::to_owned), reply.text()));
            }
        }
        told.push(replies);
    }
    for (id, replies) in ids.iter().zip(&told) {
        assert_eq!(replies, &told[0], "{id}");
    }
    // Who sent nothing is told what to send.
    for word in ["client_secret", "client_assertion", "legacy_no_pkce"] {
        assert!(told[0][0].1.contains(word), "{}", told[0][0].1);
    }
    // Who proves it but not in the way it is pinned to is told the way.
    for (method, word) in [("Client Secret Basic", "client_secret_basic"), ("Client Secret Post", "client_secret_post")] {
        let user = app.user(&format!("{word}@example.com")).await;
        let fields = json!({"grant_type": "Client Credentials", "user": user.name, "token_endpoint_auth_method": method});
        let client = app.client(fields).await;
        let secret = client.secret.as_deref().expect("a secret");
        let refused = match method {
            "Client Secret Basic" => ask(&app.anonymous(), &[("client_id", client.id.as_str()), ("client_secret", secret)]).await,
            _ => ask(&basic(&app, &client.id, secret), &[]).await,
        };
        expect_refusal(&refused, 401, "invalid_client");
        assert!(refused.text().contains(word), "{}", refused.text());
    }
}

async fn a_pinned_method_is_the_only_one(app: TestApp) {
    let (in_header, in_body) = (machine(&app, "Client Secret Basic").await, machine(&app, "Client Secret Post").await);
    for (client, header_status, body_status) in [(&in_header, 200, 401), (&in_body, 401, 200)] {
        let secret = client.secret.as_deref().expect("a secret");
        ask(&basic(&app, &client.id, secret), &[]).await.expect_status(header_status);
        ask(&app.anonymous(), &[("client_id", client.id.as_str()), ("client_secret", secret)]).await.expect_status(body_status);
    }
}

async fn a_public_client_has_no_secret_to_send(app: TestApp) {
    let client = app.client(json!({"token_endpoint_auth_method": "None"})).await;
    assert_eq!(client.secret, None);
    let post = |parameters: Vec<(&'static str, String)>| {
        let form: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        app.anonymous().post(&format!("{OAUTH}.get_token")).form(&form)
    };
    let named = || vec![("grant_type", "authorization_code".to_owned()), ("code", "x".to_owned()), ("client_id", client.id.clone())];
    expect_refusal(&post(named()).send().await, 400, "invalid_grant");
    let mut with_secret = named();
    with_secret.push(("client_secret", "guess".to_owned()));
    expect_refusal(&post(with_secret).send().await, 401, "invalid_client");
    // Some libraries send the parameter empty.
    let mut with_none = named();
    with_none.push(("client_secret", String::new()));
    expect_refusal(&post(with_none).send().await, 400, "invalid_grant");
}

async fn a_user_is_not_a_client(app: TestApp) {
    let key = app.user("amina@example.com").await.api_key().await;
    expect_refusal(&ask(&key, &[]).await, 401, "invalid_client");
    let bearer = app.anonymous().with_authorization("Bearer ost_at_x");
    expect_refusal(&ask(&bearer, &[]).await, 401, "invalid_client");
}
