//! What a logged-in user sees at `/`.

use askama::Template;

use super::{filters, paths};

/// Who is logged in, and the way out.
#[derive(Clone, Debug, Template)]
#[template(path = "account/home.html")]
pub struct HomeView {
    pub site_name: String,
    pub user_full_name: String,
    pub user_email: String,
    pub csrf_token: String,
}
