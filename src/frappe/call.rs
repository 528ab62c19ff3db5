//! A call as the handlers see it, and what they answer.

use std::future::Future;
use std::pin::Pin;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};

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

/// Which version of the API a path speaks: envelopes, errors and some parameters differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Everything but `/api/v2/…`; the shapes of Frappe 15.
    One,
    /// `/api/v2/…`; the shapes of Frappe 16.
    Two,
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
    pub version: Version,
    /// When the request reached us; races are judged by it.
    pub arrived_at: crate::domain::Instant,
}

/// What a handler answers.
pub struct Reply {
    pub body: Body,
    /// Members at the top level, beside the result.
    pub beside: Map<String, Value>,
    /// Whether it shows a secret, which no cache may keep.
    pub is_secret: bool,
    pub cookies: CookieChange,
}

/// The shapes of an answer.
pub enum Body {
    /// What a method returns, as JSON text: under `message`, in version 2 under `data`. `null` means no member at all.
    Result(String),
    /// What a resource is, as JSON text: under `data`.
    Data(StatusCode, String),
    /// Only what stands beside it, as Frappe's login answers.
    Flat,
    /// Complete as it is.
    Response(HttpResponse),
}

impl From<Body> for Reply {
    fn from(body: Body) -> Self {
        Self { body, beside: Map::new(), is_secret: false, cookies: CookieChange::Keep }
    }
}

impl Reply {
    /// What a method returns.
    pub fn message(value: impl Into<Value>) -> Self {
        Self::message_text(value.into().to_string())
    }

    /// The same, as JSON text that is not parsed again.
    pub fn message_text(json: String) -> Self {
        Body::Result(json).into()
    }

    /// What a resource is, as JSON text.
    pub fn data(json: String) -> Self {
        Body::Data(StatusCode::OK, json).into()
    }

    /// Members at the top level and nothing else; add them with [`Reply::beside`].
    pub fn flat() -> Self {
        Body::Flat.into()
    }

    /// A whole response.
    pub fn response(response: HttpResponse) -> Self {
        Body::Response(response).into()
    }

    /// With a member at the top level, beside the result.
    #[must_use]
    pub fn beside(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.beside.insert(name.to_owned(), value.into());
        self
    }

    /// Not to be kept by a cache where `is_secret`.
    #[must_use]
    pub fn secret(mut self, is_secret: bool) -> Self {
        self.is_secret = is_secret;
        self
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
