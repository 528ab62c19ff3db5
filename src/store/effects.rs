//! What a job wants done once its transaction is committed, and what every process hears of.
//!
//! Collected here by flows and stores, carried out by `db.rs`.

use super::epochs::{DOCTYPES, SIGNING_KEYS};
use super::{Conn, StoreError};

/// What every process keeps whole in memory until it hears that it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shared {
    SigningKeys,
    Doctypes,
}

impl Shared {
    pub(super) const ALL: [Self; 2] = [Self::SigningKeys, Self::Doctypes];

    /// What a subject of [`super::epochs`] stands for, if it is not credentials.
    pub(super) fn of_subject(subject: &str) -> Option<Self> {
        match subject {
            SIGNING_KEYS => Some(Self::SigningKeys),
            DOCTYPES => Some(Self::Doctypes),
            _ => None,
        }
    }
}

/// A write that need not be waited for, such as `last_used`; dropped when the writer is busy or fails.
pub(super) type LaterJob = Box<dyn FnMut(&mut Conn) -> Result<(), StoreError> + Send>;

/// What a job wants done once its transaction is committed; discarded when it rolls back.
#[derive(Default)]
pub struct Effects {
    pub(super) forget: Vec<String>,
    pub(super) later: Vec<(&'static str, LaterJob)>,
    pub(super) committed: Vec<Box<dyn FnOnce() + Send>>,
    pub(super) changed: Vec<Shared>,
}

impl Effects {
    /// Cached credentials of this subject are not to be trusted any more. Called by
    /// [`super::epochs::bump`], which also tells the other processes.
    pub(super) fn forget(&mut self, subject: &str) {
        self.forget.push(subject.to_owned());
    }

    /// Whether this transaction has changed what follows for a subject.
    pub fn forgets(&self, subject: &str) -> bool {
        self.forget.iter().any(|known| known == subject)
    }

    /// A small write after the answer, which may be dropped.
    pub fn later(&mut self, name: &'static str, job: impl FnMut(&mut Conn) -> Result<(), StoreError> + Send + 'static) {
        self.later.push((name, Box::new(job)));
    }

    /// Something to note in memory as soon as the transaction is durable, before it is answered.
    pub fn committed(&mut self, note: impl FnOnce() + Send + 'static) {
        self.committed.push(Box::new(note));
    }

    /// Something that is kept in memory changed and is to be read anew. Called by [`super::epochs::bump`] too.
    pub(super) fn changed(&mut self, shared: Shared) {
        self.changed.push(shared);
    }
}
