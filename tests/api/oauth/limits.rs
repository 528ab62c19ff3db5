//! Budgets of clients and addresses at the OAuth endpoints.

use ostiary::config::QuotaConfig;
use serde_json::json;

use super::{OAUTH, REDIRECT_URI, authorize, but, ordinary, scene};
use crate::both_databases;
use crate::support::{Caller, Reply, Setup, TestApp, TestClient};

both_databases!(
    a_client_that_asks_too_often_is_told_when_to_come_back_and_others_are_served,
    a_proven_client_has_one_budget_wherever_it_comes_from,
    naming_a_client_from_elsewhere_does_not_use_up_its_budget,
    a_browser_that_authorizes_too_often_gets_a_page_and_an_app_gets_json,
    a_remembered_introspection_counts_too,
);

/// Each limit of the OAuth endpoints is three an hour here, and the address of a request is what a proxy says.
async fn tight(setup: Setup) -> TestApp {
    let three = QuotaConfig { count: 3, seconds: 3600 };
    setup
        .configure(move |config| {
            for name in ["authorize", "get_token", "introspect", "revoke"] {
                config.limits.quotas.insert(name.to_owned(), three);
            }
            config.limits.scale = 1.0;
            config.server.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
        })
        .start()
        .await
}

async fn machine(app: &TestApp) -> TestClient {
    let robot = app.user("robot@example.com").await;
    app.machine(&robot, "all").await
}

/// What each endpoint is asked with.
fn question(endpoint: &str) -> &'static [(&'static str, &'static str)] {
    match endpoint {
        "get_token" => &[("grant_type", "client_credentials")],
        _ => &[("token", "unknown")],
    }
}

async fn ask(client: &TestClient, endpoint: &str, from: &str) -> Reply {
    client.request(endpoint, question(endpoint)).header("x-forwarded-for", from).send().await
}

fn expect_429(reply: Reply) {
    let reply = reply.expect_status(429);
    let wait: u64 = reply.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds to wait");
    assert!((1..=3600).contains(&wait), "{wait}");
    assert_eq!(reply.error().as_deref(), Some("temporarily_unavailable"));
    assert!(reply.json().get("exc_type").is_none());
}

async fn a_client_that_asks_too_often_is_told_when_to_come_back_and_others_are_served(setup: Setup) {
    let app = tight(setup).await;
    let (busy, other) = (machine(&app).await, app.client(json!({})).await);
    for endpoint in ["get_token", "introspect_token", "revoke_token"] {
        for _ in 0..3 {
            ask(&busy, endpoint, "203.0.113.1").await.expect_status(200);
        }
        expect_429(ask(&busy, endpoint, "203.0.113.1").await);
        let answer = ask(&other, endpoint, "203.0.113.1").await;
        assert_ne!(answer.status, 429, "{endpoint}");
    }
}

async fn a_proven_client_has_one_budget_wherever_it_comes_from(setup: Setup) {
    let app = tight(setup).await;
    let client = machine(&app).await;
    for endpoint in ["get_token", "introspect_token", "revoke_token"] {
        for from in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
            ask(&client, endpoint, from).await.expect_status(200);
        }
        expect_429(ask(&client, endpoint, "203.0.113.4").await);
    }
}

async fn naming_a_client_from_elsewhere_does_not_use_up_its_budget(setup: Setup) {
    let app = tight(setup).await;
    let client = machine(&app).await;
    let mut thief = client.clone();
    thief.secret = Some("ost_cs_wrong".to_owned());
    for endpoint in ["get_token", "introspect_token", "revoke_token"] {
        for _ in 0..3 {
            ask(&thief, endpoint, "203.0.113.66").await.expect_status(401);
        }
        expect_429(ask(&thief, endpoint, "203.0.113.66").await);
        for _ in 0..3 {
            ask(&client, endpoint, "203.0.113.1").await.expect_status(200);
        }
    }
}

async fn a_browser_that_authorizes_too_often_gets_a_page_and_an_app_gets_json(setup: Setup) {
    let app = tight(setup).await;
    let (browser, client) = scene(&app).await;
    let challenge = TestClient::challenge();
    let parameters = ordinary(&client, &challenge, "all");
    for _ in 0..3 {
        assert!(authorize(&browser, &parameters).await.location_parameter("code").is_some());
    }
    let page = authorize(&browser, &parameters).await.expect_status(429);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    assert!(page.header("retry-after").is_some());
    // Neither to the app, whose user could do nothing about it.
    assert!(page.header("location").is_none());
    let get = |caller: &Caller| caller.get(&format!("{OAUTH}.authorize")).query(&parameters).header("accept", "application/json");
    expect_429(get(&browser).send().await);
    // Another client, and the same from another address, go on.
    let other = app.client(json!({"skip_authorization": 1})).await;
    assert!(authorize(&browser, &but(parameters.clone(), &[("client_id", &other.id)])).await.location_parameter("code").is_some());
    assert!(get(&browser).header("x-forwarded-for", "203.0.113.9").send().await.location().as_str().starts_with(REDIRECT_URI));
}

async fn a_remembered_introspection_counts_too(setup: Setup) {
    let app = tight(setup).await;
    let client = machine(&app).await;
    let token = client.issue().await.string("access_token");
    let ask = |from: &str| client.request("introspect_token", &[("token", &token)]).header("x-forwarded-for", from).send();
    for from in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
        assert_eq!(ask(from).await.json()["active"], true);
    }
    expect_429(ask("203.0.113.4").await);
}
