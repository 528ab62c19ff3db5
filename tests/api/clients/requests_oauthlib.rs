//! requests-oauthlib (PyPI) on oauthlib, which insists that the scope in an answer is the one that was asked for.

use super::driver::Driver;
use super::{METHODS, web_app};
use crate::both_databases;
use crate::support::TestApp;

both_databases!(a_web_application_goes_all_the_way_with_every_method, a_backend_application_gets_a_token_of_its_own);

async fn a_web_application_goes_all_the_way_with_every_method(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    for (label, method) in METHODS {
        let registered = web_app(&app, label, "RS256").await;
        Driver::new("requests_oauthlib_client.py", &app, &amina).client(&registered, method).run("web").await;
    }
}

async fn a_backend_application_gets_a_token_of_its_own(app: TestApp) {
    let robot = app.user("robot@example.com").await;
    let registered = app.machine(&robot, "all").await;
    for method in ["client_secret_basic", "client_secret_post"] {
        Driver::new("requests_oauthlib_client.py", &app, &robot).client(&registered, method).run("machine").await;
    }
}
