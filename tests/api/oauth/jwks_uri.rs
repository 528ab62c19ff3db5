//! Clients that publish their keys: what is fetched when, and what becomes of a host that misbehaves.

use std::time::{Duration, Instant};

use ostiary::config::QuotaConfig;
use ostiary::domain::client::SigningAlgorithm;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::private_key_jwt::{Key, claims, issue, key_set};
use super::{OAUTH, expect_refusal};
use crate::both_databases;
use crate::support::process::Launch;
use crate::support::web_host::{Answer, WebHost};
use crate::support::{Backend, Database, Reply, Setup, Site, TemporaryDirectory, TestApp, TestClient};

both_databases!(
    published_keys_are_fetched_once_and_kept,
    an_unknown_key_is_looked_for_at_most_once_a_minute,
    a_host_that_is_away_for_a_while_locks_nobody_out,
    keys_that_are_taken_away_open_nothing,
    why_keys_cannot_be_had_is_told_to_the_log_only,
    nothing_inside_is_reached,
    another_address_is_taken_at_once,
    many_requests_at_once_cost_a_host_one_fetch,
    a_host_is_asked_so_often_and_no_more_whatever_the_port,
);

/// A site that may reach this host, and a machine that publishes its keys there.
async fn scene(setup: Setup, host: &WebHost) -> (TestApp, TestClient) {
    let app = setup.configure(|config| host.open_to(config)).start().await;
    let client = machine(&app, &host.url("/keys")).await;
    (app, client)
}

async fn machine(app: &Site, jwks_uri: &str) -> TestClient {
    let user = app.user("robot@example.com").await;
    let fields = json!({"grant_type": "Client Credentials", "user": user.name, "scopes": "all",
        "token_endpoint_auth_method": "Private Key JWT", "jwks_uri": jwks_uri});
    app.client(fields).await
}

fn published(keys: &[&Key]) -> Answer {
    let set: Value = serde_json::from_str(&key_set(keys)).expect("JSON");
    Answer::json(&set).header("cache-control", "max-age=600")
}

async fn ask(app: &TestApp, client: &TestClient, key: &Key) -> Reply {
    issue(&app.anonymous(), &key.assertion(&claims_at(app, client))).await
}

/// Claims by the server's clock, which tests move.
fn claims_at(app: &TestApp, client: &TestClient) -> Value {
    let now = app.env().clock.now().unix();
    let mut claims = claims(&app.url, &client.id);
    (claims["iat"], claims["exp"]) = (json!(now), json!(now + 60));
    claims
}

async fn published_keys_are_fetched_once_and_kept(setup: Setup) {
    let host = WebHost::start();
    let (app, client) = scene(setup, &host).await;
    let key = Key::new("1", SigningAlgorithm::Rs256);
    // A set may hold keys for others too.
    let set = json!({"keys": [{"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"}, {"kty": "new"}, key.jwk]});
    host.serve(
        "/keys",
        Answer::text("application/jwk-set+json", set.to_string()).header("cache-control", "max-age=600").header("etag", "\"1\""),
    );
    for _ in 0..3 {
        ask(&app, &client, &key).await.expect_status(200);
    }
    assert_eq!(host.requests(), 1);
    // A request without an assertion fetches nothing, nor one whose claims are wrong.
    client.issue().await.expect_status(401);
    issue(&app.anonymous(), &key.assertion(&claims("https://other.example", &client.id))).await.expect_status(401);
    assert_eq!(host.requests(), 1);
    app.advance(Duration::from_secs(601));
    host.serve_with("/keys", |head| match head.contains("if-none-match: \"1\"") {
        true => Answer::status(304).header("etag", "\"1\"").header("cache-control", "max-age=600"),
        false => Answer::status(500),
    });
    for _ in 0..2 {
        ask(&app, &client, &key).await.expect_status(200);
    }
    assert_eq!(host.requests(), 2);
    // Endpoints other than the first one know them too.
    let assertion = key.assertion(&claims_at(&app, &client));
    let form = [("client_assertion_type", super::private_key_jwt::JWT_BEARER), ("client_assertion", &assertion), ("token", "x")];
    app.anonymous().post(&format!("{OAUTH}.introspect_token")).form(&form).send().await.expect_status(200);
    assert_eq!(host.requests(), 2);
}

