//! What the scope of a bearer token lets through, and that credentials take more (design 3, 5).

use std::time::Duration;

use serde_json::{Value, json};

use super::{BEARER_TOKEN, CLIENT, ROLE, TODO, USER, column, keys, list, messages, path, todo};
use crate::both_databases;
use crate::support::{ADMIN_PASSWORD, Caller, PASSWORD, REDIRECT_URI, Reply, Request, TestApp};

both_databases!(
    read_reaches_every_doctype_and_changes_none,
    write_reads_and_changes_every_doctype,
    a_scope_of_one_doctype_reaches_that_one,
    identity_scopes_reach_no_document,
    a_scope_never_adds_to_the_users_rights,
    a_scope_is_asked_before_the_rights_are,
    all_does_not_reach_credentials,
    credentials_take_their_scope_and_the_doctypes,
    no_narrow_credential_makes_a_wider_one,
    a_key_made_with_a_scoped_token_is_no_wider_and_no_longer,
    a_key_that_lasts_is_not_replaced_by_one_that_does_not,
    sessions_and_plain_keys_have_no_scope,
);

const GENERATE: &str = "/api/method/frappe.core.doctype.user.user.generate_keys";
const ROTATE: &str = "/api/method/frappe.integrations.doctype.oauth_client.oauth_client.rotate_secret";

