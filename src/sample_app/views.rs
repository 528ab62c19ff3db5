//! The app's pages: plain data and a template of the same name.

use askama::Template;

use super::provider::{Profile, ToDo, Tokens};

/// For who is not logged in.
#[derive(Template)]
#[template(path = "sample_app/welcome.html")]
pub struct WelcomeView<'a> {
    pub issuer: &'a str,
}

/// For who is.
#[derive(Template)]
#[template(path = "sample_app/board.html")]
pub struct BoardView<'a> {
    pub who: &'a Profile,
    pub todos: Result<Vec<ToDo>, Notice>,
    pub tokens: Vec<TokenLine>,
    pub refreshed: bool,
    /// Seconds that the access token lives, as the issuer said.
    pub lifetime: Option<u64>,
}

/// Something to say, and where to go from there.
#[derive(Template)]
#[template(path = "sample_app/message.html")]
pub struct MessageView<'a> {
    pub notice: &'a Notice,
}

/// What happened, in plain words.
pub struct Notice {
    pub title: &'static str,
    pub text: String,
}

/// One token, shortened: enough to see that it changed, too little to use.
pub struct TokenLine {
    pub label: &'static str,
    pub now: String,
    pub before: Option<String>,
}

impl TokenLine {
    /// The tokens now, beside those before the last refresh.
    pub fn all(now: &Tokens, before: Option<&Tokens>) -> Vec<Self> {
        let access = Self { label: "access token", now: shorten(&now.access), before: before.map(|tokens| shorten(&tokens.access)) };
        let refresh = now.refresh.as_deref().map(|refresh| Self {
            label: "refresh token",
            now: shorten(refresh),
            before: before.and_then(|tokens| tokens.refresh.as_deref()).map(shorten),
        });
        std::iter::once(access).chain(refresh).collect()
    }
}

fn shorten(token: &str) -> String {
    let start: String = token.chars().take(12).collect();
    format!("{start}…")
}
