//! The credential cache: what a presented credential turned out to be, for as long as nothing
//! about it can have changed.
//!
//! An entry is valid only while its user's epoch is current (see `store::epochs`); expiry,
//! addresses and scopes are checked on every hit by `evaluate`. Keys are hashes under a salt of
//! this process, so a copy of the memory holds no credential.

use std::sync::Arc;

use super::{Credential, Known};
use crate::secrets::mint;
use crate::store::epochs::Epochs;

/// Entries that are kept at most; an entry takes a few hundred bytes.
const CAPACITY: u64 = 40_000;

/// Remembers credentials that were found.
pub struct CredentialCache {
    entries: moka::sync::Cache<[u8; 32], Arc<Entry>>,
    epochs: Arc<Epochs>,
    salt: [u8; 32],
}

struct Entry {
    known: Arc<Known>,
    as_of: u64,
}

impl CredentialCache {
    /// An empty cache over the epochs of a database.
    pub fn new(epochs: Arc<Epochs>) -> Self {
        Self { entries: moka::sync::Cache::new(CAPACITY), epochs, salt: mint::random_bytes() }
    }

    /// The key of a credential; `None` when there is none.
    pub fn key(&self, credential: &Credential) -> Option<[u8; 32]> {
        credential.cache_key(&self.salt)
    }

    /// What is known about a credential, if that may still be trusted.
    pub fn find(&self, key: &[u8; 32]) -> Option<Arc<Known>> {
        let entry = self.entries.get(key)?;
        if self.epochs.is_current(entry.known.caller.name(), entry.as_of) {
            Some(Arc::clone(&entry.known))
        } else {
            self.entries.invalidate(key);
            None
        }
    }

    /// The epoch to pass to [`CredentialCache::insert`]; read it before the SELECT.
    pub fn epoch(&self) -> u64 {
        self.epochs.now()
    }

    /// Remembers what a SELECT found that began at `as_of`.
    pub fn insert(&self, key: [u8; 32], known: Arc<Known>, as_of: u64) {
        self.entries.insert(key, Arc::new(Entry { known, as_of }));
    }
}
