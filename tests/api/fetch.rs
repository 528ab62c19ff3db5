//! The way out over HTTPS, against a host on this machine that does what it should not.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ostiary::config::{Config, FetchConfig};
use ostiary::fetch::{FetchError, Fetched, Fetcher, Keep, MAX_METADATA, Validators};
use serde_json::json;

use crate::support::block_on;
use crate::support::web_host::{Answer, WebHost};

/// A fetcher for which this host is one like others.
fn fetcher_for(host: &WebHost) -> Fetcher {
    let mut config = Config::default();
    host.open_to(&mut config);
    Fetcher::new(&config.fetch).expect("the settings can be used")
}

/// Fetches with leave.
async fn ask(fetcher: &Fetcher, url: &str, most: usize, known: Option<&Validators>) -> Result<Fetched, FetchError> {
    let Ok(outcome) = fetcher.get(url, most, known, || Ok::<(), Infallible>(())).await;
    outcome
}

fn get(fetcher: &Fetcher, url: &str) -> Result<Fetched, FetchError> {
    block_on(ask(fetcher, url, MAX_METADATA, None))
}

fn body(fetched: Fetched) -> Vec<u8> {
    let Fetched::New { body, .. } = fetched else { panic!("{fetched:?}") };
    body
}

#[test]
fn a_document_comes_with_how_long_it_may_be_kept() {
    let host = WebHost::start();
    let document = json!({"client_id": host.url("/client.json")});
    host.serve("/client.json", Answer::json(&document).header("cache-control", "max-age=600").header("etag", "\"one\""));
    let fetched = get(&fetcher_for(&host), &host.url("/client.json")).expect("fetched");
    let Fetched::New { body, keep } = fetched else { panic!("{fetched:?}") };
    assert_eq!(body, document.to_string().as_bytes());
    let validators = Validators { etag: Some("\"one\"".into()), last_modified: None };
    assert_eq!(keep, Keep { fresh_for: Duration::from_secs(600), validators });
    let head = host.heads().remove(0);
    assert!(head.contains("user-agent: ostiary/") && head.contains("accept: application/json"), "{head}");
    for never in ["cookie", "authorization", "referer", "accept-encoding", "if-none-match"] {
        assert!(!head.contains(never), "{never} in {head}");
    }
}

#[test]
fn a_copy_is_asked_about_with_its_validators() {
    let host = WebHost::start();
    host.serve_with("/client.json", |head| match head.contains("if-none-match: \"one\"") {
        true => Answer::status(304).header("etag", "\"one\"").header("cache-control", "max-age=300"),
        false => Answer::json(&json!({})),
    });
    let fetcher = fetcher_for(&host);
    let known = Validators { etag: Some("\"one\"".into()), last_modified: None };
    let fetched = block_on(ask(&fetcher, &host.url("/client.json"), MAX_METADATA, Some(&known))).expect("fetched");
    assert_eq!(fetched, Fetched::Same(Keep { fresh_for: Duration::from_secs(300), validators: known }));
    // Who has no copy is not told that it is still right.
    host.serve("/other.json", Answer::status(304));
    assert_eq!(get(&fetcher, &host.url("/other.json")), Err(FetchError::Status(304)));
}

#[test]
fn names_and_addresses_of_this_machine_are_refused_before_anything_is_connected_to() {
    let host = WebHost::start();
    host.serve("/client.json", Answer::json(&json!({})));
    let port = host.port();
    let trusting = FetchConfig { ca_file: Some(host.ca_file()), ..FetchConfig::default() };
    let fetcher = Fetcher::new(&trusting).expect("the settings can be used");
    for spelled in
        ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "[::7f00:1]", "0"]
    {
        let refused = get(&fetcher, &format!("https://{spelled}:{port}/client.json"));
        assert!(matches!(refused, Err(FetchError::Forbidden(_))), "{spelled}: {refused:?}");
    }
    for inside in ["169.254.169.254", "10.0.0.1", "[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]"] {
        let refused = get(&fetcher, &format!("https://{inside}/latest/meta-data/"));
        assert!(matches!(refused, Err(FetchError::Forbidden(_))), "{inside}: {refused:?}");
    }
    assert_eq!(host.connections(), 0);
    // The same name, where the operator opened it.
    get(&fetcher_for(&host), &host.url("/client.json")).expect("fetched");
}

