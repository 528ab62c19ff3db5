//! `[oauth]`: lifetimes of codes and tokens.

use std::time::Duration;

use serde::Deserialize;

/// The `[oauth]` section. Lifetimes are seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OAuthConfig {
    /// Authorization codes. Default 60, at most 600.
    pub code_lifetime: u64,
    /// Access tokens. Default 3600.
    pub access_token_lifetime: u64,
    /// A refresh token that is not used. Default 30 days.
    pub refresh_idle_lifetime: u64,
    /// A family of refresh tokens, however often used. Default 180 days.
    pub refresh_absolute_lifetime: u64,
    /// How long a rotated refresh token still gets the same answer. Default 10.
    pub refresh_grace: u64,
    /// How long a consent page may stay open. Default 600.
    pub consent_lifetime: u64,
    /// How long a signing key signs before the next one takes over. Default 90 days; 0: by command only.
    pub signing_key_lifetime: u64,
    /// Who may register clients by `register_client`. Default `off`.
    pub registration: Registration,
    /// Whether an app that nobody registered may come with a client id that is the URL of its own description
    /// (Client ID Metadata Document), which is then fetched. Default off.
    pub client_metadata_documents: bool,
    /// Whether whoever makes users here has checked that their addresses are theirs: what the claim
    /// `email_verified` says. Default false, because nothing here checks it.
    pub emails_verified: bool,
}

/// Who may register clients (RFC 7591).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Nobody: the endpoint is not there.
    #[default]
    Off,
    /// System Managers, by the credentials that may make credentials.
    Admin,
    /// Anybody; the consent page says that nobody vouches for such a client.
    Open,
}

impl Default for OAuthConfig {
    fn default() -> Self {
        Self {
            code_lifetime: 60,
            access_token_lifetime: 3600,
            refresh_idle_lifetime: 30 * 86_400,
            refresh_absolute_lifetime: 180 * 86_400,
            refresh_grace: 10,
            consent_lifetime: 600,
            signing_key_lifetime: 90 * 86_400,
            registration: Registration::Off,
            client_metadata_documents: false,
            emails_verified: false,
        }
    }
}

impl OAuthConfig {
    /// [`OAuthConfig::code_lifetime`] as a duration, and so on.
    pub fn code(&self) -> Duration {
        Duration::from_secs(self.code_lifetime.min(600))
    }

    /// Lifetime of access tokens.
    pub fn access_token(&self) -> Duration {
        Duration::from_secs(self.access_token_lifetime)
    }

    /// Idle lifetime of refresh tokens.
    pub fn refresh_idle(&self) -> Duration {
        Duration::from_secs(self.refresh_idle_lifetime)
    }

    /// Absolute lifetime of refreshing.
    pub fn refresh_absolute(&self) -> Duration {
        Duration::from_secs(self.refresh_absolute_lifetime)
    }

    /// How long a signing key signs; `None`: until the operator says so.
    pub fn signing_key(&self) -> Option<Duration> {
        (self.signing_key_lifetime > 0).then(|| Duration::from_secs(self.signing_key_lifetime))
    }

    /// Grace after a rotation.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.refresh_grace)
    }

    /// Lifetime of a pending consent.
    pub fn consent(&self) -> Duration {
        Duration::from_secs(self.consent_lifetime)
    }
}
