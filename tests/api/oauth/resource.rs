//! What a token is for: this server's API, a path of it, or a registered resource (RFC 8707, RFC 9728).

use ostiary::config::Registration;
use serde_json::{Value, json};

use super::{OAUTH, authorize, but, expect_refusal, ordinary, scene_with};
use crate::both_databases;
use crate::support::{Caller, PASSWORD, REDIRECT_URI, Reply, Setup, TestApp, TestClient, TokenPair, VERIFIER, decide};

both_databases!(
    a_registered_resource_is_asked_for_by_name_and_its_tokens_open_nothing_here,
    no_other_resource_and_no_other_spelling_is_accepted_at_authorize,
    a_resource_that_is_named_twice_is_refused_everywhere,
    scopes_are_those_of_the_resource,
    an_app_that_registered_itself_may_ask_for_what_the_resource_knows,
    a_token_for_a_path_opens_that_path_only,
    a_token_for_a_path_makes_no_credentials,
    a_grant_is_for_one_resource_at_the_exchange_and_at_every_refresh,
    a_grant_for_the_api_can_be_narrowed_to_a_path_for_one_token,
    within_the_grace_another_resource_is_another_question,
    machines_name_the_resource_when_they_ask,
    the_client_that_a_resource_names_introspects_its_tokens_alone,
    a_deleted_resource_gets_no_more_tokens,
    a_consent_holds_for_one_resource,
    the_consent_page_names_the_resource,
);

const COLLECTION: &str = "/api/resource/OAuth%20Resource";
const MCP: &str = "https://mcp.example.com/tools";

/// Registers a resource and returns the document's name.
pub async fn register(app: &TestApp, resource: &str, fields: Value) -> String {
    let mut body = json!({ "resource": resource, "resource_name": "Tool Box" });
    for (name, value) in fields.as_object().expect("an object of fields") {
        body[name] = value.clone();
    }
    let created = app.administrator().await.post(COLLECTION).json(&body).send().await.expect_status(200);
    created.data()["name"].as_str().expect("a name").to_owned()
}

async fn delete(app: &TestApp, name: &str) {
    app.administrator().await.delete(&format!("{COLLECTION}/{name}")).send().await.expect_status(202);
}

/// A logged-in browser and a trusted client that registered `scopes`.
async fn scene(app: &TestApp, scopes: &str) -> (Caller, TestClient) {
    scene_with(app, json!({ "scopes": scopes })).await
}

/// `authorize` for a resource; an empty scope is not sent.
async fn ask(browser: &Caller, client: &TestClient, scope: &str, resource: &str) -> Reply {
    let challenge = TestClient::challenge();
    authorize(browser, &but(ordinary(client, &challenge, "all"), &[("scope", scope), ("resource", resource)])).await
}

async fn code(browser: &Caller, client: &TestClient, scope: &str, resource: &str) -> String {
    let reply = ask(browser, client, scope, resource).await;
    assert_eq!(reply.status, 302, "{}", reply.text());
    reply.location_parameter("code").unwrap_or_else(|| panic!("no code in {}", reply.location()))
}

async fn exchange(client: &TestClient, code: &str, resource: &str) -> Reply {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
        ("resource", resource),
    ];
    client.get_token(&form).await
}

async fn refresh(client: &TestClient, token: &str, resource: &str) -> Reply {
    client.get_token(&[("grant_type", "refresh_token"), ("refresh_token", token), ("resource", resource)]).await
}

async fn tokens_for(browser: &Caller, client: &TestClient, scope: &str, resource: &str) -> TokenPair {
    TokenPair::of(&exchange(client, &code(browser, client, scope, resource).await, resource).await)
}

/// What introspection says the token is for, asked by its own client.
async fn audience(client: &TestClient, token: &str) -> Value {
    client.post("introspect_token", &[("token", token)]).await.expect_status(200).json()["aud"].clone()
}

#[track_caller]
fn expect_target_refused(reply: &Reply) {
    let parameter = |name: &str| reply.location_parameter(name);
    assert_eq!(
        (parameter("error").as_deref(), parameter("state").as_deref()),
        (Some("invalid_target"), Some("a state")),
        "{}",
        reply.location()
    );
    assert!(parameter("code").is_none() && parameter("iss").is_some());
}

