//! Several processes on one database: they start together, and what one revokes no other honours a second later.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::both_databases;
use crate::support::{Backend, Caller, Setup, TokenPair, run};

both_databases!(what_one_process_revokes_another_refuses_within_a_second);

async fn what_one_process_revokes_another_refuses_within_a_second(setup: Setup) {
    let here = setup.clone().start().await;
    let there = setup.start().await;
    let amina = here.user("amina@example.com").await;
    let machine = here.machine(&amina, "all").await;
    let token = TokenPair::of(&machine.issue().await).access;
    let (key, secret) = amina.generate_keys().await;
    let bearer = there.anonymous().with_authorization(format!("Bearer {token}"));
    let api_key = there.anonymous().with_authorization(format!("token {key}:{secret}"));
    let session = there.existing_user(&amina.name, &amina.password).cookie().await;
    let open = amina.bearer(&here, "all").await;
    for caller in [&bearer, &api_key, &session, &open] {
        // Twice: the second answer comes from the cache.
        caller.whoami().await.expect_status(200);
        caller.whoami().await.expect_status(200);
    }

    machine.post("revoke_token", &[("token", &token)]).await.expect_status(200);
    refused_within_a_second("Bearer", &bearer).await;
    api_key.whoami().await.expect_status(200);

    here.administrator().await.put("/api/resource/User/amina@example.com").json(&json!({ "enabled": 0 })).send().await.expect_status(200);
    refused_within_a_second("API key", &api_key).await;
    refused_within_a_second("session", &session).await;
    open.whoami().await.expect_status(401);
}

async fn refused_within_a_second(what: &str, caller: &Caller) {
    let started = Instant::now();
    loop {
        let reply = caller.whoami().await;
        if reply.status == 401 {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(1), "{what} after {:?}: {} {}", started.elapsed(), reply.status, reply.text());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn processes_may_start_together_on_a_new_postgres() {
    run(Backend::Postgres, async |setup: Setup| {
        let mut starting = JoinSet::new();
        for _ in 0..3 {
            starting.spawn(setup.clone().start());
        }
        let started = starting.join_all().await;
        let amina = started[0].user("amina@example.com").await;
        for app in &started {
            app.existing_user(&amina.name, &amina.password).cookie().await.whoami().await.expect_status(200);
            assert_eq!(app.anonymous().get("/.well-known/openid-configuration").send().await.expect_status(200).string("issuer"), app.url);
        }
        // One set of signing keys, whoever made it.
        let keys = "/api/method/frappe.integrations.oauth2.jwks";
        let first = started[0].anonymous().get(keys).send().await.expect_status(200).json();
        let last = started[2].anonymous().get(keys).send().await.expect_status(200).json();
        assert_eq!(first, last);
    });
}
