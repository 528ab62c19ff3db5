//! Browser sessions: expiry, logout, and what a dead `sid` means.

use std::time::Duration;

use serde_json::json;

use crate::both_databases;
use crate::support::TestApp;

both_databases!(
    a_session_slides_while_it_is_used_and_ends_when_it_is_not,
    a_dead_sid_is_401_where_a_login_is_needed_and_says_so_everywhere,
    logging_out_ends_that_session_only,
    a_login_ends_the_session_in_whose_place_it_comes,
    logging_out_takes_a_post,
    who_may_not_use_their_session_here_can_log_in_as_somebody_else,
    a_disabled_users_session_keys_and_password_stop_at_once,
    sid_as_a_parameter_does_nothing,
    a_header_decides_alone_beside_a_cookie,
    a_wrong_header_does_not_log_the_browser_out,
    cookies_are_sent_only_when_a_session_starts_ends_or_is_renewed
);

const LOGOUT: &str = "/api/method/logout";
const EXPIRY: Duration = Duration::from_secs(170 * 3600);

async fn a_session_slides_while_it_is_used_and_ends_when_it_is_not(app: TestApp) {
    let browser = app.user("amina@example.com").await.cookie().await;
    for _ in 0..3 {
        app.advance(EXPIRY - Duration::from_secs(1200));
        browser.whoami().await.expect_status(200);
    }
    app.advance(EXPIRY + Duration::from_secs(1));
    let reply = browser.whoami().await.expect_status(401);
    assert_eq!(reply.json()["session_expired"], 1);
}

async fn a_dead_sid_is_401_where_a_login_is_needed_and_says_so_everywhere(app: TestApp) {
    for sid in ["8dd67c9a255a68f78edc57ce430323067e36c4ecb92dcbf68f36dbd4", "x", "ost_si_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let browser = app.anonymous().with_cookies();
        browser.set_cookie("sid", sid);
        let reply = browser.whoami().await.expect_status(401);
        assert_eq!(reply.json()["session_expired"], 1);
        assert!(reply.header("www-authenticate").is_some());
        assert!(browser.cookie("sid").is_none_or(|sid| sid.is_empty()), "the dead cookie is cleared");
        let browser = app.anonymous().with_cookies();
        browser.set_cookie("sid", sid);
        let reply = browser.get("/api/method/ping").send().await.expect_status(200);
        assert_eq!(reply.json(), json!({ "message": "pong", "session_expired": 1 }));
        browser.set_cookie("sid", sid);
        browser.get("/api/resource/ToDo").send().await.expect_status(401);
    }
    // The literal Guest is nobody's session, and nobody is told that it ended.
    let browser = app.anonymous().with_cookies();
    browser.set_cookie("sid", "Guest");
    let reply = browser.whoami().await.expect_status(403);
    assert!(reply.json().get("session_expired").is_none());
}

