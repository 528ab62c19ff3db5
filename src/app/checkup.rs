//! What `ostiary doctor` looks at: everything a start depends on, without changing anything.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::{StartError, Workshop, seal};
use crate::config::Config;
use crate::domain::Instant;
use crate::domain::client::SigningAlgorithm;
use crate::domain::user::ADMINISTRATOR;
use crate::error::AppError;
use crate::fetch::Fetcher;
use crate::http;
use crate::oidc;
use crate::store::signing_keys::{self, KeyState, StoredKey};
use crate::store::{self, Backend, DatabaseUrl};

/// What findings about the seal key are called.
const SEAL_KEY: &str = "seal key";
/// Clocks that differ by more than this make tokens expire early or late.
const MAX_SKEW: Duration = Duration::from_secs(5);

/// One thing that was looked at.
pub struct Finding {
    pub subject: &'static str,
    pub verdict: Verdict,
    /// What was found, and for anything but [`Verdict::Good`] what to do.
    pub text: String,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// Works, but not as it should.
    Warning,
    /// Keeps the server from starting or from doing its job.
    Broken,
}

impl Finding {
    fn good(subject: &'static str, text: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Good, text: text.into() }
    }

    fn warning(subject: &'static str, text: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Warning, text: text.into() }
    }

    fn broken(subject: &'static str, text: impl ToString) -> Self {
        Self { subject, verdict: Verdict::Broken, text: text.to_string() }
    }
}

/// Looks at everything; what comes after a broken database cannot be looked at and is left out.
pub fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![configuration(config)];
    let url = match DatabaseUrl::parse(&config.database.url) {
        Ok(url) => url,
        Err(error) => {
            findings.push(Finding::broken("database", error));
            return findings;
        }
    };
    findings.extend(key_file_mode(config, &url));
    match Workshop::beside(config.clone()) {
        Err(error @ StartError::Seal(_)) => findings.push(Finding::broken(SEAL_KEY, error)),
        Err(error) => {
            findings.push(Finding::broken("database", error));
            findings.extend(missing_seal_key(config, &url));
        }
        Ok(workshop) => findings.extend(inside(&workshop, &url)),
    }
    findings
}

fn configuration(config: &Config) -> Finding {
    let subject = "configuration";
    let url = match config.public_url(config.server.listen) {
        Ok(url) => url,
        Err(error) => return Finding::broken(subject, error),
    };
    if let Err(error) = http::tls::check(&config.server) {
        return Finding::broken(subject, format!("certificate: {error}"));
    }
    if let Err(error) = Fetcher::new(&config.fetch) {
        return Finding::broken(subject, error);
    }
    if config.server.insecure_http && !url.is_https() {
        return Finding::warning(
            subject,
            format!("public URL {} is not https: whoever listens on the way reads passwords and tokens", url.as_str()),
        );
    }
    Finding::good(subject, format!("public URL {}, listening on {}", url.as_str(), config.server.listen))
}

/// The key that a database will need as soon as it answers. Beside a SQLite file it is made when it is first needed.
fn missing_seal_key(config: &Config, url: &DatabaseUrl) -> Option<Finding> {
    match (url, seal::find(config, url)) {
        (DatabaseUrl::Postgres(_), Ok(seal::Found::Missing(_))) => Some(Finding::broken(SEAL_KEY, seal::NEEDED_WITH_POSTGRES)),
        (DatabaseUrl::Postgres(_) | DatabaseUrl::Sqlite(_), _) => None,
    }
}

/// The key file opens everything that is sealed, so nobody else may read it.
fn key_file_mode(config: &Config, url: &DatabaseUrl) -> Option<Finding> {
    let DatabaseUrl::Sqlite(path) = url else { return None };
    if config.security.seal_key.is_some() {
        return None;
    }
    let file = seal::key_file(path);
    let mode = std::fs::metadata(&file).ok()?.permissions().mode();
    let open = mode & 0o077 != 0;
    open.then(|| Finding::warning("key file", format!("others may read {0}; close it with: chmod 600 {0}", file.display())))
}

fn inside(workshop: &Workshop, url: &DatabaseUrl) -> Vec<Finding> {
    let check = |subject, found: Result<Finding, AppError>| found.unwrap_or_else(|error| Finding::broken(subject, error));
    vec![
        Finding::good("database", format!("{url} answers, and the seal key is the right one")),
        check("migrations", migrations(workshop)),
        check("administrator", administrator(workshop)),
        check("signing keys", signing(workshop)),
        check("clock", clock(workshop)),
    ]
}

fn migrations(workshop: &Workshop) -> Result<Finding, AppError> {
    Ok(Finding::good("migrations", format!("all {} applied", workshop.db.migrations()?)))
}

fn administrator(workshop: &Workshop) -> Result<Finding, AppError> {
    let subject = "administrator";
    let (user, hash) = workshop
        .read(|cx| Ok((store::users::find_user(cx.conn, ADMINISTRATOR)?, store::users::find_password_hash(cx.conn, ADMINISTRATOR)?)))?;
    Ok(match user {
        None => Finding::broken(subject, "there are no users yet; make them with: ostiary migrate"),
        Some(user) if !user.enabled => {
            Finding::warning(subject, "Administrator is disabled; let it in with: ostiary user enable Administrator")
        }
        Some(_) if hash.is_none() => {
            Finding::warning(subject, "Administrator has no password; set one with: ostiary user set-password Administrator")
        }
        Some(_) => Finding::good(subject, "can log in"),
    })
}

fn signing(workshop: &Workshop) -> Result<Finding, AppError> {
    let keys = stored_keys(workshop)?;
    // Opens every one of them with the seal key.
    workshop.read(|cx| oidc::keys::load(cx.conn, &cx.env.seal))?;
    for algorithm in SigningAlgorithm::ALL {
        for state in [KeyState::Current, KeyState::Next] {
            if !keys.iter().any(|key| key.algorithm == algorithm && key.state == state) {
                let text = format!("no {} key for {}; make it with: ostiary migrate", state.as_str(), algorithm.as_str());
                return Ok(Finding::broken("signing keys", text));
            }
        }
    }
    Ok(Finding::good("signing keys", format!("{} keys, all open with the seal key", keys.len())))
}

fn clock(workshop: &Workshop) -> Result<Finding, AppError> {
    let now = workshop.env.clock.now();
    // A clock that was set back shows in what was written before.
    let newest = stored_keys(workshop)?.iter().map(|key| key.created).max();
    if let Some(ahead) = newest.map(|newest| newest.since(now)).filter(|ahead| *ahead > MAX_SKEW) {
        return Ok(Finding::broken(
            "clock",
            format!("this machine is {} behind what the database was written with; set its clock", seconds(ahead)),
        ));
    }
    if workshop.db.backend() == Backend::Sqlite {
        return Ok(Finding::good("clock", format!("{} UTC", shown(now))));
    }
    let skew = workshop.db.clock_skew(now)?;
    Ok(if skew > MAX_SKEW {
        Finding::warning("clock", format!("this machine and the database differ by {}; run NTP on both", seconds(skew)))
    } else {
        Finding::good("clock", format!("{} UTC, as the database's", shown(now)))
    })
}

fn stored_keys(workshop: &Workshop) -> Result<Vec<StoredKey>, AppError> {
    workshop.read(|cx| Ok(signing_keys::list_keys(cx.conn)?))
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

fn shown(at: Instant) -> String {
    at.naive_utc().format("%Y-%m-%d %H:%M:%S").to_string()
}
