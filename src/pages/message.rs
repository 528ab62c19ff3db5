//! A page that says one thing.

use askama::Template;

use super::{Destination, filters};

/// A title, a sentence, and where to go on.
#[derive(Clone, Debug, Template)]
#[template(path = "message.html")]
pub struct MessageView {
    pub site_name: String,
    pub title: String,
    pub message: String,
    pub link: Option<MessageLink>,
    pub onward: Option<Onward>,
}

/// Where to go on: a path on this site.
#[derive(Clone, Debug)]
pub struct MessageLink {
    pub label: String,
    pub path: String,
}

/// An address that an app gave, and that nobody here vouches for.
#[derive(Clone, Debug)]
pub struct Onward {
    url: String,
    /// Its host or private scheme: what a user can judge it by.
    place: String,
}

impl Onward {
    /// To a URL whose scheme was checked when it was registered.
    pub fn to(url: String) -> Self {
        let (Destination::Web(place) | Destination::Local(place) | Destination::App(place)) = Destination::of(&url);
        Self { url, place }
    }
}
