//! Bounded fuzzing over HTTP of everything that takes bytes from outside: whatever is sent is answered,
//! and never with 5xx. The parsers have property tests of their own beside them; here the doors, the
//! merging of parameters and the databases take part. A failure prints the request that caused it.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use serde_json::{Value, json};

use super::oauth::{OAUTH, REDIRECT_URI};
use crate::both_databases;
use crate::support::{Caller, Reply, TestApp, TestClient};

both_databases!(
    no_authorization_header_breaks_anything,
    no_parameters_break_the_oauth_endpoints,
    no_authorization_request_breaks_anything_or_redirects_elsewhere,
    no_body_breaks_anything,
    no_list_parameters_break_anything,
    no_document_breaks_anything,
);

/// Requests of each kind on each database.
const CASES: usize = 250;

/// As many values of a strategy as there are cases.
fn cases<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::default();
    (0..CASES).map(|_| strategy.new_tree(&mut runner).expect("a value").current()).collect()
}

/// Text as attackers send it, from plain words to what parsers stumble over.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[ -~]{0,20}",
        2 => ".{0,12}",
        1 => prop::sample::select(vec![
            "", "null", "[]", "{}", "\"", "'", "%", "%00", "\u{0}", "\u{feff}", "\u{202e}", "../..", "a=b&c=d", "' OR 1=1 --",
            "${jndi:x}", "<script>", "9999999999999999999999", "-1", "1e400", "NaN", "0000-00-00", "99999-12-31 25:61:61", "tabToDo",
        ]).prop_map(str::to_owned),
        1 => Just("x".repeat(70_000)),
    ]
}

/// Parameters of which some have the names that are looked for.
fn parameters(names: &'static [&'static str], values: &'static [&'static str]) -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![4 => prop::sample::select(names).prop_map(str::to_owned), 1 => text()];
    let value = prop_oneof![3 => prop::sample::select(values).prop_map(str::to_owned), 2 => text()];
    prop::collection::vec((name, value), 0..8)
}

