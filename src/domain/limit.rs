//! Which actions are rate limited, and by how much unless configured otherwise.

use std::time::Duration;

/// An action with a budget of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Failed password checks, per account and address.
    LoginFailure,
    /// Failed password checks, per account from anywhere (slower, so nobody can lock others out cheaply).
    LoginFailureAccount,
    /// Failed password checks, per address whatever the account.
    LoginFailureAddress,
    /// Authorization requests, per client and address.
    Authorize,
    /// Token requests, per client and address; and per client that proved who it is.
    GetToken,
    /// Introspections, counted as token requests are.
    Introspect,
    /// Revocations, counted as token requests are.
    Revoke,
    /// Client registrations, per address.
    Register,
    /// Fetches of what clients publish of themselves, per address that makes us ask.
    FetchMetadata,
    /// The same, per host that is asked for something we have no copy of, by everybody together.
    FetchHost,
    /// Every request, per caller or address.
    Request,
}

impl Limit {
    /// All of them, for settings and documentation.
    pub const ALL: [Limit; 11] = [
        Limit::LoginFailure,
        Limit::LoginFailureAccount,
        Limit::LoginFailureAddress,
        Limit::Authorize,
        Limit::GetToken,
        Limit::Introspect,
        Limit::Revoke,
        Limit::Register,
        Limit::FetchMetadata,
        Limit::FetchHost,
        Limit::Request,
    ];

    /// The name of the setting in the `[limits]` section.
    pub fn name(self) -> &'static str {
        match self {
            Self::LoginFailure => "login_failure",
            Self::LoginFailureAccount => "login_failure_account",
            Self::LoginFailureAddress => "login_failure_address",
            Self::Authorize => "authorize",
            Self::GetToken => "get_token",
            Self::Introspect => "introspect",
            Self::Revoke => "revoke",
            Self::Register => "register",
            Self::FetchMetadata => "fetch_metadata",
            Self::FetchHost => "fetch_host",
            Self::Request => "request",
        }
    }

    /// How many are allowed in which period by default. GCRA: the count is also the burst.
    pub fn default_quota(self) -> Quota {
        let minute = Duration::from_secs(60);
        let hour = Duration::from_secs(3600);
        match self {
            Self::LoginFailure => Quota { count: 10, period: minute },
            Self::LoginFailureAccount => Quota { count: 100, period: hour },
            Self::LoginFailureAddress => Quota { count: 60, period: minute },
            Self::Authorize | Self::GetToken | Self::Revoke => Quota { count: 600, period: minute },
            // A resource server asks about every request it gets.
            Self::Introspect => Quota { count: 6000, period: minute },
            Self::Register => Quota { count: 10, period: hour },
            Self::FetchMetadata => Quota { count: 30, period: minute },
            // Many times what one address may do, so that nobody alone keeps others from an app.
            Self::FetchHost => Quota { count: 300, period: minute },
            Self::Request => Quota { count: 6000, period: minute },
        }
    }
}

/// So many in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub count: u32,
    pub period: Duration,
}
