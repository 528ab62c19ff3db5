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
    /// An argument of another type than the method takes.
    #[error("argument {name} must be of type {expected}, not {got}")]
    WrongArgument { name: String, expected: &'static str, got: &'static str },
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
    NotAnOption { label: String, value: String, options: Vec<String>, row: Option<usize> },
    #[error("document was modified at {stored}, not {sent}")]
    Stale { sent: String, stored: String },
    #[error("{label} is longer than {max}")]
    TooLong { label: String, max: usize },
    /// `by_name` is empty for who may not read that document.
    #[error("{doctype} {name} is linked with {by_doctype} {by_name}")]
    LinkExists { doctype: String, name: String, by_doctype: String, by_name: String },
    #[error("{label} cannot be changed")]
    SetOnce { label: String },
    #[error("invalid name: {0}")]
    InvalidName(String),
    /// A step between draft, submitted and cancelled that there is not.
    #[error("cannot change docstatus from {from} to {to}")]
    DocstatusTransition { from: Docstatus, to: Docstatus },
    /// A field of a submitted document that stays as it is.
    #[error("{label} cannot be changed after submission")]
    AfterSubmit { label: String, row: Option<usize>, from: String, to: String },
    /// A document that names a cancelled one.
    #[error("cannot link cancelled document: {label}: {value}")]
    CancelledLink { label: String, value: String },
    /// A place in a tree that a document cannot have.
    #[error("{text}")]
    Tree { rule: TreeRule, text: String },

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
    /// A path (its pattern) at which guests have nothing to ask.
    #[error("{0} without a login")]
    Login(&'static str),
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

/// A field that lacks its value, by both of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldLabel {
    pub fieldname: String,
    pub label: String,
    pub place: FieldPlace,
}

/// Where a field that lacks its value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldPlace {
    Document,
    /// It is a table without rows.
    Table,
    /// In a row of a child table; rows count from 1.
    Row {
        doctype: String,
        number: usize,
    },
}

/// Frappe's three states of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Docstatus {
    Draft,
    Submitted,
    Cancelled,
}

impl Docstatus {
    /// Reads the stored number.
    pub fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Draft),
            1 => Some(Self::Submitted),
            2 => Some(Self::Cancelled),
            _ => None,
        }
    }

    /// The stored number.
    pub fn number(self) -> i64 {
        match self {
            Self::Draft => 0,
            Self::Submitted => 1,
            Self::Cancelled => 2,
        }
    }
}

impl std::fmt::Display for Docstatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = match self {
            Self::Draft => "Draft",
            Self::Submitted => "Submitted",
            Self::Cancelled => "Cancelled",
        };
        write!(f, "{} ({word})", self.number())
    }
}

/// Which rule of a tree was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeRule {
    /// A document cannot stand below itself.
    Recursion,
    /// A document with others below it stays.
    ChildrenExist,
    /// Documents of different kinds do not become one.
    InvalidMerge,
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

    /// The same, said of a row of a child table; rows count from 1.
    #[must_use]
    pub fn in_row(self, number: usize) -> Self {
        let prefixed = |text: String| format!("Row #{number}: {text}");
        match self {
            Self::Validation(text) => Self::Validation(prefixed(text)),
            Self::InvalidData(text) => Self::InvalidData(prefixed(text)),
            Self::LinkNotFound { label, value } => Self::LinkNotFound { label: prefixed(label), value },
            Self::CancelledLink { label, value } => Self::CancelledLink { label: prefixed(label), value },
            Self::TooLong { label, max } => Self::TooLong { label: prefixed(label), max },
            Self::SetOnce { label } => Self::SetOnce { label: prefixed(label) },
            Self::NotUnique { label } => Self::NotUnique { label: prefixed(label) },
            Self::NotAnOption { label, value, options, .. } => Self::NotAnOption { label, value, options, row: Some(number) },
            Self::AfterSubmit { label, from, to, .. } => Self::AfterSubmit { label, row: Some(number), from, to },
            other => other,
        }
    }

    /// Whether this is our fault rather than the caller's; decides the log level.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::QueryTimeout | Self::Internal(_))
    }
}
