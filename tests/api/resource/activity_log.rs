//! `Activity Log`: what the audit log knows, for System Managers.

use serde_json::json;

use crate::both_databases;
use crate::support::TestApp;

both_databases!(logins_and_logouts_are_in_the_activity_log, the_activity_log_cannot_be_changed_or_read_by_others);

const LOG: &str = "/api/resource/Activity%20Log";

async fn logins_and_logouts_are_in_the_activity_log(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let wrong = json!({ "usr": amina.name, "pwd": "wrong" });
    app.anonymous().post("/api/method/login").json(&wrong).send().await.expect_status(401);
    app.advance(std::time::Duration::from_secs(1));
    let browser = amina.cookie().await;
    app.advance(std::time::Duration::from_secs(1));
    browser.post("/api/method/logout").send().await.expect_status(200);
    let query = [
        ("fields", r#"["subject", "operation", "status", "user", "full_name", "ip_address"]"#),
        ("filters", r#"{"user": "amina@example.com", "operation": ["is", "set"]}"#),
        ("order_by", "creation asc"),
    ];
    let rows = app.administrator().await.get(LOG).query(&query).send().await.expect_status(200).data();
    let row = |subject: &str, operation: &str, status: &str| {
        json!({
            "subject": subject, "operation": operation, "status": status,
            "user": "amina@example.com", "full_name": "amina", "ip_address": "127.0.0.1",
        })
    };
    let expected = [
        row("Invalid login credentials", "Login", "Failed"),
        row("amina logged in", "Login", "Success"),
        row("logout", "Logout", "Success"),
    ];
    assert_eq!(rows, json!(expected));
}

async fn the_activity_log_cannot_be_changed_or_read_by_others(app: TestApp) {
    let administrator = app.administrator().await;
    let rows = administrator.get(LOG).send().await.expect_status(200).data();
    let name = rows[0]["name"].as_str().expect("the administrator logged in").to_owned();
    let path = format!("{LOG}/{name}");
    let read = administrator.get(&path).send().await.expect_status(200).data();
    assert_eq!((&read["doctype"], &read["name"]), (&json!("Activity Log"), &json!(name)));
    administrator.delete(&path).send().await.expect_status(417);
    administrator.put(&path).json(&json!({ "subject": "nothing" })).send().await.expect_status(417);
    administrator.post(LOG).json(&json!({ "subject": "something" })).send().await.expect_status(417);
    administrator.get(&path).send().await.expect_status(200);
    let amina = app.user_with_roles("amina@example.com", &["Agent Manager"]).await.api_key().await;
    amina.get(LOG).send().await.expect_status(403);
    amina.get(&path).send().await.expect_status(403);
    app.anonymous().get(LOG).send().await.expect_status(403);
}
