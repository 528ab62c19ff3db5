//! Apps that nobody registered: the client id is the URL of their own description (Client ID Metadata Documents).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ostiary::config::QuotaConfig;
use ostiary::cx::Cx;
use ostiary::domain::Scope;
use ostiary::domain::client::SigningAlgorithm;
use ostiary::oauth::clients::{self, ClientKind};
use ostiary::store::consents::{self, ConsentKey};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::private_key_jwt::{JWT_BEARER, Key, claims, key_set};
use super::{REDIRECT_URI, authorize, but, expect_refusal, ordinary};
use crate::both_databases;
use crate::support::web_host::{Answer, WebHost};
use crate::support::{Caller, Reply, Setup, TestApp, TestClient, TokenPair, decide};

both_databases!(
    an_app_that_nobody_registered_logs_its_user_in,
    the_consent_page_says_where_it_comes_from_and_that_nobody_vouches,
    an_app_that_lives_on_the_users_device_only_comes_with_a_warning,
    a_description_is_kept_as_long_as_it_says_and_then_checked,
    a_host_that_is_down_keeps_nobody_out_for_a_day,
    new_addresses_in_a_description_are_asked_about_anew,
    a_description_that_cannot_be_used_is_refused_with_the_reason,
    a_client_id_that_is_no_proper_url_is_refused_without_a_fetch,
    nothing_inside_is_ever_connected_to,
    nothing_is_fetched_for_a_request_that_is_wrong_anyway,
    an_app_that_is_known_hears_what_is_wrong_with_its_requests,
    while_it_is_switched_off_such_an_app_is_unknown_and_nothing_is_fetched,
    fetches_are_limited_and_those_who_are_known_stay_in,
    the_users_of_a_new_app_cost_its_host_one_fetch,
    an_administrator_sees_vouches_for_and_removes_such_an_app,
    a_url_that_an_administrator_registered_is_never_fetched,
    requests_at_once_make_one_client,
    what_nobody_uses_is_forgotten_after_a_day,
    what_somebody_allows_just_then_is_not_forgotten,
    it_gets_no_more_than_an_app_that_registers_itself,
    an_app_with_a_key_of_its_own_proves_who_it_is,
    pages_of_such_an_app_may_call_the_token_endpoint_once_it_is_known,
);

/// A site that is open to such apps, and can reach this host.
async fn site(setup: Setup, host: &WebHost) -> TestApp {
    setup.configure(|config| open(config, host)).start().await
}

fn open(config: &mut ostiary::config::Config, host: &WebHost) {
    host.open_to(config);
    config.oauth.client_metadata_documents = true;
}

/// An ordinary description.
fn description(url: &str) -> Value {
    json!({
        "client_id": url,
        "client_name": "Garden Planner",
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": "openid all",
        "logo_uri": "https://localhost/logo.png",
    })
}

/// Publishes it, and is the app.
fn publish(app: &TestApp, host: &WebHost, path: &str, change: impl FnOnce(&mut Value)) -> TestClient {
    let url = host.url(path);
    let mut document = description(&url);
    change(&mut document);
    host.serve(path, Answer::json(&document).header("cache-control", "max-age=600"));
    TestClient { id: url, secret: None, anonymous: app.anonymous() }
}

/// What the browser gets when the app sends it.
async fn ask(browser: &Caller, client: &TestClient) -> Reply {
    authorize(browser, &ordinary(client, &TestClient::challenge(), "openid")).await
}

async fn amina(app: &TestApp) -> Caller {
    app.user("amina@example.com").await.cookie().await
}

fn record(client: &TestClient) -> String {
    let name: String = url::form_urlencoded::byte_serialize(client.id.as_bytes()).collect();
    format!("/api/resource/OAuth%20Client/{name}")
}

async fn an_app_that_nobody_registered_logs_its_user_in(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let client = publish(&app, &host, "/client.json", |_| {});
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        assert_eq!(app.anonymous().get(path).send().await.json()["client_id_metadata_document_supported"], true);
    }
    // Before the login already it is known who asks.
    let login = ask(&app.browser(), &client).await.expect_status(302);
    assert!(login.header("location").is_some_and(|location| location.starts_with("/login?redirect-to=")), "{:?}", login.headers);

    let browser = amina(&app).await;
    let page = ask(&browser, &client).await.expect_status(200);
    let answer = decide(&browser, &page, "allow").await.expect_status(302);
    assert_eq!(answer.location_parameter("state").as_deref(), Some("a state"));
    assert_eq!(answer.location_parameter("iss").as_deref(), Some(app.url.as_str()));
    let tokens = TokenPair::of(&client.exchange(&answer.location_parameter("code").expect("a code")).await);
    client.holder(&tokens.access).whoami().await.expect_status(200);
    assert!(tokens.id_token.is_some());
    let refreshed = TokenPair::of(&client.refresh(tokens.refresh.as_deref().expect("a refresh token")).await);
    client.holder(&refreshed.access).whoami().await.expect_status(200);
    assert_eq!(host.requests(), 1, "{:?}", host.heads());

    // PKCE is not optional for it.
    let without = but(ordinary(&client, "", "openid"), &[("code_challenge", ""), ("code_challenge_method", "")]);
    assert_eq!(authorize(&browser, &without).await.location_parameter("error").as_deref(), Some("invalid_request"));
}

