//! Rate limits: GCRA by count, per caller and per address. In memory, per process.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::config::LimitsConfig;
use crate::domain::limit::{self as domain, Limit};
use crate::error::AppError;

type Keyed = RateLimiter<String, DashMapStateStore<String>, DefaultClock>;

/// The budgets of every limited action.
pub struct Limits {
    limiters: Vec<(Limit, u32, Keyed)>,
    clock: DefaultClock,
}

/// What is left of a budget; for `X-RateLimit-*`.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub limit: u32,
}

impl Limits {
    /// What a limit is with these settings.
    pub fn quota(config: &LimitsConfig, limit: Limit) -> domain::Quota {
        let default = limit.default_quota();
        let (count, period) =
            config.quotas.get(limit.name()).map_or((default.count, default.period), |set| (set.count, Duration::from_secs(set.seconds)));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to u32's range first")]
        let count = (f64::from(count) * config.scale).clamp(1.0, f64::from(u32::MAX)) as u32;
        domain::Quota { count, period }
    }

    /// Builds all limiters from the settings.
    pub fn new(config: &LimitsConfig) -> Self {
        let limiters = Limit::ALL
            .into_iter()
            .map(|limit| {
                let domain::Quota { count: scaled, period } = Self::quota(config, limit);
                let burst = NonZeroU32::new(scaled).unwrap_or(NonZeroU32::MIN);
                // A period of zero, or less than a nanosecond each, cannot be counted.
                let each = (period / scaled).max(Duration::from_nanos(1));
                let quota = Quota::with_period(each).expect("at least a nanosecond").allow_burst(burst);
                (limit, scaled, RateLimiter::keyed(quota))
            })
            .collect();
        Self { limiters, clock: DefaultClock::default() }
    }

    fn get(&self, limit: Limit) -> &(Limit, u32, Keyed) {
        self.limiters.iter().find(|(known, _, _)| *known == limit).expect("every limit was built")
    }

    /// Counts one use by `key`.
    ///
    /// # Errors
    /// [`AppError::TooManyRequests`] with the time to wait when the budget is spent.
    pub fn check(&self, limit: Limit, key: &str) -> Result<Budget, AppError> {
        let (_, count, limiter) = self.get(limit);
        match limiter.check_key(&key.to_owned()) {
            Ok(()) => Ok(Budget { limit: *count }),
            Err(until) => Err(AppError::TooManyRequests { limit: limit.name(), retry_after: until.wait_time_from(self.clock.now()) }),
        }
    }

    /// Forgets callers that have their full budget again; called in the background.
    pub fn shrink(&self) {
        for (_, _, limiter) in &self.limiters {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::QuotaConfig;

    #[test]
    fn whatever_settings_allow_can_be_counted() {
        for (count, seconds) in [(1, 1), (1, 31 * 86_400), (u32::MAX, 1), (u32::MAX, 31 * 86_400)] {
            for scale in [f64::MIN_POSITIVE, 1.0, f64::MAX] {
                let quotas = Limit::ALL.map(|limit| (limit.name().to_owned(), QuotaConfig { count, seconds })).into();
                let limits = Limits::new(&LimitsConfig { scale, quotas });
                assert!(limits.check(Limit::Request, "somebody").is_ok(), "{count} in {seconds} s, times {scale}");
            }
        }
    }
}
