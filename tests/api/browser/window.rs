//! A browser window: Debian's Chromium, driven by its chromedriver.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::support::TemporaryDirectory;

/// How long anything on a page may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A window of a browser of its own, with an empty profile. Both end with it.
pub struct Window {
    client: Client,
    driver: Driver,
}

/// The chromedriver, and the browser it started in its process group.
struct Driver {
    child: Child,
    // Dropped after the processes that write into it.
    _directory: TemporaryDirectory,
}

impl Window {
    /// Opens one.
    pub async fn open() -> Self {
        let directory = TemporaryDirectory::new();
        let profile = directory.path().join("profile");
        // The kernel ends the browser with its chromedriver, and that with this test, however it ends.
        let browser = directory.path().join("browser");
        std::fs::write(&browser, "#!/bin/sh\nexec setpriv --pdeathsig KILL chromium \"$@\"\n").expect("a file");
        std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o755)).expect("its owner may");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "chromedriver", "--port=0", "--log-level=SEVERE"]).current_dir(directory.path());
        // Chromium keeps lock and crash files outside its profile otherwise.
        command.env("HOME", directory.path()).env("TMPDIR", directory.path()).env_remove("http_proxy").env("NO_PROXY", "*");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn().expect("chromedriver starts: ./scripts/test says how to install it");
        let said = BufReader::new(child.stdout.take().expect("it is piped"));
        let driver = Driver { child, _directory: directory };
        let port = said
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.trim_end_matches('.').rsplit_once("started successfully on port ").map(|(_, port)| port.to_owned()))
            .expect("chromedriver names its port");

        let flags = [
            "--headless".to_owned(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--disable-quic".into(),
            "--disable-dev-shm-usage".into(),
            "--no-first-run".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--disable-sync".into(),
            "--no-proxy-server".into(),
            format!("--user-data-dir={}", profile.display()),
        ];
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "binary": browser, "args": flags },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let capabilities: Capabilities = wanted.as_object().expect("an object").clone().into_iter().collect();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        let client = ClientBuilder::new(connector).capabilities(capabilities).connect(&format!("http://127.0.0.1:{port}")).await;
        Self { client: client.expect("a browser session"), driver }
    }

    /// Types an address.
    pub async fn visit(&self, address: &str) {
        self.client.goto(address).await.expect("the page loads");
    }

    /// Types into a field, replacing what it held.
    pub async fn fill(&self, id: &str, text: &str) {
        let field = self.await_element(id).await;
        field.clear().await.expect("a field");
        field.send_keys(text).await.expect("a field");
    }

    /// Clicks.
    pub async fn press(&self, id: &str) {
        self.await_element(id).await.click().await.expect("it can be clicked");
    }

    /// What an element shows.
    pub async fn text(&self, id: &str) -> String {
        self.await_element(id).await.text().await.expect("its text")
    }

    /// What the whole page shows.
    pub async fn page_text(&self) -> String {
        self.client.find(Locator::Css("body")).await.expect("a page").text().await.expect("its text")
    }

    /// What the whole page shows once this element is there.
    pub async fn page_text_when(&self, id: &str) -> String {
        self.await_element(id).await;
        self.page_text().await
    }

    /// The value of a field.
    pub async fn value(&self, id: &str) -> String {
        self.await_element(id).await.prop("value").await.expect("a field").unwrap_or_default()
    }

    /// Whether an element is there now.
    pub async fn has(&self, id: &str) -> bool {
        self.client.find(Locator::Id(id)).await.is_ok()
    }

    /// Where the window is.
    pub async fn address(&self) -> Url {
        self.client.current_url().await.expect("an address")
    }

    /// Waits until the window is at an address that begins like this.
    pub async fn await_address(&self, beginning: &str) -> Url {
        let started = std::time::Instant::now();
        loop {
            let address = self.address().await;
            if address.as_str().starts_with(beginning) {
                return address;
            }
            assert!(started.elapsed() < PATIENCE, "the window is at {address}, not at {beginning}: {:?}", self.console().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn await_element(&self, id: &str) -> fantoccini::elements::Element {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Id(id)).await {
            Ok(element) => element,
            Err(error) => {
                panic!("no #{id} at {}: {error}; {}; {:?}", self.address().await, self.page_text().await, self.console().await)
            }
        }
    }

    /// Looks into the only frame of the page from now on.
    pub async fn enter_frame(&self) {
        self.client.enter_frame(0).await.expect("a frame");
    }

    /// What was written on the console since the last call: scripts, refusals by policy, failed loads.
    pub async fn console(&self) -> Vec<String> {
        self.log("browser").await.iter().map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Fails when anything was written on the console: our pages give no browser cause to.
    #[track_caller]
    pub fn expect_quiet(&self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let notes = self.console().await;
            assert!(notes.is_empty(), "{caller}: the console is not empty: {notes:#?}");
        }
    }

    /// Waits until the window asks for a page at an address that begins like this, also for one that
    /// only an installed app could open. What happened before the call counts too, but only once.
    pub async fn await_attempt(&self, beginning: &str) -> Url {
        let started = std::time::Instant::now();
        loop {
            if let Some(address) = self.attempts(beginning).await.pop() {
                return address;
            }
            assert!(started.elapsed() < PATIENCE, "the window did not try to open {beginning}: {:?}", self.console().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What [`Window::await_attempt`] would find now.
    pub async fn attempts(&self, beginning: &str) -> Vec<Url> {
        let events = self.log("performance").await.into_iter().filter_map(|entry| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let (event, parameters) = (&event["message"]["method"], &event["message"]["params"]);
            let asks_for_page = event == "Network.requestWillBeSent" && parameters["type"] == "Document";
            let address = parameters["request"]["url"].as_str().filter(|_| asks_for_page)?;
            Url::parse(address).ok().filter(|_| address.starts_with(beginning))
        });
        events.collect()
    }

    /// Waits until the console has a line with this in it; forgets that line and those before it.
    pub async fn await_console(&self, text: &str) {
        let started = std::time::Instant::now();
        while !self.console().await.iter().any(|line| line.contains(text)) {
            assert!(started.elapsed() < PATIENCE, "{text:?} is not on the console");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn log(&self, name: &'static str) -> Vec<Value> {
        let entries = self.client.issue_cmd(ReadLog(name)).await.expect("a log");
        entries.as_array().cloned().unwrap_or_default()
    }

    /// Closes it.
    pub async fn close(self) {
        self.client.close().await.expect("the session ends");
        drop(self.driver);
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}

/// chromedriver's own command to read a log.
#[derive(Debug)]
struct ReadLog(&'static str);

impl WebDriverCompatibleCommand for ReadLog {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, url::ParseError> {
        base_url.join(&format!("session/{}/se/log", session_id.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "type": self.0 }).to_string()))
    }
}
