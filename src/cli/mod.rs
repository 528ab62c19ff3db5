//! The command line: one file per command of the design's section 2.
//!
//! A command reads its arguments, opens what it needs through `app`, calls a flow and prints.
//! Secrets are read from a prompt or standard input, never from an argument, and printed once. To
//! add a command: a file here, a variant of `Command`.

mod backup;
mod client;
mod demo;
mod doctor;
mod doctype;
mod documents;
mod first_login;
mod key;
mod methods;
mod migrate;
mod password;
mod serve;
mod table;
mod token;
mod user;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Overrides, parse_network};
use crate::error::AppError;

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
    /// URL that clients use; it is the issuer; without it, http:// and where it listens
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
    /// Serve a throw-away database with sample users, documents and an app to log in to, on loopback
    Demo,
    /// Apply migrations and make what is missing, without listening
    Migrate,
    /// Check configuration, database, keys and clock, and say what is wrong
    Doctor,
    /// Users, their roles, passwords and API keys
    #[command(subcommand)]
    User(user::Command),
    /// OAuth clients and their secrets
    #[command(subcommand)]
    Client(client::Command),
    /// Doctypes of the site: import definitions, list them
    #[command(subcommand)]
    Doctype(doctype::Command),
    /// End what clients were granted
    #[command(subcommand)]
    Token(token::Command),
    /// Keys that sign id tokens
    #[command(subcommand)]
    Key(key::Command),
    /// List every API method
    Methods,
    /// Copy a SQLite database while it serves, with its seal key
    Backup(backup::Arguments),
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
        Command::Serve => serve::run(config).map(|()| String::new()),
        Command::Demo => demo::run(config).map(|()| String::new()),
        Command::Migrate => migrate::run(config),
        Command::Doctor => doctor::run(&config),
        Command::User(command) => user::run(config, command),
        Command::Client(command) => client::run(config, command),
        Command::Doctype(command) => doctype::run(config, command),
        Command::Token(command) => token::run(config, &command),
        Command::Key(command) => key::run(config, &command),
        Command::Methods => Ok(methods::run(&config.limits)),
        Command::Backup(arguments) => backup::run(config, &arguments),
    });
    match outcome {
        Ok(text) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("ostiary: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what a command answers. Who closed the pipe (`| head`) has seen enough.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A failure of a flow as the command line says it.
fn refusal(error: AppError) -> String {
    match error {
        AppError::Mandatory { fields, .. } => {
            let labels: Vec<String> = fields.into_iter().map(|field| field.label).collect();
            format!("{} is required", labels.join(", "))
        }
        AppError::Unavailable { cause, .. } => format!("the database is not available: {cause}"),
        other => other.to_string(),
    }
}
