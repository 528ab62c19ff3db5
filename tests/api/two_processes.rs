//! Two processes on one database: both start at once, and what ends at one is refused at the other within a second.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::process::Launch;
use crate::support::{Backend, Caller, Database, TemporaryDirectory, block_on};

const WITHIN: Duration = Duration::from_secs(1);

/// Waits until a caller is refused, and fails if that takes longer than a second.
async fn refused_within_a_second(caller: &Caller, what: &str) {
    let begun = Instant::now();
    while caller.whoami().await.status != 401 {
        assert!(begun.elapsed() < WITHIN, "{what} still opens the other process after {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn what_is_revoked_at_one_process_is_refused_at_the_other_within_a_second() {
    block_on(async {
        let (here, there) = (TemporaryDirectory::new(), TemporaryDirectory::new());
        let database = Database::new(Backend::Postgres);
        let (first, second) = (Launch::new(database.url(), here.path()), Launch::new(database.url(), there.path()));
        // Both find an empty database; one makes it, both serve it.
        let (first, second) = tokio::join!(first.start(), second.start());

        let user = first.user("amina@example.com").await;
        let client = first.client(json!({ "skip_authorization": 1 })).await;
        let browser = user.cookie().await;
        let tokens = client.log_in(&browser, "all openid").await;
        let bearer = second.anonymous().with_authorization(format!("Bearer {}", tokens.access));
        let (key, secret) = user.generate_keys().await;
        let with_key = second.anonymous().with_authorization(format!("token {key}:{secret}"));
        for caller in [&bearer, &with_key] {
            // Twice: the second time from the other process's memory.
            caller.whoami().await.expect_status(200);
            caller.whoami().await.expect_status(200);
        }

        client.post("revoke_token", &[("token", tokens.access.as_str())]).await.expect_status(200);
        refused_within_a_second(&bearer, "a revoked token").await;
        with_key.whoami().await.expect_status(200);

        let disable = json!({ "enabled": 0 });
        first.administrator().await.put("/api/resource/User/amina@example.com").json(&disable).send().await.expect_status(200);
        refused_within_a_second(&with_key, "a disabled user's key").await;
    });
}
