//! The real program, and a Postgres of a test's own, as processes that a test may kill.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::app::{ADMIN_PASSWORD, SEAL_KEY};
use super::{Site, TemporaryDirectory, setting};

/// How to start the program; the same again after it died.
#[derive(Clone)]
pub struct Launch {
    database_url: String,
    port: u16,
    log: PathBuf,
    /// A command to run it under, such as strace with its options.
    under: Vec<OsString>,
    environment: Vec<(String, String)>,
}

impl Launch {
    /// On this database, logging beside `directory`'s other files.
    pub fn new(database_url: &str, directory: &Path) -> Self {
        // Free now; nothing else asks for it by number.
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a free port").port();
        let files = directory.join("files");
        let environment = [
            ("OSTIARY_ADMIN_PASSWORD", ADMIN_PASSWORD),
            ("OSTIARY_LIMIT_SCALE", "100000"),
            ("OSTIARY_SEAL_KEY", SEAL_KEY),
            ("OSTIARY_FILES_DIRECTORY", files.to_str().expect("a UTF-8 path")),
        ];
        Self {
            database_url: database_url.to_owned(),
            port,
            log: directory.join("program.log"),
            under: Vec::new(),
            environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        }
    }

    /// Gives it settings that are no flags.
    pub fn settings(self, toml: &str) -> Self {
        // Where it looks by itself: it runs in the directory of its log.
        std::fs::write(self.log.with_file_name("ostiary.toml"), toml).expect("a settings file");
        self
    }

    /// Changes a variable of its environment.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs it under another command.
    pub fn under(mut self, command: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.under = command.into_iter().map(Into::into).collect();
        self
    }

    /// The URL it is reached at, which is also the issuer.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Runs another of its commands on the same database, with the same settings; `input` is its standard input.
    pub fn command(&self, arguments: &[&str], input: &str) -> Outcome {
        let mut command = program(self.log.parent().expect("a directory"));
        command.args(arguments).args(["--database-url", &self.database_url]).envs(self.environment.iter().cloned());
        Outcome::of(&mut command, input)
    }

    /// What it logged so far, over all starts.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&self) -> Program {
        let log = File::options().create(true).append(true).open(&self.log).expect("a log file");
        // The kernel ends it when this test's thread ends, however that happens.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(&self.under);
        command.arg(env!("CARGO_BIN_EXE_ostiary")).args(["serve", "--listen", &format!("127.0.0.1:{}", self.port)]);
        command.args(["--database-url", &self.database_url]).envs(self.environment.iter().cloned());
        command.current_dir(self.log.parent().expect("a directory")).env_remove("RUST_BACKTRACE");
        let child =
            command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log).spawn().expect("the program starts");
        let mut program = Program { child, site: Site::at(&self.url()) };
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(30) {
            let exited = program.child.try_wait().expect("a child of ours");
            assert!(exited.is_none(), "the program ended at start: {exited:?}\n{}", self.log());
            if program.anonymous().get("/health/ready").try_send().await.is_ok_and(|reply| reply.status == 200) {
                return program;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the program is not ready after 30 s\n{}", self.log());
    }
}

/// The running program; killed when dropped.
pub struct Program {
    child: Child,
    site: Site,
}

impl Program {
    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("a child of ours");
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }

    /// Lets it stand still until the guard is dropped.
    pub fn pause(&self) -> Paused {
        Paused::new(self.child.id())
    }

    /// SIGTERM, and waits until it is gone.
    pub fn terminate(mut self) -> std::process::ExitStatus {
        signal(self.child.id(), "TERM");
        self.child.wait().expect("a child of ours")
    }
}

