//! What happens when everybody asks at once: one code, one refresh token, one revocation.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use ostiary::cx::Cx;
use ostiary::oauth::revoke;
use ostiary::store::Conn;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::both_databases;
use crate::support::process::Launch;
use crate::support::{Backend, Caller, Database, REDIRECT_URI, Reply, TemporaryDirectory, TestApp, TestClient, TokenPair, VERIFIER};

both_databases!(
    fifty_exchanges_of_one_code_have_one_winner_whose_tokens_work_until_a_replay,
    a_burst_over_fifty_connections_has_one_winner_whose_tokens_work_until_a_replay,
    a_replay_right_after_the_answer_revokes,
    fifty_refreshes_of_one_token_get_one_pair,
    two_tabs_that_refresh_together_both_go_on_and_a_late_reuse_ends_the_family,
    a_revocation_raced_by_lookups_leaves_no_cached_credential_valid,
    grants_ended_while_a_code_is_exchanged_do_not_come_back,
    a_silent_login_beside_a_withdrawal_leaves_nothing_behind,
);

const SCOPE: &str = "all openid";

/// A logged-in browser and a client it trusts.
async fn scene(app: &TestApp) -> (Caller, TestClient) {
    let browser = app.user("amina@example.com").await.cookie().await;
    let client = app.client(json!({ "skip_authorization": 1 })).await;
    (browser, client)
}

/// Lets writes to these tables stand still for a second and a half, from when this returns. Reads go
/// on, as they do beside a slow commit. SQLite's one writer needs no lock to stand still.
fn hold_writes(app: &TestApp, tables: &'static str) -> JoinHandle<()> {
    let (db, started) = (app.db().clone(), std::sync::mpsc::channel());
    let held = std::thread::spawn(move || {
        let held = db.write_blocking("hold all writes", move |conn, _| {
            if let Conn::Postgres(postgres) = conn {
                postgres.batch_execute(&format!("LOCK TABLE {tables} IN EXCLUSIVE MODE")).map_err(ostiary::store::StoreError::from)?;
            }
            let _ = started.0.send(());
            std::thread::sleep(Duration::from_millis(1500));
            Ok(())
        });
        held.expect("the lock is held and let go");
    });
    started.1.recv().expect("the job starts");
    held
}

/// Sends the same request fifty times before the first of them can be answered.
async fn fifty_at_once<F: Future<Output = Reply> + Send + 'static>(app: &TestApp, send: impl Fn() -> F) -> Vec<Reply> {
    // Until all requests are in, so that each of them arrived before any was committed.
    let held = hold_writes(app, "oauth_authorization_codes, oauth_refresh_tokens");
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        asking.spawn(send());
    }
    let replies = asking.join_all().await;
    held.join().expect("no panic");
    replies
}

async fn fifty_exchanges_of_one_code_have_one_winner_whose_tokens_work_until_a_replay(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let code = client.code(&browser, SCOPE).await;
    let replies = fifty_at_once(&app, || {
        let (client, code) = (client.clone(), code.clone());
        async move { client.exchange(&code).await }
    })
    .await;

    let (won, lost): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 49));
    for reply in lost {
        assert_eq!((reply.status, reply.error().as_deref()), (400, Some("invalid_grant")), "{}", reply.text());
    }
    let tokens = TokenPair::of(&won[0]);
    client.holder(&tokens.access).whoami().await.expect_status(200);
    let refreshed = TokenPair::of(&client.refresh(tokens.refresh.as_deref().expect("a refresh token")).await);
    client.holder(&refreshed.access).whoami().await.expect_status(200);

    let replay = client.exchange(&code).await.expect_status(400);
    assert_eq!(replay.error().as_deref(), Some("invalid_grant"));
    client.holder(&tokens.access).whoami().await.expect_status(401);
    client.holder(&refreshed.access).whoami().await.expect_status(401);
    client.refresh(refreshed.refresh.as_deref().expect("a refresh token")).await.expect_status(400);
}

