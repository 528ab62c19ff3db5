//! Authlib (PyPI), by hand over requests and in a Flask app.

use super::driver::Driver;
use super::{METHODS, registration_open, web_app};
use crate::both_databases;
use crate::support::{Setup, TestApp};

both_databases!(
    a_session_goes_all_the_way_with_every_method_and_algorithm,
    the_flask_app_of_the_documents_logs_users_in_and_out,
    an_app_with_a_key_of_its_own_needs_no_secret,
    a_machine_gets_a_token_of_its_own,
);

async fn a_session_goes_all_the_way_with_every_method_and_algorithm(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    for ((label, method), algorithm) in METHODS.into_iter().zip(["RS256", "ES256", "EdDSA"]) {
        let registered = web_app(&app, label, algorithm).await;
        Driver::new("authlib_client.py", &app, &amina).client(&registered, method).given("ALGORITHM", algorithm).run("session").await;
    }
}

async fn the_flask_app_of_the_documents_logs_users_in_and_out(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    for ((label, method), algorithm) in METHODS.into_iter().zip(["EdDSA", "RS256", "ES256"]) {
        let registered = web_app(&app, label, algorithm).await;
        Driver::new("authlib_client.py", &app, &amina).client(&registered, method).run("flask").await;
    }
}

async fn an_app_with_a_key_of_its_own_needs_no_secret(setup: Setup) {
    let app = registration_open(setup).await;
    let amina = app.user("amina@example.com").await;
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        Driver::new("authlib_client.py", &app, &amina).given("ALGORITHM", algorithm).run("keys").await;
    }
}

async fn a_machine_gets_a_token_of_its_own(app: TestApp) {
    let robot = app.user("robot@example.com").await;
    let registered = app.machine(&robot, "all").await;
    for method in ["client_secret_basic", "client_secret_post"] {
        Driver::new("authlib_client.py", &app, &robot).client(&registered, method).run("machine").await;
    }
}
