//! The login page.

use askama::Template;

use super::{filters, paths};

/// Asks for name and password, then goes on to `redirect_to`.
#[derive(Clone, Debug, Template)]
#[template(path = "account/login.html")]
pub struct LoginView {
    pub site_name: String,
    /// A path on this site, already checked; posted back as it is.
    pub redirect_to: String,
    /// What was typed before, or `login_hint`.
    pub usr: String,
    /// Why the last attempt was refused.
    pub error: Option<String>,
    /// The app that waits behind `redirect_to`.
    pub app_name: Option<String>,
}
