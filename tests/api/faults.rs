//! What must survive: the program killed in the middle of its work, a full disk, a panic in a job, a lost database.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query};
use ostiary::error::AppError;
use ostiary::secrets::SecretHash;
use ostiary::store::{Backend, DatabaseUrl, Db, Settings, installation};
use serde_json::json;
use tokio::task::JoinSet;

use crate::both_databases;
use crate::support::process::{Launch, PrivatePostgres, SmallDisk};
use crate::support::{Caller, Database, Reply, TemporaryDirectory, TestClient, TokenPair, block_on};

both_databases!(what_was_answered_before_kill_9_holds_after_it, a_panicking_job_fails_alone);

const SCOPE: &str = "all openid";
const ROUNDS: u64 = 20;

/// What one round of load was answered.
#[derive(Default)]
struct Answered {
    issued: Vec<String>,
    chains: Vec<Chain>,
    exchanged: Vec<(String, TokenPair)>,
}

/// Refreshes in a row: each pair was bought with the refresh token of the one before.
struct Chain {
    pairs: Vec<TokenPair>,
}

async fn what_was_answered_before_kill_9_holds_after_it(backend: Backend) {
    let (directory, database) = (TemporaryDirectory::new(), Database::new(backend));
    // A grace that no busy machine outlasts: what is checked here is that spent stays spent, not for how long.
    let launch = Launch::new(database.url(), directory.path()).settings("[oauth]\nrefresh_grace = 300\n");
    let mut program = launch.start().await;
    let user = program.user("amina@example.com").await;
    let machine = program.machine(&user, SCOPE).await;
    let web = program.client(json!({ "skip_authorization": 1 })).await;
    let browser = user.cookie().await;

    let (mut issued, mut spent) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let first = web.log_in(&browser, SCOPE).await;
        let second = web.log_in(&browser, SCOPE).await;
        let seen = Arc::<Seen>::default();
        let load = tokio::spawn(load(machine.clone(), web.clone(), browser.clone(), [first, second], Arc::clone(&seen)));
        seen.enough().await;
        // At another point of the work in every round.
        tokio::time::sleep(Duration::from_millis(round * 37 % 200)).await;
        program.kill();
        let answered = load.await.expect("the load does not panic");

        program = launch.start().await;
        if let Some(file) = database.file() {
            assert_eq!(integrity(&file), "ok", "round {round}");
        }
        check(&web, &machine, &answered).await;
        replay(&web, &spent).await;
        issued.extend(answered.issued);
        spent = answered.exchanged;
    }
    all_work(&machine, issued.iter().map(String::as_str)).await;
    assert!(program.terminate().success(), "SIGTERM ends the program in order\n{}", launch.log());
}

/// How many answers of each kind a round has seen so far.
#[derive(Default)]
struct Seen {
    issued: AtomicUsize,
    refreshed: AtomicUsize,
    exchanged: AtomicUsize,
}

