//! Guessing passwords.

use crate::both_databases;
use crate::support::process::Launch;
use crate::support::{Backend, Caller, Database, Setup, TemporaryDirectory, TestApp};

both_databases!(
    ten_wrong_passwords_lock_the_account_for_that_address_only,
    unknown_names_lock_like_known_ones,
    a_lockout_leaves_sessions_and_keys_alone,
    basic_passwords_count_like_logins,
    the_scale_of_all_limits_is_that_of_the_lockout_too,
);

const LOGIN: &str = "/api/method/login";

/// With the limits as they are by default.
async fn with_limits(setup: Setup) -> TestApp {
    setup.configure(|config| config.limits.scale = 1.0).start().await
}

/// Behind a proxy that tests trust, so that a caller may come from anywhere.
async fn behind_a_proxy(setup: Setup) -> TestApp {
    with_limits(setup.configure(|config| config.server.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")])).await
}

async fn guess(caller: &Caller, from: &str, usr: &str, pwd: &str) -> crate::support::Reply {
    caller.post(LOGIN).header("X-Forwarded-For", from).form(&[("usr", usr), ("pwd", pwd)]).send().await
}

async fn ten_wrong_passwords_lock_the_account_for_that_address_only(setup: Setup) {
    let app = behind_a_proxy(setup).await;
    let amina = app.user("amina@example.com").await;
    let caller = app.anonymous();
    for _ in 0..10 {
        guess(&caller, "192.0.2.1", &amina.name, "wrong").await.expect_status(401);
    }
    // Even the right password waits now, and is told for how long.
    let locked = guess(&caller, "192.0.2.1", &amina.name, &amina.password).await.expect_status(429);
    assert_eq!(locked.error().as_deref(), Some("SecurityException"));
    assert!(locked.text().contains("Your account has been locked and will resume after"));
    let wait: u64 = locked.header("retry-after").and_then(|value| value.parse().ok()).expect("seconds to wait");
    assert!((1..=60).contains(&wait), "{wait}");
    // A forged hop to the left of the trusted one changes nothing; another address is open.
    guess(&caller, "203.0.113.9, 192.0.2.1", &amina.name, &amina.password).await.expect_status(429);
    guess(&caller, "198.51.100.7", &amina.name, &amina.password).await.expect_status(200);
    // IPv6 counts by /64: a host has a whole one.
    for last in 0..10 {
        guess(&caller, &format!("2001:db8::{last}"), &amina.name, "wrong").await.expect_status(401);
    }
    guess(&caller, "2001:db8::ffff", &amina.name, &amina.password).await.expect_status(429);
}

async fn unknown_names_lock_like_known_ones(setup: Setup) {
    let app = behind_a_proxy(setup).await;
    let caller = app.anonymous();
    for _ in 0..10 {
        guess(&caller, "192.0.2.1", "ghost@example.com", "wrong").await.expect_status(401);
    }
    guess(&caller, "192.0.2.1", "ghost@example.com", "wrong").await.expect_status(429);
}

async fn a_lockout_leaves_sessions_and_keys_alone(setup: Setup) {
    let app = with_limits(setup).await;
    let amina = app.user("amina@example.com").await;
    let (session, key) = (amina.cookie().await, amina.api_key().await);
    for _ in 0..11 {
        app.anonymous().post(LOGIN).form(&[("usr", amina.name.as_str()), ("pwd", "wrong")]).send().await;
    }
    app.anonymous().post(LOGIN).form(&[("usr", &amina.name), ("pwd", &amina.password)]).send().await.expect_status(429);
    session.whoami().await.expect_status(200);
    key.whoami().await.expect_status(200);
}

async fn basic_passwords_count_like_logins(setup: Setup) {
    let app = with_limits(setup).await;
    let amina = app.user("amina@example.com").await;
    let wrong = app.existing_user(&amina.name, "wrong").basic();
    for _ in 0..10 {
        wrong.whoami().await.expect_status(401);
    }
    let reply = amina.basic().whoami().await.expect_status(429);
    assert!(reply.header("retry-after").is_some());
}

/// With the program itself: the setting is known to the outside by its name in the environment.
async fn the_scale_of_all_limits_is_that_of_the_lockout_too(backend: Backend) {
    let (database, directory) = (Database::new(backend), TemporaryDirectory::new());
    let launch = Launch::new(database.url(), directory.path());
    let amina = launch.start().await.user("amina@example.com").await;
    for (scale, allowed) in [("0.3", 3), ("1.2", 12)] {
        let server = launch.clone().environment("OSTIARY_LIMIT_SCALE", scale).start().await;
        let anonymous = server.anonymous();
        for number in 0..allowed {
            let reply = anonymous.post(LOGIN).form(&[("usr", amina.name.as_str()), ("pwd", "wrong")]).send().await;
            assert_eq!(reply.status, 401, "wrong password {number} at a scale of {scale}: {}", reply.text());
        }
        anonymous.post(LOGIN).form(&[("usr", &amina.name), ("pwd", &amina.password)]).send().await.expect_status(429);
    }
}