#[track_caller]
fn expect_wrong_resource(reply: &Reply) {
    let challenge = reply.header("www-authenticate").unwrap_or_default();
    assert_eq!(reply.status, 401, "{}", reply.text());
    assert!(
        challenge.starts_with(r#"Bearer error="invalid_token", error_description="The access token is for another resource", "#),
        "{challenge}"
    );
    assert!(challenge.contains(r#"resource_metadata="http"#), "{challenge}");
}

async fn a_registered_resource_is_asked_for_by_name_and_its_tokens_open_nothing_here(app: TestApp) {
    let (browser, client) = scene(&app, "all openid").await;
    expect_target_refused(&ask(&browser, &client, "all openid", MCP).await);
    register(&app, MCP, json!({})).await;
    let tokens = tokens_for(&browser, &client, "all openid", MCP).await;
    assert!(tokens.id_token.is_some());
    assert_eq!(audience(&client, &tokens.access).await, MCP);
    let refresh_token = tokens.refresh.as_deref().expect("a refresh token");
    assert_eq!(audience(&client, refresh_token).await, MCP);
    let holder = client.holder(&tokens.access);
    // Twice: the second answer comes from memory.
    for _ in 0..2 {
        expect_wrong_resource(&holder.whoami().await);
        expect_wrong_resource(&holder.get("/api/resource/ToDo").send().await);
        expect_wrong_resource(&holder.get(&format!("{OAUTH}.openid_profile")).header("accept", "application/json").send().await);
        expect_wrong_resource(&holder.post("/").form(&[("cmd", "frappe.auth.get_logged_user")]).send().await);
    }
    // The same login without a resource, to know that it was the resource.
    let ours = client.log_in(&browser, "all openid").await;
    assert_eq!(audience(&client, &ours.access).await, app.url);
    client.holder(&ours.access).whoami().await.expect_status(200);
    client.holder(&ours.access).get(&format!("{OAUTH}.openid_profile")).send().await.expect_status(200);

    client.post("revoke_token", &[("token", &tokens.access)]).await.expect_status(200);
    assert_eq!(client.post("introspect_token", &[("token", &tokens.access)]).await.json(), json!({"active": false}));

    // A slash after the host is the same resource.
    register(&app, "https://root.example.com/", json!({})).await;
    for spelling in ["https://root.example.com", "https://root.example.com/"] {
        let tokens = tokens_for(&browser, &client, "all", spelling).await;
        assert_eq!(audience(&client, &tokens.access).await, "https://root.example.com");
    }
}

async fn no_other_resource_and_no_other_spelling_is_accepted_at_authorize(app: TestApp) {
    let (browser, client) = scene(&app, "all").await;
    register(&app, MCP, json!({})).await;
    let home = app.url.clone();
    for good in ["", "/", "/api", "/api/resource/HD%20Ticket", "/api/"] {
        code(&browser, &client, "all", &format!("{home}{good}")).await;
    }
    code(&browser, &client, "all", MCP).await;
    for bad in [
        "//",
        "/a//b",
        "/api/../x",
        "/api/./x",
        "/%2e%2e/x",
        "/api%2Fx",
        "/%61pi",
        "/api?x=1",
        "/api#x",
        "/api\\x",
        "/a b",
        ".evil.example/",
        "@evil.example/",
    ] {
        expect_target_refused(&ask(&browser, &client, "all", &format!("{home}{bad}")).await);
    }
    for bad in [
        "https://mcp.example.com",
        "https://mcp.example.com/",
        "https://mcp.example.com/tools/",
        "https://mcp.example.com/tools/x",
        "https://mcp.example.com/tools?x",
        "https://MCP.example.com/tools",
        "HTTPS://mcp.example.com/tools",
        "https://mcp.example.com:443/tools",
        "http://mcp.example.com/tools",
        "https://mcp.example.com/x/../tools",
        "tools",
        "/api",
        "urn:x",
        "https://",
    ] {
        expect_target_refused(&ask(&browser, &client, "all", bad).await);
    }
    // Nobody needs to log in to be told.
    expect_target_refused(&ask(&app.browser(), &client, "all", "https://nobody.example.com").await);
}

async fn a_resource_that_is_named_twice_is_refused_everywhere(app: TestApp) {
    let (browser, client) = scene(&app, "all").await;
    let challenge = TestClient::challenge();
    let twice = [("resource", app.url.as_str()), ("resource", app.url.as_str())];
    expect_target_refused(&authorize(&browser, &[ordinary(&client, &challenge, "all").as_slice(), &twice].concat()).await);
    let code = client.code(&browser, "all").await;
    let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT_URI), ("code_verifier", VERIFIER)];
    let refused = client.get_token(&[form.as_slice(), &twice].concat()).await;
    expect_refusal(&refused, 400, "invalid_target");
    assert!(refused.string("error_description").contains("one resource"), "{}", refused.text());
    let tokens = TokenPair::of(&client.exchange(&code).await);
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_deref().expect("a refresh token"))];
    expect_refusal(&client.get_token(&[form.as_slice(), &twice].concat()).await, 400, "invalid_target");
    client.get_token(&form).await.expect_status(200);
}

