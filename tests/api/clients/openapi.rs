//! `/api/openapi.json`: who is shown what, whether it is valid, and whether the server is as it says. openapi-spec-validator
//! reads it, and schemathesis calls every operation with what the schemas allow and with what they do not.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ostiary::frappe::registry::{METHODS, Method};
use serde_json::{Value, json};

use super::driver::Driver;
use crate::both_databases;
use crate::support::process::Launch;
use crate::support::{ADMIN_PASSWORD, Backend, Caller, Database, TemporaryDirectory, TestApp};

both_databases!(
    everybody_is_shown_what_they_may_call_and_no_more,
    a_token_is_shown_what_its_scope_reaches,
    single_doctypes_may_be_asked_for,
    the_description_is_valid,
    a_description_holds_a_limited_number_of_doctypes,
    client_methods_with_credentials_are_as_described,
    client_methods_without_credentials_are_as_described,
    other_methods_with_credentials_are_as_described,
    other_methods_without_credentials_are_as_described,
    documents_with_credentials_are_as_described,
    documents_without_credentials_are_as_described,
    documents_of_version_two_with_credentials_are_as_described,
    documents_of_version_two_without_credentials_are_as_described,
);

/// What schemathesis is shown of the doctypes: ordinary ones, and one that guards credentials.
const DOCTYPES: &str = "HD Team,ToDo,User";
/// In parts, each of which is done in time also where others use the machine.
const CLIENT_PATHS: &str = "^/api/method/frappe[.]client[.]";
const METHOD_PATHS: &str = "^/api/(openapi|report|search|method/(?!frappe[.]client[.]))";
const DOCUMENT_PATHS: &str = "^/api/resource/";
const VERSION_TWO_PATHS: &str = "^/api/v2/";
/// Fewer, because version 2 has more operations on each.
const VERSION_TWO_DOCTYPES: &str = "HD Team,ToDo";

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
    assert_eq!(methods(&nobody), named(|method| method.guest && !method.takes_file), "a guest uploads nothing");
    assert!(!operations(&nobody).iter().any(|operation| operation.contains("ToDo")));

    let amina = described(&app.user("amina@example.com").await.api_key().await).await;
    assert_eq!(methods(&amina), named(|method| method.roles.is_empty()));
    let hers = operations(&amina);
    assert!(hers.contains("GET /api/resource/ToDo") && hers.contains("PUT /api/resource/ToDo/{name}"), "{hers:?}");
    assert!(!hers.iter().any(|operation| operation.contains("OAuth%20Client")), "{hers:?}");
    // Nobody is told that this goes without credentials.
    let security = &amina["paths"]["/api/method/upload_file"]["post"]["security"];
    assert!(security.as_array().is_some_and(|ways| !ways.is_empty() && !ways.contains(&json!({}))), "{security}");
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
    // Not all that there are: reading this takes the validator its time.
    let doctypes = "Customer,File,HD Ticket,OAuth Client,System Settings,Territory,User";
    driver.given("AUTHORIZATION", &format!("token {key}:{secret}")).given("DOCTYPES", doctypes).within(280).run("valid").await;
}

async fn a_description_holds_a_limited_number_of_doctypes(backend: Backend) {
    let (database, directory) = (Database::new(backend), TemporaryDirectory::new());
    let definitions = directory.path().join("definitions");
    std::fs::create_dir(&definitions).expect("a directory");
    for number in 0..151 {
        let definition = json!({
            "doctype": "DocType", "name": format!("Many {number}"), "module": "Many", "autoname": "hash",
            "fields": [{ "fieldname": "title", "label": "Title", "fieldtype": "Data" }],
            "permissions": [{ "role": "System Manager", "read": 1 }],
        });
        std::fs::write(definitions.join(format!("many_{number}.json")), definition.to_string()).expect("a file");
    }
    let launch = Launch::new(database.url(), directory.path());
    launch.command(&["migrate"], "").expect_success();
    let imported = launch.command(&["doctype", "import", definitions.to_str().expect("a UTF-8 path")], "");
    assert_eq!(imported.code, Some(0), "{}", imported.errors);
    let program = launch.start().await;
    let (key, secret) = program.existing_user("Administrator", ADMIN_PASSWORD).generate_keys().await;
    let ask = async |doctypes: Option<&str>| {
        let asked = program.anonymous().get("/api/openapi.json").header("Authorization", format!("token {key}:{secret}"));
        match doctypes {
            Some(doctypes) => asked.query(&[("doctypes", doctypes)]).send().await,
            None => asked.send().await,
        }
    };
    let whole = ask(None).await.expect_status(200).json();
    let collections = whole["paths"].as_object().expect("paths").keys().filter_map(|path| path.strip_prefix("/api/resource/"));
    assert_eq!(collections.filter(|path| !path.contains('/')).count(), 150);
    let names = whole["components"]["schemas"]["Doctype"]["enum"].as_array().expect("names");
    assert!(names.len() > 151 && names.contains(&json!("Many 150")), "{names:?}");
    assert!(whole["info"]["description"].as_str().is_some_and(|text| text.contains("more doctypes")), "{}", whole["info"]);
    assert!(operations(&ask(Some("Many 150")).await.expect_status(200).json()).contains("GET /api/resource/Many%20150"));
    let all: Vec<String> = (0..151).map(|number| format!("Many {number}")).collect();
    ask(Some(&all.join(","))).await.expect_status(417);
}

/// Tests by name, each with the paths that are called and whether with credentials.
macro_rules! tried_by_schemathesis {
    ($($name:ident: $paths:ident, $scenario:literal;)*) => {
        $(async fn $name(backend: Backend) {
            tried(backend, $paths, $scenario).await;
        })*
    };
}

tried_by_schemathesis! {
    client_methods_with_credentials_are_as_described: CLIENT_PATHS, "known";
    client_methods_without_credentials_are_as_described: CLIENT_PATHS, "stranger";
    other_methods_with_credentials_are_as_described: METHOD_PATHS, "known";
    other_methods_without_credentials_are_as_described: METHOD_PATHS, "stranger";
    documents_with_credentials_are_as_described: DOCUMENT_PATHS, "known";
    documents_without_credentials_are_as_described: DOCUMENT_PATHS, "stranger";
    documents_of_version_two_with_credentials_are_as_described: VERSION_TWO_PATHS, "known";
    documents_of_version_two_without_credentials_are_as_described: VERSION_TWO_PATHS, "stranger";
}

/// On a process of its own: what it is sent may change anything.
async fn tried(backend: Backend, paths: &str, scenario: &'static str) {
    let (database, directory) = (Database::new(backend), TemporaryDirectory::new());
    let launch = Launch::new(database.url(), directory.path());
    let program = launch.start().await;
    let other = program.user_with_roles("other@example.com", &["System Manager"]).await;
    // After whatever else asks as Administrator: this replaces the key.
    let administrator = program.existing_user("Administrator", ADMIN_PASSWORD);
    let (key, secret) = administrator.generate_keys().await;
    let another = STANDARD.encode(format!("{}:{}", other.name, other.password));
    let doctypes = if paths == VERSION_TWO_PATHS { VERSION_TWO_DOCTYPES } else { DOCTYPES };
    Driver::at("openapi_client.py", &launch.url(), &administrator)
        .given("AUTHORIZATION", &format!("token {key}:{secret}"))
        .given("ANOTHER", &format!("Basic {another}"))
        .given("DOCTYPES", doctypes)
        .given("PATHS", paths)
        .given("EXAMPLES", "4")
        .within(280)
        .run(scenario)
        .await;
}
