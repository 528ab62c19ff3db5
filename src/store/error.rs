//! What can go wrong in the database, sorted by what a caller can do about it.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::error::AppError;

/// A failure of the store.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or written right now (connection lost, disk full, queue full).
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// Another transaction was in the way; the same transaction may succeed when run again.
    #[error("serialization failure: {0}")]
    Conflict(String),
    /// The query ran into its deadline.
    #[error("query deadline reached")]
    Timeout,
    /// A value, a row or an answer that is larger than it may be.
    #[error("too large")]
    TooLarge,
    /// A unique constraint refused the row; the text names the constraint or column.
    #[error("unique constraint: {0}")]
    Unique(String),
    /// A foreign key refused the row.
    #[error("foreign key: {0}")]
    ForeignKey(String),
    /// A row that must exist does not.
    #[error("row not found")]
    NotFound,
    /// There is no database yet, or it is of another version than this program. Says what to do.
    #[error("{0}")]
    Version(String),
    /// A stored value that cannot be read, or a statement the database refused: a fault of ours.
    #[error("store fault: {0}")]
    Fault(String),
}

impl StoreError {
    /// A stored value that does not parse.
    pub fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Fault(format!("stored value cannot be read: {what}"))
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::NotFound => Self::NotFound,
            DieselError::DatabaseError(kind, info) => {
                let message = info.message().to_owned();
                match kind {
                    DatabaseErrorKind::UniqueViolation => Self::Unique(info.constraint_name().map_or(message, str::to_owned)),
                    DatabaseErrorKind::ForeignKeyViolation => Self::ForeignKey(info.constraint_name().map_or(message, str::to_owned)),
                    DatabaseErrorKind::SerializationFailure => Self::Conflict(message),
                    DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => Self::Unavailable(message),
                    // Else Postgres says the same where it has no memory at all.
                    _ if info.details().is_some_and(|details| details.contains("Cannot enlarge string buffer")) => Self::TooLarge,
                    _ => from_message(message),
                }
            }
            DieselError::BrokenTransactionManager => Self::Unavailable("transaction state lost".into()),
            other => Self::Fault(other.to_string()),
        }
    }
}

/// Sorts failures that diesel does not name: SQLite's result texts, Postgres's words.
fn from_message(message: String) -> StoreError {
    const UNAVAILABLE: [&str; 16] = [
        "out of memory",
        "database or disk is full",
        "disk I/O error",
        "unable to open database file",
        "database is locked",
        "attempt to write a readonly database",
        "server closed the connection",
        "terminating connection",
        "no connection to the server",
        "could not connect",
        "connection to server",
        "the database system is",
        "SSL connection has been closed",
        "No space left on device",
        "could not extend file",
        "Connection refused",
    ];
    // SQLite's words first, then Postgres's.
    const TOO_LARGE: [&str; 4] =
        ["string or blob too big", "invalid memory alloc request size", "string buffer exceeds maximum allowed length", "row is too big"];
    if TOO_LARGE.iter().any(|text| message.contains(text)) {
        return StoreError::TooLarge;
    }
    if message == "interrupted" || message.contains("statement timeout") {
        StoreError::Timeout
    } else if message.contains("deadlock detected") {
        StoreError::Conflict(message)
    } else if UNAVAILABLE.iter().any(|text| message.contains(text)) {
        StoreError::Unavailable(message)
    } else {
        StoreError::Fault(message)
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => AppError::Unavailable { cause, retry_after: Duration::from_secs(1) },
            StoreError::Conflict(cause) => AppError::Unavailable { cause, retry_after: Duration::from_secs(1) },
            StoreError::Timeout => AppError::QueryTimeout,
            StoreError::TooLarge => {
                AppError::InvalidData("this is too large for one request; ask for fewer rows or fields, or send less".to_owned())
            }
            StoreError::Unique(_) | StoreError::ForeignKey(_) | StoreError::NotFound | StoreError::Version(_) | StoreError::Fault(_) => {
                AppError::Internal(error.to_string())
            }
        }
    }
}
