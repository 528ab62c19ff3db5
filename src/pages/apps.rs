//! The apps that a user let in, each with the button that shows it out.

use askama::Template;

use super::{Destination, Place, ScopeLine, Weight, filters, paths};

/// What apps may do in the user's name.
#[derive(Clone, Debug, Template)]
#[template(path = "account/apps.html")]
pub struct AppsView {
    pub site_name: String,
    pub user_full_name: String,
    pub user_email: String,
    pub csrf_token: String,
    /// Whether the page answers the button of one that is gone.
    pub withdrawn: bool,
    pub apps: Vec<AppLine>,
}

/// One app.
#[derive(Clone, Debug)]
pub struct AppLine {
    /// What the form posts back.
    pub client_id: String,
    pub app_name: String,
    /// The host that it describes itself at, where its client id is a URL.
    pub described_at: Option<String>,
    /// Where it is, by its usual redirect URI.
    pub destination: Option<Destination>,
    /// Registered or vouched for by an administrator.
    pub verified: bool,
    /// An administrator lets it in without the user being asked, so it comes back with the next login.
    pub trusted: bool,
    pub access: Vec<AccessLine>,
    /// Dates in words.
    pub since: String,
    pub last_login: Option<String>,
}

/// What an app may do at one place.
#[derive(Clone, Debug)]
pub struct AccessLine {
    /// Where, unless that is this site as a whole.
    pub at: Option<Place>,
    pub scopes: Vec<ScopeLine>,
}