/// Here nothing holds the winner back: it may be answered while the last of the burst is still unread.
async fn a_burst_over_fifty_connections_has_one_winner_whose_tokens_work_until_a_replay(backend: Backend) {
    let (database, directory) = (Database::new(backend), TemporaryDirectory::new());
    let launch = Launch::new(database.url(), directory.path());
    let server = launch.start().await;
    let browser = server.user("amina@example.com").await.cookie().await;
    let client = server.client(json!({ "skip_authorization": 1 })).await;
    for round in 0..5 {
        let code = client.code(&browser, SCOPE).await;
        let mut connections = connect_fifty(&launch.url());
        let exchange = exchange_bytes(&client, &code);
        let paused = server.pause();
        for connection in &mut connections {
            connection.write_all(&exchange).expect("the kernel takes it");
        }
        // Whatever order it finds them in, all were there before it answered any.
        drop(paused);
        let answers: Vec<_> = connections.into_iter().map(answer).collect();

        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 200);
        assert_eq!((won.len(), lost.len()), (1, 49), "round {round}");
        for (status, body) in lost {
            assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")), "round {round}: {body}");
        }
        let text = |name: &str| won[0].1[name].as_str().expect(name).to_owned();
        let (access, refresh) = (text("access_token"), text("refresh_token"));
        let works = client.holder(&access).whoami().await;
        assert_eq!(works.status, 200, "round {round}: a request of the burst was taken for a replay\n{}", launch.log());
        let refreshed = TokenPair::of(&client.refresh(&refresh).await);

        // Who sends it once more after the answer did not race.
        let (status, body) = {
            let mut connection = connect_fifty(&launch.url()).swap_remove(0);
            connection.write_all(&exchange).expect("the server listens");
            answer(connection)
        };
        assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")), "round {round}: {body}");
        for access in [&access, &refreshed.access] {
            client.holder(access).whoami().await.expect_status(401);
        }
    }
}

async fn a_replay_right_after_the_answer_revokes(app: TestApp) {
    let (browser, client) = scene(&app).await;
    for _ in 0..10 {
        let code = client.code(&browser, SCOPE).await;
        let exchange = exchange_bytes(&client, &code);
        let mut connections = connect_fifty(&app.url);
        let (mut first, mut second) = (connections.remove(0), connections.remove(0));
        first.write_all(&exchange).expect("the server listens");
        let (status, won) = answer(first);
        second.write_all(&exchange).expect("the server listens");
        let (replayed, refused) = answer(second);
        assert_eq!((status, replayed, refused["error"].as_str()), (200, 400, Some("invalid_grant")), "{won} {refused}");
        client.holder(won["access_token"].as_str().expect("a token")).whoami().await.expect_status(401);
    }
}

/// Connections that the server has accepted: each has had an answer.
fn connect_fifty(url: &str) -> Vec<TcpStream> {
    let address = url.strip_prefix("http://").expect("a loopback URL");
    let connect = || {
        let mut connection = TcpStream::connect(address).expect("the server listens");
        connection.set_nodelay(true).expect("a TCP connection");
        connection.set_read_timeout(Some(Duration::from_secs(60))).expect("a time limit");
        connection.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").expect("the server reads");
        let mut buffer = [0_u8; 4096];
        let length = connection.read(&mut buffer).expect("the server answers");
        assert!(buffer[..length].starts_with(b"HTTP/1.1 200"));
        connection
    };
    std::iter::repeat_with(connect).take(50).collect()
}