async fn an_unknown_key_is_looked_for_at_most_once_a_minute(setup: Setup) {
    let host = WebHost::start();
    let (app, client) = scene(setup, &host).await;
    let (old, new) = (Key::new("old", SigningAlgorithm::EdDsa), Key::new("new", SigningAlgorithm::Es256));
    host.serve("/keys", published(&[&old]));
    ask(&app, &client, &old).await.expect_status(200);
    // The client changes its key; until a minute has passed we do not look again, however often we are asked.
    host.serve("/keys", published(&[&new]));
    for _ in 0..3 {
        expect_refusal(&ask(&app, &client, &new).await, 401, "invalid_client");
    }
    assert_eq!(host.requests(), 1);
    app.advance(Duration::from_secs(61));
    ask(&app, &client, &new).await.expect_status(200);
    assert_eq!(host.requests(), 2);
    // The key that was taken away went with it.
    expect_refusal(&ask(&app, &client, &old).await, 401, "invalid_client");
    assert_eq!(host.requests(), 2);
}

async fn a_host_that_is_away_for_a_while_locks_nobody_out(setup: Setup) {
    let host = WebHost::start();
    let (app, client) = scene(setup, &host).await;
    let key = Key::new("1", SigningAlgorithm::EdDsa);
    host.serve("/keys", published(&[&key]));
    ask(&app, &client, &key).await.expect_status(200);
    host.serve("/keys", Answer::status(503));
    app.advance(Duration::from_secs(601 + 3500));
    ask(&app, &client, &key).await.expect_status(200);
    assert_eq!(host.requests(), 2, "it was looked for");
    app.advance(Duration::from_secs(200));
    expect_refusal(&ask(&app, &client, &key).await, 401, "invalid_client");
}

async fn keys_that_are_taken_away_open_nothing(setup: Setup) {
    let host = WebHost::start();
    let (app, client) = scene(setup, &host).await;
    let key = Key::new("1", SigningAlgorithm::EdDsa);
    let document = format!("/api/resource/OAuth%20Client/{}", client.id);
    for (path, answer) in [("/empty", Answer::json(&json!({"keys": []}))), ("/gone", Answer::status(410))] {
        host.serve(path, published(&[&key]));
        let change = json!({"jwks_uri": host.url(path)});
        app.administrator().await.put(&document).json(&change).send().await.expect_status(200);
        ask(&app, &client, &key).await.expect_status(200);
        host.serve(path, answer);
        // While the copy is fresh it is not asked about; then what the host says holds at once.
        ask(&app, &client, &key).await.expect_status(200);
        app.advance(Duration::from_secs(601));
        expect_refusal(&ask(&app, &client, &key).await, 401, "invalid_client");
    }
}