async fn scopes_are_those_of_the_resource(app: TestApp) {
    let (browser, client) = scene(&app, "all openid email tools:list tools:run").await;
    register(&app, MCP, json!({ "scopes": "tools:list tools:run tools:admin" })).await;
    let tokens = exchange(&client, &code(&browser, &client, "tools:run openid offline_access", MCP).await, MCP).await;
    assert_eq!(tokens.string("scope"), "tools:run openid offline_access");
    // Nothing asked: what is registered, as far as it means something there.
    let tokens = exchange(&client, &code(&browser, &client, "", MCP).await, MCP).await;
    assert_eq!(tokens.string("scope"), "openid email tools:list tools:run");
    let refused = ask(&browser, &client, "tools:run all", MCP).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_scope"));
    let description = refused.location_parameter("error_description").expect("a description");
    assert!(description.contains("does not know the scope: all."), "{description}");
    // What the resource knows and the client did not register.
    let refused = ask(&browser, &client, "tools:admin", MCP).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_scope"));
    // The API has no such bounds.
    code(&browser, &client, "all tools:run", &app.url).await;

    // A resource that loses a scope loses it at the next refresh.
    let name = register(&app, "https://shrinking.example.com", json!({ "scopes": "tools:list tools:run" })).await;
    let tokens = tokens_for(&browser, &client, "tools:list tools:run", "https://shrinking.example.com").await;
    let change = app.administrator().await.put(&format!("{COLLECTION}/{name}")).json(&json!({ "scopes": "tools:list" }));
    change.send().await.expect_status(200);
    let next = refresh(&client, tokens.refresh.as_deref().expect("a refresh token"), "").await.expect_status(200);
    assert_eq!(next.string("scope"), "tools:list");
}

async fn an_app_that_registered_itself_may_ask_for_what_the_resource_knows(setup: Setup) {
    let app = setup.configure(|config| config.oauth.registration = Registration::Open).start().await;
    let browser = app.user("amina@example.com").await.cookie().await;
    register(&app, MCP, json!({ "scopes": "tools:list tools:run" })).await;
    let metadata = json!({ "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none", "scope": "openid tools:list" });
    let registered = app.anonymous().post(&format!("{OAUTH}.register_client")).json(&metadata).send().await.expect_status(201);
    let client = TestClient { id: registered.string("client_id"), secret: None, anonymous: app.anonymous() };
    // As when a tool needs more than the app asked for at first: the user decides, and a refresh keeps it.
    let page = ask(&browser, &client, "tools:list tools:run", MCP).await;
    assert!(page.text().contains("tools:run"), "{}", page.text());
    let back = decide(&browser, &page, "allow").await;
    let tokens = exchange(&client, &back.location_parameter("code").expect("a code"), MCP).await;
    assert_eq!(tokens.string("scope"), "tools:list tools:run");
    assert_eq!(refresh(&client, &tokens.string("refresh_token"), MCP).await.string("scope"), "tools:list tools:run");
    // Only there, and only what there is.
    for (scope, resource) in [("tools:run", app.url.as_str()), ("tools:list tools:drop", MCP), ("tools:list admin:credentials", MCP)] {
        let refused = ask(&browser, &client, scope, resource).await;
        assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_scope"), "{scope}");
    }
    // An app for which an administrator speaks has what the administrator registered.
    let vouched = app.client(json!({ "scopes": "openid tools:list", "token_endpoint_auth_method": "None" })).await;
    let refused = ask(&browser, &vouched, "tools:list tools:run", MCP).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_scope"));
}

