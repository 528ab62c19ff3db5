//! `response_mode=form_post`: the answer travels to the client as a form (OAuth 2.0 Form Post Response Mode).

use askama::Template;

use super::filters;

/// A form that posts itself by `/static/form_post.js`, or by its button where scripts are off.
#[derive(Clone, Debug, Template)]
#[template(path = "oauth/form_post.html")]
pub struct FormPostView {
    pub site_name: String,
    pub app_name: String,
    /// The validated redirect URI.
    pub redirect_uri: String,
    /// `code`, `state`, `iss`, or `error` and its description.
    pub fields: Vec<(String, String)>,
}
