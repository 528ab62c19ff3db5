//! Who is calling: from a request's credential to a [`Caller`].
//!
//! The `Authorization` header is read first and, when present, decides alone; else the `sid`
//! cookie; else Guest. [`Credential::from_facts`] parses (pure), [`load`] looks a credential up
//! (one connection), [`evaluate`] checks on every request what may change without a write: expiry,
//! addresses, login hours. [`CredentialCache`] stands between the last two.
//!
//! To add a scheme: one file here and one row in [`SCHEMES`].

pub mod address;
pub mod api_key;
pub mod basic;
pub mod bearer;
pub mod cache;
pub mod caller;
pub mod csrf;
pub mod facts;
pub mod identify;
pub mod keys;
pub mod lockout;
pub mod login;
pub mod session;

pub use crate::domain::user::CallerUser;
pub use cache::CredentialCache;
pub use caller::{Caller, Via};
pub use facts::RequestFacts;
pub use identify::{Credential, Identity, Known, evaluate, load};

use crate::error::AppError;

/// Reads what follows a scheme's name in the `Authorization` header.
type Parse = fn(&str, &RequestFacts<'_>) -> Result<Credential, AppError>;

/// The schemes of the `Authorization` header by lower-case name. Names differ, so order decides nothing.
pub const SCHEMES: [(&str, Parse); 3] = [("bearer", bearer::parse), ("basic", basic::parse), ("token", api_key::parse)];