async fn a_token_for_a_path_opens_that_path_only(app: TestApp) {
    let (browser, client) = scene(&app, "all openid").await;
    let todo = client.log_in(&browser, "all").await.access;
    let made = client.holder(&todo).post("/api/resource/ToDo").json(&json!({ "description": "x" })).send().await.expect_status(200);
    let name = made.data()["name"].as_str().expect("a name").to_owned();

    let path = format!("{}/api/resource/ToDo", app.url);
    let tokens = tokens_for(&browser, &client, "all openid", &path).await;
    assert_eq!(audience(&client, &tokens.access).await, json!(path));
    let holder = client.holder(&tokens.access);
    for good in ["/api/resource/ToDo", "/api/resource/ToDo/", &format!("/api/resource/ToDo/{name}"), "/api/resource/ToDo?fields=[\"name\"]"]
    {
        holder.get(good).send().await.expect_status(200);
    }
    holder.put(&format!("/api/resource/ToDo/{name}")).json(&json!({ "description": "y" })).send().await.expect_status(200);
    for bad in [
        "/api/resource/Note",
        "/api/resource/ToDos",
        "/api/resource/todo",
        "/api/v1/resource/ToDo",
        "/api/resource/ToDo%2F..%2FNote",
        "/api/resource/ToDo/..%2f..%2fresource%2fNote",
        "/api/method/frappe.auth.get_logged_user",
        "/api/method/frappe.integrations.oauth2.openid_profile",
        "/api/nothing",
    ] {
        let reply = holder.get(bad).header("accept", "application/json").send().await;
        expect_wrong_resource(&reply);
    }
    expect_wrong_resource(&holder.post("/").form(&[("cmd", "frappe.auth.get_logged_user")]).send().await);
    // What a client library would have resolved before it is sent.
    for raw in ["/api/resource/ToDo/../Note", "/api/resource/ToDo/%2e%2e/Note", "/api/resource/ToDo/./x", "/api/resource/ToDo\\..\\Note"] {
        let status = status_of_raw(&app.url, raw, &tokens.access).await;
        assert!(status.starts_with("HTTP/1.1 401") || status.starts_with("HTTP/1.1 400"), "{raw}: {status}");
    }
    assert!(status_of_raw(&app.url, "/api/resource/ToDo", &tokens.access).await.starts_with("HTTP/1.1 200"));

    let profile = format!("{}{OAUTH}.openid_profile", app.url);
    let tokens = tokens_for(&browser, &client, "openid", &profile).await;
    client.holder(&tokens.access).get(&format!("{OAUTH}.openid_profile")).send().await.expect_status(200);
    expect_wrong_resource(&client.holder(&tokens.access).whoami().await);
}

