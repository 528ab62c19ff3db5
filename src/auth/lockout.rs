//! Counting failed password checks, so that guessing is slow and nobody is locked out from elsewhere.
//!
//! Failures count per (account, address): over the limit that pair waits for the window to end,
//! even with the right password. An account under attack from many addresses answers slower
//! everywhere but refuses nobody. Unknown names are counted alike. Live sessions and keys are
//! never touched. In memory: a restart forgets, and each process counts for itself.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as Clock};

use super::address::limit_key;
use crate::domain::limit::{Limit, Quota};
use crate::error::AppError;
use crate::secrets::SecretHash;

/// The counters of one process.
pub struct Lockout {
    pairs: Counter,
    addresses: Counter,
    accounts: Counter,
}

struct Counter {
    entries: moka::sync::Cache<[u8; 32], Arc<Mutex<Window>>>,
    quota: Quota,
}

#[derive(Default)]
struct Window {
    started: Option<Clock>,
    failures: u32,
    /// Checks that are running: they count as failures until they end, so parallel guesses gain nothing.
    running: u32,
}

/// A password check that may go ahead; tell it how it ended.
pub struct Attempt {
    pair: Arc<Mutex<Window>>,
    address: Arc<Mutex<Window>>,
    account: Arc<Mutex<Window>>,
    /// How long to wait before checking.
    pub delay: Duration,
    ended: bool,
}

impl Counter {
    fn new(quota: Quota) -> Self {
        // Entries outlive their window by a little; then they are forgotten.
        let entries = moka::sync::Cache::builder().max_capacity(50_000).time_to_live(quota.period * 2).build();
        Self { entries, quota }
    }

    fn window(&self, key: &[&[u8]]) -> Arc<Mutex<Window>> {
        self.entries.get_with(SecretHash::of_tuple(key).bytes(), Arc::default)
    }

    /// How long until this window has room; zero when it has.
    fn wait(&self, window: &mut Window) -> Duration {
        let Some(started) = window.started else {
            return if window.running >= self.quota.count { Duration::from_secs(1) } else { Duration::ZERO };
        };
        let age = started.elapsed();
        if age >= self.quota.period {
            window.started = None;
            window.failures = 0;
        }
        if window.failures >= self.quota.count {
            self.quota.period.saturating_sub(age)
        } else if window.failures + window.running >= self.quota.count {
            Duration::from_secs(1)
        } else {
            Duration::ZERO
        }
    }
}

fn lock(window: &Mutex<Window>) -> std::sync::MutexGuard<'_, Window> {
    // Nothing in here panics while holding it; a poisoned count is still a count.
    window.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Lockout {
    /// Counters with the quotas of the settings.
    pub fn new(quota: impl Fn(Limit) -> Quota) -> Self {
        Self {
            pairs: Counter::new(quota(Limit::LoginFailure)),
            addresses: Counter::new(quota(Limit::LoginFailureAddress)),
            accounts: Counter::new(quota(Limit::LoginFailureAccount)),
        }
    }

    /// Asks whether a password of `account` may be checked for a caller from `address`.
    ///
    /// # Errors
    /// [`AppError::Locked`] with the time to wait.
    pub fn begin(&self, account: &str, address: IpAddr) -> Result<Attempt, AppError> {
        let from = limit_key(address);
        let pair = self.pairs.window(&[account.as_bytes(), from.as_bytes()]);
        let by_address = self.addresses.window(&[from.as_bytes()]);
        let by_account = self.accounts.window(&[account.as_bytes()]);
        {
            let mut pair = lock(&pair);
            let mut by_address = lock(&by_address);
            let wait = self.pairs.wait(&mut pair).max(self.addresses.wait(&mut by_address));
            if wait > Duration::ZERO {
                return Err(AppError::Locked { retry_after: wait.max(Duration::from_secs(1)) });
            }
            pair.running += 1;
            by_address.running += 1;
        }
        let under_attack = self.accounts.wait(&mut lock(&by_account)) > Duration::ZERO;
        let delay = if under_attack { Duration::from_secs(2) } else { Duration::ZERO };
        Ok(Attempt { pair, address: by_address, account: by_account, delay, ended: false })
    }
}

impl Attempt {
    /// The password was right: the pair's failures are forgotten.
    pub fn succeeded(mut self) {
        self.release();
        let mut pair = lock(&self.pair);
        pair.started = None;
        pair.failures = 0;
    }

    /// The password was wrong.
    pub fn failed(mut self) {
        self.release();
        for window in [&self.pair, &self.address, &self.account] {
            let mut window = lock(window);
            window.started.get_or_insert_with(Clock::now);
            window.failures += 1;
        }
    }

    fn release(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            for window in [&self.pair, &self.address] {
                let mut window = lock(window);
                window.running = window.running.saturating_sub(1);
            }
        }
    }
}

impl Drop for Attempt {
    /// A check that was given up (the caller went away) counts neither way.
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn lockout() -> Lockout {
        Lockout::new(Limit::default_quota)
    }

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

    #[test]
    fn ten_failures_lock_that_address_and_nobody_elsewhere() {
        let lockout = lockout();
        for _ in 0..10 {
            lockout.begin("alice", ELSEWHERE).expect("still open").failed();
        }
        assert!(
            matches!(lockout.begin("alice", ELSEWHERE), Err(AppError::Locked { retry_after }) if retry_after > Duration::from_secs(50))
        );
        assert!(lockout.begin("alice", HOME).is_ok());
        assert!(lockout.begin("bob", ELSEWHERE).is_ok());
    }

    #[test]
    fn parallel_guesses_are_counted_while_they_run() {
        let lockout = lockout();
        let running: Vec<_> = (0..10).map(|_| lockout.begin("alice", HOME).expect("room for ten")).collect();
        assert!(lockout.begin("alice", HOME).is_err());
        drop(running);
        assert!(lockout.begin("alice", HOME).is_ok());
    }

    #[test]
    fn a_right_password_forgets_earlier_failures() {
        let lockout = lockout();
        for _ in 0..9 {
            lockout.begin("alice", HOME).expect("open").failed();
        }
        lockout.begin("alice", HOME).expect("open").succeeded();
        for _ in 0..10 {
            lockout.begin("alice", HOME).expect("counting starts anew").failed();
        }
    }
}
