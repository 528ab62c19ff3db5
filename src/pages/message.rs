//! A page that says one thing.

use askama::Template;

use super::filters;

/// A title, a sentence, and where to go on.
#[derive(Clone, Debug, Template)]
#[template(path = "message.html")]
pub struct MessageView {
    pub site_name: String,
    pub title: String,
    pub message: String,
    pub link: Option<MessageLink>,
}

/// Where to go on: a path on this site.
#[derive(Clone, Debug)]
pub struct MessageLink {
    pub label: String,
    pub path: String,
}
