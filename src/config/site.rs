//! `[site]`: what Frappe keeps in System Settings.

use serde::Deserialize;

/// The `[site]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SiteConfig {
    /// The time zone Frappe's dialect shows times in. Default `UTC`.
    pub time_zone: chrono_tz::Tz,
    /// What consent and login pages call this server. Default `Ostiary`.
    pub name: String,
    /// Default language of users. Default `en`.
    pub language: String,
}

impl Default for SiteConfig {
    fn default() -> Self {
        Self { time_zone: chrono_tz::UTC, name: "Ostiary".into(), language: "en".into() }
    }
}
