//! The one error a flow returns. It says what is wrong in the product's own terms and knows
//! neither HTTP nor Frappe: the doors translate it (`frappe/exceptions.rs`, `http/respond.rs`).
//!
//! A refusal that must be remembered (a spent code, a counted failure) is not an error but a value
//! of the flow's reply: an `Err` rolls the transaction back.

use std::time::Duration;

/// Why a flow could not do what was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AppError {
    // Who is calling.
    /// Credentials are missing, wrong, expired or revoked. Says nothing about which.
    #[error("credentials are not valid")]
    Unauthenticated,
    /// An access token that is for another resource, or for another part of this one.
    #[error("the access token is for another resource")]
    WrongResource,
    /// A login that was refused, with the text the caller may see.
    #[error("login refused: {0}")]
    LoginRefused(&'static str),
    /// The `sid` cookie names no live session.
    #[error("session expired")]
    SessionExpired,
    /// An `Authorization` header that cannot be decoded.
    #[error("authorization header cannot be decoded")]
    MalformedCredentials,
    /// A state-changing request from a browser session without its CSRF token, or from a foreign page.
    #[error("CSRF check failed")]
    Csrf,
    /// The account is locked for this address after too many failures.
    #[error("account locked for {} s", .retry_after.as_secs())]
    Locked { retry_after: Duration },
    /// Over a rate limit.
    #[error("rate limit {limit} reached")]
    TooManyRequests { limit: &'static str, retry_after: Duration },

    // What it may do.
    #[error("not permitted: {0}")]
    NotPermitted(Denied),
    /// The credential's scope is too narrow; `needed` is the scope that would do.
    #[error("scope {needed} is needed")]
    InsufficientScope { needed: String },

    // What it asked for.
    #[error("{doctype} {name} not found")]
    NotFound { doctype: String, name: String },
    /// No such path.
    #[error("no such path")]
    NoSuchPath,
    /// No API method of that name.
    #[error("no method {0}")]
    NoSuchMethod(String),
    /// The request is not well formed; the text names the parameter or what to do.
    #[error("invalid request: {0}")]
    InvalidData(String),
    /// A rule of the document was broken.
    #[error("{0}")]
    Validation(String),
    /// Known to Frappe, not yet to Ostiary; names itself.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// A field that does not exist or may not be queried.
    #[error("field {0} is not permitted in a query")]
    FieldNotPermitted(String),
    #[error("[{doctype}, {name}]: missing {}", fields.iter().map(|f| f.fieldname.as_str()).collect::<Vec<_>>().join(", "))]
    Mandatory { doctype: String, name: String, fields: Vec<FieldLabel> },
    #[error("could not find {label}: {value}")]
    LinkNotFound { label: String, value: String },
    #[error("{doctype} {name} already exists")]
    Duplicate { doctype: String, name: String },
    #[error("{label} must be unique")]
    NotUnique { label: String },
    #[error("{label} cannot be {value:?}")]
    NotAnOption { label: String, value: String, options: Vec<String> },
    #[error("document was modified at {stored}, not {sent}")]
    Stale { sent: String, stored: String },
    #[error("{label} is longer than {max}")]
    TooLong { label: String, max: usize },
    #[error("{doctype} {name} is linked with {by_doctype} {by_name}")]
    LinkExists { doctype: String, name: String, by_doctype: String, by_name: String },
    #[error("{label} cannot be changed")]
    SetOnce { label: String },
    #[error("invalid name: {0}")]
    InvalidName(String),

    // What failed on our side.
    /// A part is missing for now (database, queue, gate): try again.
    #[error("unavailable: {cause}")]
    Unavailable { cause: String, retry_after: Duration },
    /// A query ran into its deadline.
    #[error("query deadline reached")]
    QueryTimeout,
    /// A fault of ours. The cause goes to the log, never to the caller.
    #[error("internal error: {0}")]
    Internal(String),
}

/// What exactly was denied.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Denied {
    /// A method that this caller (a guest) may not call, or that is no API method.
    #[error("method {0}")]
    Method(String),
    /// A method called with a verb it does not take.
    #[error("verb")]
    Verb,
    /// No role of the user opens the doctype. `name` is the document, when one was asked for.
    #[error("{user} on {doctype}")]
    Doctype { user: String, doctype: String, name: Option<String> },
    /// The doctype is open but not this document; `own_only` says that no role opens more than the user's own.
    #[error("{user} on {doctype} {name}")]
    Document { user: String, doctype: String, name: String, own_only: bool },
    /// A child table listed without naming its parent doctype.
    #[error("child table {0} without parent")]
    ChildTable(String),
    /// A private file, or an upload by a guest: says neither why nor whether there is such a file.
    #[error("files")]
    Files,
    /// Credentials can be made or changed only by a session, an unscoped key or `admin:credentials`.
    #[error("guarded credentials")]
    Guarded,
    /// Anything else, with the text the caller may see.
    #[error("{0}")]
    Because(String),
}

/// A field by both of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldLabel {
    pub fieldname: String,
    pub label: String,
}

impl AppError {
    /// A fault of ours with its private cause.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::Internal(cause.to_string())
    }

    /// A part that is missing for now; the caller is told to come back in a second.
    pub fn unavailable(cause: impl std::fmt::Display) -> Self {
        Self::Unavailable { cause: cause.to_string(), retry_after: Duration::from_secs(1) }
    }

    /// `{doctype} {name} not found`.
    pub fn not_found(doctype: impl Into<String>, name: impl Into<String>) -> Self {
        Self::NotFound { doctype: doctype.into(), name: name.into() }
    }

    /// Whether this is our fault rather than the caller's; decides the log level.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::QueryTimeout | Self::Internal(_))
    }
}