/// Fails unless this is the refusal of a scope that is too narrow (RFC 6750 section 3.1), in Frappe's body.
#[track_caller]
fn assert_too_narrow(reply: &Reply, needed: &str) {
    assert_eq!(reply.status, 403, "body: {}", reply.text());
    let challenge = reply.header("www-authenticate").unwrap_or_else(|| panic!("no challenge: {}", reply.text()));
    let start = format!(r#"Bearer error="insufficient_scope", scope="{needed}", resource_metadata="http"#);
    assert!(challenge.starts_with(&start), "{challenge}");
    assert_eq!(keys(&reply.json()), ["exception", "exc_type", "exc", "_server_messages"]);
    assert_eq!(reply.string("exc_type"), "PermissionError");
    assert_eq!(reply.string("exception"), "frappe.exceptions.PermissionError");
    assert_eq!(messages(reply), [format!("The access token lacks the scope <strong>{needed}</strong>")]);
}

async fn administrators_app(app: &TestApp, scope: &str) -> Caller {
    app.existing_user("Administrator", ADMIN_PASSWORD).bearer(app, scope).await
}

/// Every change of a document there is.
fn changes(caller: &Caller, collection: &str, name: &str, body: &Value) -> [Request; 3] {
    let document = path(collection, name);
    [caller.post(collection).json(body), caller.put(&document).json(body), caller.delete(&document)]
}

async fn read_reaches_every_doctype_and_changes_none(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let name = todo(&amina.api_key().await, "hers").await;
    let reader = amina.bearer(&app, "read").await;
    assert_eq!(list(&reader, TODO, &[]).await, json!([{ "name": name }]));
    assert_eq!(reader.get(&path(TODO, &name)).send().await.expect_status(200).data()["description"], "hers");
    assert_eq!(column(&reader, USER, "name", &[]).await, ["amina@example.com"]);
    list(&reader, "/api/resource/Note", &[]).await;
    for request in changes(&reader, TODO, &name, &json!({ "description": "x" })) {
        assert_too_narrow(&request.send().await, "write:todo");
    }
    let own = path(USER, "amina@example.com");
    assert_too_narrow(&reader.put(&own).json(&json!({ "first_name": "X" })).send().await, "write:user");
    assert_eq!(amina.api_key().await.get(&path(TODO, &name)).send().await.expect_status(200).data()["description"], "hers");
}

async fn write_reads_and_changes_every_doctype(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let writer = amina.bearer(&app, "write").await;
    let name = todo(&writer, "x").await;
    assert_eq!(list(&writer, TODO, &[]).await, json!([{ "name": name }]));
    writer.put(&path(TODO, &name)).json(&json!({ "status": "Closed" })).send().await.expect_status(200);
    writer.delete(&path(TODO, &name)).send().await.expect_status(202);
    let note = super::create(&writer, "/api/resource/Note", json!({ "title": "x" })).await;
    writer.get(&path("/api/resource/Note", &note)).send().await.expect_status(200);
    // A name is no credential.
    writer.put(&path(USER, "amina@example.com")).json(&json!({ "first_name": "Amina" })).send().await.expect_status(200);
    // A password is.
    let body = json!({ "new_password": "another pass phrase 8!" });
    assert_too_narrow(&writer.put(&path(USER, "amina@example.com")).json(&body).send().await, "admin:credentials");
    amina.cookie().await;
}

async fn a_scope_of_one_doctype_reaches_that_one(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let name = todo(&amina.api_key().await, "hers").await;
    let reader = amina.bearer(&app, "read:todo").await;
    for collection in [TODO, "/api/resource/todo", "/api/v1/resource/TODO"] {
        assert_eq!(list(&reader, collection, &[]).await, json!([{ "name": name }]));
    }
    reader.get(&path(TODO, &name)).send().await.expect_status(200);
    for request in changes(&reader, "/api/resource/todo", &name, &json!({ "description": "x" })) {
        assert_too_narrow(&request.send().await, "write:todo");
    }
    let writer = amina.bearer(&app, "write:todo").await;
    let other = todo(&writer, "x").await;
    writer.get(&path(TODO, &other)).send().await.expect_status(200);
    writer.put(&path(TODO, &other)).json(&json!({ "status": "Closed" })).send().await.expect_status(200);
    assert_eq!(list(&writer, TODO, &[]).await.as_array().map(Vec::len), Some(2));
    writer.delete(&path(TODO, &other)).send().await.expect_status(202);
    for caller in [&reader, &writer] {
        assert_too_narrow(&caller.get("/api/resource/Note").send().await, "read:note");
        assert_too_narrow(&caller.post("/api/resource/Note").json(&json!({ "title": "x" })).send().await, "write:note");
        assert_too_narrow(&caller.get(&path(USER, "amina@example.com")).send().await, "read:user");
        assert_too_narrow(&caller.get(CLIENT).send().await, "read:oauth_client");
    }
    // Several add up.
    let both = amina.bearer(&app, "read:todo write:note").await;
    list(&both, TODO, &[]).await;
    super::create(&both, "/api/resource/Note", json!({ "title": "x" })).await;
    assert_too_narrow(&both.post(TODO).json(&json!({ "description": "x" })).send().await, "write:todo");
}

async fn identity_scopes_reach_no_document(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let name = todo(&amina.api_key().await, "hers").await;
    for scope in ["openid", "openid profile email roles offline_access", "method:frappe.auth.get_logged_user"] {
        let caller = amina.bearer(&app, scope).await;
        assert_eq!(caller.whoami().await.expect_status(200).message(), "amina@example.com");
        assert_too_narrow(&caller.get(TODO).send().await, "read:todo");
        assert_too_narrow(&caller.get(&path(TODO, &name)).send().await, "read:todo");
        assert_too_narrow(&caller.get(&path(TODO, "nosuch")).send().await, "read:todo");
        assert_too_narrow(&caller.get(&path(USER, "amina@example.com")).send().await, "read:user");
        for request in changes(&caller, TODO, &name, &json!({ "description": "x" })) {
            assert_too_narrow(&request.send().await, "write:todo");
        }
    }
}

async fn a_scope_never_adds_to_the_users_rights(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let theirs = todo(&app.administrator().await, "not hers").await;
    for scope in ["all", "read", "write", "read:role write:role read:todo write:todo", "all admin:credentials"] {
        let caller = amina.bearer(&app, scope).await;
        assert_eq!(list(&caller, TODO, &[]).await, json!([]), "{scope}");
        for request in [caller.get(&path(TODO, &theirs)), caller.get(ROLE), caller.get(&path(ROLE, "All"))] {
            let refused = request.send().await.expect_status(403);
            assert!(refused.header("www-authenticate").is_none(), "another scope would not help: {}", refused.text());
            assert!(!refused.text().contains("lacks the scope"), "{}", refused.text());
        }
    }
}

async fn a_scope_is_asked_before_the_rights_are(app: TestApp) {
    // What a token does not reach says nothing about the user's roles.
    let narrow = app.user("amina@example.com").await.bearer(&app, "read:todo").await;
    assert_too_narrow(&narrow.get(ROLE).send().await, "read:role");
    assert_too_narrow(&administrators_app(&app, "read:todo").await.get(ROLE).send().await, "read:role");
}

async fn all_does_not_reach_credentials(app: TestApp) {
    let administrator = app.administrator().await;
    app.user("amina@example.com").await;
    let client = app.client(json!({ "skip_authorization": 1 })).await;
    for scope in ["all", "write", "all openid profile email roles"] {
        let caller = administrators_app(&app, scope).await;
        let token = column(&caller, BEARER_TOKEN, "name", &[("limit", "1")]).await[0].as_str().expect("a name").to_owned();
        let registration = json!({ "app_name": "x", "default_redirect_uri": REDIRECT_URI });
        let her = path(USER, "amina@example.com");
        for request in [
            caller.post(USER).json(&json!({ "email": "new@example.com", "first_name": "New", "new_password": PASSWORD })),
            caller.put(&her).json(&json!({ "roles": [{ "role": "System Manager" }] })),
            caller.put(&her).json(&json!({ "new_password": "another pass phrase 8!" })),
            caller.put(&her).json(&json!({ "api_key": "chosen", "api_secret": "u7Q_d91Lx-0vRzPq4mT2yB8s" })),
            caller.put(&her).json(&json!({ "enabled": 0 })),
            caller.put(&her).json(&json!({ "restrict_ip": "10.0.0.1" })),
            caller.delete(&her),
            caller.post(CLIENT).json(&registration),
            caller.put(&path(CLIENT, &client.id)).json(&json!({ "redirect_uris": "https://evil.example/cb" })),
            caller.delete(&path(CLIENT, &client.id)),
            caller.post("/api/resource/Social%20Login%20Key").json(&json!({ "provider_name": "x", "redirect_url": REDIRECT_URI })),
            caller.delete(&path(BEARER_TOKEN, &token)),
            caller.post(ROLE).json(&json!({ "role_name": "Mine" })),
            caller.put(&path(ROLE, "System%20Manager")).json(&json!({ "desk_access": 0 })),
        ] {
            assert_too_narrow(&request.send().await, "admin:credentials");
        }
    }
    let caller = administrators_app(&app, "all").await;
    for request in [
        caller.post(GENERATE).json(&json!({ "user": "Administrator" })),
        caller.post(GENERATE).json(&json!({ "user": "amina@example.com" })),
        caller.post(ROTATE).json(&json!({ "client_id": client.id })),
    ] {
        assert_too_narrow(&request.send().await, "admin:credentials");
    }
    // Nothing happened.
    let her = administrator.get(&path(USER, "amina@example.com")).send().await.expect_status(200).data();
    assert_eq!((&her["enabled"], &her["roles"]), (&json!(1), &json!([])));
    app.existing_user("amina@example.com", PASSWORD).cookie().await;
    administrator.get(&path(USER, "new@example.com")).send().await.expect_status(404);
    // All else is the user's.
    list(&caller, CLIENT, &[]).await;
    list(&caller, ROLE, &[]).await;
    caller.get(&path(USER, "amina@example.com")).send().await.expect_status(200);
}

async fn credentials_take_their_scope_and_the_doctypes(app: TestApp) {
    let body = json!({ "email": "new@example.com", "first_name": "New", "new_password": PASSWORD });
    let alone = administrators_app(&app, "admin:credentials").await;
    assert_too_narrow(&alone.post(USER).json(&body).send().await, "write:user");
    assert_too_narrow(&alone.get(TODO).send().await, "read:todo");
    let both = administrators_app(&app, "write:user admin:credentials").await;
    // A password would reach further and live longer than the token that sets it.
    both.post(USER).json(&body).send().await.expect_status(403);
    let body = json!({ "email": "new@example.com", "first_name": "New" });
    both.post(USER).json(&body).send().await.expect_status(200);
    assert_too_narrow(
        &both.post(CLIENT).json(&json!({ "app_name": "x", "default_redirect_uri": REDIRECT_URI })).send().await,
        "write:oauth_client",
    );
    let wide = administrators_app(&app, "all admin:credentials").await;
    let client = |scopes: &str| json!({ "app_name": "x", "default_redirect_uri": REDIRECT_URI, "scopes": scopes });
    wide.post(CLIENT).json(&client("all openid")).send().await.expect_status(403);
    wide.post(CLIENT).json(&client("all")).send().await.expect_status(200);
    wide.put(&path(USER, "new@example.com")).json(&json!({ "enabled": 0 })).send().await.expect_status(200);
}

async fn no_narrow_credential_makes_a_wider_one(app: TestApp) {
    app.user("amina@example.com").await;
    let caller = administrators_app(&app, "write:user write:oauth_client admin:credentials").await;
    let (her, own) = (path(USER, "amina@example.com"), path(USER, "Administrator"));
    for document in [&her, &own] {
        for body in
            [json!({ "new_password": "another pass phrase 8!" }), json!({ "first_name": "A", "new_password": "another pass phrase 8!" })]
        {
            let refused = caller.put(document).json(&body).send().await;
            assert_eq!(
                (refused.status, refused.error().as_deref()),
                (403, Some("PermissionError")),
                "{document} {body}: {}",
                refused.text()
            );
        }
    }
    caller.put(&her).json(&json!({ "first_name": "Amina", "new_password": "" })).send().await.expect_status(200);
    app.existing_user("amina@example.com", PASSWORD).cookie().await;

    let client = |scopes: &str| json!({ "app_name": "x", "default_redirect_uri": REDIRECT_URI, "scopes": scopes });
    for wider in ["all", "all openid", "write", "read", "write:todo", "write:user write:oauth_client admin:credentials openid"] {
        let refused = caller.post(CLIENT).json(&client(wider)).send().await;
        assert_eq!((refused.status, refused.error().as_deref()), (403, Some("PermissionError")), "{wider}: {}", refused.text());
    }
    // Without scopes it would be Frappe's default, which is wider.
    caller.post(CLIENT).json(&json!({ "app_name": "x", "default_redirect_uri": REDIRECT_URI })).send().await.expect_status(403);
    let made = caller.post(CLIENT).json(&client("write:user")).send().await.expect_status(200).data();
    let made = path(CLIENT, made["name"].as_str().expect("a name"));
    caller.put(&made).json(&json!({ "scopes": "write:user all" })).send().await.expect_status(403);
    let machine = json!({ "grant_type": "Client Credentials", "user": "amina@example.com" });
    caller.put(&made).json(&machine).send().await.expect_status(403);
    caller.put(&made).json(&json!({ "app_name": "y" })).send().await.expect_status(200);
    // One that acts by itself would go on when the token has ended, whoever it acts as and whatever it may.
    let lasting = json!({
        "app_name": "x", "default_redirect_uri": REDIRECT_URI, "scopes": "write:user",
        "grant_type": "Client Credentials", "user": "Administrator",
    });
    caller.post(CLIENT).json(&lasting).send().await.expect_status(403);
    app.administrator().await.post(CLIENT).json(&lasting).send().await.expect_status(200);
    // Nor is a wider one that is there already bent to its will.
    let wide = app.client(json!({ "skip_authorization": 1 })).await;
    caller.put(&path(CLIENT, &wide.id)).json(&json!({ "redirect_uris": "https://evil.example/cb" })).send().await.expect_status(403);
    caller.put(&path(CLIENT, &wide.id)).json(&json!({ "scopes": "write:user" })).send().await.expect_status(403);
    caller.post(ROTATE).json(&json!({ "client_id": wide.id })).send().await.expect_status(403);
}

async fn a_key_made_with_a_scoped_token_is_no_wider_and_no_longer(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let narrow = amina.bearer(&app, "read:todo admin:credentials").await;
    let pair = narrow.post(GENERATE).json(&json!({ "user": "amina@example.com" })).send().await.expect_status(200).message();
    let text = |name: &str| pair[name].as_str().expect(name).to_owned();
    let key = app.anonymous().with_authorization(format!("token {}:{}", text("api_key"), text("api_secret")));
    list(&key, TODO, &[]).await;
    assert_too_narrow(&key.post(TODO).json(&json!({ "description": "x" })).send().await, "write:todo");
    assert_too_narrow(&key.get("/api/resource/Note").send().await, "read:note");
    app.advance(Duration::from_secs(3601));
    key.get(TODO).send().await.expect_status(401);
    narrow.get(TODO).send().await.expect_status(401);
}

async fn a_key_that_lasts_is_not_replaced_by_one_that_does_not(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let key = amina.api_key().await;
    let narrow = amina.bearer(&app, "read:todo admin:credentials").await;
    narrow.post(GENERATE).json(&json!({ "user": "amina@example.com" })).send().await.expect_status(403);
    list(&key, TODO, &[]).await;
    key.post(GENERATE).json(&json!({ "user": "amina@example.com" })).send().await.expect_status(200);
}

async fn sessions_and_plain_keys_have_no_scope(app: TestApp) {
    let manager = app.user_with_roles("manager@example.com", &["System Manager"]).await;
    for (number, caller) in [manager.api_key().await, manager.cookie().await, manager.basic()].into_iter().enumerate() {
        let body = json!({ "email": format!("new{number}@example.com"), "first_name": "New", "roles": [{ "role": "System Manager" }] });
        caller.post(USER).json(&body).send().await.expect_status(200);
        caller.post(CLIENT).json(&json!({ "app_name": "x", "default_redirect_uri": REDIRECT_URI })).send().await.expect_status(200);
        caller.post(ROLE).json(&json!({ "role_name": format!("Role {number}x") })).send().await.expect_status(200);
    }
}
