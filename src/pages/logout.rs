//! The question before a logout that was asked for by a link (a GET must not end a session by itself).

use askama::Template;

use super::{filters, paths};

/// Asks whether to log out: of a link to our own logout page, or of an app.
#[derive(Clone, Debug, Template)]
#[template(path = "account/logout.html")]
pub struct LogoutView {
    pub site_name: String,
    pub user_full_name: String,
    pub user_email: String,
    pub csrf_token: String,
    /// The app that asks.
    pub app_name: Option<String>,
    /// Where the form posts to.
    pub action: &'static str,
    /// What it posts besides the token.
    pub fields: Vec<(String, String)>,
}
