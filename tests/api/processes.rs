//! Several processes on one database: they start together, and what one revokes no other honours a second later.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::both_databases;
use crate::support::process::Launch;
use crate::support::{Backend, Caller, Database, TemporaryDirectory, TokenPair, run};

both_databases!(what_one_process_revokes_another_refuses_within_a_second);

async fn what_one_process_revokes_another_refuses_within_a_second(backend: Backend) {
    let (database, mine, yours) = (Database::new(backend), TemporaryDirectory::new(), TemporaryDirectory::new());
    let here = Launch::new(database.url(), mine.path()).start().await;
    let there = Launch::new(database.url(), yours.path()).start().await;
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
    open.whoami().await.expect_status(401);
    refused_within_a_second("API key", &api_key).await;
    refused_within_a_second("session", &session).await;
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
    run(Backend::Postgres, async |backend: Backend| {
        let (database, directory) = (Database::new(backend), TemporaryDirectory::new());
        let launches = [(); 4].map(|()| Launch::new(database.url(), directory.path()));
        let mut starting = JoinSet::new();
        for launch in launches.clone() {
            starting.spawn(async move { launch.start().await });
        }
        let programs = starting.join_all().await;
        let amina = programs[0].user("amina@example.com").await;
        let mut keys = Vec::new();
        for program in &programs {
            program.existing_user(&amina.name, &amina.password).cookie().await.whoami().await.expect_status(200);
            let jwks = program.anonymous().get("/api/method/frappe.integrations.oauth2.jwks").send().await.expect_status(200).json();
            let mut ids: Vec<_> = jwks["keys"].as_array().expect("keys").iter().map(|key| key["kid"].to_string()).collect();
            ids.sort();
            keys.push(ids);
        }
        // One set of signing keys, whoever made it: a current and a next one of two algorithms.
        assert!(keys.iter().all(|ids| *ids == keys[0] && ids.len() == 4), "{keys:?}");
    });
}
