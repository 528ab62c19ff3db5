//! Where paths lead, and what those that lead nowhere answer (contract 6, 6.6).

use serde_json::{Value, json};

use crate::both_databases;
use crate::support::{Reply, TestApp};

both_databases!(
    methods_answer_under_every_spelling_of_their_path,
    unknown_methods_are_417_and_internal_ones_403,
    a_wrong_verb_is_403_on_a_method_and_405_on_a_collection,
    paths_that_lead_nowhere_are_404_in_the_shape_the_caller_reads,
    a_guest_gets_a_page_when_it_asks_for_one,
    requests_in_a_body_of_any_kind_are_read,
    health_is_told_without_credentials
);

/// The texts of `_server_messages`.
fn messages(reply: &Reply) -> Vec<Value> {
    let list: Vec<String> = serde_json::from_str(&reply.string("_server_messages")).expect("a JSON list of texts");
    list.iter().map(|text| serde_json::from_str(text).expect("each text is JSON")).collect()
}

async fn methods_answer_under_every_spelling_of_their_path(app: TestApp) {
    let anonymous = app.anonymous();
    for path in [
        "/api/method/ping",
        "/api/v1/method/ping",
        "/api/method/ping/",
        "/api/method/ping/anything",
        "/api/method/frappe.ping",
        "/api/method/ping?x=1",
        "/?cmd=ping",
    ] {
        let reply = anonymous.get(path).send().await.expect_status(200);
        assert_eq!(reply.text(), r#"{"message":"pong"}"#, "{path}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
    for method in ["POST", "PUT", "DELETE"] {
        let request = anonymous.request(method.parse().expect("a method"), "/api/method/ping");
        request.send().await.expect_status(200);
    }
    anonymous.get("/api/method/ping").header("X-Frappe-Site-Name", "any.localhost").send().await.expect_status(200);
}

async fn unknown_methods_are_417_and_internal_ones_403(app: TestApp) {
    let anonymous = app.anonymous();
    let reply = anonymous.get("/api/method/nosuchapp.foo").send().await.expect_status(417);
    assert_eq!(reply.error().as_deref(), Some("ValidationError"));
    assert_eq!(
        reply.string("exception"),
        "frappe.exceptions.ValidationError: Failed to get method for command nosuchapp.foo with App nosuchapp is not installed"
    );
    assert_eq!(messages(&reply)[0]["message"], "App nosuchapp is not installed");
    let reply = anonymous.get("/api/method/frappe.nosuch").send().await.expect_status(417);
    assert!(reply.text().contains("module 'frappe' has no attribute 'nosuch'"));
    let reply = anonymous.get("/api/method/frappe.get_all").send().await.expect_status(403);
    let message = &messages(&reply)[0];
    assert_eq!(message["title"], "Method Not Allowed");
    assert!(message["message"].as_str().is_some_and(|text| text.contains("Function <strong>frappe.get_all</strong> is not whitelisted.")));
    // What a caller sends never comes back as markup.
    let reply = anonymous.get("/api/method/x%3Cscript%3E.y").send().await.expect_status(417);
    assert!(!reply.text().contains("<script>"));
}

async fn a_wrong_verb_is_403_on_a_method_and_405_on_a_collection(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let reply = amina.get("/api/method/frappe.core.doctype.user.user.generate_keys").send().await.expect_status(403);
    assert_eq!(reply.string("exception"), "frappe.exceptions.PermissionError: Not permitted");
    let reply = amina.delete("/api/resource/ToDo").send().await.expect_status(405);
    assert_eq!(reply.header("allow"), Some("GET, HEAD, POST"));
    let reply = amina.request(reqwest::Method::PATCH, "/api/resource/ToDo/x").send().await.expect_status(404);
    assert_eq!(reply.error().as_deref(), Some("DoesNotExistError"));
}

async fn paths_that_lead_nowhere_are_404_in_the_shape_the_caller_reads(app: TestApp) {
    let anonymous = app.anonymous();
    for path in ["/api/nosuch", "/api//method/ping", "/api/searching", "/api/v3/method/ping", "/api/resource/"] {
        let reply = anonymous.get(path).send().await.expect_status(404);
        assert_eq!(reply.json(), json!({ "exc_type": "DoesNotExistError" }), "{path}");
    }
    for path in ["/api", "/nosuchpage", "/static/nosuch.css", "/static/../Cargo.toml"] {
        let reply = anonymous.get(path).send().await.expect_status(404);
        assert!(!reply.text().starts_with('{'), "{path}");
    }
}

async fn a_guest_gets_a_page_when_it_asks_for_one(app: TestApp) {
    let anonymous = app.anonymous();
    let path = "/api/method/frappe.auth.get_logged_user";
    let page = anonymous.get(path).header("Accept", "text/html").send().await.expect_status(403);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("Not Permitted"));
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("frame-ancestors 'none'")));
    let page = anonymous.with_authorization("token a:b").get(path).header("Accept", "text/html").send().await.expect_status(401);
    assert!(page.text().contains("Session Expired"));
    let json = anonymous.get(path).header("Accept", "text/html, application/json").send().await.expect_status(403);
    assert_eq!(json.error().as_deref(), Some("PermissionError"));
}

async fn requests_in_a_body_of_any_kind_are_read(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let path = "/api/method/frappe.auth.get_logged_user";
    let multipart = "--xx\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--xx--\r\n";
    amina.post(path).header("Content-Type", "multipart/form-data; boundary=xx").body(multipart).send().await.expect_status(200);
    amina.post(path).json(&json!({ "banana": [1, 2] })).send().await.expect_status(200);
    amina.post(path).form(&[("banana", "1")]).send().await.expect_status(200);
    // A JSON body replaces the query, also on GET.
    let raw = amina.get("/api/resource/ToDo?limit=nonsense").json(&json!({ "limit": 1 })).send().await;
    raw.expect_status(200);
}

async fn health_is_told_without_credentials(app: TestApp) {
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(app.anonymous().get(path).send().await.expect_status(200).json(), json!({ "status": "ok" }));
    }
}
