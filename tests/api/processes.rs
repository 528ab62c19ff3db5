//! Several processes on one database: they start together, and what one revokes no other honours a second later.

use std::time::{Duration, Instant};

use diesel::{Connection as _, PgConnection, RunQueryDsl as _};
use serde_json::json;
use tokio::task::JoinSet;

use crate::both_databases;
use crate::support::process::{Launch, Paused, PrivatePostgres};
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
        // One set of signing keys, whoever made it: a current and a next one of each algorithm.
        assert!(keys.iter().all(|ids| *ids == keys[0] && ids.len() == 6), "{keys:?}");
    });
}

#[test]
fn a_process_whose_listening_connection_hangs_trusts_nothing_it_remembers() {
    run(Backend::Postgres, async |_: Backend| {
        let (postgres, mine, yours) = (PrivatePostgres::start().await, TemporaryDirectory::new(), TemporaryDirectory::new());
        let here = Launch::new(&postgres.url(), mine.path()).start().await;
        let listener = listener(&postgres).await;
        let there = Launch::new(&postgres.url(), yours.path()).start().await;
        let amina = there.user("amina@example.com").await;
        let machine = there.machine(&amina, "all").await;
        let (revoked, kept) = (TokenPair::of(&machine.issue().await).access, TokenPair::of(&machine.issue().await).access);
        let holder = |token: &str| here.anonymous().with_authorization(format!("Bearer {token}"));
        let (revoked_here, kept_here) = (holder(&revoked), holder(&kept));
        // What was registered over there was heard here by then.
        tokio::time::sleep(Duration::from_secs(1)).await;
        for caller in [&revoked_here, &kept_here] {
            // Twice: the second answer comes from the cache.
            caller.whoami().await.expect_status(200);
            caller.whoami().await.expect_status(200);
        }

        let stalled = Paused::new(listener);
        let since = Instant::now();
        machine.post("revoke_token", &[("token", &revoked)]).await.expect_status(200);
        // It cannot know yet: the right connection hangs, and the cache is still in use.
        let at_first = revoked_here.whoami().await.status;
        if since.elapsed() < Duration::from_secs(1) {
            assert_eq!(at_first, 200, "the revocation was heard although nobody listens");
        }
        while revoked_here.whoami().await.status != 401 {
            assert!(since.elapsed() < Duration::from_secs(3), "what was revoked elsewhere is honoured for {:?}", since.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Whatever is good is looked up every time, and goes on.
        kept_here.whoami().await.expect_status(200);
        machine.post("revoke_token", &[("token", &kept)]).await.expect_status(200);
        kept_here.whoami().await.expect_status(401);

        drop(stalled);
        let token = TokenPair::of(&machine.issue().await).access;
        let caller = holder(&token);
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(2) {
            // What was remembered before the silence does not come back with the connection.
            revoked_here.whoami().await.expect_status(401);
            kept_here.whoami().await.expect_status(401);
            caller.whoami().await.expect_status(200);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        machine.post("revoke_token", &[("token", &token)]).await.expect_status(200);
        refused_within_a_second("Bearer", &caller).await;
    });
}

/// The backend process of the one connection that goes on asking although nobody asks the server: the one that listens.
async fn listener(postgres: &PrivatePostgres) -> u32 {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Integer)]
        pid: i32,
    }
    let mut connection = PgConnection::establish(&postgres.url()).expect("the private Postgres answers");
    let recent = "SELECT pid FROM pg_stat_activity WHERE application_name = 'ostiary' AND query = 'SELECT 1' \
                  AND query_start > now() - interval '1 second'";
    let mut asking: Option<Vec<i32>> = None;
    // Others ask once, before they are used again.
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let rows: Vec<Row> = diesel::sql_query(recent).load(&mut connection).expect("Postgres answers");
        let now: Vec<i32> = rows.into_iter().map(|row| row.pid).collect();
        asking = Some(asking.map_or(now.clone(), |before| before.into_iter().filter(|pid| now.contains(pid)).collect()));
    }
    let asking = asking.unwrap_or_default();
    assert_eq!(asking.len(), 1, "one connection asks by itself");
    asking[0].try_into().expect("a process id")
}
