//! Errors of version 2, as recorded (transcripts 318 to 330).

use serde_json::json;

use super::{TODO, amina, error, keys, path};
use crate::both_databases;
use crate::support::{ADMIN_PASSWORD, TestApp};

both_databases!(
    a_raised_message_is_part_of_the_error,
    other_messages_stand_beside_it,
    a_path_that_leads_nowhere_says_so,
    wrong_credentials_are_401_without_a_message,
    a_missing_csrf_token_is_told_as_an_error,
    a_refused_scope_challenges_as_in_version_one,
    nothing_a_caller_sent_comes_back_as_markup,
);

async fn a_raised_message_is_part_of_the_error(app: TestApp) {
    let caller = amina(&app).await;
    let missing = caller.get(&path("nosuch")).send().await.expect_status(404);
    assert_eq!(
        missing.text(),
        r#"{"errors":[{"type":"DoesNotExistError","message":"ToDo nosuch not found","title":"Message","indicator":"red"}]}"#
    );
    let body = json!({ "description": "x", "status": "Banana" });
    let refused = caller.post(TODO).json(&body).send().await;
    let refused = error(&refused, 417, "ValidationError");
    assert_eq!(keys(&refused), ["type", "exception", "message", "title", "indicator"]);
    let text = refused["message"].as_str().expect("a text");
    assert!(text.contains("Status cannot be \"Banana\""), "{text}");
    // The line alone: a trace tells how the server is built.
    assert_eq!(refused["exception"], format!("frappe.exceptions.ValidationError: {text}"));
}

async fn other_messages_stand_beside_it(app: TestApp) {
    let caller = amina(&app).await;
    let refused = caller.post(TODO).json(&json!({})).send().await;
    let of_error = error(&refused, 417, "MandatoryError");
    assert_eq!(keys(&of_error), ["type", "exception"]);
    assert_eq!(refused.json()["messages"], json!([{ "message": "Error: Value missing for ToDo: Description", "title": "Message" }]));
    let refused = caller.get("/api/v2/method/nosuchapp.foo").send().await;
    let of_error = error(&refused, 417, "ValidationError");
    assert!(of_error["message"].as_str().is_some_and(|text| text.starts_with("Failed to get method")), "{of_error}");
    assert_eq!(refused.json()["messages"][0]["message"], "App nosuchapp is not installed");
}

async fn a_path_that_leads_nowhere_says_so(app: TestApp) {
    for caller in [&amina(&app).await, &app.anonymous()] {
        let refused = caller.get("/api/v2/nothing").send().await;
        let text = "There is nothing at this path; /api/openapi.json lists what there is";
        let expected = json!({ "type": "DoesNotExistError", "message": text, "title": "Message", "indicator": "red" });
        assert_eq!(error(&refused, 404, "DoesNotExistError"), expected);
    }
}

async fn wrong_credentials_are_401_without_a_message(app: TestApp) {
    let refused = app.anonymous().with_authorization("token a:b").get("/api/v2/method/frappe.auth.get_logged_user").send().await;
    let of_error = error(&refused, 401, "AuthenticationError");
    assert_eq!(of_error, json!({ "type": "AuthenticationError", "exception": "frappe.exceptions.AuthenticationError" }));
    assert!(refused.header("www-authenticate").is_some());
}

async fn a_missing_csrf_token_is_told_as_an_error(app: TestApp) {
    let browser = app.existing_user("Administrator", ADMIN_PASSWORD).cookie().await;
    browser.get("/api/method/frappe.sessions.get_csrf_token").send().await.expect_status(200);
    let refused = browser.post(TODO).json(&json!({})).send().await.expect_status(400);
    let expected = r#"{"errors":[{"type":"CSRFTokenError","message":"Invalid Request","title":"Message","indicator":"red"}]}"#;
    assert_eq!(refused.text(), expected);
    let token = browser.get("/api/v2/method/frappe.sessions.get_csrf_token").send().await.expect_status(200).data();
    let token = token.as_str().expect("a token");
    browser.post(TODO).header("X-Frappe-CSRF-Token", token).json(&json!({ "description": "x" })).send().await.expect_status(200);
}

async fn a_refused_scope_challenges_as_in_version_one(app: TestApp) {
    let reader = app.user("amina@example.com").await.bearer(&app, "read:note").await;
    let refused = reader.get(TODO).send().await;
    error(&refused, 403, "PermissionError");
    assert_eq!(refused.json()["messages"][0]["message"], "The access token lacks the scope <strong>read:todo</strong>");
    let challenge = refused.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with(r#"Bearer error="insufficient_scope", scope="read:todo""#), "{challenge}");
}

async fn nothing_a_caller_sent_comes_back_as_markup(app: TestApp) {
    let caller = amina(&app).await;
    for request in [
        caller.get(&path("%3Cb%3E")),
        caller.get("/api/v2/document/%3Cb%3E"),
        caller.get("/api/v2/method/%3Cb%3E.x"),
        caller.get("/api/v2/method/User/%3Cb%3E"),
        caller.get(TODO).query(&[("order_by", "<b>")]),
        caller.get(TODO).query(&[("fields", "[\"<b>\"]")]),
    ] {
        let refused = request.send().await;
        assert!(refused.status >= 400 && !refused.text().contains("<b>"), "{}", refused.text());
    }
}
