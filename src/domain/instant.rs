//! A point in time: UTC, cut to microseconds so that both databases store it without loss.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, SubsecRound, TimeDelta, Utc};

/// A UTC instant with microsecond precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(NaiveDateTime);

impl Instant {
    /// Cuts a UTC date-time to microseconds.
    pub fn new(utc: NaiveDateTime) -> Self {
        Self(utc.trunc_subsecs(6))
    }

    /// The instant of `seconds` since the Unix epoch; `None` outside chrono's range.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        DateTime::<Utc>::from_timestamp(seconds, 0).map(|at| Self(at.naive_utc()))
    }

    /// The instant of `micros` since the Unix epoch; `None` outside chrono's range.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        DateTime::<Utc>::from_timestamp_micros(micros).map(|at| Self(at.naive_utc()))
    }

    /// Whole seconds since the Unix epoch, as OAuth and JWT want them.
    pub fn unix(self) -> i64 {
        self.0.and_utc().timestamp()
    }

    /// Microseconds since the Unix epoch.
    pub fn unix_micros(self) -> i64 {
        self.0.and_utc().timestamp_micros()
    }

    /// This instant moved forward. Saturates at the end of chrono's range.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let delta = TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
        Self(self.0.checked_add_signed(delta).unwrap_or(NaiveDateTime::MAX))
    }

    /// This instant moved back. Saturates at the start of chrono's range.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let delta = TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
        Self(self.0.checked_sub_signed(delta).unwrap_or(NaiveDateTime::MIN))
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        (self.0 - earlier.0).to_std().unwrap_or_default()
    }

    /// The UTC date-time itself, for the store and for formatting.
    pub fn naive_utc(self) -> NaiveDateTime {
        self.0
    }
}

impl fmt::Display for Instant {
    /// Frappe's text form of a Datetime: a space between date and time, and no fraction when it is zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.and_utc().timestamp_subsec_micros() == 0 {
            write!(f, "{}", self.0.format("%Y-%m-%d %H:%M:%S"))
        } else {
            write!(f, "{}", self.0.format("%Y-%m-%d %H:%M:%S%.6f"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_drops_an_exactly_zero_fraction() {
        let at = Instant::from_unix_micros(1_795_363_568_123_400).expect("in range");
        assert_eq!(at.to_string(), "2026-11-22 16:06:08.123400");
        let whole = Instant::from_unix(1_795_363_568).expect("in range");
        assert_eq!(whole.to_string(), "2026-11-22 16:06:08");
    }

    #[test]
    fn arithmetic_saturates_and_never_panics() {
        let at = Instant::from_unix(0).expect("in range");
        assert!(at.plus(Duration::MAX) > at);
        assert_eq!(at.since(at.plus(Duration::from_secs(5))), Duration::ZERO);
    }
}
