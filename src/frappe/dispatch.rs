//! The one way in: from an actix request under `/api/` (or `cmd=` on `/`) to a handler, and from
//! its answer or error to Frappe's shapes.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::call::{Body, Call, Reply, Verb, Version};
use super::methods::desk_query_report;
use super::refusal::{after_session, body_error, error_response, resource_of};
use super::registry::{self, Door};
use super::target::{Target, is_internal};
use super::{envelope, files, openapi, resource_v1, resource_v2};
use crate::auth::{Identity, RequestFacts, csrf};
use crate::domain::limit::Limit;
use crate::error::{AppError, Denied};
use crate::http::arrival;
use crate::http::body::{self, BodyError};
use crate::http::cookies::{self, CookieChange};
use crate::http::cors::{self, Sharing};
use crate::http::extract;
use crate::http::oauth::RefusalCause;
use crate::http::params::Params;
use crate::http::request_log::RequestLog;
use crate::http::upload::{self, Received, UploadError};
use crate::http::{State, respond};

/// Handles a request under `/api/`, or a `cmd=` call on `/`.
pub async fn dispatch(state: &State, request: &HttpRequest, mut payload: Payload) -> HttpResponse {
    let facts = extract::facts(request, &state.env.config.server.trusted_proxies);
    let mut log = RequestLog::new(request.method().clone(), facts.address);
    let mut response = handle(state, request, &mut payload, facts, &mut log).await;
    if let Some(RefusalCause(cause)) = response.extensions().get() {
        log.cause = Some(cause.clone());
    }
    respond::finish(&mut response);
    log.finish(response.status());
    response
}

async fn handle(
    state: &State,
    request: &HttpRequest,
    payload: &mut Payload,
    facts: RequestFacts<'_>,
    log: &mut RequestLog,
) -> HttpResponse {
    let arrived_at = arrival::stamp(&state.env.clock);
    let target = Target::of_path(request.path());
    let door = target.as_ref().map_or(Door::Frappe, Target::door);
    let mut incoming = Incoming { state, request, facts, arrived_at, log, session_expired: false, is_guest: false };
    let outcome = match target {
        Ok(target) => incoming.answer(target, payload).await,
        Err(error) => Err(Failure::App(error)),
    };
    let (session_expired, is_guest) = (incoming.session_expired, incoming.is_guest);
    let resource = match &outcome {
        Err(Failure::App(error)) => resource_of(state, request, error).await,
        _ => None,
    };
    let outcome = match outcome {
        // Frappe: 403, here: 401 below a registered resource, because clients that discover where to get a token
        // (RFC 9728 section 5.1, MCP) begin with a 401.
        Err(Failure::App(AppError::NotPermitted(_))) if is_guest && resource.is_some() => Err(Failure::App(AppError::Unauthenticated)),
        other => other,
    };
    let mut response = match outcome {
        Ok((reply, identity)) => finish_reply(state, request, reply, identity.as_ref(), session_expired),
        Err(Failure::App(error)) => {
            log.note_error(&error);
            error_response(state, request, door, &error, session_expired, resource.as_deref())
        }
        Err(Failure::Body(error)) => {
            log.cause = Some(error.to_string());
            body_error(state, error, door)
        }
    };
    let sharing = match door {
        Door::OAuth(sharing) | Door::OAuthUser(sharing) => sharing,
        Door::Frappe => Sharing::Configured,
    };
    cors::apply(sharing, request, &mut response, state).await;
    response
}

/// Largest body of a caller who proved nothing; real ones send a few fields.
const MAX_ANONYMOUS_BODY: usize = 1024 * 1024;

/// Why a request ended without an answer of its handler.
enum Failure {
    App(AppError),
    Body(BodyError),
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<UploadError> for Failure {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Body(error) => Self::Body(error),
            UploadError::App(error) => Self::App(error),
        }
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

/// One request on its way in. Its body is read last: limits and credentials come first, so that a
/// stranger cannot make us hold what it sends.
struct Incoming<'a> {
    state: &'a State,
    request: &'a HttpRequest,
    facts: RequestFacts<'a>,
    arrived_at: crate::domain::Instant,
    log: &'a mut RequestLog,
    session_expired: bool,
    /// Whether nobody is logged in.
    is_guest: bool,
}

