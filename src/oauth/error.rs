//! [`ProtocolError`]: a refusal in OAuth's own words, and the one table of codes and statuses.

use std::fmt;

use crate::error::AppError;
use crate::store::StoreError;

/// An error code that a client can read (RFC 6749, 6750, 7009, 8707, OpenID Connect Core 3.1.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    InvalidRequest,
    /// Client authentication failed; `basic` when it was tried with HTTP Basic, which then is asked for again.
    InvalidClient {
        basic: bool,
    },
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    InvalidScope,
    /// The resource that a token is wanted for is none of ours.
    InvalidTarget,
    AccessDenied,
    /// A registration asks for something that cannot be (RFC 7591 section 3.2.2).
    InvalidClientMetadata,
    /// A redirect URI that must not be registered.
    InvalidRedirectUri,
    LoginRequired,
    ConsentRequired,
    /// Something else has to be shown to the user, who consented already.
    InteractionRequired,
    /// The way of logging in that the client cannot do without is none of ours
    /// (OpenID Connect Core Error Code unmet_authentication_requirements).
    UnmetAuthenticationRequirements,
    RequestNotSupported,
    RequestUriNotSupported,
}

impl ErrorCode {
    /// The wire word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient { .. } => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::AccessDenied => "access_denied",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
        }
    }

    /// The HTTP status where the error is the answer itself and not a redirect.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidClient { .. } => 401,
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::AccessDenied
            | Self::InvalidClientMetadata
            | Self::InvalidRedirectUri
            | Self::LoginRequired
            | Self::ConsentRequired
            | Self::InteractionRequired
            | Self::UnmetAuthenticationRequirements
            | Self::RequestNotSupported
            | Self::RequestUriNotSupported => 400,
        }
    }
}

/// A refusal: a code, what the client's developer may read, and why in truth, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolError {
    pub code: ErrorCode,
    /// `error_description`; never contains a secret or a cause.
    pub description: Option<String>,
    /// For the log line only.
    pub cause: String,
}

impl ProtocolError {
    /// A refusal that explains itself.
    pub fn new(code: ErrorCode, description: impl Into<String>) -> Self {
        let description = description.into();
        Self { code, cause: description.clone(), description: Some(description) }
    }

    /// A refusal with a reason that only the log may know.
    pub fn because(code: ErrorCode, description: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { code, description: Some(description.into()), cause: cause.into() }
    }

    /// `invalid_request` with a text.
    pub fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// The `WWW-Authenticate` value this refusal must be answered with, if any (RFC 6749 section 5.2).
    pub fn challenge(&self) -> Option<&'static str> {
        match self.code {
            ErrorCode::InvalidClient { basic: true } => Some("Basic realm=\"OAuth client\", charset=\"UTF-8\""),
            _ => None,
        }
    }

    /// The flat JSON body of RFC 6749 section 5.2.
    pub fn to_json(&self) -> serde_json::Value {
        let mut body = serde_json::Map::new();
        body.insert("error".into(), self.code.as_str().into());
        if let Some(description) = &self.description {
            body.insert("error_description".into(), description.as_str().into());
        }
        body.into()
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.cause)
    }
}

impl std::error::Error for ProtocolError {}

/// Why a step of a flow did not go on. A refusal is remembered (the transaction commits), a fault is not.
#[derive(Debug)]
pub(super) enum Stop {
    Refused(ProtocolError),
    Fault(AppError),
}

impl From<ProtocolError> for Stop {
    fn from(error: ProtocolError) -> Self {
        Self::Refused(error)
    }
}

impl From<AppError> for Stop {
    fn from(error: AppError) -> Self {
        Self::Fault(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}