impl Deref for Program {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program without any settings, to be run in a directory.
pub fn program(directory: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(env!("CARGO_BIN_EXE_ostiary")).current_dir(directory);
    for name in ["OSTIARY_CONFIG", "OSTIARY_DATABASE_URL", "OSTIARY_LISTEN", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    command
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub out: String,
    pub errors: String,
}

impl Outcome {
    /// Runs a command to its end.
    pub fn of(command: &mut Command, input: &str) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        // It may end without reading its input.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("a child of ours");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { code: output.status.code(), out: text(output.stdout), errors: text(output.stderr) }
    }

    /// What it printed; it must have succeeded.
    #[track_caller]
    pub fn expect_success(self) -> String {
        assert_eq!((self.code, self.errors.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    /// The one line with which it refused.
    #[track_caller]
    pub fn expect_refusal(self) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(1), ""), "{}", self.errors);
        assert_eq!(self.errors.lines().count(), 1, "one line: {}", self.errors);
        self.errors.trim_end().strip_prefix("ostiary: ").expect("the program's name").to_owned()
    }
}

/// The demo with its sample app, in a directory of its own.
pub struct Demo {
    child: Child,
    directory: TemporaryDirectory,
    pub issuer: String,
    pub sample_app: String,
}

impl Demo {
    /// Starts it on free ports and waits until it says that it is ready.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with settings.
    pub async fn start_with(environment: &[(&str, &str)]) -> Self {
        let directory = TemporaryDirectory::new();
        let said = directory.path().join("said");
        let out = File::create(&said).expect("a file");
        let log = File::create(directory.path().join("log")).expect("a file");
        std::fs::create_dir(directory.path().join("tmp")).expect("a directory");
        let mut command = program(directory.path());
        command.args(["demo", "--listen", "127.0.0.1:0"]).env("TMPDIR", directory.path().join("tmp")).envs(environment.iter().copied());
        let child = command.stdin(Stdio::null()).stdout(out).stderr(log).spawn().expect("the program starts");
        let mut demo = Self { child, directory, issuer: String::new(), sample_app: String::new() };
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(60) {
            let exited = demo.child.try_wait().expect("a child of ours");
            assert!(exited.is_none(), "the demo ended at start: {exited:?}\n{}", demo.log());
            let text = std::fs::read_to_string(&said).expect("a file");
            let after = |label: &str| {
                let line = text.lines().find_map(|line| line.trim_start().strip_prefix(label))?;
                line.split_whitespace().next().map(str::to_owned)
            };
            // The welcome is printed in one piece, and ends with the walk.
            if text.contains("README.md") {
                demo.issuer = after("Ostiary  ").expect("its URL");
                demo.sample_app = after("sample app").expect("its URL");
                return demo;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the demo is not ready after 60 s\n{}", demo.log());
    }

    /// A place for the test's other files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What is left in the directory for temporary files.
    pub fn leftovers(&self) -> usize {
        std::fs::read_dir(self.directory.path().join("tmp")).expect("a directory").count()
    }

    /// Sends a signal, and waits until it is gone.
    pub fn end(&mut self, name: &str) -> std::process::ExitStatus {
        signal(self.child.id(), name);
        self.child.wait().expect("a child of ours")
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that stands still; it goes on when this is dropped.
pub struct Paused(u32);

impl Paused {
    /// SIGSTOP, and waits until all of it has stopped.
    pub fn new(pid: u32) -> Self {
        signal(pid, "STOP");
        let paused = Self(pid);
        let started = Instant::now();
        let running = || {
            let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("a process");
            let state = |stat: String| stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
            tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok()).any(|stat| state(stat) != Some('T'))
        };
        while running() {
            assert!(started.elapsed() < Duration::from_secs(5), "process {pid} does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
        paused
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        signal(self.0, "CONT");
    }
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().expect("kill(1)");
    assert!(status.success(), "process {pid} cannot be signalled");
}

/// A Postgres server that only one test knows, reachable by socket.
pub struct PrivatePostgres {
    directory: TemporaryDirectory,
    running: Option<Child>,
}

impl PrivatePostgres {
    /// Makes the cluster and starts it.
    pub async fn start() -> Self {
        let directory = TemporaryDirectory::new();
        let home = directory.path().join("postgres");
        std::fs::create_dir(&home).expect("a directory");
        if is_root() {
            run(Command::new("chown").arg(unprivileged()).arg(&home));
        }
        let mut server = Self { directory, running: None };
        let mut initdb = server.command("initdb");
        run(initdb.args(["-D", "data", "-U", "ostiary", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]).stdout(Stdio::null()));
        server.resume().await;
        server
    }

    /// What `--database-url` takes.
    pub fn url(&self) -> String {
        format!("postgres:///postgres?host={}&user=ostiary", self.home().display())
    }

    /// A place for the test's other files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Ends it at once, its connections with it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            signal(child.id(), "QUIT");
            child.wait().expect("a child of ours");
        }
    }

    /// Starts it again and waits until it accepts connections.
    pub async fn resume(&mut self) {
        let log = File::options().create(true).append(true).open(self.directory.path().join("postgres.log")).expect("a log file");
        let mut postgres = self.command("postgres");
        postgres.args(["-D", "data", "-k"]).arg(self.home()).args(["-c", "listen_addresses=", "-c", "shared_buffers=16MB"]);
        self.running =
            Some(postgres.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log).spawn().expect("starts"));
        let started = Instant::now();
        loop {
            let answers = Command::new(tool("pg_isready")).arg("-q").arg("-h").arg(self.home()).status().expect("pg_isready runs");
            if answers.success() {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "the private Postgres does not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn home(&self) -> PathBuf {
        self.directory.path().join("postgres")
    }

    /// One of Postgres's programs, as a user that it accepts.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).current_dir(self.home());
        if is_root() {
            let user = unprivileged();
            command.args([&format!("--reuid={user}"), &format!("--regid={}", text(Command::new("id").args(["-g", user])))]);
            command.arg("--clear-groups");
        }
        command.arg(tool(name));
        command
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A small file system of its own that can be filled; needs root.
pub struct SmallDisk(TemporaryDirectory);

impl SmallDisk {
    /// Mounts one of so many KiB.
    pub fn mount(kibibytes: u32) -> Self {
        let directory = TemporaryDirectory::new();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={kibibytes}k,mode=700"), "ostiary-test"]).arg(directory.path());
        let mounted = mount.status().is_ok_and(|status| status.success());
        assert!(mounted, "this test fills a small tmpfs and needs the right to mount one: run ./scripts/test as root");
        Self(directory)
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

fn tool(name: &str) -> PathBuf {
    let directory = setting("OSTIARY_TEST_POSTGRES_BIN")
        .expect("tests that stop a Postgres need OSTIARY_TEST_POSTGRES_BIN, the directory of initdb; ./scripts/test sets it");
    Path::new(&directory).join(name)
}

fn is_root() -> bool {
    text(Command::new("id").arg("-u")) == "0"
}

/// Whom root hands Postgres to.
fn unprivileged() -> &'static str {
    let known = Command::new("id").arg("postgres").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if known.is_ok_and(|status| status.success()) { "postgres" } else { "nobody" }
}

fn text(command: &mut Command) -> String {
    let output = command.output().expect("a Debian command");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn run(command: &mut Command) {
    let status = command.status().expect("the command starts");
    assert!(status.success(), "{command:?}: {status}");
}
