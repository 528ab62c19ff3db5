//! Where a refused client learns which tokens a resource takes: RFC 9728's documents and the challenges that name them.

use serde_json::json;

use super::resource::register;
use crate::both_databases;
use crate::support::{Caller, Reply, TestApp, TestClient};

both_databases!(
    a_registered_path_has_a_document_of_its_own,
    every_other_suffixed_document_is_404_json,
    a_changed_or_deleted_resource_changes_its_document_at_once,
    refusals_below_a_registered_path_name_its_document_and_scopes,
    refusals_elsewhere_name_the_document_of_the_api,
    a_client_finds_its_way_from_a_refusal_to_an_answer,
);

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

#[track_caller]
fn challenge(reply: &Reply) -> &str {
    reply.header("www-authenticate").unwrap_or_else(|| panic!("no challenge: {} {}", reply.status, reply.text()))
}

async fn a_registered_path_has_a_document_of_its_own(app: TestApp) {
    let todo = format!("{}/api/resource/ToDo", app.url);
    register(&app, &todo, json!({ "scopes": "read:todo write:todo", "resource_name": "To Do" })).await;
    let spaced = format!("{}/api/resource/HD%20Ticket/", app.url);
    register(&app, &spaced, json!({})).await;
    let document = app.anonymous().get(&format!("{WELL_KNOWN}/api/resource/ToDo"));
    let reply = document.header("origin", "https://anyone.example").send().await.expect_status(200);
    assert_eq!(
        reply.json(),
        json!({
            "resource": todo,
            "authorization_servers": [app.url],
            "bearer_methods_supported": ["header"],
            "resource_name": "To Do",
            "scopes_supported": ["read:todo", "write:todo"],
        })
    );
    assert_eq!((reply.header("content-type"), reply.header("access-control-allow-origin")), (Some("application/json"), Some("*")));
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    let without = app.anonymous().get(&format!("{WELL_KNOWN}/api/resource/HD%20Ticket/")).send().await.expect_status(200).json();
    assert_eq!((&without["resource"], without.get("scopes_supported")), (&json!(spaced), None));

    let url = format!("{WELL_KNOWN}/api/resource/ToDo");
    let head = app.anonymous().request(reqwest::Method::HEAD, &url).send().await.expect_status(200);
    assert!(head.body.is_empty());
    let preflight = app.anonymous().request(reqwest::Method::OPTIONS, &url);
    let preflight = preflight
        .header("origin", "https://anyone.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "mcp-protocol-version");
    let preflight = preflight.send().await.expect_status(200);
    assert_eq!(
        (preflight.header("access-control-allow-origin"), preflight.header("access-control-allow-headers")),
        (Some("*"), Some("mcp-protocol-version"))
    );
    let posted = app.anonymous().post(&url).send().await.expect_status(405);
    assert_eq!(posted.header("allow"), Some("GET, HEAD, OPTIONS"));
}

async fn every_other_suffixed_document_is_404_json(app: TestApp) {
    register(&app, &format!("{}/api/resource/ToDo", app.url), json!({})).await;
    register(&app, "https://mcp.example.com/tools", json!({})).await;
    for path in [
        "/oauth-protected-resource/",
        "/oauth-protected-resource/tools",
        "/oauth-protected-resource/api/resource",
        "/oauth-protected-resource/api/resource/ToDo/",
        "/oauth-protected-resource/api/resource/ToDo/x",
        "/oauth-protected-resource/api/resource/todo",
        "/oauth-protected-resource/api/resource/%54oDo",
        "/oauth-protected-resource//api/resource/ToDo",
        "/oauth-protected-resource/https://mcp.example.com/tools",
        "/oauth-protected-resourcex",
        "/openid-configuration/api/resource/ToDo",
        "/oauth-authorization-server/api/resource/ToDo",
    ] {
        let reply = app.anonymous().get(&format!("/.well-known{path}")).send().await.expect_status(404);
        assert_eq!((reply.header("content-type"), reply.text().as_str()), (Some("application/json"), r#"{"error":"not_found"}"#), "{path}");
    }
    app.anonymous().get(&format!("{WELL_KNOWN}/api/resource/ToDo")).send().await.expect_status(200);
}

async fn a_changed_or_deleted_resource_changes_its_document_at_once(app: TestApp) {
    let name = register(&app, &format!("{}/api/resource/ToDo", app.url), json!({ "scopes": "read:todo" })).await;
    let document = async || app.anonymous().get(&format!("{WELL_KNOWN}/api/resource/ToDo")).send().await;
    assert_eq!(document().await.json()["scopes_supported"], json!(["read:todo"]));
    let administrator = app.administrator().await;
    let one = format!("/api/resource/OAuth%20Resource/{name}");
    administrator.put(&one).json(&json!({ "scopes": "write:todo" })).send().await.expect_status(200);
    assert_eq!(document().await.json()["scopes_supported"], json!(["write:todo"]));
    administrator.delete(&one).send().await.expect_status(202);
    document().await.expect_status(404);
}

async fn refusals_below_a_registered_path_name_its_document_and_scopes(app: TestApp) {
    let home = app.url.as_str();
    register(&app, &format!("{home}/api/resource/ToDo"), json!({ "scopes": "read:todo write:todo" })).await;
    register(&app, &format!("{home}/api/resource"), json!({})).await;
    let nobody = app.anonymous();
    let todo = format!(r#"scope="read:todo write:todo", resource_metadata="{home}{WELL_KNOWN}/api/resource/ToDo""#);
    let all = format!(r#"resource_metadata="{home}{WELL_KNOWN}/api/resource""#);
    // Without a credential: a 401 here, though 403 elsewhere.
    for (path, said) in
        [("/api/resource/ToDo", &todo), ("/api/resource/ToDo/x", &todo), ("/api/resource/ToDos", &all), ("/api/resource/User", &all)]
    {
        let reply = nobody.get(path).send().await;
        if reply.status == 404 {
            continue; // No such doctype, whoever asks.
        }
        assert_eq!((reply.status, challenge(&reply)), (401, format!("Bearer {said}").as_str()), "{path}");
    }
    // With a wrong one, and with one for something else.
    let wrong = nobody.with_authorization("Bearer nonsense").get("/api/resource/ToDo").send().await.expect_status(401);
    assert_eq!(challenge(&wrong), format!(r#"Bearer error="invalid_token", {todo}"#));
    let robot = app.user("robot@example.com").await;
    let machine = app.machine(&robot, "email read").await;
    let issue = async |resource: &str, scope: &str| {
        let form = [("grant_type", "client_credentials"), ("scope", scope), ("resource", resource)];
        machine.holder(&machine.get_token(&form).await.expect_status(200).string("access_token"))
    };
    let elsewhere = issue(&format!("{home}/api/method"), "read").await.get("/api/resource/ToDo").send().await.expect_status(401);
    let description = r#"error_description="The access token is for another resource""#;
    assert_eq!(challenge(&elsewhere), format!(r#"Bearer error="invalid_token", {description}, {todo}"#));
    // Too little scope: the one that would do.
    let narrow = issue("", "email").await.get("/api/resource/ToDo").send().await.expect_status(403);
    let metadata = format!(r#"resource_metadata="{home}{WELL_KNOWN}/api/resource/ToDo""#);
    assert_eq!(challenge(&narrow), format!(r#"Bearer error="insufficient_scope", scope="read:todo", {metadata}"#));
    issue("", "read").await.get("/api/resource/ToDo").send().await.expect_status(200);
}

async fn refusals_elsewhere_name_the_document_of_the_api(app: TestApp) {
    let home = app.url.as_str();
    register(&app, &format!("{home}/api/resource/Note"), json!({ "scopes": "read:note" })).await;
    register(&app, "https://mcp.example.com/api/resource/ToDo", json!({ "scopes": "x" })).await;
    let metadata = format!(r#"resource_metadata="{home}{WELL_KNOWN}""#);
    // What the document of the API names too: clients that know no better ask for it.
    let asked = format!(r#"scope="openid profile email phone roles offline_access read write", {metadata}"#);
    let nobody = app.anonymous();
    let plain = nobody.get("/api/resource/ToDo").send().await.expect_status(403);
    assert_eq!(plain.header("www-authenticate"), None);
    for path in ["/api/resource/ToDo", "/api/resource/Notes", "/api/method/frappe.auth.get_logged_user"] {
        let wrong = nobody.with_authorization("Bearer nonsense").get(path).send().await.expect_status(401);
        assert_eq!(challenge(&wrong), format!(r#"Bearer error="invalid_token", {asked}"#), "{path}");
    }
    let profile = nobody.get("/api/method/frappe.integrations.oauth2.openid_profile").send().await.expect_status(401);
    assert_eq!(challenge(&profile), format!("Bearer {asked}"));
    let bearer = app.user("amina@example.com").await.bearer(&app, "openid").await;
    let narrow = bearer.get("/api/resource/ToDo").send().await.expect_status(403);
    assert_eq!(challenge(&narrow), format!(r#"Bearer error="insufficient_scope", scope="read:todo", {metadata}"#));
}

/// What a client of the MCP authorization specification does: ask, be refused, read, ask for a token, ask again.
async fn a_client_finds_its_way_from_a_refusal_to_an_answer(app: TestApp) {
    register(&app, &format!("{}/api/resource/ToDo", app.url), json!({ "scopes": "read:todo" })).await;
    let browser: Caller = app.user("amina@example.com").await.cookie().await;
    let client: TestClient =
        app.client(json!({ "scopes": "read:todo openid", "skip_authorization": 1, "token_endpoint_auth_method": "None" })).await;
    let refused = app.anonymous().get("/api/resource/ToDo").send().await.expect_status(401);
    let value =
        |name: &str| challenge(&refused).split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
    let metadata = app.anonymous().get(&value("resource_metadata").expect("metadata")).send().await.expect_status(200).json();
    assert_eq!(metadata["authorization_servers"][0], app.url);
    let resource = metadata["resource"].as_str().expect("a resource").to_owned();
    let scope = value("scope").expect("a scope");
    let challenge = TestClient::challenge();
    let mut asked = super::ordinary(&client, &challenge, &scope);
    asked.push(("resource", &resource));
    let code = super::authorize(&browser, &asked).await.location_parameter("code").expect("a code");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", super::REDIRECT_URI),
        ("code_verifier", crate::support::VERIFIER),
        ("resource", &resource),
    ];
    let tokens = crate::support::TokenPair::of(&client.get_token(&form).await);
    client.holder(&tokens.access).get("/api/resource/ToDo").send().await.expect_status(200);
    client.holder(&tokens.access).get("/api/resource/Note").send().await.expect_status(401);
}
