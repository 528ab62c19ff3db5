//! `[log]`: what is logged, where and how.

use std::path::PathBuf;

use serde::Deserialize;

/// The `[log]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Filter in tracing's syntax. `OSTIARY_LOG`, default `info`; the demo's is `warn`.
    pub filter: Option<String>,
    /// Pretty or JSON lines. `OSTIARY_LOG_FORMAT`, default `auto`: pretty on a terminal, JSON otherwise.
    pub format: LogFormat,
    /// A file to append to instead of standard error. `OSTIARY_LOG_FILE`, default none.
    pub file: Option<PathBuf>,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Auto,
    Pretty,
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: None, format: LogFormat::Auto, file: None }
    }
}