async fn the_consent_page_says_where_it_comes_from_and_that_nobody_vouches(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let client = publish(&app, &host, "/client.json", |_| {});
    let page = ask(&amina(&app).await, &client).await.expect_status(200);
    let html = page.text();
    for part in ["Garden Planner", "Not verified", &format!("<bdi>localhost:{}</bdi>", host.port()), "<bdi>app.example.com</bdi>"] {
        assert!(html.contains(part), "{part} is not in {html}");
    }
    // No picture that tells its makers who looks at this page.
    assert!(
        !html.contains("logo.png") && !page.header("content-security-policy").expect("a policy").contains("img-src 'self' h"),
        "{html}"
    );
    assert!(!html.contains("Any program on your computer"), "it has an address on the web");
}

async fn an_app_that_lives_on_the_users_device_only_comes_with_a_warning(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let uris = json!(["http://127.0.0.1/callback", "http://[::1]/callback", "http://localhost:9/callback"]);
    let client = publish(&app, &host, "/client.json", |document| document["redirect_uris"] = uris);
    let browser = amina(&app).await;
    let uri = "http://127.0.0.1:51234/callback";
    let asked = but(ordinary(&client, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "openid"), &[("redirect_uri", uri)]);
    for _ in 0..2 {
        // Asked each time: what another program was allowed is not for this one.
        let page = authorize(&browser, &asked).await.expect_status(200);
        let html = page.text();
        assert!(html.contains("Any program on your computer can pose as this app") && html.contains("127.0.0.1:51234"), "{html}");
        let answer = decide(&browser, &page, "allow").await.expect_status(302);
        assert!(answer.header("location").is_some_and(|location| location.starts_with(&format!("{uri}?code="))));
    }
}

async fn a_description_is_kept_as_long_as_it_says_and_then_checked(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let client = publish(&app, &host, "/client.json", |_| {});
    let url = client.id.clone();
    let name = Arc::new(AtomicUsize::new(0));
    let published = Arc::clone(&name);
    host.serve_with("/client.json", move |head| {
        let version = published.load(Ordering::SeqCst);
        let etag = format!("\"v{version}\"");
        let mut document = description(&url);
        document["client_name"] = format!("Garden {version}").into();
        match head.contains(&format!("if-none-match: {etag}")) {
            true => Answer::status(304),
            false => Answer::json(&document),
        }
        .header("etag", &etag)
        .header("cache-control", "max-age=600")
    });
    let browser = amina(&app).await;
    for _ in 0..3 {
        assert!(ask(&browser, &client).await.expect_status(200).text().contains("Garden 0"));
    }
    assert_eq!(host.requests(), 1);
    let changed = |administrator: Caller| async move {
        administrator.get(&record(&client)).send().await.expect_status(200).data()["modified"].clone()
    };
    let client = TestClient { id: host.url("/client.json"), secret: None, anonymous: app.anonymous() };
    let before = changed(app.administrator().await).await;

    // Still right: kept for another ten minutes, and nothing is written as a change.
    app.advance(Duration::from_secs(601));
    for _ in 0..2 {
        assert!(ask(&browser, &client).await.expect_status(200).text().contains("Garden 0"));
    }
    assert_eq!(host.requests(), 2);
    assert!(host.heads()[1].contains("if-none-match: \"v0\""), "{:?}", host.heads());
    let after = app.administrator().await.get(&record(&client)).send().await.expect_status(200).data()["modified"].clone();
    assert_eq!(before, after);

    let page = ask(&browser, &client).await.expect_status(200);
    decide(&browser, &page, "allow").await.expect_status(302);
    name.store(1, Ordering::SeqCst);
    app.advance(Duration::from_secs(601));
    // Another name at the same addresses: what was allowed stays allowed.
    assert!(ask(&browser, &client).await.expect_status(302).location_parameter("code").is_some());
    let known = app.administrator().await.get(&record(&client)).send().await.expect_status(200).data();
    assert_eq!((host.requests(), &known["app_name"]), (3, &json!("Garden 1")));
}

