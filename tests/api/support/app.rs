//! The application as `serve` builds it, on its own thread, port and database.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ostiary::app::{Application, Parts};
use ostiary::config::Config;
use ostiary::cx::{Clock, Env};
use ostiary::resource::hooks::DocumentHooks;
use ostiary::store::{Backend, Db};
use secrecy::SecretString;

use super::{Database, Given, Site, TemporaryDirectory};

/// `Administrator`'s password in every test.
pub const ADMIN_PASSWORD: &str = "correct horse battery staple 42";

/// The seal key of every test on Postgres: 32 bytes, base64. SQLite keeps a key file beside the database.
pub const SEAL_KEY: &str = "b3N0aWFyeS10ZXN0LXNlYWwta2V5LTMyLWJ5dGVzISE=";

/// The settings of every test, unless it changes them.
pub fn settings(database: &Database, backend: Backend) -> Config {
    let mut config = Config::for_tests(database.url());
    config.security.admin_password = Some(SecretString::from(ADMIN_PASSWORD));
    config.limits.scale = 1000.0;
    if backend == Backend::Postgres {
        config.security.seal_key = Some(SecretString::from(SEAL_KEY));
    }
    config
}

/// A test application before its start. A copy of it is another process on the same database.
#[derive(Clone)]
pub struct Setup {
    config: Config,
    database: Arc<Database>,
    /// Where files are kept when that is not beside the database.
    files: Arc<TemporaryDirectory>,
    clock: Arc<AtomicI64>,
    hooks: Vec<Arc<dyn DocumentHooks>>,
}

impl Setup {
    /// The settings of tests: defaults, and limits that no test reaches by accident.
    pub fn new(backend: Backend) -> Self {
        let (database, files) = (Database::started(backend), Arc::new(TemporaryDirectory::new()));
        let mut config = settings(&database, backend);
        if backend == Backend::Postgres {
            config.files.directory = Some(files.path().join("files"));
        }
        Self { config, database: Arc::new(database), files, clock: Arc::default(), hooks: Vec::new() }
    }

    /// Adds an embedder's hook.
    pub fn hook(mut self, hook: Arc<dyn DocumentHooks>) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Changes settings.
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Starts it.
    pub async fn start(self) -> TestApp {
        let Self { config, database, files, clock, hooks } = self;
        let (report, started) = tokio::sync::oneshot::channel();
        let offset = Arc::clone(&clock);
        let thread = std::thread::Builder::new()
            .name("test-app".into())
            .spawn(move || {
                actix_web::rt::System::new().block_on(async move {
                    let parts = Parts { clock: Clock::Shifted(offset), hooks };
                    let application = match Application::build(config, parts).await {
                        Ok(application) => application,
                        Err(error) => return drop(report.send(Err(error.to_string()))),
                    };
                    let facts =
                        (application.public_url().to_owned(), application.db().clone(), application.env(), application.stop_handle());
                    if report.send(Ok(facts)).is_ok() {
                        application.run().await.expect("the server runs");
                    }
                });
            })
            .expect("a thread");
        let (url, db, env, stop) = started.await.expect("the server reports").expect("the server starts");
        TestApp { site: Site::at(&url), url, db: Some(db), env: Some(env), clock, stop: Some((stop, thread)), database, _files: files }
    }
}

impl Given for Setup {
    async fn given(backend: Backend) -> Self {
        Self::new(backend)
    }
}

impl Given for TestApp {
    async fn given(backend: Backend) -> Self {
        Setup::new(backend).start().await
    }
}

/// A running application.
pub struct TestApp {
    pub url: String,
    site: Site,
    clock: Arc<AtomicI64>,
    db: Option<Db>,
    env: Option<Arc<Env>>,
    stop: Option<(actix_web::dev::ServerHandle, JoinHandle<()>)>,
    _files: Arc<TemporaryDirectory>,
    // Dropped last: Postgres waits for the server's connections to go before it drops the schema.
    database: Arc<Database>,
}

impl TestApp {
    /// The store, to prepare or look at what HTTP does not show.
    pub fn db(&self) -> &Db {
        self.db.as_ref().expect("only dropping takes it")
    }

    /// The server's environment, for what its clock and keys are needed for.
    pub fn env(&self) -> &Arc<Env> {
        self.env.as_ref().expect("only dropping takes it")
    }

    /// Which database this is.
    pub fn backend(&self) -> Backend {
        self.db().backend()
    }

    /// What `--database-url` would be.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Lets time pass for the server.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).expect("a test's patience");
        self.clock.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Deref for TestApp {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        (self.db, self.env) = (None, None);
        if let Some((stop, thread)) = self.stop.take() {
            // The command is sent by the call; there is no runtime here to wait with.
            drop(stop.stop(false));
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.expect("the server ends without a panic");
            }
        }
    }
}
