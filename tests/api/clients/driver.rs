//! Clients that are no crates: the programs of `tests/clients`. Each is a few pages around a library from npm
//! or PyPI, written as the library's documentation says; it brings its own scripted person, prints a line for
//! each step and ends at the first surprise.

use std::path::Path;
use std::process::Command;

use crate::support::process::Outcome;
use crate::support::{TemporaryDirectory, TestApp, TestClient, TestUser, setting};

/// More than most of them take on a busy machine.
const SECONDS: u32 = 120;

/// One run of a program of `tests/clients`.
pub struct Driver {
    program: &'static str,
    seconds: u32,
    environment: Vec<(&'static str, String)>,
}

impl Driver {
    /// The program of this name, which is shown the server and the person who will use it.
    pub fn new(program: &'static str, app: &TestApp, person: &TestUser) -> Self {
        Self::at(program, &app.url, person)
    }

    /// The same for a server that is a process.
    pub fn at(program: &'static str, url: &str, person: &TestUser) -> Self {
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/libraries.md");
        let environment = [("SERVER", url), ("PERSON", &person.name), ("PASSWORD", &person.password), ("DOCUMENT", document)];
        Self { program, seconds: SECONDS, environment: environment.map(|(name, value)| (name, value.to_owned())).to_vec() }
    }

    /// Tells it about a client that an administrator registered; `method` is its way to authenticate, in RFC 7591's words.
    pub fn client(self, client: &TestClient, method: &str) -> Self {
        let driver = self.given("CLIENT_ID", &client.id).given("AUTH_METHOD", method);
        match &client.secret {
            Some(secret) => driver.given("CLIENT_SECRET", secret),
            None => driver,
        }
    }

    /// Sets a variable that it reads.
    pub fn given(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Lets it take longer.
    pub fn within(self, seconds: u32) -> Self {
        Self { seconds, ..self }
    }

    /// Runs one of its scenarios, which must succeed in at least one step. The test's own connections live on meanwhile:
    /// those that the server closes must not be taken for open ones afterwards.
    pub async fn run(self, scenario: &'static str) {
        tokio::task::spawn_blocking(move || self.run_blocking(scenario)).await.expect("a scenario that succeeds");
    }

    fn run_blocking(self, scenario: &str) {
        let directory = TemporaryDirectory::new();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", &self.seconds.to_string()]).current_dir(directory.path()).env_clear();
        let inherited = ["PATH", "HOME", "LANG"].map(|name| (name, setting(name).unwrap_or_default()));
        command.envs(inherited).envs(self.environment);
        match self.program.ends_with(".py") {
            true => {
                let python = setting("OSTIARY_TEST_PYTHON").unwrap_or_else(|| "python3".into());
                command.arg(python).arg(sources.join(self.program));
                command.env("PYTHONPATH", installed("OSTIARY_TEST_PYTHON_PACKAGES")).env("PYTHONDONTWRITEBYTECODE", "1");
            }
            false => {
                // Node looks for packages beside the program, and nowhere else.
                for entry in std::fs::read_dir(&sources).expect("tests/clients") {
                    let path = entry.expect("a file").path();
                    if path.extension().is_some_and(|extension| extension == "mjs") {
                        std::fs::copy(&path, directory.path().join(path.file_name().expect("a name"))).expect("a copy");
                    }
                }
                let modules = installed("OSTIARY_TEST_NODE_MODULES");
                std::os::unix::fs::symlink(modules, directory.path().join("node_modules")).expect("a link");
                command.arg("node").arg(self.program);
            }
        }
        let outcome = Outcome::of(command.arg(scenario), "");
        assert_eq!(outcome.code, Some(0), "{} {scenario}:\n{}\n{}", self.program, outcome.out, outcome.errors);
        assert!(outcome.out.lines().any(|line| line.starts_with("ok ")), "{} {scenario} did something", self.program);
    }
}

fn installed(name: &str) -> String {
    setting(name).unwrap_or_else(|| panic!("clients from npm and PyPI need {name}; ./scripts/test installs them and sets it"))
}