async fn a_host_that_is_down_keeps_nobody_out_for_a_day(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let client = publish(&app, &host, "/client.json", |_| {});
    let browser = amina(&app).await;
    ask(&browser, &client).await.expect_status(200);
    host.serve("/client.json", Answer::status(503));
    app.advance(Duration::from_secs(23 * 3600));
    ask(&browser, &client).await.expect_status(200);
    assert_eq!(host.requests(), 2);
    app.advance(Duration::from_secs(2 * 3600));
    let refused = ask(&browser, &client).await.expect_status(400).text();
    assert!(refused.contains("localhost") && refused.contains("status 503"), "{refused}");
    // What it publishes now is wrong, which is its own word: the old copy is not used.
    let wrong = publish(&app, &host, "/wrong.json", |_| {});
    ask(&browser, &wrong).await.expect_status(200);
    host.serve("/wrong.json", Answer::json(&json!({"client_id": "https://elsewhere.example/"})));
    app.advance(Duration::from_secs(601));
    ask(&browser, &wrong).await.expect_status(400);
    // So is that it is gone.
    let gone = publish(&app, &host, "/gone.json", |_| {});
    ask(&browser, &gone).await.expect_status(200);
    host.serve("/gone.json", Answer::status(410));
    app.advance(Duration::from_secs(601));
    assert!(ask(&browser, &gone).await.expect_status(400).text().contains("status 410"));
}

async fn new_addresses_in_a_description_are_asked_about_anew(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let client = publish(&app, &host, "/client.json", |_| {});
    let browser = amina(&app).await;
    let page = ask(&browser, &client).await.expect_status(200);
    decide(&browser, &page, "allow").await.expect_status(302);
    ask(&browser, &client).await.expect_status(302);
    publish(&app, &host, "/client.json", |document| document["redirect_uris"] = json!([REDIRECT_URI, "https://new.example.com/"]));
    app.advance(Duration::from_secs(601));
    ask(&browser, &client).await.expect_status(200);
    // One that is not there any more is refused at once.
    publish(&app, &host, "/client.json", |document| document["redirect_uris"] = json!(["https://new.example.com/"]));
    app.advance(Duration::from_secs(601));
    let refused = ask(&browser, &client).await.expect_status(400).text();
    assert!(refused.contains("Mismatching redirect URI"), "{refused}");
}

async fn a_description_that_cannot_be_used_is_refused_with_the_reason(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let browser = amina(&app).await;
    let mut number = 0;
    let mut next = || {
        number += 1;
        format!("/{number}.json")
    };
    let cases = [
        ("client_id", json!("https://elsewhere.example/client.json"), "letter by letter"),
        ("client_id", Value::Null, "letter by letter"),
        ("client_secret", json!("chosen"), "client_secret"),
        ("client_secret_expires_at", json!(0), "client_secret_expires_at"),
        ("token_endpoint_auth_method", json!("client_secret_basic"), "token_endpoint_auth_method"),
        ("token_endpoint_auth_method", json!("client_secret_post"), "token_endpoint_auth_method"),
        ("token_endpoint_auth_method", json!("client_secret_jwt"), "token_endpoint_auth_method"),
        ("token_endpoint_auth_method", json!(["none"]), "token_endpoint_auth_method"),
        ("token_endpoint_auth_method", json!("private_key_jwt"), "jwks"),
        ("jwks", json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}), "jwks"),
        ("jwks_uri", json!("http://app.example.com/keys.json"), "jwks_uri"),
        ("redirect_uris", json!([]), "redirect_uris"),
        ("redirect_uris", json!("https://app.example.com/callback"), "redirect_uris"),
        ("redirect_uris", json!([REDIRECT_URI, "http://app.example.com/"]), "http://app.example.com/"),
        ("redirect_uris", json!([REDIRECT_URI, "javascript:alert(1)"]), "javascript:alert(1)"),
        ("redirect_uris", json!([REDIRECT_URI, "https://*.example.com/"]), "wildcard"),
        ("grant_types", json!(["client_credentials"]), "grant_types"),
        ("grant_types", json!(["implicit"]), "grant_types"),
        ("response_types", json!(["token"]), "response_types"),
        ("client_name", json!("x".repeat(141)), "client_name"),
        ("client_name", json!({"en": "Garden"}), "client_name"),
        ("logo_uri", json!("javascript:alert(1)"), "Logo URI"),
        ("scope", json!("a\"b"), "scope"),
    ];
    for (name, value, said) in cases {
        let client = publish(&app, &host, &next(), |document| document[name] = value.clone());
        let refused = ask(&browser, &client).await.expect_status(400).text();
        let refused = refused.replace("&#34;", "\"");
        assert!(refused.contains("localhost") && refused.contains(said), "{name} {value}: {refused}");
        app.administrator().await.get(&record(&client)).send().await.expect_status(404);
    }
    let answers = [
        (Answer::text("application/json", "[]"), "JSON object"),
        (Answer::text("application/json", "{"), "JSON object"),
        (Answer::text("application/json", "x".repeat(5121)), "5120 bytes"),
        (Answer::text("text/html", "{}"), "application/json"),
        (Answer::status(404), "status 404"),
        (Answer::status(302).header("location", "/1.json"), "redirected"),
        (Answer::json(&json!({})).after(Duration::from_secs(10)), "three seconds"),
    ];
    for (answer, said) in answers {
        let path = next();
        host.serve(&path, answer);
        let client = TestClient { id: host.url(&path), secret: None, anonymous: app.anonymous() };
        let refused = ask(&browser, &client).await.expect_status(400).text();
        assert!(refused.contains(said), "{said}: {refused}");
    }
    // Never a redirect, and for scripts the same as JSON.
    let client = TestClient { id: host.url("/1.json"), secret: None, anonymous: app.anonymous() };
    let json = browser.get(&format!("{}.authorize", super::OAUTH)).query(&ordinary(&client, &TestClient::challenge(), "openid"));
    assert_eq!(json.send().await.expect_status(400).error().as_deref(), Some("invalid_request"));
    // The control: what is not needed may be left out.
    let least = publish(&app, &host, "/least.json", |document| {
        *document = json!({"client_id": document["client_id"], "redirect_uris": [REDIRECT_URI]})
    });
    assert!(ask(&browser, &least).await.expect_status(200).text().contains("localhost"));
}

