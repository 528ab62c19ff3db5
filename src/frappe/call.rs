//! A call as the handlers see it, and what they answer.

use std::future::Future;
use std::pin::Pin;

use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use crate::auth::{Identity, RequestFacts};
use crate::domain::user::User;
use crate::error::AppError;
use crate::http::State;
use crate::http::cookies::CookieChange;
use crate::http::params::Params;
use crate::http::upload::Received;

/// An HTTP verb that a method may be called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Put,
    Delete,
    Patch,
    Options,
    Other,
}

impl Verb {
    /// From actix's method; HEAD counts as GET.
    pub fn of(method: &actix_web::http::Method) -> Self {
        match method.as_str() {
            "GET" | "HEAD" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "PATCH" => Self::Patch,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }

    /// The word for `Allow`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
            Self::Options => "OPTIONS",
            Self::Other => "",
        }
    }
}

/// One request, identified and parsed.
pub struct Call<'a> {
    pub state: &'a State,
    pub request: &'a HttpRequest,
    pub facts: RequestFacts<'a>,
    pub identity: Identity,
    pub params: Params,
    /// The file that came with them, for methods that take one.
    pub file: Option<Received>,
    pub verb: Verb,
    /// When the request reached us; races are judged by it.
    pub arrived_at: crate::domain::Instant,
}

/// What a handler answers.
pub struct Reply {
    pub body: Body,
    pub cookies: CookieChange,
}

/// The shapes of an answer.
pub enum Body {
    /// Under `message`; null means `{}`.
    Message(Value),
    /// Under `data`, as JSON text.
    Data(actix_web::http::StatusCode, String),
    /// At the top level, as Frappe's login answers: an object that `session_expired` may join.
    Flat(Value),
    /// Complete as it is.
    Response(HttpResponse),
}

impl Reply {
    /// `{"message": …}`.
    pub fn message(value: impl Into<Value>) -> Self {
        Self { body: Body::Message(value.into()), cookies: CookieChange::Keep }
    }

    /// A whole response.
    pub fn response(response: HttpResponse) -> Self {
        Self { body: Body::Response(response), cookies: CookieChange::Keep }
    }

    /// With cookies of a session that just started.
    #[must_use]
    pub fn starting(mut self, sid: String, user: User) -> Self {
        self.cookies = CookieChange::Start { sid, user: Box::new(user) };
        self
    }

    /// With cleared login cookies.
    #[must_use]
    pub fn clearing(mut self) -> Self {
        self.cookies = CookieChange::Clear;
        self
    }
}

/// What a handler returns.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Reply, AppError>> + 'a>>;
/// A handler: a row of the method table points to one.
pub type Handler = for<'a> fn(Call<'a>) -> Answer<'a>;
