//! `/api/v2/method/…`: the same methods, their result under `data` (transcript 316).

use serde_json::json;

use super::{amina, error, keys, path, todo};
use crate::both_databases;
use crate::support::{ADMIN_PASSWORD, TestApp};

both_databases!(
    a_result_stands_under_data,
    a_method_of_a_doctype_is_found_by_the_doctypes_name,
    logging_in_and_out_works,
    oauth_endpoints_are_the_same_in_both_versions,
    methods_of_documents_are_looked_for_on_the_document,
);

async fn a_result_stands_under_data(app: TestApp) {
    let caller = amina(&app).await;
    let reply = caller.get("/api/v2/method/frappe.auth.get_logged_user").send().await.expect_status(200);
    assert_eq!(reply.text(), r#"{"data":"amina@example.com"}"#);
    for path in ["/api/v2/method/ping", "/api/v2/method/ping/", "/api/v2/method/frappe.ping"] {
        assert_eq!(app.anonymous().get(path).send().await.expect_status(200).text(), r#"{"data":"pong"}"#);
    }
    let name = todo(&caller, "x").await;
    let query = [("doctype", "ToDo"), ("name", name.as_str())];
    // A method that returns nothing has no member at all.
    assert_eq!(caller.delete("/api/v2/method/frappe.client.delete").query(&query).send().await.expect_status(200).text(), "{}");
    let refused = error(&caller.get("/api/v2/method/frappe.client.insert?doc={}").send().await, 403, "PermissionError");
    assert_eq!(refused["message"], "Not permitted");
    error(&app.anonymous().get("/api/v2/method/frappe.get_all").send().await, 403, "PermissionError");
}

async fn a_method_of_a_doctype_is_found_by_the_doctypes_name(app: TestApp) {
    let amina = app.user("amina@example.com").await.cookie().await;
    let made = amina.post("/api/v2/method/User/generate_keys").json(&json!({ "user": "amina@example.com" })).send().await;
    assert_eq!(made.header("cache-control"), Some("no-store"));
    assert_eq!(keys(&made.expect_status(200).data()), ["api_key", "api_secret"]);
    error(&amina.post("/api/v2/method/User/nosuch").send().await, 417, "ValidationError");
    error(&amina.post("/api/v2/method/Nope/generate_keys").send().await, 417, "ValidationError");
}

async fn logging_in_and_out_works(app: TestApp) {
    let browser = app.browser();
    let credentials = json!({ "usr": "Administrator", "pwd": ADMIN_PASSWORD });
    let started = browser.post("/api/v2/method/login").json(&credentials).send().await.expect_status(200);
    assert_eq!(started.string("full_name"), "Administrator");
    assert!(browser.cookie("sid").is_some_and(|sid| sid != "Guest"));
    let refused = app.browser().post("/api/v2/method/login").json(&json!({ "usr": "Administrator", "pwd": "x" })).send().await;
    error(&refused, 401, "AuthenticationError");
    assert_eq!(refused.string("message"), "Invalid login credentials");
    browser.post("/api/v2/method/logout").send().await.expect_status(200);
    assert!(browser.cookie("sid").is_none());
}

async fn oauth_endpoints_are_the_same_in_both_versions(app: TestApp) {
    let ask = async |version: &str| {
        app.anonymous().post(&format!("{version}/method/frappe.integrations.oauth2.get_token")).form(&[("grant_type", "x")]).send().await
    };
    let (first, second) = (ask("/api").await, ask("/api/v2").await);
    assert_eq!((first.status, first.text()), (second.status, second.text()));
    assert!(second.status >= 400 && second.json()["error"].is_string(), "{}", second.text());
}

async fn methods_of_documents_are_looked_for_on_the_document(app: TestApp) {
    let caller = amina(&app).await;
    let name = todo(&caller, "x").await;
    let refused = error(&caller.post(&format!("{}/method/nosuch", path(&name))).send().await, 417, "ValidationError");
    assert_eq!(refused["message"], "Method nosuch not found");
    error(&caller.post(&format!("{}/method/nosuch", path("nosuch"))).send().await, 404, "DoesNotExistError");
    // What Frappe's documents do in Python is no API.
    for method in ["db_set", "save", "insert", "delete", "get_password"] {
        let refused = error(&caller.post(&format!("{}/method/{method}", path(&name))).send().await, 403, "PermissionError");
        assert_eq!(refused["title"], "Method Not Allowed");
    }
    let refused = error(&caller.get(&format!("{}/method/submit", path(&name))).send().await, 403, "PermissionError");
    assert_eq!(refused["message"], "Not permitted");
    let boris = app.user("boris@example.com").await.api_key().await;
    error(&boris.post(&format!("{}/method/submit", path(&name))).send().await, 403, "PermissionError");
}
