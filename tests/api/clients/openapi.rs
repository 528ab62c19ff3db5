//! `/api/openapi.json`: who is shown what, whether it is valid, and whether the server is as it says. openapi-spec-validator
//! reads it, and schemathesis calls every operation with what the schemas allow and with what they do not.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ostiary::frappe::registry::{METHODS, Method};
use serde_json::Value;

use super::driver::Driver;
use crate::both_databases;
use crate::support::process::Launch;
use crate::support::{ADMIN_PASSWORD, Backend, Caller, Database, TemporaryDirectory, TestApp};

both_databases!(
    everybody_is_shown_what_they_may_call_and_no_more,
    a_token_is_shown_what_its_scope_reaches,
    single_doctypes_may_be_asked_for,
    the_description_is_valid,
    methods_with_credentials_are_as_described,
    methods_without_credentials_are_as_described,
    documents_with_credentials_are_as_described,
    documents_without_credentials_are_as_described,
);

/// What schemathesis is shown of the doctypes: ordinary ones, and those that guard credentials.
const DOCTYPES: &str = "HD Team,Note,ToDo,User";
const METHOD_PATHS: &str = "^/api/(method/|openapi)";
const DOCUMENT_PATHS: &str = "^/api/(resource|v2)/";

async fn described(caller: &Caller) -> Value {
    caller.get("/api/openapi.json").send().await.expect_status(200).json()
}

/// The methods in a description.
fn methods(document: &Value) -> BTreeSet<&str> {
    document["paths"].as_object().expect("paths").keys().filter_map(|path| path.strip_prefix("/api/method/")).collect()
}

/// The operations on documents of version 1: `GET /api/resource/ToDo`.
fn operations(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().expect("paths").iter().filter(|(path, _)| path.starts_with("/api/resource/"));
    let verbs = paths.flat_map(|(path, item)| {
        let verbs = item.as_object().expect("verbs").keys().filter(|verb| *verb != "parameters");
        verbs.map(move |verb| format!("{} {path}", verb.to_uppercase()))
    });
    verbs.collect()
}

fn named(which: impl Fn(&Method) -> bool) -> BTreeSet<&'static str> {
    METHODS.iter().filter(|method| which(method)).map(|method| method.path).collect()
}

async fn everybody_is_shown_what_they_may_call_and_no_more(app: TestApp) {
    let all = described(&app.administrator().await).await;
    assert_eq!(methods(&all), named(|_| true), "every row of the method table");
    for method in METHODS {
        let item = all["paths"][format!("/api/method/{}", method.path)].as_object().expect("verbs");
        let verbs: BTreeSet<String> = method.verbs.iter().map(|verb| verb.as_str().to_lowercase()).collect();
        assert_eq!(item.keys().cloned().collect::<BTreeSet<_>>(), verbs, "{}", method.path);
    }
    assert!(operations(&all).contains("DELETE /api/resource/OAuth%20Client/{name}"));

    let nobody = described(&app.anonymous()).await;
    assert_eq!(methods(&nobody), named(|method| method.guest));
    assert!(!operations(&nobody).iter().any(|operation| operation.contains("ToDo")));

    let amina = described(&app.user("amina@example.com").await.api_key().await).await;
    assert_eq!(methods(&amina), named(|method| method.roles.is_empty()));
    let hers = operations(&amina);
    assert!(hers.contains("GET /api/resource/ToDo") && hers.contains("PUT /api/resource/ToDo/{name}"), "{hers:?}");
    assert!(!hers.iter().any(|operation| operation.contains("OAuth%20Client")), "{hers:?}");
}

async fn a_token_is_shown_what_its_scope_reaches(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let reader = described(&amina.bearer(&app, "openid read:todo").await).await;
    let reads = ["GET /api/resource/ToDo", "GET /api/resource/ToDo/{name}", "POST /api/resource/ToDo/{name}"].map(str::to_owned);
    assert_eq!(operations(&reader), BTreeSet::from(reads));
    assert!(methods(&reader).contains("frappe.auth.get_logged_user"));
    assert!(!methods(&reader).contains("frappe.core.doctype.user.user.generate_keys"));
}

async fn single_doctypes_may_be_asked_for(app: TestApp) {
    let administrator = app.administrator().await;
    let ask = async |doctypes: &str| administrator.get("/api/openapi.json").query(&[("doctypes", doctypes)]).send().await;
    let shown = operations(&ask("Note, ToDo").await.expect_status(200).json());
    assert!(shown.iter().all(|operation| operation.contains("/Note") || operation.contains("/ToDo")) && shown.len() == 12, "{shown:?}");
    ask("Note,Nosuch").await.expect_status(404);
    let amina = app.user("amina@example.com").await.api_key().await;
    amina.get("/api/openapi.json").query(&[("doctypes", "OAuth Client")]).send().await.expect_status(404);
    administrator.post("/api/openapi.json").send().await.expect_status(405);
}

async fn the_description_is_valid(app: TestApp) {
    let administrator = app.existing_user("Administrator", ADMIN_PASSWORD);
    let (key, secret) = administrator.generate_keys().await;
    let driver = Driver::new("openapi_client.py", &app, &administrator);
    driver.given("AUTHORIZATION", &format!("token {key}:{secret}")).run("valid");
}

async fn methods_with_credentials_are_as_described(backend: Backend) {
    tried_by_schemathesis(backend, METHOD_PATHS, "known").await;
}

async fn methods_without_credentials_are_as_described(backend: Backend) {
    tried_by_schemathesis(backend, METHOD_PATHS, "stranger").await;
}

async fn documents_with_credentials_are_as_described(backend: Backend) {
    tried_by_schemathesis(backend, DOCUMENT_PATHS, "known").await;
}

async fn documents_without_credentials_are_as_described(backend: Backend) {
    tried_by_schemathesis(backend, DOCUMENT_PATHS, "stranger").await;
}

/// On a process of its own: what it is sent may change anything.
async fn tried_by_schemathesis(backend: Backend, paths: &str, scenario: &str) {
    let (database, directory) = (Database::new(backend), TemporaryDirectory::new());
    let launch = Launch::new(database.url(), directory.path());
    let program = launch.start().await;
    let other = program.user_with_roles("other@example.com", &["System Manager"]).await;
    // After whatever else asks as Administrator: this replaces the key.
    let administrator = program.existing_user("Administrator", ADMIN_PASSWORD);
    let (key, secret) = administrator.generate_keys().await;
    let another = STANDARD.encode(format!("{}:{}", other.name, other.password));
    Driver::at("openapi_client.py", &launch.url(), &administrator)
        .given("AUTHORIZATION", &format!("token {key}:{secret}"))
        .given("ANOTHER", &format!("Basic {another}"))
        .given("DOCTYPES", DOCTYPES)
        .given("PATHS", paths)
        .given("EXAMPLES", "10")
        .within(280)
        .run(scenario);
}
