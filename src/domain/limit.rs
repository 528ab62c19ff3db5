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
    /// Token requests, per client.
    GetToken,
    /// Client registrations, per address.
    Register,
    /// Every request, per caller or address.
    Request,
}

impl Limit {
    /// All of them, for settings and documentation.
    pub const ALL: [Limit; 6] =
        [Limit::LoginFailure, Limit::LoginFailureAccount, Limit::LoginFailureAddress, Limit::GetToken, Limit::Register, Limit::Request];

    /// The name of the setting in the `[limits]` section.
    pub fn name(self) -> &'static str {
        match self {
            Self::LoginFailure => "login_failure",
            Self::LoginFailureAccount => "login_failure_account",
            Self::LoginFailureAddress => "login_failure_address",
            Self::GetToken => "get_token",
            Self::Register => "register",
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
            Self::GetToken => Quota { count: 600, period: minute },
            Self::Register => Quota { count: 10, period: hour },
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