impl<'a> Incoming<'a> {
    async fn answer(&mut self, target: Target, payload: &mut Payload) -> Result<(Reply, Option<Identity>), Failure> {
        self.log.route = target.route();
        if let Door::OAuth(_) = target.door() {
            self.answer_client(&target, payload).await
        } else {
            self.answer_user(target, payload).await
        }
    }

    /// An OAuth endpoint: an `Authorization` header here is the client's own; a user's credentials are not looked at.
    async fn answer_client(&mut self, target: &Target, payload: &mut Payload) -> Result<(Reply, Option<Identity>), Failure> {
        self.count_address()?;
        let verb = Verb::of(self.request.method());
        if verb == Verb::Options {
            return Ok((Reply::response(HttpResponse::Ok().finish()), None));
        }
        if verb == Verb::Post && !self.request.query_string().is_empty() {
            // Frappe's words. Addresses end up in logs, and these parameters are secrets (RFC 6749 section 2.3.1).
            let body = r#"{"error":"invalid_request","error_description":"URL query parameters are not allowed"}"#;
            return Ok((Reply::response(respond::json_no_store(StatusCode::BAD_REQUEST, body)), None));
        }
        let params = self.params(payload, MAX_ANONYMOUS_BODY).await?;
        let call = self.call(Identity::guest(false), params, None, verb);
        Ok((call_method(target, call).await?, None))
    }

    async fn answer_user(&mut self, mut target: Target, payload: &mut Payload) -> Result<(Reply, Option<Identity>), Failure> {
        let identity = match self.state.identify(&self.facts).await {
            Ok(identity) => identity,
            Err(error) => {
                // Guessing credentials is counted like everything else.
                self.count_address()?;
                return Err(error.into());
            }
        };
        self.session_expired = identity.session_expired;
        self.log.scheme = identity.caller.via.as_str();
        let mut limit = self.state.env.config.server.max_body;
        if identity.caller.is_guest() {
            self.is_guest = true;
            self.count_address()?;
            limit = limit.min(MAX_ANONYMOUS_BODY);
        } else {
            self.log.caller = Some(identity.caller.name().to_owned());
            self.state.env.limits.check(Limit::Request, identity.caller.name())?;
        }
        let verb = Verb::of(self.request.method());
        if verb == Verb::Options {
            return Ok((Reply::response(HttpResponse::Ok().content_type("text/plain; charset=utf-8").finish()), None));
        }
        let (mut params, file) = match target {
            Target::Method(method) if method.takes_file && upload::is_multipart(self.request) => {
                // Before a byte is read of what may be many.
                let refused = |error| after_session(error, identity.session_expired);
                crate::files::require_uploader(&self.state.env, &identity.caller).map_err(refused)?;
                upload::read(self.state, self.request, payload).await?
            }
            _ => (self.params(payload, limit).await?, None),
        };
        if self.request.path() == "/" {
            let command = params.take_text("cmd").unwrap_or_default();
            target = Target::of_method(&command);
            self.log.route = target.route();
        }
        let field = params.take_text("csrf_token");
        csrf::check(&self.state.csrf_rules(), &identity, &self.facts, field.as_deref())?;
        let keep = identity.clone();
        if let Target::Report(name) = target {
            params.values.insert(desk_query_report::NAME.into(), name.into());
            target = Target::Method(&registry::REPORT);
        }
        let call = self.call(identity, params, file, verb);
        let reply = match target {
            Target::Method(_) => call_method(&target, call).await?,
            // Frappe answers a guest 403 for a name it might know and 417 for one it cannot know.
            Target::UnknownMethod(name) if is_internal(&name) => return Err(AppError::NotPermitted(Denied::Method(name)).into()),
            Target::UnknownMethod(name) => return Err(AppError::NoSuchMethod(name).into()),
            Target::Resource(address) => resource_v1::handle(call, address).await?,
            Target::Document(address) => resource_v2::handle(call, address).await?,
            Target::File(url) => files::handle(call, url).await?,
            Target::Description => openapi::handle(call).await?,
            Target::Report(_) | Target::Nothing => return Err(AppError::NoSuchPath.into()),
        };
        Ok((reply, Some(keep)))
    }

