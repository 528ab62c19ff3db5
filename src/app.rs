//! The composition root: from settings to a running server. `serve`, `demo` and every test build
//! the application here, so what is tested is what runs.

mod bootstrap;
pub mod checkup;
mod seal;
mod workshop;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::dev::{Server, ServerHandle};
use actix_web::web::{self, Data, Payload};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use secrecy::SecretString;

use crate::config::{Config, ConfigError};
use crate::cx::{Clock, Env};
use crate::domain::limit::Limit;
use crate::error::AppError;
use crate::fetch::Fetcher;
use crate::http::request_log::RequestLog;
use crate::http::{self, State, extract, respond};
use crate::resource::hooks::DocumentHooks;
use crate::store::{Db, StoreError};
use crate::telemetry::Metrics;
use crate::{background, frappe, pages};

pub use seal::key_file;
pub use workshop::Workshop;

/// What an embedder or a test may replace.
#[derive(Default)]
pub struct Parts {
    pub clock: Clock,
    /// What single doctypes do besides being stored, behind the built-in hooks.
    pub hooks: Vec<Arc<dyn DocumentHooks>>,
}

/// Why the application did not start, in one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot listen on {address}: {cause}")]
    Listen { address: SocketAddr, cause: std::io::Error },
    #[error("cannot use the database: {0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Seal(String),
    #[error("cannot prepare the database: {0}")]
    Prepare(#[from] AppError),
    #[error("cannot use the certificate: {0}")]
    Tls(String),
    #[error("{0}")]
    Fetch(String),
    #[error("cannot start the server: {0}")]
    Io(#[from] std::io::Error),
}

/// A server that is bound and ready to run.
pub struct Application {
    server: Server,
    metrics: Option<Server>,
    address: SocketAddr,
    state: Data<State>,
    first_password: Option<SecretString>,
}

impl Application {
    /// Binds the address, opens the database, makes what is missing.
    ///
    /// # Errors
    /// [`StartError`] in one line.
    pub async fn build(config: Config, parts: Parts) -> Result<Self, StartError> {
        let listen = config.server.listen;
        let listener = TcpListener::bind(listen).map_err(|cause| StartError::Listen { address: listen, cause })?;
        let address = listener.local_addr()?;
        let tls = http::tls::load(&config.server).map_err(StartError::Tls)?;
        let fetcher = Fetcher::new(&config.fetch).map_err(StartError::Fetch)?;
        let metrics_listen = config.server.metrics_listen;
        let workers = match config.server.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            set => set,
        };
        let Workshop { db, env, first_password } = Workshop::open(config, parts, address)?;
        db.watch_other_processes();
        let work = background::Work {
            reload_keys: crate::oidc::keys::reload,
            rotate_due: crate::oidc::keys::rotate_due,
            reload_doctypes: crate::resource::doctypes::reload,
            index_documents: crate::search::index::go_on,
        };
        background::start(&db, &env, work);
        let state = Data::new(State::new(env, db, fetcher));
        let shared = state.clone();
        let worker = move || {
            shared.workers.join();
            App::new().app_data(shared.clone()).default_service(web::to(entry))
        };
        let server = HttpServer::new(worker).workers(workers).shutdown_timeout(10);
        let server = match tls {
            Some(tls) => server.listen_rustls_0_23(listener, tls)?,
            None => server.listen(listener)?,
        };
        let metrics = match metrics_listen {
            Some(listen) => Some(serve_metrics(listen)?),
            None => None,
        };
        Ok(Self { server: server.run(), metrics, address, state, first_password })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The issuer.
    pub fn public_url(&self) -> &str {
        self.state.env.public_url.as_str()
    }

    /// Its database.
    pub fn db(&self) -> &Db {
        &self.state.db
    }

    /// Its environment.
    pub fn env(&self) -> Arc<Env> {
        Arc::clone(&self.state.env)
    }

    /// Administrator's password, when this start made the database and nobody chose one.
    pub fn first_password(&self) -> Option<&SecretString> {
        self.first_password.as_ref()
    }

    /// Stops the server from elsewhere.
    pub fn stop_handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Serves until SIGTERM or SIGINT (or the stop handle): stops accepting, finishes what runs.
    ///
    /// # Errors
    /// An I/O error of the server.
    pub async fn run(self) -> std::io::Result<()> {
        if let Some(metrics) = self.metrics {
            actix_web::rt::spawn(metrics);
        }
        self.server.await?;
        // Last, so that the file alone is the whole database for whoever copies it now.
        if let Err(error) = self.state.db.fold_log() {
            tracing::warn!(cause = %error, "the database keeps its write-ahead log beside it");
        }
        Ok(())
    }
}

/// Builds the application on a runtime of its own and serves until it is told to stop; `ready` is
/// called once it listens.
///
/// # Errors
/// The line of a [`StartError`], of `ready`, or of the server.
pub fn serve(config: Config, parts: Parts, ready: impl FnOnce(&Application) -> Result<(), String>) -> Result<(), String> {
    actix_web::rt::System::new().block_on(async move {
        let application = Application::build(config, parts).await.map_err(|error| error.to_string())?;
        ready(&application)?;
        application.run().await.map_err(|error| error.to_string())
    })
}

fn serve_metrics(listen: SocketAddr) -> Result<Server, StartError> {
    let metrics = Metrics::install()?;
    let listener = TcpListener::bind(listen).map_err(|cause| StartError::Listen { address: listen, cause })?;
    let render = move || {
        let metrics = metrics.clone();
        async move { HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(metrics.render()) }
    };
    Ok(HttpServer::new(move || App::new().route("/metrics", web::get().to(render.clone())))
        .workers(1)
        .disable_signals()
        .listen(listener)?
        .run())
}

/// A row of the table of API methods, as `ostiary methods` shows it.
pub struct MethodRow {
    pub path: &'static str,
    /// Whether it may be called without credentials.
    pub guest: bool,
    /// Roles of which the caller needs one; empty where who is logged in may call it.
    pub roles: &'static [&'static str],
    pub verbs: Vec<&'static str>,
    /// Scopes that reach it besides its own `method:` word; none where no token is looked at.
    pub scopes: Vec<&'static str>,
    /// The tightest limit that counts its calls.
    pub limit: Limit,
}