async fn a_client_id_that_is_no_proper_url_is_refused_without_a_fetch(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let port = host.port();
    let browser = amina(&app).await;
    for id in [
        format!("https://localhost:{port}"),
        format!("https://localhost:{port}/client.json?x=1"),
        format!("https://localhost:{port}/client.json#x"),
        format!("https://user@localhost:{port}/client.json"),
        format!("https://localhost:{port}/a/../client.json"),
        format!("https://localhost:{port}/./client.json"),
        format!("https://localhost:{port}/%2e%2e/client.json"),
        format!("https://LOCALHOST:{port}/client.json"),
        format!("https://localhost:{port}/{}", "x".repeat(255)),
        format!("HTTPS://localhost:{port}/client.json"),
        format!("http://localhost:{port}/client.json"),
    ] {
        let client = TestClient { id: id.clone(), secret: None, anonymous: app.anonymous() };
        let refused = ask(&browser, &client).await.expect_status(400).text();
        assert!(refused.contains("Invalid client_id"), "{id}: {refused}");
    }
    assert_eq!(host.connections(), 0);
}

async fn nothing_inside_is_ever_connected_to(setup: Setup) {
    let (host, inner) = (WebHost::start(), WebHost::start());
    let setup = setup.configure(|config| {
        open(config, &host);
        config.fetch.allow_networks.clear();
    });
    let app = setup.start().await;
    let port = host.port();
    let browser = amina(&app).await;
    let mut said = std::collections::BTreeSet::new();
    for place in [
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
        format!("[::ffff:7f00:1]:{port}"),
        "169.254.169.254".to_owned(),
        "10.0.0.1".to_owned(),
        "[fd00:ec2::254]".to_owned(),
        "[64:ff9b::a9fe:a9fe]".to_owned(),
        "nowhere.invalid".to_owned(),
    ] {
        let client = TestClient { id: format!("https://{place}/client.json"), secret: None, anonymous: app.anonymous() };
        let refused = ask(&browser, &client).await.expect_status(400).text();
        assert!(refused.contains("could not be read over https from a public address"), "{place}: {refused}");
        said.insert(refused.replace(&place, "PLACE"));
    }
    // Whatever stands there, or does not, the page is the same.
    assert_eq!(said.len(), 1, "{said:?}");
    for spelled in ["2130706433", "0x7f.1", "0177.0.0.1", "127.1"] {
        let client = TestClient { id: format!("https://{spelled}:{port}/client.json"), secret: None, anonymous: app.anonymous() };
        ask(&browser, &client).await.expect_status(400);
    }
    assert_eq!(host.connections(), 0);

    // Nor by a redirect from a host that may be asked.
    let app = site(Setup::new(app.backend()), &host).await;
    let browser = amina(&app).await;
    host.serve("/client.json", Answer::status(302).header("location", &inner.url("/client.json")));
    let client = TestClient { id: host.url("/client.json"), secret: None, anonymous: app.anonymous() };
    ask(&browser, &client).await.expect_status(400);
    assert_eq!((host.connections(), inner.connections()), (1, 0));
}

