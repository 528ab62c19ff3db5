//! The command line: one file per command of the design's section 2.
//!
//! A command reads its arguments, opens what it needs through `app`, calls a flow and prints.
//! Secrets are read from a prompt or standard input, never from an argument, and printed once. To
//! add a command: a file here, a variant of [`Command`].

mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Overrides, parse_network};

/// An OAuth 2.0 / OpenID Connect authorization server and the resource API behind it.
#[derive(Parser)]
#[command(name = "ostiary", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Settings that every command takes; each also has a variable `OSTIARY_…` and a place in the settings file.
#[derive(Args)]
struct Settings {
    /// Settings file [default: ostiary.toml, if there is one]
    #[arg(long, global = true, env = "OSTIARY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:8000]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// sqlite://PATH or postgres://… [default: sqlite://ostiary.db]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// URL that clients use; it is the issuer [default: http://<listen>]
    #[arg(long, global = true, value_name = "URL")]
    public_url: Option<String>,
    /// Certificate chain (PEM); read again on SIGHUP
    #[arg(long, global = true, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key (PEM)
    #[arg(long, global = true, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Serve /metrics (Prometheus) here and only here
    #[arg(long, global = true, value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    /// A proxy (address or network) whose X-Forwarded-For is believed; may be repeated
    #[arg(long, global = true, value_name = "NETWORK", value_parser = parse_network)]
    trusted_proxy: Vec<ipnet::IpNet>,
    /// Accept a public URL that is neither https nor loopback
    #[arg(long, global = true)]
    insecure_http: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Migrate, make what is missing, listen (the default)
    Serve,
}

impl Settings {
    fn load(&self) -> Result<Config, String> {
        let overrides = Overrides {
            config_file: self.config.clone(),
            listen: self.listen,
            database_url: self.database_url.clone(),
            public_url: self.public_url.clone(),
            tls_cert: self.tls_cert.clone(),
            tls_key: self.tls_key.clone(),
            metrics_listen: self.metrics_listen,
            trusted_proxies: self.trusted_proxy.clone(),
            insecure_http: self.insecure_http,
        };
        Config::load(&overrides).map_err(|error| error.to_string())
    }
}

/// Runs the command line. A failure is one line on standard error and exit code 1.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = cli.settings.load().and_then(|config| match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(config),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("ostiary: {message}");
            ExitCode::FAILURE
        }
    }
}
