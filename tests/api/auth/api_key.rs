//! API keys and the scheme `token`.

use serde_json::json;

use crate::both_databases;
use crate::support::TestApp;

both_databases!(
    keys_work_under_token_and_basic_in_any_case_with_extra_spaces,
    wrong_pairs_are_401_and_say_nothing,
    generating_anew_keeps_the_key_and_replaces_the_secret,
    one_generates_keys_for_oneself_and_system_managers_for_anyone,
    secrets_are_shown_once_and_stored_as_hashes,
    another_source_doctype_is_refused
);

const GENERATE: &str = "/api/method/frappe.core.doctype.user.user.generate_keys";

async fn keys_work_under_token_and_basic_in_any_case_with_extra_spaces(app: TestApp) {
    let (key, secret) = app.user("amina@example.com").await.generate_keys().await;
    let basic = base64(&format!("{key}:{secret}"));
    for header in [
        format!("token {key}:{secret}"),
        format!("TOKEN {key}:{secret}"),
        format!("Token   {key}:{secret}"),
        format!("Basic {basic}"),
        format!("basic {basic}"),
    ] {
        let reply = app.anonymous().with_authorization(header).whoami().await.expect_status(200);
        assert_eq!(reply.text(), r#"{"message":"amina@example.com"}"#);
    }
}

async fn wrong_pairs_are_401_and_say_nothing(app: TestApp) {
    let (key, secret) = app.user("amina@example.com").await.generate_keys().await;
    let basic = base64(&format!("{key}:wrong"));
    for header in [
        format!("token {key}:wrong"),
        format!("token 000000000000000:{secret}"),
        format!("token {key}:{secret}:x"),
        format!("token {key}"),
        "token :".into(),
        format!("token {key}:"),
        format!("token :{secret}"),
        format!("token {secret}"),
        format!("Basic {basic}"),
        "Basic //46/w==".into(),
        format!("Bearer {key}:{secret}"),
    ] {
        // On a method that is open to guests too: wrong credentials are never ignored.
        for path in ["/api/method/frappe.auth.get_logged_user", "/api/method/ping"] {
            let reply = app.anonymous().with_authorization(header.as_str()).get(path).send().await.expect_status(401);
            let body = reply.json();
            assert_eq!(body["exc_type"], "AuthenticationError", "{header}");
            assert!(body.get("_server_messages").is_none(), "{header}");
            assert!(reply.header("www-authenticate").is_some_and(|value| value.contains("resource_metadata=")));
        }
    }
    let reply = app.anonymous().with_authorization("Basic abcde").whoami().await.expect_status(400);
    assert_eq!(reply.error().as_deref(), Some("InvalidAuthorizationToken"));
    // In the query they do nothing.
    let query = [("api_key", key.as_str()), ("api_secret", secret.as_str())];
    app.anonymous().get("/api/method/frappe.auth.get_logged_user").query(&query).send().await.expect_status(403);
}

async fn generating_anew_keeps_the_key_and_replaces_the_secret(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let (first_key, first_secret) = amina.generate_keys().await;
    let old = app.anonymous().with_authorization(format!("token {first_key}:{first_secret}"));
    old.whoami().await.expect_status(200);
    let (key, secret) = amina.generate_keys().await;
    assert_eq!(key, first_key);
    old.whoami().await.expect_status(401);
    app.anonymous().with_authorization(format!("token {key}:{secret}")).whoami().await.expect_status(200);
}

async fn one_generates_keys_for_oneself_and_system_managers_for_anyone(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let manager = app.user_with_roles("manager@example.com", &["System Manager"]).await;
    let for_amina = json!({ "user": "amina@example.com" });
    amina.cookie().await.post(GENERATE).json(&for_amina).send().await.expect_status(200);
    manager.cookie().await.post(GENERATE).json(&for_amina).send().await.expect_status(200);
    let for_manager = json!({ "user": "manager@example.com" });
    amina.cookie().await.post(GENERATE).json(&for_manager).send().await.expect_status(403);
    // Administrator's keys are Administrator's whole power.
    let for_administrator = json!({ "user": "Administrator" });
    manager.cookie().await.post(GENERATE).json(&for_administrator).send().await.expect_status(403);
    let guest = app.anonymous().post(GENERATE).json(&for_amina).send().await.expect_status(403);
    assert!(guest.text().contains("is not whitelisted"));
    let unknown = manager.cookie().await.post(GENERATE).json(&json!({ "user": "ghost@example.com" })).send().await.expect_status(404);
    assert!(unknown.text().contains("User ghost@example.com not found"));
    manager.cookie().await.post(GENERATE).send().await.expect_status(417);
    manager.cookie().await.get(GENERATE).query(&[("user", "amina@example.com")]).send().await.expect_status(403);
}

async fn secrets_are_shown_once_and_stored_as_hashes(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let (_, secret) = amina.generate_keys().await;
    assert!(secret.starts_with("ost_sk_"));
    let administrator = app.administrator().await;
    let user = administrator.get("/api/resource/User/amina@example.com").send().await.expect_status(200);
    assert!(!user.text().contains(&secret));
    for field in ["api_secret", "password_hash", "new_password"] {
        let fields = json!(["name", field]).to_string();
        administrator.get("/api/resource/User").query(&[("fields", &fields)]).send().await.expect_status(417);
        let filters = json!([[field, "like", "%"]]).to_string();
        administrator.get("/api/resource/User").query(&[("filters", &filters)]).send().await.expect_status(417);
        administrator.get("/api/resource/User").query(&[("order_by", &format!("{field} desc"))]).send().await.expect_status(417);
    }
}

async fn another_source_doctype_is_refused(app: TestApp) {
    let (key, secret) = app.user("amina@example.com").await.generate_keys().await;
    let caller = app.anonymous().with_authorization(format!("token {key}:{secret}"));
    let path = "/api/method/frappe.auth.get_logged_user";
    caller.get(path).header("Frappe-Authorization-Source", "Nope").send().await.expect_status(401);
    caller.get(path).header("Frappe-Authorization-Source", "ToDo").send().await.expect_status(401);
    caller.get(path).header("Frappe-Authorization-Source", "User").send().await.expect_status(200);
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
