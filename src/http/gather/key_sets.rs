//! [`KeySets`]: the keys that clients publish at their `jwks_uri`, kept for as long as HTTP allows.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::pay;
use crate::domain::Instant;
use crate::fetch::{FetchError, Fetched, Fetcher, Keep, MAX_KEY_SET};
use crate::limits::Limits;
use crate::secrets::PublicKeySet;

/// Most sets that are kept; each holds fifty keys at most.
const SETS: u64 = 1000;
/// How long a set that has run out is used while it cannot be fetched again: a client's short outage should
/// not lock it out, and a key it took away must not live on for long.
const USED_IN_NEED: Duration = Duration::from_secs(3600);
/// How often an unknown key id may have a set that is still fresh fetched again. Anybody can name one.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The sets that were fetched, by their address.
pub struct KeySets(moka::sync::Cache<String, Kept>);

#[derive(Clone)]
struct Kept {
    keys: Arc<PublicKeySet>,
    keep: Keep,
    fresh_until: Instant,
    /// When it was last asked for, whatever came of it.
    asked_at: Instant,
}

impl Default for KeySets {
    fn default() -> Self {
        Self(moka::sync::Cache::new(SETS))
    }
}

impl KeySets {
    /// The keys at an address: those that are kept, or else those that are there now. `kid` is the key that
    /// is looked for, if it has a name.
    ///
    /// # Errors
    /// Why there are none, for the log.
    pub(super) async fn get(
        &self,
        fetcher: &Fetcher,
        limits: &Limits,
        asker: IpAddr,
        url: &str,
        kid: Option<&str>,
        now: Instant,
    ) -> Result<Arc<PublicKeySet>, String> {
        let kept = self.0.get(url);
        if let Some(kept) = &kept {
            let unknown = kid.is_some_and(|kid| !kept.keys.has_kid(kid));
            if now < kept.fresh_until && (!unknown || now < kept.asked_at.plus(LOOK_AGAIN)) {
                return Ok(Arc::clone(&kept.keys));
            }
        }
        let known = kept.as_ref().map(|kept| &kept.keep.validators);
        let Ok(fetched) = fetcher.get(url, MAX_KEY_SET, known, || pay(limits, url, asker, kept.is_none())).await else {
            return self.in_need(url, kept, now, "too much was asked for; try again in a minute".into());
        };
        let (keys, keep) = match (fetched, &kept) {
            (Ok(Fetched::New { body, keep }), _) => match PublicKeySet::parse_published(&body) {
                Ok(keys) => (Arc::new(keys), keep),
                // Taking every key away is an answer; so is taking the set away.
                Err(error) => return self.gone(url, format!("it {error}")),
            },
            (Ok(Fetched::Same(keep)), Some(kept)) => (Arc::clone(&kept.keys), keep),
            (Ok(Fetched::Same(_)), None) => return Err(FetchError::Status(304).public_text()),
            (Err(error), _) if error.is_gone() => return self.gone(url, error.public_text()),
            (Err(error), _) => return self.in_need(url, kept, now, error.public_text()),
        };
        let entry = Kept { keys: Arc::clone(&keys), fresh_until: now.plus(keep.fresh_for), keep, asked_at: now };
        self.0.insert(url.to_owned(), entry);
        Ok(keys)
    }

    fn gone(&self, url: &str, reason: String) -> Result<Arc<PublicKeySet>, String> {
        self.0.invalidate(url);
        Err(reason)
    }

    /// What was kept, where it may stand in for what could not be fetched.
    fn in_need(&self, url: &str, kept: Option<Kept>, now: Instant, reason: String) -> Result<Arc<PublicKeySet>, String> {
        let usable = kept.filter(|kept| now < kept.fresh_until.plus(USED_IN_NEED)).ok_or(reason)?;
        let keys = Arc::clone(&usable.keys);
        self.0.insert(url.to_owned(), Kept { asked_at: now, ..usable });
        Ok(keys)
    }
}