/// The status line of a GET whose path is sent letter by letter.
async fn status_of_raw(url: &str, path: &str, token: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let host = url.strip_prefix("http://").expect("an http URL");
    let mut stream = tokio::net::TcpStream::connect(host).await.expect("the server listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

async fn a_token_for_a_path_makes_no_credentials(app: TestApp) {
    let browser = app.user("amina@example.com").await.cookie().await;
    let client = app.client(json!({ "scopes": "admin:credentials" })).await;
    let method = "/api/method/frappe.core.doctype.user.user.generate_keys";
    for (resource, status) in [(format!("{}{method}", app.url), 403), (app.url.clone(), 200)] {
        let page = ask(&browser, &client, "admin:credentials", &resource).await.expect_status(200);
        let code = decide(&browser, &page, "allow").await.location_parameter("code").expect("a code");
        let access = TokenPair::of(&exchange(&client, &code, &resource).await).access;
        let reply = client.holder(&access).post(method).json(&json!({ "user": "amina@example.com" })).send().await;
        assert_eq!(reply.status, status, "{}", reply.text());
    }
}

async fn a_grant_is_for_one_resource_at_the_exchange_and_at_every_refresh(app: TestApp) {
    let (browser, client) = scene(&app, "all").await;
    register(&app, MCP, json!({})).await;
    register(&app, "https://other.example.com", json!({})).await;
    let part = format!("{}/api", app.url);
    for bound in [MCP, &part] {
        let code = code(&browser, &client, "all", bound).await;
        let others =
            [app.url.as_str(), "https://other.example.com", "https://nobody.example.com", &format!("{bound}/below"), &format!("{bound}/")];
        for other in others {
            expect_refusal(&exchange(&client, &code, other).await, 400, "invalid_target");
        }
        // The code is as good as new, and resource may be left out.
        let first = TokenPair::of(&exchange(&client, &code, "").await);
        assert_eq!(audience(&client, &first.access).await, json!(bound));
        let token = first.refresh.expect("a refresh token");
        for other in others {
            expect_refusal(&refresh(&client, &token, other).await, 400, "invalid_target");
        }
        let second = TokenPair::of(&refresh(&client, &token, bound).await);
        assert_eq!(audience(&client, &second.access).await, json!(bound));
        let third = TokenPair::of(&refresh(&client, second.refresh.as_deref().expect("a refresh token"), "").await);
        assert_eq!(audience(&client, &third.access).await, json!(bound));
    }
}

async fn a_grant_for_the_api_can_be_narrowed_to_a_path_for_one_token(app: TestApp) {
    let (browser, client) = scene(&app, "all").await;
    register(&app, MCP, json!({})).await;
    let tools = format!("{}/api/tools", app.url);
    register(&app, &tools, json!({})).await;
    let part = format!("{}/api/resource/ToDo", app.url);
    let code = client.code(&browser, "all").await;
    // Neither somebody else's, nor a part that has a name and scopes of its own, about which the user was not asked.
    for other in [MCP, &tools, "https://nobody.example.com"] {
        expect_refusal(&exchange(&client, &code, other).await, 400, "invalid_target");
    }
    let first = TokenPair::of(&exchange(&client, &code, &part).await);
    assert_eq!(audience(&client, &first.access).await, json!(part));
    expect_wrong_resource(&client.holder(&first.access).whoami().await);
    client.holder(&first.access).get("/api/resource/ToDo").send().await.expect_status(200);
    let token = first.refresh.expect("a refresh token");
    expect_refusal(&refresh(&client, &token, MCP).await, 400, "invalid_target");
    let second = TokenPair::of(&refresh(&client, &token, "").await);
    assert_eq!(audience(&client, &second.access).await, json!(app.url));
    client.holder(&second.access).whoami().await.expect_status(200);
    let third = TokenPair::of(&refresh(&client, second.refresh.as_deref().expect("a refresh token"), &part).await);
    assert_eq!(audience(&client, &third.access).await, json!(part));
    let fourth = TokenPair::of(&refresh(&client, third.refresh.as_deref().expect("a refresh token"), &app.url).await);
    client.holder(&fourth.access).whoami().await.expect_status(200);
}

async fn within_the_grace_another_resource_is_another_question(app: TestApp) {
    let (browser, client) = scene(&app, "all").await;
    let part = format!("{}/api/resource/ToDo", app.url);
    let token = client.log_in(&browser, "all").await.refresh.expect("a refresh token");
    let first = refresh(&client, &token, &part).await.expect_status(200);
    for other in ["", app.url.as_str(), &format!("{}/api", app.url)] {
        expect_refusal(&refresh(&client, &token, other).await, 400, "invalid_grant");
    }
    let again = refresh(&client, &token, &part).await.expect_status(200);
    assert_eq!(first.string("access_token"), again.string("access_token"));
    // Nothing was revoked by asking.
    let next = client.refresh(&first.string("refresh_token")).await.expect_status(200);
    // Not naming it and naming the whole API are the same.
    let token = next.string("refresh_token");
    let first = refresh(&client, &token, &app.url).await.expect_status(200);
    assert_eq!(refresh(&client, &token, "").await.expect_status(200).string("access_token"), first.string("access_token"));
    // So are not naming and naming what a grant is for.
    register(&app, MCP, json!({})).await;
    let token = tokens_for(&browser, &client, "all", MCP).await.refresh.expect("a refresh token");
    let first = refresh(&client, &token, "").await.expect_status(200);
    assert_eq!(refresh(&client, &token, MCP).await.expect_status(200).string("access_token"), first.string("access_token"));
}

async fn machines_name_the_resource_when_they_ask(app: TestApp) {
    let robot = app.user("robot@example.com").await;
    let machine = app.machine(&robot, "all tools:run").await;
    register(&app, MCP, json!({ "scopes": "tools:run" })).await;
    let issue = async |scope: &str, resource: &str| {
        machine.get_token(&[("grant_type", "client_credentials"), ("scope", scope), ("resource", resource)]).await
    };
    let reply = issue("", MCP).await.expect_status(200);
    assert_eq!((reply.string("scope"), audience(&machine, &reply.string("access_token")).await), ("tools:run".into(), json!(MCP)));
    expect_wrong_resource(&machine.holder(&reply.string("access_token")).whoami().await);
    expect_refusal(&issue("all", MCP).await, 400, "invalid_scope");
    expect_refusal(&issue("all", "https://nobody.example.com").await, 400, "invalid_target");
    let part = issue("all", &format!("{}/api/method/frappe.auth.get_logged_user", app.url)).await.expect_status(200).string("access_token");
    machine.holder(&part).whoami().await.expect_status(200);
    expect_wrong_resource(&machine.holder(&part).get("/api/resource/ToDo").send().await);
    let whole = issue("all", &format!("{}/", app.url)).await.expect_status(200).string("access_token");
    machine.holder(&whole).whoami().await.expect_status(200);
}

async fn the_client_that_a_resource_names_introspects_its_tokens_alone(app: TestApp) {
    let (browser, client) = scene(&app, "all").await;
    let (server, other) = (app.client(json!({})).await, app.client(json!({})).await);
    let name = register(&app, MCP, json!({ "introspecting_client": server.id })).await;
    register(&app, "https://other.example.com", json!({ "introspecting_client": other.id })).await;
    let (here, there, ours) = (
        tokens_for(&browser, &client, "all", MCP).await,
        tokens_for(&browser, &client, "all", "https://other.example.com").await,
        client.log_in(&browser, "all").await,
    );
    let active = async |asker: &TestClient, token: &str| {
        asker.post("introspect_token", &[("token", token)]).await.expect_status(200).json()["active"] == json!(true)
    };
    let body = server.post("introspect_token", &[("token", &here.access)]).await.expect_status(200).json();
    assert_eq!((&body["active"], &body["aud"], &body["client_id"]), (&json!(true), &json!(MCP), &json!(client.id)));
    // `all` is a word of that resource there, and opens nothing about the user.
    assert_eq!((body["sub"].is_string(), body.get("username")), (true, None), "{body}");
    assert!(!active(&server, &there.access).await && !active(&server, &ours.access).await);
    assert!(!active(&server, here.refresh.as_deref().expect("a refresh token")).await, "refresh tokens are no resource's business");
    assert!(active(&other, &there.access).await && !active(&other, &here.access).await);
    assert!(active(&client, &here.access).await, "its own client still sees it");

    // At once, also where the answer was remembered.
    let put =
        async |fields: Value| app.administrator().await.put(&format!("{COLLECTION}/{name}")).json(&fields).send().await.expect_status(200);
    assert!(active(&server, &here.access).await);
    put(json!({ "introspecting_client": other.id })).await;
    assert!(!active(&server, &here.access).await && active(&other, &here.access).await);
    put(json!({ "introspecting_client": "" })).await;
    assert!(!active(&other, &here.access).await);
    put(json!({ "introspecting_client": server.id })).await;
    assert!(active(&server, &here.access).await);
    delete(&app, &name).await;
    assert!(!active(&server, &here.access).await);
}

async fn a_deleted_resource_gets_no_more_tokens(app: TestApp) {
    let (browser, client) = scene(&app, "all").await;
    let other = tokens_for(&browser, &client, "all", "").await;
    // A part of the API would be one without a name too.
    for uri in [MCP.to_owned(), format!("{}/api/resource/ToDo", app.url)] {
        let name = register(&app, &uri, json!({})).await;
        let tokens = tokens_for(&browser, &client, "all", &uri).await;
        let token = tokens.refresh.as_deref().expect("a refresh token");
        let (spent, unspent) = (code(&browser, &client, "all", &uri).await, code(&browser, &client, "all", &uri).await);
        TokenPair::of(&exchange(&client, &spent, "").await);
        delete(&app, &name).await;
        let refused = |reply: Reply| assert!([Some("invalid_target"), Some("invalid_grant")].contains(&reply.error().as_deref()));
        for resource in ["", uri.as_str(), app.url.as_str()] {
            refused(refresh(&client, token, resource).await.expect_status(400));
            refused(exchange(&client, &unspent, resource).await.expect_status(400));
        }
        client.holder(&tokens.access).get("/api/resource/ToDo").send().await.expect_status(401);
        assert_eq!(client.post("introspect_token", &[("token", &tokens.access)]).await.json(), json!({ "active": false }));
        // One of the same address is another.
        register(&app, &uri, json!({})).await;
        expect_refusal(&refresh(&client, token, "").await, 400, "invalid_grant");
        expect_refusal(&exchange(&client, &unspent, "").await, 400, "invalid_grant");
    }
    // What is for the API goes on.
    client.holder(&other.access).whoami().await.expect_status(200);
    refresh(&client, other.refresh.as_deref().expect("a refresh token"), "").await.expect_status(200);
}

async fn a_consent_holds_for_one_resource(app: TestApp) {
    let browser = app.user("amina@example.com").await.cookie().await;
    let client = app.client(json!({ "scopes": "all read" })).await;
    let part = format!("{}/api/resource/ToDo", app.url);
    let name = register(&app, MCP, json!({})).await;
    let asked = async |resource: &str| ask(&browser, &client, "read", resource).await.status == 200;
    let allow = async |resource: &str| {
        let page = ask(&browser, &client, "read", resource).await;
        decide(&browser, &page, "allow").await.expect_status(302)
    };
    allow("").await;
    assert!(!asked("").await && !asked(&app.url).await, "remembered");
    assert!(asked(MCP).await && asked(&part).await, "but not for others");
    allow(MCP).await;
    assert!(!asked(MCP).await && asked(&part).await);
    allow(&part).await;
    assert!(!asked(&part).await && asked(&format!("{}/api/resource", app.url)).await);

    // What was allowed at a resource ends with it, and a part that gets a name is asked about anew.
    delete(&app, &name).await;
    register(&app, MCP, json!({})).await;
    register(&app, &part, json!({})).await;
    assert!(asked(MCP).await && asked(&part).await && !asked("").await);

    // The other way about: what was allowed elsewhere says nothing about the API.
    let other = app.client(json!({ "scopes": "all read" })).await;
    let page = ask(&browser, &other, "read", MCP).await;
    decide(&browser, &page, "allow").await.expect_status(302);
    assert_eq!(ask(&browser, &other, "read", "").await.status, 200);
    // Another user's consent is another's.
    let neighbour = app.user("neighbour@example.com").await.cookie().await;
    assert_eq!(ask(&neighbour, &other, "read", MCP).await.status, 200);
    app.existing_user("amina@example.com", PASSWORD).cookie().await;
}

async fn the_consent_page_names_the_resource(app: TestApp) {
    let browser = app.user("amina@example.com").await.cookie().await;
    let client = app.client(json!({ "scopes": "read tools:run email" })).await;
    register(&app, "https://mcp.example.com:8443/tools", json!({ "resource_name": "Tools <b>R</b> Us" })).await;
    let page = async |resource: &str| ask(&browser, &client, "read tools:run email", resource).await.expect_status(200).text();
    let elsewhere = page("https://mcp.example.com:8443/tools").await;
    assert!(
        elsewhere.contains("mcp.example.com:8443/tools") && elsewhere.contains("not for ") && elsewhere.contains("in your name"),
        "{elsewhere}"
    );
    assert!(elsewhere.contains("Tools ") && !elsewhere.contains("<b>R</b>"), "{elsewhere}");
    assert!(elsewhere.contains("use “read”") && elsewhere.contains("see your e-mail address"), "{elsewhere}");
    assert!(!elsewhere.contains("see every document"), "{elsewhere}");
    let part = page(&format!("{}/api/resource/ToDo", app.url)).await;
    assert!(part.contains("for one part of ") && part.contains("/api/resource/ToDo") && part.contains("see every document"), "{part}");
    let whole = page("").await;
    assert!(!whole.contains("id=\"at\"") && whole.contains("see every document"), "{whole}");
}
