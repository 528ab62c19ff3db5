//! The gate before Argon2: few checks at once, a bounded wait, everything off the async threads.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use crate::error::AppError;
use crate::secrets::password;

/// Lets a bounded number of password hashes run at once.
pub struct PasswordGate {
    permits: Semaphore,
    wait: Duration,
}

impl PasswordGate {
    /// A gate of `checks` permits (0: cores - 1, at least 1) whose callers wait `wait` at most.
    pub fn new(checks: usize, wait: Duration) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let permits = if checks == 0 { cores.saturating_sub(1).max(1) } else { checks };
        Self { permits: Semaphore::new(permits), wait }
    }

    /// Checks a password; `None` as the stored hash costs the same and is never right.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] when no permit came free in time.
    pub async fn verify(&self, presented: SecretString, stored: Option<String>) -> Result<bool, AppError> {
        self.run(move || password::verify(presented.expose_secret(), stored.as_deref())).await
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] when no permit came free in time.
    pub async fn hash(&self, presented: SecretString) -> Result<String, AppError> {
        self.run(move || password::hash(presented.expose_secret())).await
    }

    /// Runs slow work behind the gate.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] when no permit came free in time.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AppError> {
        let permit = tokio::time::timeout(self.wait, self.permits.acquire()).await;
        let _permit = permit.map_err(|_| AppError::unavailable("all password checks are busy"))?.map_err(AppError::unavailable)?;
        tokio::task::spawn_blocking(work).await.map_err(AppError::internal)
    }
}
