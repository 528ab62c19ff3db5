//! The page for a request that cannot be answered and must not be redirected.

use askama::Template;

use super::{MessageLink, filters};

/// What went wrong, in one sentence, and what to do about it.
#[derive(Clone, Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorView {
    pub site_name: String,
    pub title: String,
    /// What stands above the text; the title itself in most cases.
    pub heading: String,
    pub message: String,
    pub advice: String,
    /// Where to do what is advised.
    pub link: Option<MessageLink>,
    /// Finds the log line.
    pub request_id: Option<String>,
}
