//! The commands, run as an administrator runs them: the real program, beside a real server.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use serde_json::json;

use crate::both_databases;
use crate::support::process::{Launch, Outcome, program};
use crate::support::{Backend, Caller, Database, Reply, TemporaryDirectory, TestApp};

const GET_TOKEN: &str = "/api/method/frappe.integrations.oauth2.get_token";

both_databases!(
    a_disabled_user_is_refused_within_a_second,
    a_revoked_token_is_refused_within_a_second,
    commands_that_end_grants_burn_the_codes_that_could_begin_them_anew,
    a_rotated_client_secret_is_refused_within_a_second,
    an_old_client_secret_may_be_kept_for_a_time,
    a_client_may_be_registered_with_its_keys,
    rotated_signing_keys_are_published_within_a_second,
    users_are_made_and_changed_by_the_rules_of_the_resource_api,
    clients_are_registered_and_removed,
    a_wrong_or_missing_seal_key_is_refused,
    a_check_before_the_first_start_names_the_seal_key_that_is_needed,
);

/// A server and a place to run commands beside it.
struct Beside {
    launch: Launch,
    directory: TemporaryDirectory,
    _database: Database,
}

impl Beside {
    fn new(backend: Backend) -> Self {
        let (database, directory) = (Database::new(backend), TemporaryDirectory::new());
        Self { launch: Launch::new(database.url(), directory.path()), directory, _database: database }
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        self.launch.command(arguments, "").expect_success()
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> String {
        self.launch.command(arguments, "").expect_refusal()
    }

    /// Adds a user who may log in with `PASSWORD`.
    #[track_caller]
    fn add_user(&self, email: &str) {
        self.launch.command(&["user", "add", email, "--password-stdin"], &format!("{PASSWORD}\n")).expect_success();
    }
}

const PASSWORD: &str = "a pass phrase of the command line";

/// What stands after a label.
#[track_caller]
fn labelled(text: &str, label: &str) -> String {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(label));
    line.unwrap_or_else(|| panic!("no {label} in {text}")).trim().to_owned()
}