#[test]
fn only_https_urls_without_extras_are_fetched() {
    let plain = WebHost::plain();
    plain.serve("/keys.json", Answer::json(&json!({})));
    let port = plain.port();
    let closed = Fetcher::new(&FetchConfig::default()).expect("the settings can be used");
    for url in [
        "http://app.example/client.json".to_owned(),
        format!("http://localhost:{port}/keys.json"),
        "ftp://app.example/client.json".to_owned(),
        "file:///etc/passwd".to_owned(),
        "https://user@app.example/client.json".to_owned(),
        "https://app.example/client.json#part".to_owned(),
        "client.json".to_owned(),
    ] {
        assert!(matches!(get(&closed, &url), Err(FetchError::Url(_))), "{url}");
    }
    let url = format!("http://127.0.0.1:{port}/keys.json");
    assert!(matches!(get(&closed, &url), Err(FetchError::Forbidden(_))));
    assert_eq!(plain.connections(), 0);
    // Plain HTTP inside this machine, once the operator opened it.
    let opened = FetchConfig { allow_networks: vec!["127.0.0.1/32".parse().expect("a network")], ca_file: None };
    body(get(&Fetcher::new(&opened).expect("the settings can be used"), &url).expect("fetched"));
}

#[test]
fn redirects_are_not_followed() {
    let host = WebHost::start();
    host.serve("/target.json", Answer::json(&json!({})));
    let fetcher = fetcher_for(&host);
    for (status, target) in [(301, "/target.json"), (302, "https://169.254.169.254/latest/"), (307, "/target.json"), (308, "/target.json")]
    {
        let path = format!("/{status}.json");
        host.serve(&path, Answer::status(status).header("location", target));
        let refused = get(&fetcher, &host.url(&path)).expect_err("refused");
        assert_eq!(refused, FetchError::Status(status));
        assert!(refused.public_text().contains("redirected"), "{}", refused.public_text());
    }
    assert!(!host.heads().iter().any(|head| head.contains("/target.json")));
}

#[test]
fn a_document_that_is_too_long_is_refused_whether_it_says_so_or_not() {
    let host = WebHost::start();
    let fits = Answer::text("application/json", vec![b' '; MAX_METADATA]);
    let long = Answer::text("application/json", vec![b' '; MAX_METADATA + 1]);
    host.serve("/fits", fits.clone());
    host.serve("/fits-in-chunks", fits.chunked());
    host.serve("/long", long.clone());
    host.serve("/long-in-chunks", long.clone().chunked());
    let fetcher = fetcher_for(&host);
    for path in ["/fits", "/fits-in-chunks"] {
        assert_eq!(body(get(&fetcher, &host.url(path)).expect(path)).len(), MAX_METADATA);
    }
    for path in ["/long", "/long-in-chunks"] {
        assert_eq!(get(&fetcher, &host.url(path)), Err(FetchError::TooLong(MAX_METADATA)), "{path}");
    }
    // The size is the caller's.
    assert!(block_on(ask(&fetcher, &host.url("/long"), MAX_METADATA * 2, None)).is_ok());
}

#[test]
fn a_host_that_drips_or_stays_silent_is_left_after_three_seconds() {
    let host = WebHost::start();
    host.serve("/drip", Answer::text("application/json", vec![b' '; 500]).dripping(Duration::from_millis(200)));
    host.serve("/silent", Answer::json(&json!({})).after(Duration::from_secs(60)));
    // Takes the connection and never says a word, not even of TLS.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mute_url = format!("https://localhost:{}/client.json", mute.local_addr().expect("an address").port());
    let fetcher = fetcher_for(&host);
    let started = Instant::now();
    let (drip, silent) = (host.url("/drip"), host.url("/silent"));
    let outcomes = block_on(async {
        tokio::join!(
            ask(&fetcher, &drip, MAX_METADATA, None),
            ask(&fetcher, &silent, MAX_METADATA, None),
            ask(&fetcher, &mute_url, MAX_METADATA, None)
        )
    });
    assert_eq!(outcomes, (Err(FetchError::Timeout), Err(FetchError::Timeout), Err(FetchError::Timeout)));
    let took = started.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_secs(20)).contains(&took), "{took:?}");
}