async fn nothing_is_fetched_for_a_request_that_is_wrong_anyway(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let client = publish(&app, &host, "/client.json", |_| {});
    let browser = amina(&app).await;
    let challenge = TestClient::challenge();
    for change in [&[("redirect_uri", "")], &WRONG_ADDRESSES[..], &WRONG[..]].concat() {
        authorize(&browser, &but(ordinary(&client, &challenge, "openid"), &[change])).await.expect_status(400);
    }
    assert_eq!(host.connections(), 0);
    ask(&browser, &client).await.expect_status(200);
    assert_eq!(host.connections(), 1);
}

/// Where no answer may go.
const WRONG_ADDRESSES: [(&str, &str); 2] = [("redirect_uri", "/callback"), ("redirect_uri", "http://app.example.com/callback")];
/// Wrong whoever asks.
const WRONG: [(&str, &str); 10] = [
    ("response_type", ""),
    ("response_type", "token"),
    ("response_mode", "fragment"),
    ("scope", "a\"b"),
    ("code_challenge", "short"),
    ("code_challenge_method", "plain"),
    ("prompt", "everything"),
    ("max_age", "soon"),
    ("resource", "https://elsewhere.example"),
    ("request", "x"),
];

async fn an_app_that_is_known_hears_what_is_wrong_with_its_requests(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let client = publish(&app, &host, "/client.json", |_| {});
    let browser = amina(&app).await;
    let challenge = TestClient::challenge();
    ask(&browser, &client).await.expect_status(200);
    let wrong = async |change| authorize(&browser, &but(ordinary(&client, &challenge, "openid"), &[change])).await;
    // First while the copy is good, then when it would be fetched anew.
    for _ in 0..2 {
        for change in WRONG {
            let answer = wrong(change).await.expect_status(302);
            assert!(answer.header("location").is_some_and(|location| location.starts_with(REDIRECT_URI)), "{change:?}");
            assert!(answer.location_parameter("error").is_some(), "{change:?}");
            assert_eq!(answer.location_parameter("state").as_deref(), Some("a state"), "{change:?}");
        }
        for change in WRONG_ADDRESSES {
            wrong(change).await.expect_status(400);
        }
        app.advance(Duration::from_secs(601));
    }
    assert_eq!(host.requests(), 1);
    // What is right by the old copy only is not answered by it.
    publish(&app, &host, "/client.json", |document| document["redirect_uris"] = json!(["https://new.example.com/"]));
    let page = wrong(("redirect_uri", "")).await;
    assert_eq!(host.requests(), 2);
    assert!(page.expect_status(200).text().contains("new.example.com"));
    app.advance(Duration::from_secs(601));
    // What is wrong by it only may be right by now.
    publish(&app, &host, "/client.json", |_| {});
    ask(&browser, &client).await.expect_status(200);
    assert_eq!(host.requests(), 3);
}

async fn while_it_is_switched_off_such_an_app_is_unknown_and_nothing_is_fetched(setup: Setup) {
    let host = WebHost::start();
    // Two processes on one database: one before, one after it was switched off.
    let off = setup.clone().configure(|config| host.open_to(config)).start().await;
    let client = publish(&off, &host, "/client.json", |_| {});
    let browser = amina(&off).await;
    let refused = ask(&browser, &client).await.expect_status(400).text();
    assert!(refused.contains("Invalid client_id parameter value"), "{refused}");
    assert_eq!(host.connections(), 0);
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        assert!(off.anonymous().get(path).send().await.json().get("client_id_metadata_document_supported").is_none());
    }
    let on = site(setup, &host).await;
    let client = TestClient { anonymous: on.anonymous(), ..client };
    let there = on.existing_user("amina@example.com", crate::support::PASSWORD).cookie().await;
    let page = ask(&there, &client).await.expect_status(200);
    let code = decide(&there, &page, "allow").await.location_parameter("code").expect("a code");
    let tokens = TokenPair::of(&client.exchange(&code).await);
    // No new login here, though it is known; what users allowed before goes on until it is revoked.
    ask(&browser, &client).await.expect_status(400);
    let here = TestClient { anonymous: off.anonymous(), ..client.clone() };
    TokenPair::of(&here.refresh(tokens.refresh.as_deref().expect("a refresh token")).await);
}

