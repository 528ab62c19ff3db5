//! The clients that are written for Frappe: `frappe-client` (PyPI) and `frappe-js-sdk` (npm), with every way to log in that they have.

use serde_json::json;

use super::driver::Driver;
use crate::both_databases;
use crate::support::{TestApp, TestUser};

both_databases!(
    frappe_client_does_its_work_after_a_login_with_a_password,
    frappe_client_does_its_work_with_an_api_key,
    frappe_js_sdk_does_its_work_with_the_cookie_of_a_login,
    frappe_js_sdk_does_its_work_with_an_api_key,
    frappe_js_sdk_does_its_work_with_an_access_token,
);

/// A driver for someone who starts with no documents, in a world where somebody else has one. She uses the desk, because
/// frappe-client believes in no login of others, and keeps contacts, which may be renamed.
async fn driver(program: &'static str, app: &TestApp) -> (Driver, TestUser) {
    let clerk = json!({ "role_name": "Clerk", "desk_access": 1 });
    app.administrator().await.post("/api/resource/Role").json(&clerk).send().await.expect_status(200);
    let amina = app.user_with_roles("amina@example.com", &["Clerk", "Sales Manager"]).await;
    let body = json!({ "description": "Nobody else's" });
    let theirs = app.administrator().await.post("/api/resource/ToDo").json(&body).send().await.expect_status(200).data();
    (Driver::new(program, app, &amina).given("THEIRS", theirs["name"].as_str().expect("a name")), amina)
}

async fn with_key(program: &'static str, app: &TestApp) {
    let (driver, amina) = driver(program, app).await;
    let (key, secret) = amina.generate_keys().await;
    driver.given("API_KEY", &key).given("API_SECRET", &secret).run("key").await;
}

async fn frappe_client_does_its_work_after_a_login_with_a_password(app: TestApp) {
    driver("frappe_client.py", &app).await.0.run("password").await;
}

async fn frappe_client_does_its_work_with_an_api_key(app: TestApp) {
    with_key("frappe_client.py", &app).await;
}

async fn frappe_js_sdk_does_its_work_with_the_cookie_of_a_login(app: TestApp) {
    driver("frappe_js_sdk.mjs", &app).await.0.run("password").await;
}

async fn frappe_js_sdk_does_its_work_with_an_api_key(app: TestApp) {
    with_key("frappe_js_sdk.mjs", &app).await;
}

async fn frappe_js_sdk_does_its_work_with_an_access_token(app: TestApp) {
    let (driver, amina) = driver("frappe_js_sdk.mjs", &app).await;
    let client = app.client(json!({ "skip_authorization": 1 })).await;
    let tokens = client.log_in(&amina.cookie().await, "all").await;
    driver.given("ACCESS_TOKEN", &tokens.access).run("bearer").await;
}
