//! What every black-box test stands on.
//!
//! A test is an async function over HTTP; [`both_databases!`](crate::both_databases) runs it on each:
//!
//! ```ignore
//! both_databases!(disabled_user_is_refused_at_once);
//!
//! async fn disabled_user_is_refused_at_once(app: TestApp) {
//!     let amina = app.user("amina@example.com").await;
//!     let caller = amina.api_key().await;
//!     caller.get("/api/method/frappe.auth.get_logged_user").send().await.expect_status(200);
//!     ...
//! }
//! ```
//!
//! which makes the tests `disabled_user_is_refused_at_once::sqlite` and `::postgres`. The argument
//! may also be a [`Setup`], to change settings before the start, or a bare [`Backend`].
//!
//! - [`TestApp`]: the application as `serve` builds it, on a port and a database of its own, with a
//!   clock the test moves. Everything goes away with it.
//! - [`Caller`]: who asks. `app.anonymous()`, and of a [`TestUser`] `cookie()`, `api_key()`,
//!   `basic()`, `bearer(scope)`: all have the same `get`, `post`, `put`, `delete`.
//! - [`TestClient`]: a registered OAuth client, with the steps of the code flow.
//! - [`WebHost`](web_host::WebHost): a host that speaks TLS, for what the server fetches.
//! - [`Program`](process::Program): the real program as a process, for what must survive `kill -9`.
//!
//! Run alone, in any order, in parallel: a test shares nothing with another.

mod app;
mod caller;
mod database;
mod definitions;
mod pages;
pub mod process;
mod users;
pub mod web_host;

pub use app::{ADMIN_PASSWORD, SEAL_KEY, Setup, TestApp};
pub use caller::{Caller, Reply, Request, messages};
pub use database::{Database, TemporaryDirectory};
pub use definitions::{all_rights, define, field};
pub use ostiary::store::Backend;
pub use pages::decide;
pub use users::{PASSWORD, REDIRECT_URI, Site, TestClient, TestUser, TokenPair, VERIFIER};

/// Makes of each named `async fn` a test on SQLite and one on Postgres.
#[macro_export]
macro_rules! both_databases {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            #[test]
            fn sqlite() {
                $crate::support::run($crate::support::Backend::Sqlite, super::$name);
            }

            #[test]
            fn postgres() {
                $crate::support::run($crate::support::Backend::Postgres, super::$name);
            }
        })+
    };
}

/// What a test may ask for as its argument.
pub trait Given: Sized {
    /// Prepares it on a database of this kind.
    async fn given(backend: Backend) -> Self;
}

impl Given for Backend {
    async fn given(backend: Backend) -> Self {
        backend
    }
}

/// Runs one test on one database, for at most five minutes (a machine may be busy).
pub fn run<G: Given, F: Future<Output = ()>>(backend: Backend, test: impl FnOnce(G) -> F) {
    block_on(async {
        let test = async { test(G::given(backend).await).await };
        tokio::time::timeout(std::time::Duration::from_secs(300), test).await.expect("the test ends within five minutes");
    });
}

/// Runs a future on a runtime of this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// A variable that `scripts/test` sets.
#[expect(clippy::disallowed_methods, reason = "the test suite's settings are no part of the program's")]
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