impl Seen {
    /// Waits until there is something to lose of every kind.
    async fn enough(&self) {
        let started = Instant::now();
        let at_least = |count: &AtomicUsize, least| count.load(Ordering::Relaxed) >= least;
        while !(at_least(&self.issued, 20) && at_least(&self.refreshed, 10) && at_least(&self.exchanged, 5)) {
            assert!(started.elapsed() < Duration::from_secs(30), "the server answers under load");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Issues, refreshes and exchanges until the server no longer answers.
async fn load(machine: TestClient, web: TestClient, browser: Caller, pairs: [TokenPair; 2], seen: Arc<Seen>) -> Answered {
    let mut issuing = JoinSet::new();
    for _ in 0..3 {
        let (machine, seen) = (machine.clone(), Arc::clone(&seen));
        issuing.spawn(async move {
            let mut issued = Vec::new();
            while let Ok(reply) = machine.request("get_token", &[("grant_type", "client_credentials")]).try_send().await {
                issued.push(TokenPair::of(&reply).access);
                seen.issued.fetch_add(1, Ordering::Relaxed);
            }
            issued
        });
    }
    let mut refreshing = JoinSet::new();
    for pair in pairs {
        let (web, seen) = (web.clone(), Arc::clone(&seen));
        refreshing.spawn(async move {
            let mut pairs = vec![pair];
            while let Ok(reply) = web.request("get_token", &refresh(pairs.last().expect("the first"))).try_send().await {
                pairs.push(TokenPair::of(&reply));
                seen.refreshed.fetch_add(1, Ordering::Relaxed);
            }
            Chain { pairs }
        });
    }
    let mut exchanged = Vec::new();
    while let Ok(reply) = web.authorize_request(&browser, SCOPE).try_send().await {
        let code = reply.location_parameter("code").expect("a code");
        match web.exchange_request(&code).try_send().await {
            Ok(reply) => {
                exchanged.push((code, TokenPair::of(&reply)));
                seen.exchanged.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => break,
        }
    }
    Answered { issued: issuing.join_all().await.concat(), chains: refreshing.join_all().await, exchanged }
}

fn refresh(pair: &TokenPair) -> [(&str, &str); 2] {
    [("grant_type", "refresh_token"), ("refresh_token", pair.refresh.as_deref().expect("a refresh token"))]
}

/// Every answered token is valid, and nothing that was spent buys anything again.
async fn check(web: &TestClient, machine: &TestClient, answered: &Answered) {
    let chained = answered.chains.iter().flat_map(|chain| &chain.pairs).map(|pair| pair.access.as_str());
    let exchanged = answered.exchanged.iter().map(|(_, pair)| pair.access.as_str());
    all_work(machine, answered.issued.iter().map(String::as_str).chain(chained).chain(exchanged)).await;

    for Chain { pairs } in &answered.chains {
        // Within the grace a token whose successor is spent too is refused without ending the family.
        let spent = pairs.len().saturating_sub(2);
        for pair in pairs[..spent].iter().step_by(spent / 6 + 1) {
            assert_eq!(refused(&web.get_token(&refresh(pair)).await), "invalid_grant");
        }
        let last = pairs.last().expect("the first pair at least");
        if pairs.len() > 1 {
            // The token before the last: the same answer again, unless the request that died with the
            // server had spent its successor.
            let again = web.get_token(&refresh(&pairs[pairs.len() - 2])).await;
            if again.status == 200 {
                let again = TokenPair::of(&again);
                assert_eq!((&again.access, &again.refresh), (&last.access, &last.refresh), "never a second pair");
            } else {
                assert_eq!(refused(&again), "invalid_grant");
            }
        }
        let next = TokenPair::of(&web.get_token(&refresh(last)).await);
        web.holder(&next.access).whoami().await.expect_status(200);
    }
    for (code, _) in answered.exchanged.iter().step_by(answered.exchanged.len() / 6 + 1) {
        assert_eq!(refused(&web.exchange(code).await), "invalid_grant");
    }
}

/// Codes spent before the last kill: a replay is refused, and ends what the code bought. (Right after
/// a restart nobody knows when the winner was committed, and a loser of that race must do no harm.)
async fn replay(web: &TestClient, spent: &[(String, TokenPair)]) {
    if !spent.is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for (code, pair) in spent.iter().step_by(spent.len() / 3 + 1) {
        assert_eq!(refused(&web.exchange(code).await), "invalid_grant");
        web.holder(&pair.access).whoami().await.expect_status(401);
    }
}

#[track_caller]
fn refused(reply: &Reply) -> String {
    assert_eq!(reply.status, 400, "{}", reply.text());
    reply.error().expect("an OAuth error")
}

async fn all_work(client: &TestClient, tokens: impl Iterator<Item = &str>) {
    let mut asking = JoinSet::new();
    for token in tokens {
        let holder = client.holder(token);
        asking.spawn(async move { holder.whoami().await.status });
        if asking.len() >= 16 {
            assert_eq!(asking.join_next().await.expect("sixteen wait").expect("no panic"), 200, "an answered token is not valid");
        }
    }
    assert!(asking.join_all().await.into_iter().all(|status| status == 200), "an answered token is not valid");
}

#[derive(QueryableByName)]
struct Verdict {
    #[diesel(sql_type = diesel::sql_types::Text)]
    verdict: String,
}

fn integrity(file: &std::path::Path) -> String {
    let mut sqlite = SqliteConnection::establish(file.to_str().expect("a UTF-8 path")).expect("the database opens");
    sqlite.batch_execute("PRAGMA busy_timeout = 5000").expect("SQLite answers");
    let check = "SELECT group_concat(integrity_check) AS verdict FROM pragma_integrity_check \
                 UNION ALL SELECT 'broken reference in ' || \"table\" FROM pragma_foreign_key_check";
    let verdicts: Vec<Verdict> = sql_query(check).load(&mut sqlite).expect("SQLite answers");
    verdicts.into_iter().map(|verdict| verdict.verdict).collect::<Vec<_>>().join("; ")
}

/// A system call in strace's output: the lines at which it began and ended, and its text.
struct Call {
    began: usize,
    ended: usize,
    text: String,
}

#[test]
fn no_answer_leaves_before_the_fdatasync_of_its_batch() {
    block_on(async {
        let (directory, database) = (TemporaryDirectory::new(), Database::new(Backend::Sqlite));
        let trace = directory.path().join("trace");
        let strace = ["strace", "-D", "-f", "-y", "-s", "8192", "-e", "trace=pwrite64,fdatasync,fsync,write,writev,sendto,sendmsg", "-o"];
        let launch =
            Launch::new(database.url(), directory.path()).under(strace.map(std::path::Path::new).into_iter().chain([trace.as_path()]));
        let program = launch.start().await;
        let user = program.user("amina@example.com").await;
        let machine = program.machine(&user, SCOPE).await;
        let mut issuing = JoinSet::new();
        for _ in 0..12 {
            let machine = machine.clone();
            issuing.spawn(async move {
                let mut tokens = Vec::new();
                for _ in 0..10 {
                    tokens.push(TokenPair::of(&machine.issue().await).access);
                }
                tokens
            });
        }
        let tokens = issuing.join_all().await.concat();
        assert!(program.terminate().success());

        let calls = calls(&finished(&trace).await);
        let mut syncs = std::collections::BTreeSet::new();
        for token in &tokens {
            let hash = SecretHash::of(token).to_text();
            let stored = calls.iter().find(|call| call.text.starts_with("pwrite64(") && call.text.contains(&hash));
            let stored = stored.expect("the token's hash is written to the log");
            let wal = stored.text.split(['<', '>']).nth(1).expect("strace -y names files");
            assert!(wal.ends_with(".db-wal"), "{wal}");
            let synced = |call: &&Call| call.began > stored.ended && call.text.contains("sync(") && call.text.contains(wal);
            let synced = calls.iter().find(synced).expect("the log is synced");
            let answered = |call: &&Call| !call.text.starts_with("pwrite64(") && call.text.contains(token.as_str());
            let answered = calls.iter().find(answered).expect("the token is answered");
            assert!(synced.ended < answered.began, "answered in line {} before it was on disk in line {}", answered.began, synced.ended);
            syncs.insert(synced.began);
        }
        assert!(syncs.len() < tokens.len(), "no batch had two jobs, so nothing was shown about batches");
    });
}

/// strace's output, once it has written all of it.
async fn finished(trace: &std::path::Path) -> String {
    let started = Instant::now();
    loop {
        let text = String::from_utf8_lossy(&std::fs::read(trace).expect("strace writes its output")).into_owned();
        // The process itself is the last of its threads to go.
        let first = text.split_whitespace().next().unwrap_or_default().to_owned();
        if text.lines().rev().take(5).any(|line| line.starts_with(&first) && line.contains("+++ exited")) {
            return text;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "strace did not finish (is ptrace forbidden here?)");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn calls(trace: &str) -> Vec<Call> {
    let mut pending = std::collections::HashMap::new();
    let mut found = Vec::new();
    for (line, text) in trace.lines().enumerate() {
        let (pid, text) = text.split_once(' ').unwrap_or_default();
        let text = text.trim_start();
        if text.ends_with("<unfinished ...>") {
            pending.insert(pid.to_owned(), (line, text.to_owned()));
        } else if text.starts_with("<...") {
            if let Some((began, text)) = pending.remove(pid) {
                found.push(Call { began, ended: line, text });
            }
        } else if text.contains('(') {
            found.push(Call { began: line, ended: line, text: text.to_owned() });
        }
    }
    found.sort_by_key(|call| call.began);
    found
}

#[test]
fn after_a_clean_stop_the_file_alone_is_the_whole_database() {
    block_on(async {
        let (database, directory) = (Database::new(Backend::Sqlite), TemporaryDirectory::new());
        let launch = Launch::new(database.url(), directory.path());
        let program = launch.start().await;
        program.anonymous().get("/health/live").send().await.expect_status(200);
        assert!(program.terminate().success());
        let file = database.file().expect("a file");
        let log = file.with_file_name("ostiary.db-wal");
        assert!(!log.exists() || std::fs::metadata(&log).is_ok_and(|log| log.len() == 0));
        let copy = directory.path().join("copy.db");
        std::fs::copy(&file, &copy).expect("copied");
        let listed = Launch::new(&format!("sqlite://{}", copy.display()), directory.path()).command(&["user", "list"], "");
        assert!(listed.expect_success().contains("Administrator"));
    });
}

#[test]
fn on_a_full_disk_reads_go_on_writes_are_503_and_nothing_answered_is_lost() {
    block_on(async {
        let (disk, directory) = (SmallDisk::mount(24 * 1024), TemporaryDirectory::new());
        let launch = Launch::new(&format!("sqlite://{}", disk.path().join("ostiary.db").display()), directory.path());
        let mut program = launch.start().await;
        let user = program.user("amina@example.com").await;
        let machine = program.machine(&user, SCOPE).await;
        let key = user.api_key().await;
        key.post("/api/resource/ToDo").json(&json!({ "description": "Water the plants" })).send().await.expect_status(200);
        let mut answered = Vec::new();
        for _ in 0..50 {
            answered.push(TokenPair::of(&machine.issue().await).access);
        }

        let filler = fill(disk.path(), 600 * 1024);
        let mut writing = JoinSet::new();
        for _ in 0..12 {
            writing.spawn(write_until_refused(machine.clone()));
        }
        let mut refusals = 0;
        while let Some(written) = writing.join_next().await {
            let (mut tokens, refused) = written.expect("only 200 and 503 are answered");
            answered.append(&mut tokens);
            refusals += refused;
            // Reads beside the failing writes, of credentials that no cache has seen.
            let unseen = answered.last().expect("fifty at least").clone();
            machine.holder(&unseen).whoami().await.expect_status(200);
            key.get("/api/resource/ToDo?limit_page_length=5").send().await.expect_status(200);
        }
        assert!(refusals >= 12, "the disk was full");
        all_work(&machine, answered.iter().map(String::as_str)).await;
        program.anonymous().get("/health/live").send().await.expect_status(200);

        std::fs::remove_file(filler).expect("the filler goes");
        let started = Instant::now();
        let recovered = loop {
            let reply = machine.issue().await;
            if reply.status == 200 || started.elapsed() > Duration::from_secs(10) {
                break reply;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        answered.push(TokenPair::of(&recovered).access);
        assert!(program.is_running());
        program.kill();
        let program = launch.start().await;
        assert_eq!(integrity(&disk.path().join("ostiary.db")), "ok");
        all_work(&machine, answered.iter().map(String::as_str)).await;
        drop(program);
    });
}

/// Fills a file system but for so many bytes.
fn fill(disk: &std::path::Path, leave: u64) -> std::path::PathBuf {
    let path = disk.join("filler");
    let mut file = std::fs::File::create(&path).expect("a filler");
    let block = vec![0_u8; 64 * 1024];
    while file.write_all(&block).is_ok() {}
    let length = file.metadata().expect("a file").len();
    file.set_len(length.saturating_sub(leave)).expect("tmpfs truncates");
    path
}

/// Asks for tokens until ten requests in a row are refused; returns those that were answered.
async fn write_until_refused(machine: TestClient) -> (Vec<String>, usize) {
    let (mut tokens, mut refused, mut in_a_row) = (Vec::new(), 0, 0);
    let started = Instant::now();
    while in_a_row < 10 && started.elapsed() < Duration::from_secs(60) {
        let reply = machine.issue().await;
        if reply.status == 200 {
            tokens.push(TokenPair::of(&reply).access);
            in_a_row = 0;
        } else {
            assert_retry_later(&reply);
            refused += 1;
            in_a_row += 1;
        }
    }
    (tokens, refused)
}

#[track_caller]
fn assert_retry_later(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.text());
    let seconds = reply.header("retry-after").and_then(|value| value.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| seconds >= 1), "Retry-After: {:?}", reply.header("retry-after"));
}

async fn a_panicking_job_fails_alone(backend: Backend) {
    let database = Database::new(backend);
    let url = DatabaseUrl::parse(database.url()).expect("a URL of our own");
    let db = Db::open(&url, Settings::default()).expect("migrations apply");
    let mut jobs = JoinSet::new();
    for number in 0..40 {
        let db = db.clone();
        jobs.spawn(async move {
            let result = db.write("test", move |conn, _| {
                installation::insert_value(conn, &format!("fault test {number}"), "kept")?;
                assert!(number % 4 != 0, "this job panics on purpose");
                Ok(())
            });
            (number, result.await)
        });
    }
    for (number, result) in jobs.join_all().await {
        match result {
            Ok(()) => assert!(number % 4 != 0, "job {number}"),
            Err(error) => assert!(number % 4 == 0 && matches!(error, AppError::Internal(_)), "job {number}: {error}"),
        }
        let name = format!("fault test {number}");
        let kept = db.lookup(move |conn, _| Ok(installation::find_value(conn, &name)?)).await.expect("reads go on");
        assert_eq!(kept.is_some(), number % 4 != 0, "job {number}");
    }
    let lookup: Result<(), _> = db.lookup(|_, _| panic!("this job panics on purpose")).await;
    let query: Result<(), _> = db.query(|_, _| panic!("this job panics on purpose")).await;
    assert!(matches!((lookup, query), (Err(AppError::Internal(_)), Err(AppError::Internal(_)))));
    assert_eq!(
        db.query(|conn, _| Ok(installation::find_value(conn, "fault test 1")?)).await.expect("reads go on").as_deref(),
        Some("kept")
    );
    db.write("test", |conn, _| Ok(installation::insert_value(conn, "fault test", "kept")?)).await.expect("writes go on");
}

#[test]
fn a_lost_postgres_is_503_until_it_is_back_and_needs_no_restart() {
    block_on(async {
        let mut postgres = PrivatePostgres::start().await;
        let launch = Launch::new(&postgres.url(), postgres.directory());
        let mut program = launch.start().await;
        let user = program.user("amina@example.com").await;
        let machine = program.machine(&user, SCOPE).await;
        let (used, unused) = (TokenPair::of(&machine.issue().await).access, TokenPair::of(&machine.issue().await).access);
        machine.holder(&used).whoami().await.expect_status(200);

        postgres.stop();
        assert_retry_later(&machine.holder(&unused).whoami().await);
        assert_retry_later(&machine.issue().await);
        assert_retry_later(&machine.holder(&unused).get("/api/resource/ToDo").send().await);
        let credentials = json!({ "usr": user.name, "pwd": user.password });
        assert_retry_later(&program.anonymous().post("/api/method/login").json(&credentials).send().await);
        // Revocations of other processes cannot be heard any more, so not even the cache is trusted.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_retry_later(&machine.holder(&used).whoami().await);
        program.anonymous().get("/health/ready").send().await.expect_status(503);
        program.anonymous().get("/health/live").send().await.expect_status(200);

        postgres.resume().await;
        let started = Instant::now();
        while machine.issue().await.status != 200 || machine.holder(&unused).whoami().await.status != 200 {
            assert!(started.elapsed() < Duration::from_secs(20), "not recovered\n{}", launch.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        program.anonymous().get("/health/ready").send().await.expect_status(200);
        assert!(program.is_running(), "the same process serves on");
        machine.holder(&used).whoami().await.expect_status(200);
        machine.post("revoke_token", &[("token", &used)]).await.expect_status(200);
        machine.holder(&used).whoami().await.expect_status(401);
    });
}