#[test]
fn what_is_not_json_with_status_200_is_refused() {
    let host = WebHost::start();
    let fetcher = fetcher_for(&host);
    for (path, kind) in [("/a", "text/html"), ("/b", "text/plain; charset=utf-8"), ("/c", ""), ("/d", "application/javascript")] {
        host.serve(path, Answer::text(kind, "{}"));
        assert!(matches!(get(&fetcher, &host.url(path)), Err(FetchError::NotJson(_))), "{kind}");
    }
    for (path, kind) in [("/e", "application/json; charset=utf-8"), ("/f", "Application/JSON"), ("/g", "application/cimd+json")] {
        host.serve(path, Answer::text(kind, "{}"));
        get(&fetcher, &host.url(path)).expect(kind);
    }
    host.serve("/gzip", Answer::text("application/json", "x").header("content-encoding", "gzip"));
    assert_eq!(get(&fetcher, &host.url("/gzip")), Err(FetchError::NotJson("gzip".into())));
    for status in [201, 204, 206, 401, 404, 500] {
        let path = format!("/{status}");
        host.serve(&path, Answer::text("application/json", "{}").with_status(status));
        assert_eq!(get(&fetcher, &host.url(&path)), Err(FetchError::Status(status)));
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_or_for_another_host_is_refused() {
    let (host, other) = (WebHost::start(), WebHost::start());
    host.serve("/client.json", Answer::json(&json!({})));
    // Trusts the other's authority.
    let refused = get(&fetcher_for(&other), &host.url("/client.json"));
    assert!(matches!(refused, Err(FetchError::Unreachable(_))), "{refused:?}");
    let refused = get(&fetcher_for(&host), &format!("https://127.0.0.2:{}/client.json", host.port()));
    assert!(matches!(refused, Err(FetchError::Unreachable(_))), "{refused:?}");
    assert_eq!(host.requests(), 0);
}

#[test]
fn callers_at_once_share_one_fetch_and_a_failure_is_remembered() {
    let host = WebHost::start();
    host.serve("/slow", Answer::json(&json!({})).after(Duration::from_millis(500)));
    host.serve("/broken", Answer::status(500));
    let fetcher = fetcher_for(&host);
    let (slow, broken) = (host.url("/slow"), host.url("/broken"));
    block_on(async {
        let one = || ask(&fetcher, &slow, MAX_METADATA, None);
        let (a, b, c) = tokio::join!(one(), one(), one());
        assert!(a.is_ok() && a == b && b == c, "{a:?} {b:?} {c:?}");
    });
    assert_eq!(host.requests(), 1);
    // What is done is not kept here: whoever asks later asks the host.
    get(&fetcher, &slow).expect("fetched");
    assert_eq!(host.requests(), 2);
    for _ in 0..3 {
        assert_eq!(get(&fetcher, &broken), Err(FetchError::Status(500)));
    }
    assert_eq!(host.requests(), 3);
}

#[test]
fn who_starts_a_fetch_needs_leave_and_who_waits_for_one_does_not() {
    let host = WebHost::start();
    host.serve("/slow", Answer::json(&json!({})).after(Duration::from_millis(500)));
    host.serve("/broken", Answer::status(500));
    let fetcher = fetcher_for(&host);
    let asked = AtomicUsize::new(0);
    // So many, then no more.
    let get = |path: &'static str, most: usize| {
        let (fetcher, host, asked) = (&fetcher, &host, &asked);
        let permit = move || if asked.fetch_add(1, Ordering::SeqCst) < most { Ok(()) } else { Err("enough") };
        async move { fetcher.get(&host.url(path), MAX_METADATA, None, permit).await }
    };
    block_on(async {
        let (a, b, c) = tokio::join!(get("/slow", 1), get("/slow", 1), get("/slow", 1));
        assert!(matches!(a, Ok(Ok(_))) && a == b && b == c, "{a:?} {b:?} {c:?}");
        assert_eq!((asked.load(Ordering::SeqCst), host.requests()), (1, 1));
        assert_eq!(get("/slow", 1).await, Err("enough"));
        assert_eq!((asked.load(Ordering::SeqCst), host.connections()), (2, 1));
        // One who may not does not keep those behind from it.
        assert!(matches!(get("/slow", 3).await, Ok(Ok(_))));
        for _ in 0..3 {
            assert_eq!(get("/broken", 4).await, Ok(Err(FetchError::Status(500))), "the failure is remembered");
        }
        assert_eq!((asked.load(Ordering::SeqCst), host.connections()), (4, 3));
    });
}

#[test]
fn a_file_of_roots_that_cannot_be_used_is_refused_at_the_start() {
    let host = WebHost::start();
    let file = host.ca_file();
    let new = || Fetcher::new(&FetchConfig { ca_file: Some(file.clone()), ..FetchConfig::default() }).map(drop);
    new().expect("a good file");
    std::fs::write(&file, "no certificate").expect("written");
    assert!(new().expect_err("refused").contains("ca_file"));
    std::fs::remove_file(&file).expect("removed");
    assert!(new().expect_err("refused").contains("ca_file"));
}
