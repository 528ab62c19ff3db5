//! `openid-client` (npm), which is certified as a Relying Party and as strict as that takes.

use super::driver::Driver;
use super::{METHODS, registration_open, web_app};
use crate::both_databases;
use crate::support::{Setup, TestApp};

both_databases!(
    the_program_of_the_documents_logs_a_user_in,
    an_app_registers_itself_and_logs_users_in_and_out_with_every_method_and_algorithm,
    an_app_with_a_key_of_its_own_does_the_same_without_a_secret,
    its_checks_hold_and_it_understands_refusals,
    a_machine_gets_a_token_of_its_own,
);

async fn the_program_of_the_documents_logs_a_user_in(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let (label, method) = METHODS[0];
    let registered = web_app(&app, label, "RS256").await;
    Driver::new("openid_client.mjs", &app, &amina).client(&registered, method).run("documented").await;
}

async fn an_app_registers_itself_and_logs_users_in_and_out_with_every_method_and_algorithm(setup: Setup) {
    let app = registration_open(setup).await;
    let amina = app.user("amina@example.com").await;
    Driver::new("openid_client.mjs", &app, &amina).run("login").await;
}

async fn an_app_with_a_key_of_its_own_does_the_same_without_a_secret(setup: Setup) {
    let app = registration_open(setup).await;
    let amina = app.user("amina@example.com").await;
    Driver::new("openid_client.mjs", &app, &amina).run("keys").await;
}

async fn its_checks_hold_and_it_understands_refusals(setup: Setup) {
    let app = registration_open(setup).await;
    let amina = app.user("amina@example.com").await;
    Driver::new("openid_client.mjs", &app, &amina).run("checks").await;
}

async fn a_machine_gets_a_token_of_its_own(app: TestApp) {
    let robot = app.user("robot@example.com").await;
    let registered = app.machine(&robot, "all").await;
    Driver::new("openid_client.mjs", &app, &robot).client(&registered, "any").run("machine").await;
}
