//! `OAuth Resource` as a doctype; what a registration means is tested in `oauth::resource`.

use serde_json::{Value, json};

use super::{CLIENT, list, messages, path};
use crate::both_databases;
use crate::support::{Caller, Reply, TestApp};

both_databases!(
    a_resource_is_kept_as_it_was_written_but_for_a_slash_after_the_host,
    urls_that_are_none_are_refused_with_the_reason,
    a_url_is_registered_once_and_never_changes,
    only_system_managers_with_a_whole_credential_see_or_change_resources,
    the_introspecting_client_must_exist_and_have_a_secret,
);

const RESOURCE: &str = "/api/resource/OAuth%20Resource";

async fn register(caller: &Caller, fields: Value) -> Reply {
    let mut body = json!({ "resource": "https://mcp.example.com/tools", "resource_name": "Tools" });
    for (name, value) in fields.as_object().expect("an object") {
        body[name] = value.clone();
    }
    caller.post(RESOURCE).json(&body).send().await
}

async fn a_resource_is_kept_as_it_was_written_but_for_a_slash_after_the_host(app: TestApp) {
    let administrator = app.administrator().await;
    let created = register(&administrator, json!({ "scopes": "tools:run  tools:list" })).await.expect_status(200).data();
    assert_eq!((&created["resource"], &created["scopes"]), (&json!("https://mcp.example.com/tools"), &json!("tools:run tools:list")));
    let name = created["name"].as_str().expect("a name");
    let changed =
        administrator.put(&path(RESOURCE, name)).json(&json!({ "resource_name": "Box", "scopes": "" })).send().await.expect_status(200);
    assert_eq!((&changed.data()["resource_name"], &changed.data()["resource"]), (&json!("Box"), &created["resource"]));
    for (text, kept) in [
        ("https://root.example.com/", "https://root.example.com"),
        ("https://path.example.com/a/", "https://path.example.com/a/"),
        ("http://127.0.0.1:9000/mcp", "http://127.0.0.1:9000/mcp"),
    ] {
        assert_eq!(register(&administrator, json!({ "resource": text })).await.expect_status(200).data()["resource"], kept);
    }
    let own = format!("{}/api/resource/ToDo", app.url);
    register(&administrator, json!({ "resource": own })).await.expect_status(200);
    administrator.delete(&path(RESOURCE, name)).send().await.expect_status(202);
    administrator.get(&path(RESOURCE, name)).send().await.expect_status(404);
    assert_eq!(list(&administrator, RESOURCE, &[]).await.as_array().map(Vec::len), Some(4));
}

async fn urls_that_are_none_are_refused_with_the_reason(app: TestApp) {
    let administrator = app.administrator().await;
    let own = app.url.as_str();
    for (text, reason) in [
        ("mcp", "absolute URL"),
        ("/mcp", "absolute URL"),
        ("http://mcp.example.com", "must be https"),
        ("urn:mcp", "must be https"),
        ("javascript:alert(1)", "must be https"),
        ("https://mcp.example.com/?x=1", "query"),
        ("https://mcp.example.com/#x", "fragment"),
        ("https://amina@mcp.example.com/", "user name"),
        ("https://MCP.example.com/Tools", "normal spelling: https://mcp.example.com/Tools"),
        ("https://mcp.example.com/a/../b", "normal spelling: https://mcp.example.com/b"),
        ("https://mcp.example.com:443", "normal spelling: https://mcp.example.com"),
        (own, "this server itself"),
        (&format!("{own}/"), "this server itself"),
        (&format!("{own}/a//b"), "path of this server"),
        (&format!("{own}/a%2Fb"), "path of this server"),
    ] {
        let refused = register(&administrator, json!({ "resource": text })).await.expect_status(417);
        assert!(messages(&refused)[0].contains(reason), "{text}: {}", refused.text());
    }
    register(&administrator, json!({ "resource_name": "" })).await.expect_status(417);
    register(&administrator, json!({ "resource": "" })).await.expect_status(417);
    register(&administrator, json!({ "scopes": "a\\b" })).await.expect_status(417);
    assert_eq!(list(&administrator, RESOURCE, &[]).await, json!([]));
}

async fn a_url_is_registered_once_and_never_changes(app: TestApp) {
    let administrator = app.administrator().await;
    let created = register(&administrator, json!({ "resource": "https://mcp.example.com" })).await.expect_status(200).data();
    for same in ["https://mcp.example.com", "https://mcp.example.com/"] {
        let refused = register(&administrator, json!({ "resource": same })).await.expect_status(417);
        assert_eq!(refused.error().as_deref(), Some("UniqueValidationError"));
    }
    let name = created["name"].as_str().expect("a name");
    let moved = administrator.put(&path(RESOURCE, name)).json(&json!({ "resource": "https://other.example.com" })).send().await;
    assert_eq!(moved.expect_status(417).error().as_deref(), Some("CannotChangeConstantError"));
}

async fn only_system_managers_with_a_whole_credential_see_or_change_resources(app: TestApp) {
    let administrator = app.administrator().await;
    let created = register(&administrator, json!({})).await.expect_status(200).data();
    let one = path(RESOURCE, created["name"].as_str().expect("a name"));
    let user = app.user("amina@example.com").await.api_key().await;
    let manager = app.user_with_roles("manager@example.com", &["System Manager"]).await;
    let change = json!({ "resource_name": "Other" });
    let other = json!({ "resource": "https://other.example.com" });
    for caller in [app.anonymous(), user] {
        for request in [caller.get(RESOURCE), caller.get(&one), caller.put(&one).json(&change), caller.delete(&one)] {
            request.send().await.expect_status(403);
        }
        register(&caller, other.clone()).await.expect_status(403);
    }
    // A scoped token of a manager reads, but what guards credentials takes the scope for it.
    let scoped = manager.bearer(&app, "all").await;
    scoped.get(&one).send().await.expect_status(200);
    for reply in [scoped.put(&one).json(&change).send().await, scoped.delete(&one).send().await, register(&scoped, other.clone()).await] {
        assert!(reply.expect_status(403).header("www-authenticate").is_some_and(|challenge| challenge.contains("admin:credentials")));
    }
    let key = manager.api_key().await;
    register(&key, other).await.expect_status(200);
    key.put(&one).json(&change).send().await.expect_status(200);
    key.delete(&one).send().await.expect_status(202);
}

async fn the_introspecting_client_must_exist_and_have_a_secret(app: TestApp) {
    let administrator = app.administrator().await;
    let unknown = register(&administrator, json!({ "introspecting_client": "nobody" })).await.expect_status(417);
    assert_eq!(unknown.error().as_deref(), Some("LinkValidationError"));
    let public = app.client(json!({ "token_endpoint_auth_method": "None" })).await;
    let refused = register(&administrator, json!({ "introspecting_client": public.id })).await.expect_status(417);
    assert!(messages(&refused)[0].contains("without a secret"), "{}", refused.text());
    let client = app.client(json!({})).await;
    register(&administrator, json!({ "introspecting_client": client.id })).await.expect_status(200);
    // It is not deleted from under its resource.
    let kept = administrator.delete(&path(CLIENT, &client.id)).send().await.expect_status(417);
    assert_eq!(kept.error().as_deref(), Some("LinkExistsError"));
}