/// Every API method, by name. Here, because no other room may import the dialect.
pub fn methods() -> impl Iterator<Item = MethodRow> {
    frappe::registry::METHODS.iter().map(|method| MethodRow {
        path: method.path,
        guest: method.guest,
        roles: method.roles,
        verbs: method.verbs.iter().map(|verb| verb.as_str()).collect(),
        scopes: method.reached.words(),
        limit: method.limit,
    })
}

/// Every request comes in here and goes to its door.
async fn entry(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let path = request.path();
    if path.starts_with("/api/") || frappe::is_file_path(path) || (path == "/" && is_command(&request)) {
        return frappe::dispatch(&state, &request, payload).await;
    }
    let mut log = RequestLog::new(request.method().clone(), extract::client_address(&request, &state.env.config.server.trusted_proxies));
    let mut response = match path {
        "/health/live" => {
            log.route = "/health/live";
            http::health::live()
        }
        "/health/ready" => {
            log.route = "/health/ready";
            http::health::ready(&state).await
        }
        _ if path.starts_with("/.well-known/") => http::oauth::well_known(&state, &request, &mut log).await,
        _ => pages::handle(&state, &request, payload, &mut log).await,
    };
    respond::finish(&mut response);
    log.finish(response.status());
    response
}

/// The old Python client posts `cmd=<method>` to `/`.
fn is_command(request: &HttpRequest) -> bool {
    request.method() == actix_web::http::Method::POST || request.query_string().split('&').any(|pair| pair.starts_with("cmd="))
}