fn exchange_bytes(client: &TestClient, code: &str) -> Vec<u8> {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
        ("client_id", &client.id),
        ("client_secret", client.secret.as_deref().expect("a secret")),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let path = "/api/method/frappe.integrations.oauth2.get_token";
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// Reads one answer: its status and its JSON body.
fn answer(mut connection: TcpStream) -> (u16, Value) {
    let mut text = String::new();
    connection.read_to_string(&mut text).expect("an answer and the end of the connection");
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status in {text}"));
    let body = text.split("\r\n\r\n").nth(1).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {text}")))
}

async fn fifty_refreshes_of_one_token_get_one_pair(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let first = client.log_in(&browser, SCOPE).await;
    let presented = first.refresh.clone().expect("a refresh token");
    let replies = fifty_at_once(&app, || {
        let (client, presented) = (client.clone(), presented.clone());
        async move { client.refresh(&presented).await }
    })
    .await;

    let pairs: Vec<_> = replies.iter().map(TokenPair::of).map(|pair| (pair.access, pair.refresh)).collect();
    assert!(pairs.windows(2).all(|two| two[0] == two[1]), "all get the same pair: {pairs:?}");
    assert_ne!(pairs[0].1.as_deref(), Some(presented.as_str()));
    client.holder(&pairs[0].0).whoami().await.expect_status(200);
    TokenPair::of(&client.refresh(pairs[0].1.as_deref().expect("a refresh token")).await);
}

async fn two_tabs_that_refresh_together_both_go_on_and_a_late_reuse_ends_the_family(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let first = client.log_in(&browser, SCOPE).await;
    let shared = first.refresh.clone().expect("a refresh token");

    let tab = TokenPair::of(&client.refresh(&shared).await);
    client.holder(&tab.access).whoami().await.expect_status(200);
    app.advance(Duration::from_secs(1));
    let other_tab = TokenPair::of(&client.refresh(&shared).await);
    assert_eq!((&tab.access, &tab.refresh), (&other_tab.access, &other_tab.refresh), "the same answer again");
    for access in [&tab.access, &other_tab.access] {
        client.holder(access).whoami().await.expect_status(200);
    }

    app.advance(Duration::from_secs(11));
    let reuse = client.refresh(&shared).await.expect_status(400);
    assert_eq!(reuse.error().as_deref(), Some("invalid_grant"));
    client.holder(&tab.access).whoami().await.expect_status(401);
    client.refresh(tab.refresh.as_deref().expect("a refresh token")).await.expect_status(400);
}

async fn a_revocation_raced_by_lookups_leaves_no_cached_credential_valid(app: TestApp) {
    let user = app.user("amina@example.com").await;
    let machine = app.machine(&user, "all").await;
    for round in 0..40 {
        let access = TokenPair::of(&machine.issue().await).access;
        let mut looking = JoinSet::new();
        for _ in 0..6 {
            let holder = machine.holder(&access);
            looking.spawn(async move {
                // Until it is refused; who asked before the revocation was answered may still succeed.
                let started = Instant::now();
                while started.elapsed() < Duration::from_secs(10) {
                    if holder.whoami().await.status == 401 {
                        return true;
                    }
                }
                false
            });
        }
        tokio::time::sleep(Duration::from_millis(round % 8)).await;
        machine.post("revoke_token", &[("token", &access)]).await.expect_status(200);
        for _ in 0..3 {
            machine.holder(&access).whoami().await.expect_status(401);
        }
        assert!(looking.join_all().await.into_iter().all(|refused| refused), "lookups went on being answered after the revocation");
        machine.holder(&access).whoami().await.expect_status(401);
    }
}

async fn grants_ended_while_a_code_is_exchanged_do_not_come_back(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let code = client.code(&browser, SCOPE).await;
    // The exchange has spent the code, but not kept its tokens yet, when everything is to end.
    let held = hold_writes(&app, "oauth_access_tokens");
    let exchange = {
        let (client, code) = (client.clone(), code.clone());
        tokio::spawn(async move { client.exchange(&code).await })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (env, client_id) = (app.env().clone(), client.id.clone());
    let ended = app.db().write("end a client's grants", move |conn, effects| {
        let mut cx = Cx { conn, now: env.clock.now(), env: &env, effects };
        revoke::end_all_of_client(&mut cx, &client_id)
    });
    ended.await.expect("the grants end");
    held.join().expect("no panic");
    let exchanged = exchange.await.expect("no panic");
    if exchanged.status == 200 {
        let pair = TokenPair::of(&exchanged);
        client.holder(&pair.access).whoami().await.expect_status(401);
        client.refresh(pair.refresh.as_deref().expect("a refresh token")).await.expect_status(400);
    } else {
        assert_eq!(exchanged.error().as_deref(), Some("invalid_grant"));
    }
}

/// An app that logs in silently while its user shows it out: whichever is first, no login outlives the withdrawal.
async fn a_silent_login_beside_a_withdrawal_leaves_nothing_behind(app: TestApp) {
    let browser = app.user("amina@example.com").await.cookie().await;
    let client = app.client(json!({})).await;
    for _ in 0..25 {
        client.log_in(&browser, SCOPE).await;
        let page = browser.get("/me/apps").header("accept", "text/html").send().await.expect_status(200).text();
        let token = crate::oauth::hidden_field(&page, "csrf_token");
        let form = [("client_id", client.id.as_str()), ("csrf_token", token.as_str())];
        let withdrawal = browser.post("/me/apps").form(&form).header("origin", &app.url).send();
        let (silent, withdrawn) = tokio::join!(client.authorize(&browser, SCOPE), withdrawal);
        assert!(withdrawn.status < 400, "{}", withdrawn.text());
        if silent.status == 302 {
            let code = silent.location_parameter("code").expect("a code");
            client.exchange(&code).await.expect_status(400);
        }
        client.authorize(&browser, SCOPE).await.expect_status(200);
    }
}