async fn logging_out_ends_that_session_only(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let (here, elsewhere) = (amina.cookie().await, amina.cookie().await);
    let sid = here.cookie("sid").expect("logged in");
    let reply = here.post(LOGOUT).send().await.expect_status(200);
    assert_eq!(reply.text(), r#"{"message":"No App","home_page":"/login","full_name":"Guest"}"#);
    assert!(here.cookie("sid").is_none_or(|sid| sid.is_empty()));
    here.set_cookie("sid", &sid);
    here.whoami().await.expect_status(401);
    elsewhere.whoami().await.expect_status(200);
    // A guest may log out too; nothing happens.
    app.anonymous().post(LOGOUT).send().await.expect_status(200);
}

async fn a_login_ends_the_session_in_whose_place_it_comes(app: TestApp) {
    let (amina, boris) = (app.user("amina@example.com").await, app.user("boris@example.com").await);
    let (browser, elsewhere) = (amina.cookie().await, amina.cookie().await);
    let sid = || browser.cookie("sid").expect("logged in");
    let is_alive = async |sid: &str| {
        let thief = app.browser();
        thief.set_cookie("sid", sid);
        thief.whoami().await.status == 200
    };
    // By the API and by the form, as the same user and as another.
    for (path, who) in [("/api/method/login", &amina), ("/login", &amina), ("/api/method/login", &boris), ("/login", &amina)] {
        let old = sid();
        let wrong = [("usr", who.name.as_str()), ("pwd", "wrong")];
        browser.post(path).header("origin", &app.url).form(&wrong).send().await.expect_status(401);
        assert!(is_alive(&old).await, "{path}: a failed login changes nothing");
        let right = [("usr", who.name.as_str()), ("pwd", who.password.as_str())];
        let reply = browser.post(path).header("origin", &app.url).form(&right).send().await;
        assert!(matches!(reply.status, 200 | 302), "{path}: {}", reply.text());
        assert_ne!(sid(), old);
        assert!(!is_alive(&old).await, "{path}: the old session goes on");
        assert_eq!(browser.whoami().await.expect_status(200).message(), json!(who.name));
    }
    elsewhere.whoami().await.expect_status(200);
}

async fn logging_out_takes_a_post(app: TestApp) {
    let browser = app.user("amina@example.com").await.cookie().await;
    browser.get(LOGOUT).send().await.expect_status(403);
    browser.whoami().await.expect_status(200);
    // The page asks before it ends anything.
    let page = browser.get("/logout").send().await.expect_status(200);
    assert!(page.text().contains("csrf_token"));
    browser.whoami().await.expect_status(200);
}

async fn a_disabled_users_session_keys_and_password_stop_at_once(app: TestApp) {
    let eve = app.user("eve@example.com").await;
    let (session, key, basic) = (eve.cookie().await, eve.api_key().await, eve.basic());
    for caller in [&session, &key, &basic] {
        caller.whoami().await.expect_status(200);
    }
    let administrator = app.administrator().await;
    administrator.put("/api/resource/User/eve@example.com").json(&json!({ "enabled": 0 })).send().await.expect_status(200);
    for caller in [&session, &key, &basic] {
        caller.whoami().await.expect_status(401);
    }
    administrator.put("/api/resource/User/eve@example.com").json(&json!({ "enabled": 1 })).send().await.expect_status(200);
    key.whoami().await.expect_status(200);
    session.whoami().await.expect_status(403);
}

async fn sid_as_a_parameter_does_nothing(app: TestApp) {
    let browser = app.user("amina@example.com").await.cookie().await;
    let sid = browser.cookie("sid").expect("logged in");
    app.anonymous().get("/api/method/frappe.auth.get_logged_user").query(&[("sid", &sid)]).send().await.expect_status(403);
}

async fn a_header_decides_alone_beside_a_cookie(app: TestApp) {
    let browser = app.user("amina@example.com").await.cookie().await;
    let bob = app.user("bob@example.com").await;
    for wrong in ["token a:b", "Bearer unknowntoken123", "Digest abc", "token a", "token a:b c", "Basic", ""] {
        browser.with_authorization(wrong).whoami().await.expect_status(401);
    }
    let (key, secret) = bob.generate_keys().await;
    let both = browser.with_authorization(format!("token {key}:{secret}"));
    assert_eq!(both.whoami().await.expect_status(200).message(), json!("bob@example.com"));
}

async fn cookies_are_sent_only_when_a_session_starts_ends_or_is_renewed(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let browser = amina.cookie().await;
    assert_eq!(browser.whoami().await.header("set-cookie"), None);
    assert_eq!(app.anonymous().get("/api/method/ping").send().await.header("set-cookie"), None);
    app.advance(Duration::from_secs(601));
    let renewed = browser.whoami().await;
    assert!(renewed.header("set-cookie").is_some_and(|cookie| cookie.starts_with("sid=ost_si_") && cookie.contains("HttpOnly")));
    assert_eq!(browser.whoami().await.header("set-cookie"), None);
}

async fn who_may_not_use_their_session_here_can_log_in_as_somebody_else(app: TestApp) {
    let browser = app.user("amina@example.com").await.cookie().await;
    let elsewhere = json!({"restrict_ip": "10.0.0.1"});
    app.administrator().await.put("/api/resource/User/amina@example.com").json(&elsewhere).send().await.expect_status(200);
    let sid = browser.cookie("sid").expect("a session");
    browser.whoami().await.expect_status(401);
    browser.set_cookie("sid", &sid);
    let page = browser.get("/login").send().await.expect_status(200);
    assert!(page.text().contains("name=\"pwd\""), "{}", page.text());
    assert_ne!(browser.cookie("sid"), Some(sid), "the session that is refused is forgotten");
    browser.whoami().await.expect_status(403);
}

async fn a_wrong_header_does_not_log_the_browser_out(app: TestApp) {
    let browser = app.user("amina@example.com").await.cookie().await;
    let sid = browser.cookie("sid").expect("a session");
    for header in ["Bearer nonsense", "token a:b", "Nonsense x"] {
        let request = app.anonymous().get("/api/method/frappe.auth.get_logged_user").header("cookie", format!("sid={sid}"));
        let refused = request.header("authorization", header).send().await.expect_status(401);
        assert!(refused.header("set-cookie").is_none(), "{header}");
    }
    browser.whoami().await.expect_status(200);
    // A session that is dead itself is cleared.
    let dead = app.anonymous().get("/api/method/frappe.auth.get_logged_user").header("cookie", "sid=dead").send().await;
    assert!(dead.expect_status(401).header("set-cookie").is_some());
}
