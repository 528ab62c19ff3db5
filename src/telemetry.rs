//! Logs and metrics: set up once by `cli`, used everywhere through `tracing`.

mod json_line;

use std::io::IsTerminal as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{ConfigError, LogConfig, LogFormat};

/// What is logged unless a filter is set.
const DEFAULT_FILTER: &str = "info,actix_server=warn";

/// Flushes the log when dropped; keep it until the process ends.
#[must_use]
pub struct LogGuard(#[expect(dead_code, reason = "held for its Drop")] WorkerGuard);

/// Starts logging: pretty lines on a terminal, JSON otherwise, written by a thread of its own so
/// that a slow disk never holds a request; lines are dropped rather than waited for.
///
/// # Errors
/// [`ConfigError`] for a filter that does not parse or a file that cannot be opened.
pub fn start(config: &LogConfig) -> Result<LogGuard, ConfigError> {
    let filter = config.filter.as_deref().unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(filter).map_err(|error| ConfigError(format!("log filter {filter:?}: {error}")))?;
    let (writer, guard) = match &config.file {
        Some(path) => {
            let file = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
            let file = file.map_err(|error| ConfigError(format!("cannot open log file {}: {error}", path.display())))?;
            // The log thread flushes whenever it has caught up, so buffering delays no line; it
            // saves a system call per line when there are many.
            tracing_appender::non_blocking(std::io::BufWriter::with_capacity(64 * 1024, file))
        }
        None => tracing_appender::non_blocking(std::io::stderr()),
    };
    let pretty = match config.format {
        LogFormat::Auto => config.file.is_none() && std::io::stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    install(filter, writer, pretty);
    Ok(LogGuard(guard))
}

fn install(filter: EnvFilter, writer: NonBlocking, pretty: bool) {
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(NonBlockingMaker(writer));
    // A second start in one process (tests) keeps the first.
    let _ = if pretty {
        builder.with_target(false).try_init()
    } else {
        builder.event_format(json_line::JsonLine).fmt_fields(tracing_subscriber::fmt::format::JsonFields::new()).try_init()
    };
}

struct NonBlockingMaker(NonBlocking);

impl<'a> MakeWriter<'a> for NonBlockingMaker {
    type Writer = NonBlocking;

    fn make_writer(&'a self) -> NonBlocking {
        self.0.clone()
    }
}

/// Renders the metrics in Prometheus's text form.
#[derive(Clone)]
pub struct Metrics(metrics_exporter_prometheus::PrometheusHandle);

impl Metrics {
    /// Starts counting. Without it the counters cost next to nothing.
    ///
    /// # Errors
    /// [`ConfigError`] when another recorder is installed already.
    pub fn install() -> Result<Self, ConfigError> {
        let buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
        let handle = metrics_exporter_prometheus::PrometheusBuilder::new()
            .set_buckets(&buckets)
            .map_err(|error| ConfigError(format!("metrics: {error}")))?
            .install_recorder()
            .map_err(|error| ConfigError(format!("metrics: {error}")))?;
        Ok(Self(handle))
    }

    /// The text of `/metrics`.
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

/// Counts one request.
pub fn count_request(route: &'static str, status: u16, elapsed: Duration) {
    let class = match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    metrics::counter!("ostiary_http_requests_total", "route" => route, "status" => class).increment(1);
    metrics::histogram!("ostiary_http_request_seconds", "route" => route).record(elapsed.as_secs_f64());
}
