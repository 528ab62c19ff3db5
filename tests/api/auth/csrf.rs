//! CSRF: which browser requests may change something.

use serde_json::json;

use crate::both_databases;
use crate::support::{Setup, TestApp};

both_databases!(
    a_session_that_never_saw_a_page_needs_no_token,
    once_handed_out_the_token_is_needed_in_a_header_or_field,
    foreign_pages_are_refused_whatever_they_prove,
    listed_origins_may_write_with_a_token,
    credentials_in_a_header_need_no_token
);

const TODO: &str = "/api/resource/ToDo";
const TOKEN: &str = "/api/method/frappe.sessions.get_csrf_token";

async fn a_session_that_never_saw_a_page_needs_no_token(app: TestApp) {
    let browser = app.user("amina@example.com").await.cookie().await;
    browser.post(TODO).json(&json!({ "description": "x" })).send().await.expect_status(200);
}

async fn once_handed_out_the_token_is_needed_in_a_header_or_field(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let browser = amina.cookie().await;
    let token = browser.get(TOKEN).send().await.expect_status(200).message().as_str().expect("a token").to_owned();
    let body = json!({ "description": "x" });
    for wrong in [None, Some("wrong"), Some("")] {
        let mut request = browser.post(TODO).json(&body);
        if let Some(wrong) = wrong {
            request = request.header("X-Frappe-CSRF-Token", wrong);
        }
        let reply = request.send().await.expect_status(400);
        assert_eq!(reply.error().as_deref(), Some("CSRFTokenError"));
        assert!(reply.json().get("exc").is_none(), "a CSRF failure shows no exception line");
    }
    browser.delete("/api/resource/ToDo/none").send().await.expect_status(400);
    browser.put("/api/resource/ToDo/none").json(&body).send().await.expect_status(400);
    browser.post(TODO).header("X-Frappe-CSRF-Token", &token).json(&body).send().await.expect_status(200);
    browser.post(TODO).form(&[("description", "by form"), ("csrf_token", &token)]).send().await.expect_status(200);
    browser.post(TODO).json(&json!({ "description": "by JSON", "csrf_token": token })).send().await.expect_status(200);
    // Reading needs none, and another session's token is worth nothing.
    browser.get(TODO).send().await.expect_status(200);
    let other = amina.cookie().await;
    let others = other.get(TOKEN).send().await.expect_status(200).message().as_str().expect("a token").to_owned();
    assert_ne!(token, others);
    browser.post(TODO).header("X-Frappe-CSRF-Token", &others).json(&body).send().await.expect_status(400);
    // A rendered page hands the token out too.
    let reader = amina.cookie().await;
    reader.get("/").send().await.expect_status(200);
    reader.post(TODO).json(&body).send().await.expect_status(400);
}

async fn foreign_pages_are_refused_whatever_they_prove(app: TestApp) {
    let browser = app.user("amina@example.com").await.cookie().await;
    let token = browser.get(TOKEN).send().await.expect_status(200).message().as_str().expect("a token").to_owned();
    let body = json!({ "description": "x" });
    for (name, value) in [("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")] {
        let request = browser.post(TODO).header("X-Frappe-CSRF-Token", &token).header(name, value).json(&body);
        request.send().await.expect_status(400);
    }
    let own = browser.post(TODO).header("X-Frappe-CSRF-Token", &token).header("Origin", &app.url).json(&body);
    own.send().await.expect_status(200);
    let sandboxed =
        browser.post(TODO).header("X-Frappe-CSRF-Token", &token).header("Origin", "null").header("Sec-Fetch-Site", "same-origin");
    sandboxed.json(&body).send().await.expect_status(200);
}

async fn listed_origins_may_write_with_a_token(setup: Setup) {
    let app = setup.configure(|config| config.security.allow_cors = vec!["https://spa.example".into()]).start().await;
    let browser = app.user("amina@example.com").await.cookie().await;
    let token = browser.get(TOKEN).send().await.expect_status(200).message().as_str().expect("a token").to_owned();
    let body = json!({ "description": "x" });
    let write = |origin: &str| browser.post(TODO).header("Origin", origin).header("Sec-Fetch-Site", "cross-site").json(&body);
    write("https://spa.example").send().await.expect_status(400);
    let reply = write("https://spa.example").header("X-Frappe-CSRF-Token", &token).send().await.expect_status(200);
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://spa.example"));
    assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
    write("https://other.example").header("X-Frappe-CSRF-Token", &token).send().await.expect_status(400);
}

async fn credentials_in_a_header_need_no_token(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let browser = amina.cookie().await;
    browser.get(TOKEN).send().await.expect_status(200);
    let (key, secret) = amina.generate_keys().await;
    let both = browser.with_authorization(format!("token {key}:{secret}"));
    both.post(TODO).header("Origin", "https://evil.example").json(&json!({ "description": "x" })).send().await.expect_status(200);
}