async fn fetches_are_limited_and_those_who_are_known_stay_in(setup: Setup) {
    let host = WebHost::start();
    let setup = setup.configure(|config| {
        open(config, &host);
        config.limits.scale = 1.0;
        config.limits.quotas.insert("fetch_metadata".to_owned(), QuotaConfig { count: 3, seconds: 3600 });
        config.limits.quotas.insert("fetch_host".to_owned(), QuotaConfig { count: 4, seconds: 3600 });
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    });
    let app = setup.start().await;
    let browser = amina(&app).await;
    let known = publish(&app, &host, "/known.json", |_| {});
    ask(&browser, &known).await.expect_status(200);
    for number in 0..2 {
        let client = publish(&app, &host, &format!("/{number}.json"), |_| {});
        ask(&browser, &client).await.expect_status(200);
    }
    let client = publish(&app, &host, "/further.json", |_| {});
    let refused = ask(&browser, &client).await.expect_status(429);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(host.requests(), 3);
    // Who asks too often keeps nobody else from the app.
    let challenge = TestClient::challenge();
    let from = async |address: &str, client: &TestClient| {
        let request = browser.get(&format!("{}.authorize", super::OAUTH)).query(&ordinary(client, &challenge, "openid"));
        request.header("x-forwarded-for", address).header("accept", "text/html").send().await
    };
    from("198.51.100.7", &client).await.expect_status(200);
    assert_eq!(host.requests(), 4);
    // But a host is not asked for ever more that is new, whoever asks.
    let last = publish(&app, &host, "/last.json", |_| {});
    from("198.51.100.8", &last).await.expect_status(429);
    assert_eq!(host.requests(), 4);
    // What is known goes on: by its copy for those who ask too often, and looked after by others.
    app.advance(Duration::from_secs(601));
    ask(&browser, &known).await.expect_status(200);
    assert_eq!(host.requests(), 4);
    from("198.51.100.8", &known).await.expect_status(200);
    assert_eq!(host.requests(), 5);
}

async fn the_users_of_a_new_app_cost_its_host_one_fetch(setup: Setup) {
    let host = WebHost::start();
    let setup = setup.configure(|config| {
        open(config, &host);
        config.limits.scale = 1.0;
        config.limits.quotas.insert("fetch_metadata".to_owned(), QuotaConfig { count: 2, seconds: 3600 });
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    });
    let app = setup.start().await;
    let client = publish(&app, &host, "/client.json", |_| {});
    host.serve("/client.json", Answer::json(&description(&client.id)).after(Duration::from_millis(1500)));
    let mut asking = JoinSet::new();
    for number in 0..10 {
        let request = app.browser().get(&format!("{}.authorize", super::OAUTH));
        let request = request.query(&ordinary(&client, &TestClient::challenge(), "openid"));
        let request = request.header("x-forwarded-for", format!("198.51.100.{number}")).header("accept", "text/html");
        asking.spawn(request.send());
    }
    for reply in asking.join_all().await {
        assert!(reply.expect_status(302).header("location").is_some_and(|location| location.starts_with("/login")));
    }
    assert_eq!(host.requests(), 1);
}

async fn an_administrator_sees_vouches_for_and_removes_such_an_app(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let client = publish(&app, &host, "/client.json", |_| {});
    let browser = amina(&app).await;
    ask(&browser, &client).await.expect_status(200);
    let administrator = app.administrator().await;
    let listed = administrator.get("/api/resource/OAuth%20Client").send().await.expect_status(200).data();
    assert_eq!(listed, json!([{"name": client.id}]));
    let known = administrator.get(&record(&client)).send().await.expect_status(200).data();
    assert_eq!((&known["verified"], &known["owner"], &known["app_name"]), (&json!(0), &json!("Guest"), &json!("Garden Planner")));

    administrator.put(&record(&client)).json(&json!({"verified": 1})).send().await.expect_status(200);
    assert!(!ask(&browser, &client).await.expect_status(200).text().contains("Not verified"));
    publish(&app, &host, "/client.json", |document| document["client_name"] = "Another Name".into());
    app.advance(Duration::from_secs(601));
    let html = ask(&browser, &client).await.expect_status(200).text();
    assert!(html.contains("Another Name") && html.contains("vouches for it") && !html.contains("Not verified"), "{html}");

    administrator.delete(&record(&client)).send().await.expect_status(202);
    administrator.get(&record(&client)).send().await.expect_status(404);
    // Removing is not blocking: it may come again, as unknown as at first.
    assert!(ask(&browser, &client).await.expect_status(200).text().contains("Not verified"));
    assert_eq!(host.requests(), 3);
    // Blocking is: no user has such a role.
    administrator.post("/api/resource/Role").json(&json!({"role_name": "Nobody"})).send().await.expect_status(200);
    let nobody = json!({"allowed_roles": [{"role": "Nobody"}]});
    administrator.put(&record(&client)).json(&nobody).send().await.expect_status(200);
    publish(&app, &host, "/client.json", |document| document["client_name"] = "A Third Name".into());
    app.advance(Duration::from_secs(601));
    assert_eq!(ask(&browser, &client).await.location_parameter("error").as_deref(), Some("access_denied"));
    assert_eq!(host.requests(), 4);
}