    fn count_address(&self) -> Result<(), AppError> {
        let key = crate::auth::address::limit_key(self.facts.address);
        self.state.env.limits.check(Limit::Request, &key).map(|_| ())
    }

    async fn params(&self, payload: &mut Payload, limit: usize) -> Result<Params, Failure> {
        let body = body::read(self.request, payload, limit).await?;
        Ok(Params::read(self.request, &body)?)
    }

    fn call(&self, identity: Identity, params: Params, file: Option<Received>, verb: Verb) -> Call<'a> {
        let version = Version::of_path(self.request.path());
        let Self { state, request, facts, arrived_at, .. } = *self;
        Call { state, request, facts, identity, params, file, verb, version, arrived_at }
    }
}

async fn call_method(target: &Target, call: Call<'_>) -> Result<Reply, AppError> {
    let Target::Method(method) = target else { return Err(AppError::NoSuchPath) };
    if !method.guest && call.identity.caller.is_guest() {
        // Frappe says the same of everything that a guest may not call. It has no paths of their own to say it of.
        let denied = if method.has_own_path() { Denied::Login(method.path) } else { Denied::Method(method.path.to_owned()) };
        let refused = AppError::NotPermitted(denied);
        return Err(after_session(refused, call.identity.session_expired));
    }
    if !method.verbs.contains(&call.verb) {
        if method.door == Door::Frappe {
            return Err(AppError::NotPermitted(Denied::Verb));
        }
        let allow = method.verbs.iter().map(|verb| verb.as_str()).collect::<Vec<_>>().join(", ");
        let body = format!(r#"{{"error":"invalid_request","error_description":"Unsupported request method {}"}}"#, call.verb.as_str());
        let mut response = respond::json_no_store(StatusCode::METHOD_NOT_ALLOWED, body);
        respond::set(&mut response, "allow", &allow);
        return Ok(Reply::response(response));
    }
    if let Some(scope) = &call.identity.caller.scope {
        method.reached.check(method.path, scope)?;
    }
    if !method.is_open_to(&call.identity.caller) {
        let text = format!("This takes the role {}", method.roles.join(" or "));
        return Err(AppError::NotPermitted(Denied::Because(text)));
    }
    (method.handler)(call).await
}

/// Puts a reply into its shape, with cookies.
fn finish_reply(state: &State, request: &HttpRequest, reply: Reply, identity: Option<&Identity>, session_expired: bool) -> HttpResponse {
    let mut beside = reply.beside;
    if session_expired {
        beside.insert("session_expired".into(), 1.into());
    }
    let key = match Version::of_path(request.path()) {
        Version::One => "message",
        Version::Two => "data",
    };
    let mut response = match reply.body {
        Body::Result(json) => respond::json(StatusCode::OK, envelope::object(key, &json, &beside)),
        Body::Data(status, json) => respond::json(status, envelope::object("data", &json, &beside)),
        Body::Flat => respond::json(StatusCode::OK, Value::Object(beside).to_string()),
        Body::Response(response) => response,
    };
    if reply.is_secret {
        respond::no_store(&mut response);
    }
    let change = match reply.cookies {
        CookieChange::Keep if session_expired => CookieChange::Clear,
        CookieChange::Keep => renewal(request, identity),
        change => change,
    };
    cookies::apply(&change, &mut response, state);
    response
}

/// A session whose expiry slid gets its cookie again, with the new age.
fn renewal(request: &HttpRequest, identity: Option<&Identity>) -> CookieChange {
    if !identity.is_some_and(|identity| identity.renewed) {
        return CookieChange::Keep;
    }
    match extract::facts(request, &[]).sid {
        Some(sid) => CookieChange::Renew { sid: sid.to_owned() },
        None => CookieChange::Keep,
    }
}
