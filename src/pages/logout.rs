//! The question before a logout that was asked for by a link (a GET must not end a session by itself).

use askama::Template;

use super::{filters, paths};

/// Asks whether to log out.
#[derive(Clone, Debug, Template)]
#[template(path = "account/logout.html")]
pub struct LogoutView {
    pub site_name: String,
    pub user_full_name: String,
    pub user_email: String,
    pub csrf_token: String,
    /// Where to go afterwards: a path on this site, already checked.
    pub redirect_to: String,
}