async fn a_url_that_an_administrator_registered_is_never_fetched(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let client = publish(&app, &host, "/client.json", |_| {});
    let (db, env, id) = (app.db().clone(), Arc::clone(app.env()), client.id.clone());
    tokio::task::spawn_blocking(move || {
        db.write_blocking("register", move |conn, effects| {
            let scope = Scope::parse("openid").expect("a scope");
            let template = ClientKind::Browser.template("By Hand", scope, vec![REDIRECT_URI.to_owned()]);
            let registered = ostiary::domain::client::Client { client_id: id.clone(), ..template };
            clients::register(&mut Cx { conn, now: env.clock.now(), env: &env, effects }, registered, &[], "Administrator").map(drop)
        })
    })
    .await
    .expect("no panic")
    .expect("registered");
    let html = ask(&amina(&app).await, &client).await.expect_status(200).text();
    assert!(html.contains("By Hand") && !html.contains("Not verified"), "{html}");
    assert_eq!(host.connections(), 0);
}

async fn requests_at_once_make_one_client(setup: Setup) {
    let host = WebHost::start();
    // Two processes, so that the database decides and not only a lock in one of them.
    let first = site(setup.clone(), &host).await;
    let second = site(setup, &host).await;
    let client = publish(&first, &host, "/client.json", |_| {});
    let slow = Answer::json(&description(&client.id)).after(Duration::from_millis(300));
    host.serve("/client.json", slow);
    let browser = amina(&first).await;
    let there = second.existing_user("amina@example.com", crate::support::PASSWORD).cookie().await;
    let (a, b, c, d) = tokio::join!(ask(&browser, &client), ask(&there, &client), ask(&browser, &client), ask(&there, &client));
    for reply in [a, b, c, d] {
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert!(host.requests() <= 2, "one each: {:?}", host.heads());
    let listed = first.administrator().await.get("/api/resource/OAuth%20Client").send().await.expect_status(200).data();
    assert_eq!(listed, json!([{"name": client.id}]));
}

async fn what_nobody_uses_is_forgotten_after_a_day(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let browser = amina(&app).await;
    let [unused, used, blocked] = ["/unused.json", "/used.json", "/blocked.json"].map(|path| publish(&app, &host, path, |_| {}));
    for client in [&unused, &blocked] {
        ask(&browser, client).await.expect_status(200);
    }
    let page = ask(&browser, &used).await.expect_status(200);
    decide(&browser, &page, "allow").await.expect_status(302);
    let administrator = app.administrator().await;
    let change = json!({"allowed_roles": [{"role": "System Manager"}]});
    administrator.put(&record(&blocked)).json(&change).send().await.expect_status(200);
    let moved = publish(&app, &host, "/moved.json", |document| document["redirect_uris"] = json!(["https://gone.example.com/"]));
    let challenge = TestClient::challenge();
    let there = but(ordinary(&moved, &challenge, "openid"), &[("redirect_uri", "https://gone.example.com/")]);
    authorize(&browser, &there).await.expect_status(200);
    let may_call = async || {
        let request = app.anonymous().post(&format!("{}.get_token", super::OAUTH)).header("origin", "https://gone.example.com");
        request.send().await.header("access-control-allow-origin").is_some()
    };
    app.advance(Duration::from_secs(23 * 3600));
    purge(&app).await;
    administrator.get(&record(&unused)).send().await.expect_status(200);
    // It is known at the token endpoint too, and its pages may call that.
    expect_refusal(&unused.exchange("no-code").await, 400, "invalid_grant");
    assert!(may_call().await);
    app.advance(Duration::from_secs(2 * 3600));
    purge(&app).await;
    for gone in [&unused, &moved] {
        administrator.get(&record(gone)).send().await.expect_status(404);
    }
    expect_refusal(&unused.exchange("no-code").await, 401, "invalid_client");
    assert!(!may_call().await);
    for kept in [&used, &blocked] {
        administrator.get(&record(kept)).send().await.expect_status(200);
    }
}

/// One round of what is done in the background.
async fn purge(app: &TestApp) {
    let (db, env) = (app.db().clone(), Arc::clone(app.env()));
    tokio::task::spawn_blocking(move || ostiary::background::purge_all(&db, &env)).await.expect("no panic");
}

async fn what_somebody_allows_just_then_is_not_forgotten(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let client = publish(&app, &host, "/client.json", |_| {});
    ask(&amina(&app).await, &client).await.expect_status(200);
    app.advance(Duration::from_secs(25 * 3600));
    // A consent that is written and not committed yet when the purge looks.
    let (db, env, id) = (app.db().clone(), Arc::clone(app.env()), client.id.clone());
    let (written, commit) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    let (tell, wait) = (written.0, commit.1);
    let consent = tokio::task::spawn_blocking(move || {
        db.write_blocking("allow", move |conn, _| {
            let scope = Scope::parse("openid").expect("a scope");
            let key = ConsentKey { user: "amina@example.com", client_id: &id, resource: None };
            consents::replace_scope(conn, env.clock.now(), key, &scope)?;
            tell.send(()).expect("somebody waits");
            wait.recv().expect("told");
            Ok(())
        })
    });
    tokio::task::spawn_blocking(move || written.1.recv()).await.expect("no panic").expect("written");
    let (_, ()) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            commit.0.send(()).expect("somebody waits");
        },
        purge(&app)
    );
    consent.await.expect("no panic").expect("committed");
    app.administrator().await.get(&record(&client)).send().await.expect_status(200);
}