/// JSON whose keys are sometimes those that are looked for.
fn any_json(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let word = move || prop_oneof![3 => prop::sample::select(words).prop_map(str::to_owned), 1 => text()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        word().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((word(), inner), 0..5).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The answer, which must be there and must not be our fault.
async fn survives(request: crate::support::Request, what: &dyn std::fmt::Debug) -> Reply {
    let shown = || format!("{what:?}").chars().take(2_000).collect::<String>();
    match request.try_send().await {
        Ok(reply) => {
            assert!(reply.status < 500, "{}: {} {}", shown(), reply.status, reply.text());
            reply
        }
        Err(error) => panic!("{}: no answer: {error}", shown()),
    }
}

/// The server is as well as before.
async fn is_well(app: &TestApp) {
    app.anonymous().get("/health/ready").send().await.expect_status(200);
    app.anonymous().get("/api/method/ping").send().await.expect_status(200);
}

async fn no_authorization_header_breaks_anything(app: TestApp) {
    let scheme = prop::sample::select(vec!["Bearer ", "Basic ", "token ", "bearer  ", "Digest ", "", "Basic Basic "]);
    // What a header may hold at all: bytes of which HTTP allows every one but controls.
    let value = prop_oneof![
        prop::collection::vec(any::<u8>().prop_filter("no controls", |byte| *byte >= 0x20 && *byte != 0x7f), 0..60),
        "[A-Za-z0-9+/=_:-]{0,80}".prop_map(String::into_bytes),
        Just(vec![b'a'; 7_000]),
    ];
    let anonymous = app.anonymous();
    for (scheme, value) in cases((scheme, value)) {
        let mut header = scheme.as_bytes().to_vec();
        header.extend(&value);
        for (method, path) in [
            (Method::GET, "/api/method/frappe.auth.get_logged_user".to_owned()),
            (Method::POST, format!("{OAUTH}.get_token")),
            (Method::POST, format!("{OAUTH}.introspect_token")),
            (Method::GET, format!("{OAUTH}.openid_profile")),
        ] {
            let request = anonymous.request(method, &path).header("authorization", &header);
            let reply = survives(request, &String::from_utf8_lossy(&header)).await;
            assert!((400..500).contains(&reply.status), "{:?} at {path}: {}", String::from_utf8_lossy(&header), reply.status);
        }
    }
    is_well(&app).await;
}

async fn no_parameters_break_the_oauth_endpoints(app: TestApp) {
    const NAMES: &[&str] = &[
        "grant_type",
        "code",
        "redirect_uri",
        "client_id",
        "client_secret",
        "code_verifier",
        "refresh_token",
        "scope",
        "resource",
        "token",
        "token_type_hint",
        "client_assertion",
        "client_assertion_type",
    ];
    const VALUES: &[&str] = &[
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "all",
        "openid all",
        "access_token",
        REDIRECT_URI,
        "https://x.example/",
        "eyJhbGciOiJub25lIn0.e30.",
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    ];
    let client = app.client(json!({})).await;
    for (form, known, as_json) in cases((parameters(NAMES, VALUES), any::<bool>(), any::<bool>())) {
        for endpoint in ["get_token", "introspect_token", "revoke_token"] {
            let mut form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            if known {
                form.retain(|(name, _)| !["client_id", "client_secret"].contains(name));
                form.extend([("client_id", client.id.as_str()), ("client_secret", client.secret.as_deref().expect("a secret"))]);
            }
            let request = app.anonymous().post(&format!("{OAUTH}.{endpoint}"));
            let request = match as_json {
                true => request.json(&form.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()),
                false => request.form(&form),
            };
            let reply = survives(request, &(endpoint, &form)).await;
            if reply.status != 200 {
                assert!(reply.error().is_some() && reply.json().get("exc_type").is_none(), "{form:?}: {}", reply.text());
            }
        }
    }
    is_well(&app).await;
}

async fn no_authorization_request_breaks_anything_or_redirects_elsewhere(app: TestApp) {
    const NAMES: &[&str] = &[
        "client_id",
        "redirect_uri",
        "response_type",
        "response_mode",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "prompt",
        "max_age",
        "login_hint",
        "id_token_hint",
        "claims",
        "ui_locales",
        "acr_values",
        "resource",
        "request",
        "request_uri",
        "login_after",
        "display",
    ];
    const VALUES: &[&str] = &[
        "code",
        "token",
        "form_post",
        "query",
        "S256",
        "plain",
        "none",
        "login consent",
        "0",
        "all",
        "openid",
        "{\"id_token\":{\"sub\":null}}",
        "https://evil.example/callback",
        "https://app.example.com.evil.example/",
        REDIRECT_URI,
        "en fr",
    ];
    let browser = app.user("amina@example.com").await.cookie().await;
    let client = app.client(json!({"skip_authorization": 1})).await;
    let challenge = TestClient::challenge();
    let (own, server) = (url::Url::parse(REDIRECT_URI).expect("a URL"), url::Url::parse(&app.url).expect("a URL"));
    for (query, known) in cases((parameters(NAMES, VALUES), any::<bool>())) {
        let mut query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // Whoever sends more than the server reads is cut off before it is a request.
        query.retain(|(name, value)| name.len() + value.len() < 7_000);
        if known {
            query.retain(|(name, _)| !["client_id", "redirect_uri"].contains(name));
            query.extend([("client_id", client.id.as_str()), ("redirect_uri", REDIRECT_URI)]);
            query.extend([("response_type", "code"), ("code_challenge", &challenge), ("code_challenge_method", "S256")]);
        }
        for caller in [&browser, &app.anonymous()] {
            let request = caller.get(&format!("{OAUTH}.authorize")).query(&query).header("accept", "text/html");
            let reply = survives(request, &query).await;
            let Some(location) = reply.header("location") else { continue };
            let target = server.join(location).expect("a URL");
            assert!(
                target.origin() == server.origin() || (target.origin() == own.origin() && target.path() == own.path()),
                "{query:?} leads to {location}"
            );
        }
    }
    is_well(&app).await;
}

async fn no_body_breaks_anything(app: TestApp) {
    let kind = prop::sample::select(vec![
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "text/plain",
        "",
        "application/json; charset=utf-16",
        "application/octet-stream",
    ]);
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "[\\[\\]{}\",:a-z0-9\\\\]{0,60}".prop_map(String::into_bytes),
        "(--x(\r\n|--|\n)(Content-Disposition: form-data; name=\"?[a-z]?\"?(\r\n){0,2})?[a-z]{0,3}){0,4}".prop_map(String::into_bytes),
        "([a-z]{0,3}=?[%+a-f0-9]{0,6}&?){0,8}".prop_map(String::into_bytes),
    ];
    let amina = app.user("amina@example.com").await.api_key().await;
    for (kind, body) in cases((kind, bytes)) {
        for (caller, path) in [
            (&amina, "/api/resource/ToDo".to_owned()),
            (&app.anonymous(), "/api/method/login".to_owned()),
            (&app.anonymous(), format!("{OAUTH}.get_token")),
            (&app.anonymous(), format!("{OAUTH}.register_client")),
            (&app.anonymous(), "/".to_owned()),
        ] {
            let mut request = caller.post(&path).body(body.clone());
            if !kind.is_empty() {
                request = request.header("content-type", kind);
            }
            survives(request, &(kind, String::from_utf8_lossy(&body), path)).await;
        }
    }
    is_well(&app).await;
}

const LIST_WORDS: &[&str] = &[
    "name",
    "owner",
    "status",
    "date",
    "idx",
    "creation",
    "modified",
    "description",
    "allocated_to",
    "ToDo",
    "User",
    "api_secret",
    "=",
    "!=",
    "like",
    "not like",
    "in",
    "not in",
    "between",
    "is",
    "set",
    "not set",
    ">",
    "<=",
    "Open",
    "2026-01-01",
    "%",
    "count(name) as c",
    "`name`",
    "tabToDo.name",
    "name asc",
    "modified desc",
    "sum(idx)",
    "*",
    "parent",
    "1; drop table users",
];

async fn no_list_parameters_break_anything(app: TestApp) {
    const NAMES: &[&str] = &[
        "fields",
        "filters",
        "or_filters",
        "order_by",
        "group_by",
        "limit_start",
        "limit_page_length",
        "limit",
        "start",
        "as_dict",
        "debug",
        "parent",
        "expand",
        "distinct",
    ];
    let amina = app.user("amina@example.com").await.api_key().await;
    for status in ["Open", "Closed"] {
        let body = json!({"description": "Water the plants", "status": status});
        amina.post("/api/resource/ToDo").json(&body).send().await.expect_status(200);
    }
    let name = prop::sample::select(NAMES);
    let value = prop_oneof![
        3 => any_json(LIST_WORDS).prop_map(|value| value.to_string()),
        1 => prop::sample::select(LIST_WORDS).prop_map(str::to_owned),
        1 => text(),
    ];
    for query in cases(prop::collection::vec((name, value), 1..4)) {
        let query: Vec<(&str, &str)> =
            query.iter().map(|(name, value)| (*name, value.as_str())).filter(|(_, value)| value.len() < 7_000).collect();
        survives(amina.get("/api/resource/ToDo").query(&query), &query).await;
    }
    is_well(&app).await;
}

async fn no_document_breaks_anything(app: TestApp) {
    const WORDS: &[&str] = &[
        "name",
        "owner",
        "status",
        "date",
        "description",
        "priority",
        "allocated_to",
        "reference_type",
        "docstatus",
        "idx",
        "modified",
        "doctype",
        "Open",
        "2026-01-01",
        "__islocal",
        "roles",
        "color",
    ];
    let amina = app.user("amina@example.com").await.api_key().await;
    let paths = ["/api/resource/ToDo", "/api/resource/User/amina@example.com", "/api/resource/OAuth%20Client"];
    let administrator = app.administrator().await;
    for document in cases(any_json(WORDS)) {
        survives(amina.post(paths[0]).json(&document), &document).await;
        // Not its own password or state: the next case needs them.
        let harmless = document.as_object().is_none_or(|members| !members.contains_key("name"));
        for (caller, method, path) in
            [(&amina, Method::PUT, paths[1]), (&administrator as &Caller, Method::POST, paths[2])].into_iter().filter(|_| harmless)
        {
            survives(caller.request(method, path).json(&document), &document).await;
        }
    }
    is_well(&app).await;
}
