//! `[limits]`: how often something may be done. Names and defaults are in `domain/limit.rs`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The `[limits]` section: `scale`, and one table per limit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Multiplies every limit (for load tests). `OSTIARY_LIMIT_SCALE`, default 1.
    pub scale: f64,
    /// Limits that differ from their defaults, by name.
    pub quotas: BTreeMap<String, QuotaConfig>,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { scale: 1.0, quotas: BTreeMap::new() }
    }
}

/// So many in so many seconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaConfig {
    pub count: u32,
    pub seconds: u64,
}