/// Fails unless `refused` becomes true within a second of now.
async fn within_a_second(mut refused: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !refused().await {
        assert!(started.elapsed() < Duration::from_secs(1), "still not after a second");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn a_disabled_user_is_refused_within_a_second(backend: Backend) {
    let beside = Beside::new(backend);
    let server = beside.launch.start().await;
    beside.add_user("amina@example.com");
    let amina = server.existing_user("amina@example.com", PASSWORD);
    let pair = beside.run(&["user", "keys", "Amina@Example.com", "--new"]);
    let authorization = format!("token {}:{}", labelled(&pair, "API key"), labelled(&pair, "API secret"));
    let callers = [amina.cookie().await, server.anonymous().with_authorization(authorization), amina.basic()];
    for caller in &callers {
        // Twice, so that the answer is a cached one.
        caller.whoami().await.expect_status(200);
        caller.whoami().await.expect_status(200);
    }
    let sid = callers[0].cookie("sid").expect("a session");
    beside.run(&["user", "disable", "amina@example.com"]);
    for caller in &callers {
        within_a_second(async || caller.whoami().await.status == 401).await;
    }
    beside.run(&["user", "enable", "amina@example.com"]);
    within_a_second(async || amina.basic().whoami().await.status == 200).await;
    // Disabling ended the session; it does not come back with its user.
    callers[0].set_cookie("sid", &sid);
    callers[0].whoami().await.expect_status(401);
}

async fn issue(server: &Caller, client_id: &str, secret: &str) -> Reply {
    let form = [("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", secret)];
    server.post(GET_TOKEN).form(&form).send().await
}

/// A client that acts as a user of its own; its id and its secret.
#[track_caller]
fn machine(beside: &Beside, email: &str) -> (String, String) {
    beside.run(&["user", "add", email, "--no-password"]);
    let made = beside.run(&["client", "add", "--kind", "machine", "--name", "Nightly", "--user", email]);
    (labelled(&made, "client id"), labelled(&made, "client secret"))
}

async fn a_revoked_token_is_refused_within_a_second(backend: Backend) {
    let beside = Beside::new(backend);
    let server = beside.launch.start().await;
    let (client_id, secret) = machine(&beside, "machine@example.com");
    let anonymous = server.anonymous();
    for whose in [["--client", client_id.as_str()].as_slice(), &["--user", "machine@example.com"], &["--all"]] {
        let token = issue(&anonymous, &client_id, &secret).await.expect_status(200).string("access_token");
        let holder = anonymous.with_authorization(format!("Bearer {token}"));
        holder.whoami().await.expect_status(200);
        holder.whoami().await.expect_status(200);
        let said = beside.run(&[&["token", "revoke"], whose].concat());
        assert!(said.starts_with("Ended 1 grant,"), "{said}");
        within_a_second(async || holder.whoami().await.status == 401).await;
    }
    assert!(beside.refused(&["token", "revoke", "--user", "nobody@example.com"]).contains("nobody@example.com"));
    assert!(beside.refused(&["token", "revoke", "--client", "nosuch"]).contains("nosuch"));
}

async fn commands_that_end_grants_burn_the_codes_that_could_begin_them_anew(backend: Backend) {
    let beside = Beside::new(backend);
    let server = beside.launch.start().await;
    let mut browsers = Vec::new();
    for email in ["amina@example.com", "bruno@example.com"] {
        beside.add_user(email);
        browsers.push(server.existing_user(email, PASSWORD).cookie().await);
    }
    let (client, other) =
        (server.client(json!({ "skip_authorization": 1 })).await, server.client(json!({ "skip_authorization": 1 })).await);
    let user = ["--user", "amina@example.com"];
    let of_client = ["--client", client.id.as_str()];
    // What burns: the codes of amina at this client, of bruno at this client, of amina at the other.
    for (command, burnt) in [
        ([&["token", "revoke"], user.as_slice()].concat(), [true, false, true]),
        ([&["token", "revoke"], of_client.as_slice()].concat(), [true, true, false]),
        (vec!["token", "revoke", "--all"], [true, true, true]),
        (vec!["user", "disable", "amina@example.com"], [true, false, true]),
    ] {
        let codes = [
            (&client, client.code(&browsers[0], "all").await),
            (&client, client.code(&browsers[1], "all").await),
            (&other, other.code(&browsers[0], "all").await),
        ];
        beside.run(&command);
        if command[0] == "user" {
            // Enabled again: the account may act, what it held before may not.
            beside.run(&["user", "enable", "amina@example.com"]);
        }
        for ((client, code), burnt) in codes.iter().zip(burnt) {
            let reply = client.exchange(code).await;
            let expected = if burnt { (400, Some("invalid_grant")) } else { (200, None) };
            assert_eq!((reply.status, reply.error().as_deref()), expected, "{command:?}: {}", reply.text());
        }
    }
}

async fn a_rotated_client_secret_is_refused_within_a_second(backend: Backend) {
    let beside = Beside::new(backend);
    let server = beside.launch.start().await;
    let (client_id, old) = machine(&beside, "machine@example.com");
    let anonymous = server.anonymous();
    issue(&anonymous, &client_id, &old).await.expect_status(200);
    let new = labelled(&beside.run(&["client", "rotate-secret", &client_id]), "client secret");
    assert_ne!(old, new);
    within_a_second(async || issue(&anonymous, &client_id, &old).await.status == 401).await;
    issue(&anonymous, &client_id, &new).await.expect_status(200);
}

async fn an_old_client_secret_may_be_kept_for_a_time(backend: Backend) {
    let beside = Beside::new(backend);
    let server = beside.launch.start().await;
    let (client_id, old) = machine(&beside, "machine@example.com");
    let rotated = beside.run(&["client", "rotate-secret", &client_id, "--keep-old", "7d"]);
    assert!(rotated.contains("The old one is accepted until 20"), "{rotated}");
    let new = labelled(&rotated, "client secret");
    let anonymous = server.anonymous();
    within_a_second(async || issue(&anonymous, &client_id, &new).await.status == 200).await;
    issue(&anonymous, &client_id, &old).await.expect_status(200);
    let list = beside.run(&["client", "list"]);
    assert!(list.contains("2 secrets (the old one until 20") && !list.contains("ost_cs_"), "{list}");
    beside.run(&["client", "rotate-secret", &client_id]);
    within_a_second(async || issue(&anonymous, &client_id, &old).await.status == 401).await;
    assert!(!beside.run(&["client", "list"]).contains("2 secrets"));
    let wrong = beside.launch.command(&["client", "rotate-secret", &client_id, "--keep-old", "1w"], "");
    assert!(wrong.code != Some(0) && wrong.errors.contains("such as 30m, 12h or 7d"), "{wrong:?}");
}

async fn a_client_may_be_registered_with_its_keys(backend: Backend) {
    let beside = Beside::new(backend);
    beside.run(&["migrate"]);
    let file = beside.directory.path().join("keys.json");
    let path = file.to_str().expect("a path of letters");
    let add = ["client", "add", "--kind", "web", "--name", "Ledger", "--redirect-uri", "https://app.example/cb"];
    let with = |more: &[&str]| beside.launch.command(&[&add[..], more].concat(), "");
    // RFC 8037 appendix A.2.
    let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    std::fs::write(&file, format!(r#"{{"keys":[{key}]}}"#)).expect("a file");
    for more in [["--jwks", path], ["--jwks-uri", "https://app.example/keys"]] {
        let added = with(&more).expect_success();
        assert!(added.contains("private_key_jwt") && !added.contains("secret"), "{added}");
    }
    let list = beside.run(&["client", "list"]);
    assert_eq!(list.matches("own key").count(), 2, "{list}");
    assert!(with(&["--jwks-uri", "http://app.example/keys"]).expect_refusal().contains("https"));
    assert!(with(&["--jwks", "nosuch.json"]).expect_refusal().contains("nosuch.json"));
    std::fs::write(&file, key).expect("a file");
    assert!(with(&["--jwks", path]).expect_refusal().contains("not a JWK Set"));
    let native = ["client", "add", "--kind", "native", "--name", "Phone", "--redirect-uri", "com.example.app:/cb", "--jwks", path];
    assert!(beside.refused(&native).contains("web and machine"));
}

async fn rotated_signing_keys_are_published_within_a_second(backend: Backend) {
    let beside = Beside::new(backend);
    let server = beside.launch.start().await;
    let before = beside.run(&["key", "list"]);
    assert_eq!((before.matches("current").count(), before.matches(" next").count()), (3, 3), "{before}");
    beside.run(&["key", "rotate"]);
    let after = beside.run(&["key", "list"]);
    let kids: Vec<&str> = after.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(kids.len(), 9, "{after}");
    let anonymous = server.anonymous();
    within_a_second(async || {
        let jwks = anonymous.get("/api/method/frappe.integrations.oauth2.jwks").send().await.expect_status(200).text();
        kids.iter().all(|kid| jwks.contains(kid))
    })
    .await;
    // After a leak: nothing old is left.
    assert!(beside.run(&["key", "rotate", "--drop-old"]).contains("verifies no more"));
    let left = beside.run(&["key", "list"]);
    assert!(!left.contains("retired") && left.lines().count() == 7, "{left}");
    within_a_second(async || {
        let jwks = anonymous.get("/api/method/frappe.integrations.oauth2.jwks").send().await.expect_status(200).text();
        kids.iter().filter(|kid| jwks.contains(**kid)).count() == 3
    })
    .await;
}

async fn users_are_made_and_changed_by_the_rules_of_the_resource_api(backend: Backend) {
    let beside = Beside::new(backend);
    beside.run(&["migrate"]);
    beside.add_user("Björn@Example.com");
    let name = "björn@example.com";
    let list = beside.run(&["user", "list"]);
    assert!(list.contains(name) && list.contains("Administrator") && list.contains("Guest"), "{list}");
    assert!(beside.refused(&["user", "add", name, "--no-password"]).contains("already exists"));
    assert!(beside.refused(&["user", "add", "nonsense", "--no-password"]).contains("valid Email"));
    for arguments in [&["user", "add", "x@example.com", "--no-password", "--role", "Nosuch"][..], &["user", "add-role", name, "Nosuch"]] {
        let said = beside.refused(arguments);
        assert!(said.contains("there is no role Nosuch. There are: Agent, Agent Manager, "), "{said}");
        assert!(said.contains("POST /api/resource/Role") && !said.contains("Row #"), "{said}");
    }
    assert!(!beside.run(&["user", "list"]).contains("x@example.com"), "a refused user is not half made");
    assert!(beside.refused(&["user", "disable", "Administrator"]).contains("cannot be disabled"));
    assert!(beside.refused(&["user", "disable", "nobody@example.com"]).contains("nobody@example.com"));
    let empty = beside.launch.command(&["user", "set-password", name, "--password-stdin"], "\n").expect_refusal();
    assert!(empty.contains("empty"), "{empty}");
    assert!(beside.run(&["user", "add-role", name, "Agent", "System Manager"]).contains("Agent, System Manager"));
    let row = beside.run(&["user", "list"]);
    let row = row.lines().find(|line| line.starts_with(name)).expect("a row").to_owned();
    assert!(row.contains("System User"), "a role with desk access makes a System User: {row}");

    let server = beside.launch.start().await;
    let session = server.existing_user(name, PASSWORD).cookie().await;
    beside.launch.command(&["user", "set-password", name, "--password-stdin"], "another pass phrase\n").expect_success();
    within_a_second(async || session.whoami().await.status == 401).await;
    server.existing_user(name, "another pass phrase").cookie().await.whoami().await.expect_status(200);

    let keys = beside.run(&["user", "keys", name, "--new"]);
    let (key, secret) = (labelled(&keys, "API key"), labelled(&keys, "API secret"));
    let listed = beside.run(&["user", "keys", name]);
    assert!(listed.contains(&key) && !listed.contains(&secret), "{listed}");
    let caller = server.anonymous().with_authorization(format!("token {key}:{secret}"));
    caller.whoami().await.expect_status(200);
    beside.run(&["user", "keys", name, "--remove", "default"]);
    within_a_second(async || caller.whoami().await.status == 401).await;
}

async fn clients_are_registered_and_removed(backend: Backend) {
    let beside = Beside::new(backend);
    beside.run(&["migrate"]);
    let add = |kind: &str, uri: &str| beside.launch.command(&["client", "add", "--kind", kind, "--name", kind, "--redirect-uri", uri], "");
    let web = add("web", "https://app.example/cb").expect_success();
    let secret = labelled(&web, "client secret");
    assert!(web.contains("shown this once"), "{web}");
    assert!(!add("browser", "https://app.example/cb").expect_success().contains("secret"));
    assert!(!add("native", "com.example.app:/cb").expect_success().contains("secret"));
    assert!(add("old-frappe", "https://app.example/cb").expect_success().contains("secret"));
    assert!(add("web", "http://app.example/cb").expect_refusal().contains("must be https"));
    let list = beside.run(&["client", "list"]);
    assert_eq!(list.lines().count(), 5, "{list}");
    assert!(!list.contains(&secret), "{list}");
    let id = labelled(&web, "client id");
    beside.run(&["client", "remove", &id]);
    assert!(beside.refused(&["client", "remove", &id]).contains("not found"));

    let server = beside.launch.start().await;
    let (id, secret) = machine(&beside, "machine@example.com");
    let token = issue(&server.anonymous(), &id, &secret).await.expect_status(200).string("access_token");
    assert!(beside.refused(&["client", "remove", &id]).contains("--force"));
    beside.run(&["client", "remove", &id, "--force"]);
    let holder = server.anonymous().with_authorization(format!("Bearer {token}"));
    within_a_second(async || holder.whoami().await.status == 401).await;
}

async fn a_wrong_or_missing_seal_key_is_refused(backend: Backend) {
    let beside = Beside::new(backend);
    beside.run(&["migrate"]);
    let directory = TemporaryDirectory::new();
    let on = |key: Option<&str>, arguments: &[&str]| {
        let mut command = program(directory.path());
        command.args(arguments).args(["--database-url", beside._database.url()]).env_remove("OSTIARY_SEAL_KEY");
        if let Some(key) = key {
            command.env("OSTIARY_SEAL_KEY", key);
        }
        Outcome::of(&mut command, "").expect_refusal()
    };
    for command in [["serve"].as_slice(), &["migrate"], &["user", "list"]] {
        let command = [command, &["--listen", "127.0.0.1:0"]].concat();
        assert!(on(Some("b25lIG1vcmUgc2VhbC1rZXkgb2YgMzItYnl0ZXMhISE="), &command).contains("not the one this database was made with"));
        assert!(on(Some("c2hvcnQ="), &command).contains("32 bytes in base64"));
        assert!(on(None, &command).contains("seal key of this database is missing"));
    }
    let doctor = || {
        let mut command = program(directory.path());
        Outcome::of(command.args(["doctor", "--database-url", beside._database.url()]).env_remove("OSTIARY_SEAL_KEY"), "")
    };
    let found = doctor();
    assert!(found.code == Some(1) && found.out.contains("BROKEN   seal key       the seal key of this database is missing"), "{found:?}");
    if let Some(file) = beside._database.file() {
        assert!(!file.with_file_name("ostiary.key").exists(), "a new key would make everything sealed unreadable");
    }
}

async fn a_check_before_the_first_start_names_the_seal_key_that_is_needed(backend: Backend) {
    let beside = Beside::new(backend);
    let check = |key: Option<&str>| {
        let mut command = program(beside.directory.path());
        command.args(["doctor", "--database-url", beside._database.url()]).env_remove("OSTIARY_SEAL_KEY");
        if let Some(key) = key {
            command.env("OSTIARY_SEAL_KEY", key);
        }
        let found = Outcome::of(&mut command, "");
        assert_eq!(found.code, Some(1), "there is no database yet: {found:?}");
        found.out
    };
    // Beside a file a key is made with it.
    let missing = check(None);
    assert_eq!(
        missing.contains("BROKEN   seal key       OSTIARY_SEAL_KEY must be set with Postgres"),
        backend == Backend::Postgres,
        "{missing}"
    );
    assert!(!check(Some(crate::support::SEAL_KEY)).contains("seal key "), "{missing}");
}

/// Runs the program on its own in a directory, with these variables.
fn alone(directory: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Outcome {
    let mut command = program(directory);
    command.args(arguments).envs(environment.iter().copied());
    Outcome::of(&mut command, "")
}

#[test]
fn settings_that_cannot_be_meant_are_refused_in_one_line() {
    let directory = TemporaryDirectory::new();
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], &'a str);
    let cases: [Case; 9] = [
        (&[], &["--public-url", "http://id.example.com"], "is not https"),
        (&[("OSTIARY_PUBLIC_URL", "http://id.example.com")], &[], "is not https"),
        (&[], &["--public-url", "https://id.example.com/path"], "scheme, host and port only"),
        (&[], &["--listen", "0.0.0.0:0"], "needs a public URL"),
        (&[("OSTIARY_DATABASE_ULR", "sqlite://x.db")], &[], "unknown setting OSTIARY_DATABASE_ULR"),
        (&[("OSTIARY_LIMIT_SCALE", "none")], &[], "OSTIARY_LIMIT_SCALE=none"),
        (&[], &["--database-url", "mysql://localhost/x"], "must be sqlite://PATH or postgres://"),
        (&[], &["--tls-cert", "cert.pem"], "go together"),
        (&[], &["--config", "nosuch.toml"], "cannot read nosuch.toml"),
    ];
    for (environment, arguments, expected) in cases {
        // A flag wins over the variable, which keeps a server that starts after all off the usual port.
        let environment = [environment, &[("OSTIARY_LISTEN", "127.0.0.1:0")]].concat();
        let said = alone(directory.path(), &environment, &[["serve"].as_slice(), arguments].concat()).expect_refusal();
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    std::fs::write(directory.path().join("ostiary.toml"), "[server]\nlisten = \"127.0.0.1:0\"\nlisten_on = 1\n").expect("a file");
    let said = alone(directory.path(), &[], &["serve"]).expect_refusal();
    assert!(said.contains("listen_on"), "{said}");
    let made = std::fs::read_dir(directory.path()).expect("a directory").count();
    assert_eq!(made, 1, "nothing was made before the refusal but the settings file of this test");
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let directory = TemporaryDirectory::new();
    alone(directory.path(), &[], &["migrate"]).expect_success();
    let file = directory.path().join("ostiary.db");
    let mut connection = SqliteConnection::establish(file.to_str().expect("UTF-8")).expect("the database opens");
    connection.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')").expect("a row");
    drop(connection);
    for arguments in [["serve", "--listen", "127.0.0.1:0"].as_slice(), &["migrate"], &["user", "list"], &["client", "list"]] {
        let said = alone(directory.path(), &[], arguments).expect_refusal();
        assert!(said.contains("newer than this program") && said.contains("99990101000000"), "{said}");
    }
    let doctor = alone(directory.path(), &[], &["doctor"]);
    assert_eq!(doctor.code, Some(1));
    assert!(doctor.out.contains("newer than this program"), "{}", doctor.out);
}

#[test]
fn commands_make_no_database_where_there_is_none() {
    let directory = TemporaryDirectory::new();
    for arguments in
        [["user", "list"].as_slice(), &["client", "list"], &["key", "rotate"], &["token", "revoke", "--all"], &["backup", "copy.db"]]
    {
        let said = alone(directory.path(), &[], arguments).expect_refusal();
        assert!(said.contains("there is no database at ostiary.db"), "{said}");
    }
    assert_eq!(alone(directory.path(), &[], &["doctor"]).code, Some(1));
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 0);
}

#[test]
fn a_second_databases_password_is_kept_beside_the_first_ones() {
    let directory = TemporaryDirectory::new();
    let kept = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect(name);
    alone(directory.path(), &[], &["migrate"]).expect_success();
    let first = kept("ostiary.db.admin-password");
    let said = alone(directory.path(), &[], &["migrate", "--database-url", "sqlite://second.db"]).expect_success();
    assert!(said.contains("password in second.db.admin-password"), "{said}");
    assert_ne!(kept("second.db.admin-password"), first);
    // A new database of an old name: what is kept may be the password of a copy that lives on.
    std::fs::rename(directory.path().join("ostiary.db"), directory.path().join("old.db")).expect("it moves");
    let said = alone(directory.path(), &[], &["migrate"]).expect_success();
    assert!(said.contains("password in ostiary.db.admin-password.2"), "{said}");
    assert_eq!(kept("ostiary.db.admin-password"), first);
    assert_ne!(kept("ostiary.db.admin-password.2"), first);
}

#[test]
fn what_holds_secrets_is_readable_by_its_owner_only() {
    let directory = TemporaryDirectory::new();
    let said = alone(directory.path(), &[], &["migrate"]).expect_success();
    assert!(said.contains("ostiary.db.admin-password"), "{said}");
    alone(directory.path(), &[], &["backup", "copy.db", "--without-key"]).expect_success();
    for name in ["ostiary.db", "ostiary.key", "ostiary.db.admin-password", "copy.db"] {
        let mode = std::fs::metadata(directory.path().join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert!(alone(directory.path(), &[], &["doctor"]).expect_success().lines().all(|line| line.starts_with("ok ")));
    let key = directory.path().join("ostiary.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("its mode changes");
    let doctor = alone(directory.path(), &[], &["doctor"]).expect_success();
    assert!(doctor.contains("warning  key file") && doctor.contains("chmod 600"), "{doctor}");
    std::fs::remove_file(key).expect("the key goes");
    let doctor = alone(directory.path(), &[], &["doctor"]);
    assert!(doctor.code == Some(1) && doctor.out.contains("seal key of this database is missing"), "{}", doctor.out);
}

#[test]
fn a_new_key_file_is_in_its_directory_before_anything_is_sealed_with_it() {
    let directory = TemporaryDirectory::new();
    std::fs::create_dir(directory.path().join("safe")).expect("a directory");
    let traced = |arguments: &[&str]| {
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-e", "trace=openat,link,linkat,fsync,pwrite64", "-o", "trace", env!("CARGO_BIN_EXE_ostiary")]);
        Outcome::of(command.args(arguments).current_dir(directory.path()), "").expect_success();
        std::fs::read_to_string(directory.path().join("trace")).expect("strace writes its output")
    };
    let at = |trace: &str, from: usize, what: &dyn Fn(&str) -> bool| {
        let found = trace.lines().enumerate().skip(from).find(|(_, line)| what(line));
        found.unwrap_or_else(|| panic!("not after line {from} of {trace}")).0
    };
    let place = directory.path().canonicalize().expect("it exists");
    let synced = |place: &Path| format!("<{}>", place.display());

    let trace = traced(&["migrate"]);
    let named = at(&trace, 0, &|line| line.contains("link") && line.contains("\"ostiary.key\""));
    let kept = at(&trace, named, &|line| line.contains("fsync(") && line.contains(&synced(&place)));
    assert!(kept < at(&trace, named, &|line| line.contains("pwrite64(")), "{trace}");

    let trace = traced(&["backup", "safe/copy.db"]);
    let named = at(&trace, 0, &|line| line.contains("\"safe/ostiary.key\"") && line.contains("O_CREAT"));
    at(&trace, named, &|line| line.contains("fsync(") && line.contains(&synced(&place.join("safe"))));
}

#[test]
fn a_backup_is_whole_while_the_server_writes() {
    crate::support::run(Backend::Sqlite, backup_while_writing);
}

async fn backup_while_writing(backend: Backend) {
    let beside = Beside::new(backend);
    let server = beside.launch.start().await;
    let (client_id, secret) = machine(&beside, "machine@example.com");
    let anonymous = server.anonymous();
    let before = issue(&anonymous, &client_id, &secret).await.string("access_token");
    let copies = TemporaryDirectory::new();
    let copy = copies.path().join("copy.db");
    let issuing = async {
        let mut count = 0;
        loop {
            issue(&anonymous, &client_id, &secret).await.expect_status(200);
            count += 1;
            if copy.exists() && count > 50 {
                return;
            }
        }
    };
    let path = copy.to_str().expect("UTF-8").to_owned();
    let launch = beside.launch.clone();
    let copying = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        tokio::task::spawn_blocking(move || launch.command(&["backup", &path], "").expect_success()).await.expect("no panic")
    };
    let ((), said) = tokio::join!(issuing, copying);
    assert!(said.contains("OSTIARY_SEAL_KEY"), "this server's key is in its environment: {said}");
    let again = beside.launch.command(&["backup", copy.to_str().expect("UTF-8")], "").expect_refusal();
    assert!(again.contains("never overwrites"), "{again}");
    drop(server);

    let restored = Launch::new(&format!("sqlite://{}", copy.display()), copies.path());
    restored.command(&["doctor"], "").expect_success();
    let server = restored.start().await;
    server.anonymous().with_authorization(format!("Bearer {before}")).whoami().await.expect_status(200);
}

#[test]
fn a_backup_takes_the_key_file_along() {
    let directory = TemporaryDirectory::new();
    alone(directory.path(), &[], &["migrate"]).expect_success();
    std::fs::create_dir(directory.path().join("safe")).expect("a directory");
    let said = alone(directory.path(), &[], &["backup", "safe/copy.db"]).expect_success();
    assert!(said.contains("safe/ostiary.key"), "{said}");
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect(name);
    assert_eq!(read("ostiary.key"), read("safe/ostiary.key"));
    alone(directory.path(), &[], &["doctor", "--database-url", "sqlite://safe/copy.db"]).expect_success();
    // Another database's backup must not be given this key, nor this key be lost to it.
    std::fs::write(directory.path().join("safe/ostiary.key"), "b25lIG1vcmUgc2VhbC1rZXkgb2YgMzItYnl0ZXMhISE=\n").expect("a file");
    let said = alone(directory.path(), &[], &["backup", "safe/second.db"]).expect_refusal();
    assert!(said.contains("another seal key"), "{said}");
    assert!(!directory.path().join("safe/second.db").exists(), "half a backup would be taken for a whole one");
    let said = alone(directory.path(), &[], &["backup", "nowhere/copy.db"]).expect_refusal();
    assert!(said.contains("there is no folder nowhere; make it first"), "{said}");
    assert!(!said.contains("database"), "{said}");
}

#[test]
fn methods_are_listed_with_who_may_call_them() {
    let directory = TemporaryDirectory::new();
    let table = alone(directory.path(), &[], &["methods"]).expect_success();
    let row = |name: &str| {
        table.lines().find(|line| line.starts_with(name)).expect(name).split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("METHOD"), ["METHOD", "GUEST", "ROLES", "SCOPES", "VERBS", "LIMIT"]);
    assert_eq!(row("frappe.integrations.oauth2.get_token")[1..], ["yes", "-", "-", "POST", "get_token", "600/60", "s"]);
    assert_eq!(row("frappe.core.doctype.user.user.generate_keys")[1..5], ["no", "-", "admin:credentials", "POST"]);
    let rotate = "frappe.integrations.doctype.oauth_client.oauth_client.rotate_secret";
    assert_eq!(row(rotate)[1..5], ["no", "System", "Manager", "admin:credentials"]);
    assert_eq!(row("frappe.integrations.oauth2.openid_profile")[3..5], ["all", "openid"]);
    assert_eq!(row("frappe.auth.get_logged_user")[1..3], ["no", "-"]);
    assert_eq!(row("login")[4..], ["POST", "login_failure", "10/60", "s"]);
    let more = alone(directory.path(), &[("OSTIARY_LIMIT_SCALE", "2")], &["methods"]).expect_success();
    assert!(more.contains("get_token 1200/60 s"), "{more}");
}

/// A scope that reaches none of the methods below.
const NARROW: &str = "read:note";

both_databases!(the_table_of_methods_says_what_is_so);

async fn the_table_of_methods_says_what_is_so(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let manager = app.user_with_roles("manager@example.com", &["System Manager"]).await;
    // No scoped credential gets at the secret of a client that reaches further than itself.
    let client = app.client(serde_json::json!({ "scopes": "admin:credentials" })).await;
    let body = serde_json::json!({ "user": "amina@example.com", "client_id": client.id });
    let rows = ostiary::app::methods().filter(|method| {
        method.path.starts_with("frappe.auth.")
            || method.path.starts_with("frappe.core.")
            || method.path.ends_with("rotate_secret")
            || method.path.ends_with("openid_profile")
    });
    for row in rows {
        let path = format!("/api/method/{}", row.path);
        let call = async |caller: Caller| caller.post(&path).json(&body).send().await.status;
        assert!(row.verbs.contains(&"POST"), "{path}");
        let guest = call(app.anonymous()).await;
        assert!(if row.guest { guest != 403 } else { guest == 403 }, "{path}: {guest}");
        assert_eq!(call(amina.bearer(&app, NARROW).await).await, 403, "{path}");
        for scope in &row.scopes {
            assert_eq!(call(manager.bearer(&app, scope).await).await, 200, "{path} by {scope}");
            let expected = if row.roles.is_empty() { 200 } else { 403 };
            assert_eq!(call(amina.bearer(&app, scope).await).await, expected, "{path} by {scope}");
        }
        if !row.scopes.contains(&"all") {
            assert_eq!(call(manager.bearer(&app, "all").await).await, 403, "{path}");
        }
    }
}