async fn it_gets_no_more_than_an_app_that_registers_itself(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let client = publish(&app, &host, "/client.json", |document| {
        document["scope"] = "openid all admin:credentials".into();
        for (name, value) in [("skip_authorization", json!(1)), ("user", json!("Administrator")), ("verified", json!(true))] {
            document[name] = value;
        }
        for (name, value) in [("legacy_no_pkce", json!(1)), ("is_resource_server", json!(1))] {
            document[name] = value;
        }
    });
    let browser = amina(&app).await;
    let challenge = TestClient::challenge();
    let wide = authorize(&browser, &ordinary(&client, &challenge, "openid admin:credentials")).await.expect_status(302);
    assert_eq!(wide.location_parameter("error").as_deref(), Some("invalid_scope"));
    ask(&browser, &client).await.expect_status(200);
    let known = app.administrator().await.get(&record(&client)).send().await.expect_status(200).data();
    for name in ["skip_authorization", "verified", "legacy_no_pkce", "is_resource_server"] {
        assert_eq!(known[name], 0, "{name}");
    }
    assert_eq!((&known["user"], &known["scopes"]), (&Value::Null, &json!("openid all")));
    let machine = client.get_token(&[("grant_type", "client_credentials")]).await;
    assert_eq!(machine.error().as_deref(), Some("unauthorized_client"));
}

async fn an_app_with_a_key_of_its_own_proves_who_it_is(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let browser = amina(&app).await;
    let (key, other) = (Key::new("its-own", SigningAlgorithm::Es256), Key::new("another", SigningAlgorithm::Es256));
    let keys: Value = serde_json::from_str(&key_set(&[&key])).expect("JSON");
    host.serve("/keys.json", Answer::json(&keys));
    let published_at = host.url("/keys.json");
    for (path, name, value) in [("/inline.json", "jwks", keys), ("/linked.json", "jwks_uri", json!(published_at))] {
        let client = publish(&app, &host, path, |document| {
            document["token_endpoint_auth_method"] = "private_key_jwt".into();
            document[name] = value;
        });
        let page = ask(&browser, &client).await.expect_status(200);
        let code = decide(&browser, &page, "allow").await.location_parameter("code").expect("a code");
        // The id alone is not enough for it, nor another's key.
        expect_refusal(&client.exchange(&code).await, 401, "invalid_client");
        let grant = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT_URI)];
        let exchange = async |key: &Key| {
            let assertion = key.assertion(&claims(&app.url, &client.id));
            let proof =
                [("client_assertion_type", JWT_BEARER), ("client_assertion", &assertion), ("code_verifier", crate::support::VERIFIER)];
            client.get_token(&[&grant[..], &proof[..]].concat()).await
        };
        expect_refusal(&exchange(&other).await, 401, "invalid_client");
        let tokens = TokenPair::of(&exchange(&key).await);
        client.holder(&tokens.access).whoami().await.expect_status(200);
    }
}

async fn pages_of_such_an_app_may_call_the_token_endpoint_once_it_is_known(setup: Setup) {
    let host = WebHost::start();
    let app = site(setup, &host).await;
    let client = publish(&app, &host, "/client.json", |_| {});
    let browser = amina(&app).await;
    let allowed = async |origin: &str| {
        let reply = app.anonymous().post(&format!("{}.get_token", super::OAUTH)).header("origin", origin).send().await;
        reply.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(allowed("https://app.example.com").await, None);
    ask(&browser, &client).await.expect_status(200);
    assert_eq!(allowed("https://app.example.com").await.as_deref(), Some("https://app.example.com"));
    // It moves.
    publish(&app, &host, "/client.json", |document| document["redirect_uris"] = json!([REDIRECT_URI, "https://new.example.com/"]));
    app.advance(Duration::from_secs(601));
    assert_eq!(allowed("https://new.example.com").await, None);
    ask(&browser, &client).await.expect_status(200);
    assert_eq!(allowed("https://new.example.com").await.as_deref(), Some("https://new.example.com"));
}
