//! `ostiary key`: the keys that sign id tokens.

use std::time::Duration;

use clap::Subcommand;

use super::table::table;
use crate::app::Workshop;
use crate::audit::{self, AuditEvent};
use crate::config::Config;
use crate::domain::Instant;
use crate::domain::client::SigningAlgorithm;
use crate::oidc::keys;
use crate::store::signing_keys::{self, KeyState, StoredKey};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show every key: next, current, retired
    List,
    /// Let the next key of each algorithm sign from now on; the current one stays published for a week
    Rotate {
        /// Stop publishing every older key at once, as after a leak: what they signed verifies no more
        #[arg(long)]
        drop_old: bool,
    },
}

pub(super) fn run(config: Config, command: &Command) -> Result<String, String> {
    let workshop = Workshop::beside(config).map_err(|error| error.to_string())?;
    match command {
        Command::List => list(&workshop),
        Command::Rotate { drop_old } => rotate(&workshop, *drop_old),
    }
}

fn stored(workshop: &Workshop) -> Result<Vec<StoredKey>, String> {
    workshop.read(|cx| Ok(signing_keys::list_keys(cx.conn)?)).map_err(super::refusal)
}

fn list(workshop: &Workshop) -> Result<String, String> {
    let shown = |at: Option<Instant>| at.map_or_else(|| "-".to_owned(), |at| at.naive_utc().format("%Y-%m-%d %H:%M").to_string());
    let rows: Vec<[String; 6]> = stored(workshop)?
        .into_iter()
        .map(|key| {
            let (algorithm, state) = (key.algorithm.as_str().to_owned(), key.state.as_str().to_owned());
            [key.kid, algorithm, state, shown(Some(key.created)), shown(key.activated_at), shown(key.retired_at)]
        })
        .collect();
    Ok(table(["key", "algorithm", "state", "made", "signs since", "retired"], &rows, "No keys; make them with: ostiary migrate"))
}

fn rotate(workshop: &Workshop, drop_old: bool) -> Result<String, String> {
    let now = workshop.env.clock.now();
    // Slow, so before the transaction.
    let fresh = SigningAlgorithm::ALL.map(|algorithm| keys::make(&workshop.env.seal, now, algorithm, KeyState::Next));
    let rotated = workshop.write("rotate signing keys", move |cx| {
        for key in &fresh {
            keys::rotate(cx.conn, cx.effects, cx.now, key)?;
        }
        if drop_old {
            // The one that was current was retired at this very moment.
            signing_keys::purge_retired(cx.conn, cx.now.plus(Duration::from_micros(1)))?;
        }
        Ok(audit::record(cx, None, &AuditEvent::SigningKeysRotated)?)
    });
    rotated.map_err(super::refusal)?;
    let current = stored(workshop)?.into_iter().filter(|key| key.state == KeyState::Current);
    let signing: Vec<String> = current.map(|key| format!("{} {}", key.algorithm.as_str(), key.kid)).collect();
    let before = if drop_old { "are gone: what they signed verifies no more" } else { "go on verifying for a week" };
    Ok(format!("Signing from now on: {}. The keys before them {before}.\n", signing.join(", ")))
}
