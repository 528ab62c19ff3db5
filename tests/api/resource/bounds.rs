//! What one request may cost: time, memory, rows, joins, and numbers that have an end.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{TODO, assert_refused, create, list, path, todo};
use crate::both_databases;
use crate::support::{Caller, Setup, TestApp};

both_databases!(
    no_pattern_outlasts_the_deadline_of_a_list,
);

/// A doctype that only a System Manager's documents are of.
async fn define(manager: &Caller, definition: Value) {
    let mut definition = definition;
    definition["module"] = "Bounds".into();
    definition["permissions"] = json!([{"role": "System Manager", "read": 1, "write": 1, "create": 1, "delete": 1}]);
    manager.post("/api/resource/DocType").json(&definition).send().await.expect_status(200);
}

async fn manager(app: &TestApp) -> Caller {
    app.user_with_roles("manager@example.com", &["System Manager"]).await.cookie().await
}

async fn no_pattern_outlasts_the_deadline_of_a_list(setup: Setup) {
    let app = setup.configure(|config| config.database.query_deadline = 2).start().await;
    let amina = app.user("amina@example.com").await.api_key().await;
    todo(&amina, &"a".repeat(200_000)).await;
    // Each a little different, or a database would ask once for all.
    let condition = |begin: &str, at: usize| json!(["description", "like", format!("%{begin}b{at}%")]);
    let asked = |begin: &str| json!({"or_filters": (0..99).map(|at| condition(begin, at)).collect::<Vec<_>>()});
    // What is found at once on one database may take the other too long; none takes longer than it may.
    let began = Instant::now();
    let reply = amina.get(TODO).json(&asked(&"a".repeat(900))).send().await;
    assert!([200, 503].contains(&reply.status), "{}", reply.text());
    assert!(began.elapsed() < Duration::from_secs(8), "took {:?}", began.elapsed());
    // Gaps amid letters have to be tried place by place.
    let began = Instant::now();
    let reply = amina.get(TODO).json(&asked(&"aaaa_".repeat(180))).send().await.expect_status(503);
    assert_eq!(reply.error().as_deref(), Some("QueryTimeoutError"));
    assert!(began.elapsed() < Duration::from_secs(8), "took {:?}", began.elapsed());
}
