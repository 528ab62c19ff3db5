//! `Authorization: Basic` with a user name and a password.

use serde_json::json;

use crate::both_databases;
use crate::support::{Setup, TestApp};

both_databases!(
    basic_accepts_a_user_name_and_password,
    a_changed_password_ends_the_old_one_at_once,
    basic_passwords_can_be_turned_off_while_keys_go_on
);

async fn basic_accepts_a_user_name_and_password(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    assert_eq!(amina.basic().whoami().await.expect_status(200).message(), json!("amina@example.com"));
    amina.basic().whoami().await.expect_status(200);
    app.existing_user("amina@example.com", "wrong").basic().whoami().await.expect_status(401);
    app.existing_user("ghost@example.com", "wrong").basic().whoami().await.expect_status(401);
}

async fn a_changed_password_ends_the_old_one_at_once(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    amina.basic().whoami().await.expect_status(200);
    let change = json!({ "new_password": "another pass phrase: with colons 9" });
    app.administrator().await.put("/api/resource/User/amina@example.com").json(&change).send().await.expect_status(200);
    amina.basic().whoami().await.expect_status(401);
    app.existing_user("amina@example.com", "another pass phrase: with colons 9").basic().whoami().await.expect_status(200);
}

async fn basic_passwords_can_be_turned_off_while_keys_go_on(setup: Setup) {
    let app = setup.configure(|config| config.security.basic_passwords = false).start().await;
    let amina = app.user("amina@example.com").await;
    amina.basic().whoami().await.expect_status(401);
    let (key, secret) = amina.generate_keys().await;
    app.existing_user(&key, &secret).basic().whoami().await.expect_status(200);
}
