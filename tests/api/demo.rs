//! The demo: its sample app driven as a browser would, and what is left of it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::process::Demo;
use crate::support::{Backend, Caller, Reply, run};

const APPROVE: &str = "/api/method/frappe.integrations.oauth2.approve";

#[test]
fn a_visitor_logs_in_refreshes_and_logs_out() {
    run(Backend::Sqlite, log_in_and_out);
}

async fn log_in_and_out(_: Backend) {
    let demo = Demo::start().await;
    let browser = visitor(&demo).await;
    let callback = answer(&demo, &browser, "allow").await;
    let board = browser.get(&callback).send().await.expect_status(303);
    assert_eq!(board.header("location"), Some("/"));
    let board = home(&demo, &browser).await;
    for shown in ["Carla Customer", "customer@example.com", "Renew the support contract", "ost_at_", "ost_rt_"] {
        assert!(board.contains(shown), "{shown:?} is not on {board}");
    }
    assert!(!board.contains("Call back about the printer"), "that is somebody else's");
    assert!(!board.contains("id=\"refreshed\""));

    press(&demo, &browser, "/refresh").await.expect_status(303);
    assert!(home(&demo, &browser).await.contains("id=\"refreshed\""));

    assert!(press(&demo, &browser, "/logout").await.expect_status(200).text().contains("Logged out"));
    assert!(home(&demo, &browser).await.contains("Log in with Ostiary"));
    // What it was given is worthless now, so the same callback cannot be used again either.
    browser.get(&callback).send().await.expect_status(400);
}

#[test]
fn the_greeting_stands_alone_and_names_the_app_by_another_host() {
    run(Backend::Sqlite, greeting);
}

async fn greeting(_: Backend) {
    let demo = Demo::start().await;
    let host = |url: &str| url::Url::parse(url).expect("a URL").host_str().map(str::to_owned);
    assert_eq!((host(&demo.issuer).as_deref(), host(&demo.sample_app).as_deref()), (Some("127.0.0.1"), Some("localhost")));
    assert!(home(&demo, &Caller::anonymous(&demo.issuer)).await.contains("Log in with Ostiary"));
    // A machine that is busy with other things may be slow.
    let log: Vec<String> = demo.log().lines().filter(|line| !line.contains("slow write job")).map(str::to_owned).collect();
    assert_eq!(log, Vec::<String>::new());
    // A setting wins over the demo's own.
    let chatty = Demo::start_with(&[("OSTIARY_LOG", "info")]).await;
    Caller::anonymous(&chatty.issuer).get("/api/method/ping").send().await.expect_status(200);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !chatty.log().contains("ping") {
        assert!(Instant::now() < deadline, "no line about the request: {}", chatty.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_visitor_may_say_no_and_answers_of_others_are_refused() {
    run(Backend::Sqlite, refusals);
}

async fn refusals(_: Backend) {
    let demo = Demo::start().await;
    let browser = visitor(&demo).await;
    let denied = answer(&demo, &browser, "deny").await;
    assert!(browser.get(&denied).send().await.expect_status(200).text().contains("You said no"));

    type Change = fn(&mut url::Url);
    let strangers: [(&str, Change); 3] = [
        ("state", |url| replace(url, "state", "another")),
        ("issuer", |url| replace(url, "iss", "https://evil.example")),
        ("code", |url| replace(url, "code", "ost_ac_made_up")),
    ];
    for (what, spoil) in strangers {
        let mut callback = url::Url::parse(&answer(&demo, &browser, "allow").await).expect("a URL");
        spoil(&mut callback);
        let reply = browser.get(callback.as_str()).send().await;
        assert!(matches!(reply.status, 400 | 502), "{what}: {} {}", reply.status, reply.text());
        assert!(home(&demo, &browser).await.contains("Log in with Ostiary"), "{what}");
    }

    // A page elsewhere must not press the buttons.
    let callback = answer(&demo, &browser, "allow").await;
    browser.get(&callback).send().await.expect_status(303);
    browser.post(&format!("{}/logout", demo.sample_app)).header("origin", &demo.issuer).send().await.expect_status(400);
    assert!(home(&demo, &browser).await.contains("Carla Customer"));
}

#[test]
fn nothing_is_left_of_a_demo_that_ended() {
    run(Backend::Sqlite, cleaning_up);
}

async fn cleaning_up(_: Backend) {
    for signal in ["TERM", "INT", "HUP"] {
        let mut demo = Demo::start().await;
        assert_eq!(demo.leftovers(), 1, "its database is in the directory for temporary files");
        let status = demo.end(signal);
        assert_eq!((status.code(), demo.leftovers()), (Some(0), 0), "{signal}");
    }
}

/// Someone with cookies who is logged in at the server already.
async fn visitor(demo: &Demo) -> Caller {
    let browser = Caller::anonymous(&demo.issuer).with_cookies();
    let credentials = json!({ "usr": "customer@example.com", "pwd": "demo-customer" });
    browser.post("/api/method/login").json(&credentials).send().await.expect_status(200);
    browser
}

/// Presses "Log in", then a button of the consent page unless the consent is remembered. Returns the app's callback.
async fn answer(demo: &Demo, browser: &Caller, decision: &str) -> String {
    let authorize = browser.get(&format!("{}/login", demo.sample_app)).send().await.expect_status(303).location();
    let page = browser.get(authorize.as_str()).send().await;
    if page.status == 303 || page.status == 302 {
        return page.location().into();
    }
    let page = page.expect_status(200).text();
    let field = |name: &str| {
        let value = page.split(&format!("name=\"{name}\" value=\"")).nth(1).expect(name);
        value.split('"').next().expect("split yields one part at least").to_owned()
    };
    let (request, csrf_token) = (field("request"), field("csrf_token"));
    let form = [("request", request.as_str()), ("csrf_token", csrf_token.as_str()), ("decision", decision)];
    browser.post(APPROVE).form(&form).send().await.location().into()
}

async fn home(demo: &Demo, browser: &Caller) -> String {
    browser.get(&format!("{}/", demo.sample_app)).send().await.expect_status(200).text()
}

async fn press(demo: &Demo, browser: &Caller, path: &str) -> Reply {
    browser.post(&format!("{}{path}", demo.sample_app)).header("origin", &demo.sample_app).form(&[]).send().await
}

fn replace(url: &mut url::Url, name: &str, value: &str) {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(known, _)| known != name).collect();
    url.query_pairs_mut().clear().extend_pairs(pairs).append_pair(name, value);
}