async fn why_keys_cannot_be_had_is_told_to_the_log_only(backend: Backend) {
    let (host, database, directory) = (WebHost::start(), Database::new(backend), TemporaryDirectory::new());
    let fetch = format!("[fetch]\nallow_networks = [\"127.0.0.0/8\", \"::1/128\"]\nca_file = {:?}\n", host.ca_file());
    let launch = Launch::new(database.url(), directory.path()).settings(&fetch);
    let (site, issuer) = (launch.start().await, launch.url());
    let client = machine(&site, &host.url("/keys")).await;
    let key = Key::new("1", SigningAlgorithm::EdDsa);
    let ask = async |client_id: &str| issue(&site.anonymous(), &key.assertion(&claims(&issuer, client_id))).await;
    let unknown = ask("nosuchclient").await;
    let document = format!("/api/resource/OAuth%20Client/{}", client.id);
    for (number, (answer, reason)) in [
        (Answer::status(404), "status 404"),
        (Answer::status(302).header("location", &host.url("/elsewhere")), "redirected"),
        (Answer::text("text/html", "<p>keys"), "application/json"),
        (Answer::text("application/json", "keys"), "not JSON"),
        (Answer::json(&json!({"keys": []})), "no key"),
        (Answer::json(&json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]})), "no key"),
        (Answer::json(&json!({"keys": [], "more": "x".repeat(70_000)})), "longer than"),
    ]
    .into_iter()
    .enumerate()
    {
        // An address of its own, for a failure is remembered for a while.
        let path = format!("/keys/{number}");
        host.serve(&path, answer);
        let change = json!({"jwks_uri": host.url(&path)});
        site.administrator().await.put(&document).json(&change).send().await.expect_status(200);
        let logged_before = launch.log().len();
        let refused = ask(&client.id).await;
        expect_refusal(&refused, 401, "invalid_client");
        assert_eq!(refused.text(), unknown.text(), "{reason}");
        // The line of the request, which is written after its answer.
        let is_logged =
            || launch.log()[logged_before..].lines().any(|line| line.contains("jwks_uri was of no use") && line.contains(reason));
        let waiting = Instant::now();
        while !is_logged() {
            assert!(waiting.elapsed() < Duration::from_secs(20), "{reason}: {}", &launch.log()[logged_before..]);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    host.serve("/good", published(&[&key]));
    site.administrator().await.put(&document).json(&json!({"jwks_uri": host.url("/good")})).send().await.expect_status(200);
    ask(&client.id).await.expect_status(200);
}

async fn nothing_inside_is_reached(app: TestApp) {
    let host = WebHost::start();
    let key = Key::new("1", SigningAlgorithm::EdDsa);
    host.serve("/keys", published(&[&key]));
    let client = machine(&app, &host.url("/keys")).await;
    expect_refusal(&ask(&app, &client, &key).await, 401, "invalid_client");
    assert_eq!(host.connections(), 0);
}

async fn another_address_is_taken_at_once(setup: Setup) {
    let host = WebHost::start();
    let (app, client) = scene(setup, &host).await;
    let (old, new) = (Key::new("1", SigningAlgorithm::EdDsa), Key::new("1", SigningAlgorithm::EdDsa));
    host.serve("/keys", published(&[&old]));
    host.serve("/new", published(&[&new]));
    ask(&app, &client, &old).await.expect_status(200);
    let document = format!("/api/resource/OAuth%20Client/{}", client.id);
    let administrator = app.administrator().await;
    administrator.put(&document).json(&json!({"jwks_uri": host.url("/new")})).send().await.expect_status(200);
    expect_refusal(&ask(&app, &client, &old).await, 401, "invalid_client");
    ask(&app, &client, &new).await.expect_status(200);
    // From published to registered keys.
    let registered = json!({"jwks_uri": "", "jwks": key_set(&[&old])});
    administrator.put(&document).json(&registered).send().await.expect_status(200);
    ask(&app, &client, &old).await.expect_status(200);
    expect_refusal(&ask(&app, &client, &new).await, 401, "invalid_client");
}

async fn many_requests_at_once_cost_a_host_one_fetch(setup: Setup) {
    let host = WebHost::start();
    let (app, client) = scene(setup.configure(|config| config.limits.scale = 1.0), &host).await;
    let key = Key::new("1", SigningAlgorithm::EdDsa);
    host.serve("/keys", published(&[&key]).after(Duration::from_millis(1500)));
    // As after a restart: more at once than a host may be asked in a minute.
    let mut asking = JoinSet::new();
    for _ in 0..40 {
        let (caller, assertion) = (app.anonymous(), key.assertion(&claims_at(&app, &client)));
        asking.spawn(async move { issue(&caller, &assertion).await });
    }
    for reply in asking.join_all().await {
        reply.expect_status(200);
    }
    assert_eq!(host.requests(), 1);
}

async fn a_host_is_asked_so_often_and_no_more_whatever_the_port(setup: Setup) {
    let (host, other) = (WebHost::start(), WebHost::start());
    let roots = [&host, &other].map(|host| std::fs::read_to_string(host.ca_file()).expect("a root"));
    std::fs::write(host.ca_file(), roots.concat()).expect("written");
    let limit = QuotaConfig { count: 2, seconds: 3600 };
    let setup = setup.configure(|config| {
        config.limits.scale = 1.0;
        config.limits.quotas.insert("fetch_host".to_owned(), limit);
    });
    let (app, client) = scene(setup, &host).await;
    let key = Key::new("1", SigningAlgorithm::EdDsa);
    let document = format!("/api/resource/OAuth%20Client/{}", client.id);
    let administrator = app.administrator().await;
    let moved = async |to: &WebHost, path: &str| {
        to.serve(path, published(&[&key]));
        administrator.put(&document).json(&json!({"jwks_uri": to.url(path)})).send().await.expect_status(200);
        ask(&app, &client, &key).await
    };
    moved(&host, "/1").await.expect_status(200);
    moved(&other, "/2").await.expect_status(200);
    expect_refusal(&moved(&host, "/3").await, 401, "invalid_client");
    // What is kept costs nothing.
    moved(&host, "/1").await.expect_status(200);
    assert_eq!((host.connections(), other.connections()), (1, 1));
}
