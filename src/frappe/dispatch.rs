//! The one way in: from an actix request under `/api/` (or `cmd=` on `/`) to a handler, and from
//! its answer or error to Frappe's shapes.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method as HttpMethod, StatusCode};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use percent_encoding::percent_decode_str;

use super::call::{Body, Call, Reply, Verb};
use super::exceptions::Exception;
use super::registry::{self, Door, Method};
use super::{envelope, files, resource_v1};
use crate::auth::{Identity, RequestFacts, csrf};
use crate::domain::limit::Limit;
use crate::domain::resource::{Resource, path_below};
use crate::error::{AppError, Denied};
use crate::http::arrival;
use crate::http::body::{self, BodyError};
use crate::http::cookies::{self, CookieChange};
use crate::http::cors::{self, Sharing};
use crate::http::extract;
use crate::http::oauth::{PROTECTED_RESOURCE, RefusalCause};
use crate::http::params::Params;
use crate::http::request_log::RequestLog;
use crate::http::upload::{self, Received, UploadError};
use crate::http::{State, respond};
use crate::oidc::discovery;
use crate::pages;

/// What a path leads to.
enum Target {
    Method(&'static Method),
    /// A method that does not exist, by name.
    UnknownMethod(String),
    /// `/api/resource/…` and `/api/v1/resource/…`.
    Resource {
        doctype: String,
        name: Option<String>,
    },
    /// `/files/…` and `/private/files/…`: a file by its URL.
    File(String),
    Nothing,
}

impl Target {
    fn of_path(path: &str) -> Result<Self, AppError> {
        if files::is_file_path(path) {
            return Ok(Self::File(decode(path)?));
        }
        let Some(rest) = path.strip_prefix("/api/") else { return Ok(Self::Nothing) };
        let rest = rest.strip_prefix("v1/").unwrap_or(rest);
        if let Some(method) = rest.strip_prefix("method/") {
            // Frappe ignores whatever follows the method's name.
            let name = method.split('/').next().unwrap_or_default();
            return Ok(Self::of_method(&decode(name)?));
        }
        if let Some(resource) = rest.strip_prefix("resource/") {
            let (doctype, name) = resource.split_once('/').unwrap_or((resource, ""));
            let name = decode(name.strip_suffix('/').unwrap_or(name))?;
            let doctype = decode(doctype)?;
            return Ok(if doctype.is_empty() {
                Self::Nothing
            } else {
                Self::Resource { doctype, name: (!name.is_empty()).then_some(name) }
            });
        }
        Ok(Self::Nothing)
    }

    fn of_method(name: &str) -> Self {
        registry::find(name).map_or_else(|| Self::UnknownMethod(name.to_owned()), Self::Method)
    }

    fn route(&self) -> &'static str {
        match self {
            Self::Method(method) => method.path,
            Self::UnknownMethod(_) => "/api/method/?",
            Self::Resource { name: None, .. } => "/api/resource/{doctype}",
            Self::Resource { name: Some(_), .. } => "/api/resource/{doctype}/{name}",
            Self::File(url) => files::route(url),
            Self::Nothing => "/api/?",
        }
    }

    fn door(&self) -> Door {
        match self {
            Self::Method(method) => method.door,
            Self::UnknownMethod(_) | Self::Resource { .. } | Self::File(_) | Self::Nothing => Door::Frappe,
        }
    }
}

/// Decodes a path segment; a plus sign stands for itself there.
fn decode(segment: &str) -> Result<String, AppError> {
    let text = percent_decode_str(segment).decode_utf8().map_err(|_| AppError::InvalidData("the path must be UTF-8".into()))?;
    if text.contains('\0') {
        return Err(AppError::InvalidData("the path must not contain NUL".into()));
    }
    Ok(text.into_owned())
}

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

fn body_error(state: &State, error: BodyError, door: Door) -> HttpResponse {
    let status = match error {
        BodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::Broken => StatusCode::BAD_REQUEST,
        BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
    };
    if door != Door::Frappe {
        return respond::json_no_store(
            status,
            r#"{"error":"invalid_request","error_description":"request body is too large or broke off"}"#,
        );
    }
    // Frappe answers these two from its HTTP layer, as a plain page.
    let title = status.canonical_reason().unwrap_or("Error");
    let mut response = pages::error_page(state, status, title, "The request body is too large or broke off.", "Send less, in one piece.");
    // The rest of the body is not read, so the connection cannot be used again.
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
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
                // Frappe: 403 for an expired session too, here: 401, because the documents say so.
                let refused = |error| if identity.session_expired { AppError::SessionExpired } else { error };
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
        let call = self.call(identity, params, file, verb);
        let reply = match target {
            Target::Method(_) => call_method(&target, call).await?,
            // Frappe answers a guest 403 for a name it might know and 417 for one it cannot know.
            Target::UnknownMethod(name) if is_internal(&name) => return Err(AppError::NotPermitted(Denied::Method(name)).into()),
            Target::UnknownMethod(name) => return Err(AppError::NoSuchMethod(name).into()),
            Target::Resource { doctype, name } => resource_v1::handle(call, doctype, name).await?,
            Target::File(url) => files::handle(call, url).await?,
            Target::Nothing => return Err(AppError::NoSuchPath.into()),
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
        Call { state: self.state, request: self.request, facts: self.facts, identity, params, file, verb, arrived_at: self.arrived_at }
    }
}

/// Functions of Frappe that exist but are no API methods (transcript 296).
fn is_internal(name: &str) -> bool {
    matches!(
        name,
        "frappe.get_all"
            | "frappe.get_doc"
            | "frappe.get_list"
            | "frappe.db.sql"
            | "frappe.db.get_value"
            | "frappe.db.set_value"
            | "frappe.set_user"
            | "frappe.throw"
    )
}

async fn call_method(target: &Target, call: Call<'_>) -> Result<Reply, AppError> {
    let Target::Method(method) = target else { return Err(AppError::NoSuchPath) };
    if !method.guest && call.identity.caller.is_guest() {
        // Frappe: 403 for an expired session too, here: 401, because the documents say so.
        return Err(if call.identity.session_expired {
            AppError::SessionExpired
        } else {
            AppError::NotPermitted(Denied::Method(method.path.to_owned()))
        });
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
    if let Some(scope) = &call.identity.caller.scope
        && !scope.allows_method(method.path, method.scopes)
    {
        // Where one word is demanded, the method's own would not do either.
        let needed = if let [word] = method.scopes { (*word).to_owned() } else { format!("method:{}", method.path) };
        return Err(AppError::InsufficientScope { needed });
    }
    if !method.is_open_to(&call.identity.caller) {
        let text = format!("This takes the role {}", method.roles.join(" or "));
        return Err(AppError::NotPermitted(Denied::Because(text)));
    }
    (method.handler)(call).await
}

/// Puts a reply into its shape, with cookies.
fn finish_reply(state: &State, request: &HttpRequest, reply: Reply, identity: Option<&Identity>, session_expired: bool) -> HttpResponse {
    let mut response = match reply.body {
        Body::Message(value) if !session_expired => envelope::message(&value),
        Body::Message(value) => flat(serde_json::json!({"message": value}), true),
        Body::Data(status, json) => envelope::data(status, &json),
        Body::Flat(value) => flat(value, session_expired),
        Body::Response(response) => response,
    };
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

fn flat(mut value: serde_json::Value, session_expired: bool) -> HttpResponse {
    if session_expired && let Some(object) = value.as_object_mut() {
        object.insert("session_expired".into(), 1.into());
    }
    respond::json(StatusCode::OK, value.to_string())
}

/// An error in the shape of its door: Frappe's JSON, a page, or RFC 6749's JSON.
fn error_response(
    state: &State,
    request: &HttpRequest,
    door: Door,
    error: &AppError,
    session_expired: bool,
    resource: Option<&Resource>,
) -> HttpResponse {
    let exception = Exception::from(error);
    let mut response = if matches!(door, Door::OAuth(_)) || (matches!(door, Door::OAuthUser(_)) && extract::wants_json(request)) {
        crate::http::oauth::error_response(error, exception.status)
    } else if extract::wants_json(request) {
        respond::json(exception.status, envelope::error_body(&exception, session_expired))
    } else {
        let text =
            exception.text.as_deref().filter(|text| !text.contains('<')).unwrap_or("You cannot do this, or are not logged in any more.");
        let (text, advice) = match error {
            AppError::Csrf => ("This page is out of date, or belongs to another login.", "Go back to the app and start again."),
            AppError::NotFound { .. } => (text, "Go back, and check the address."),
            _ => (text, "Go back, or log in again."),
        };
        pages::error_page(state, exception.status, exception.title, text, advice)
    };
    if let Some(after) = exception.retry_after {
        respond::retry_after(&mut response, after);
    }
    if let Some(challenge) = challenge(state, request, error, &exception, resource) {
        respond::set(&mut response, "www-authenticate", &challenge);
    }
    // A header decides alone: what is wrong with it is no fault of the session beside it.
    let about_session = exception.clears_cookies && !request.headers().contains_key(header::AUTHORIZATION);
    if (about_session || session_expired) && *request.method() != HttpMethod::OPTIONS {
        cookies::apply(&CookieChange::Clear, &mut response, state);
    }
    if let Some(value) = exception.retry_after.filter(|_| exception.status == StatusCode::TOO_MANY_REQUESTS) {
        let reset = value.as_secs().max(1).to_string();
        respond::set(&mut response, "x-ratelimit-remaining", "0");
        respond::set(&mut response, "x-ratelimit-reset", &reset);
    }
    if exception.status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The registered resource that a refused request is below, for refusals that say where to get a token.
async fn resource_of(state: &State, request: &HttpRequest, error: &AppError) -> Option<Arc<Resource>> {
    let tells = matches!(error, AppError::NotPermitted(_) | AppError::InsufficientScope { .. })
        || Exception::from(error).status == StatusCode::UNAUTHORIZED;
    if !tells {
        return None;
    }
    // Without an answer of the database the refusal stands, and says less.
    let known = state.resources().await.ok()?;
    known.covering(state.env.public_url.as_str(), request.path()).cloned()
}

/// `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1): where to get a token, for which scope, and what was wrong with this one.
fn challenge(state: &State, request: &HttpRequest, error: &AppError, exception: &Exception, resource: Option<&Resource>) -> Option<String> {
    let home = state.env.public_url.as_str();
    let path = resource.and_then(|resource| path_below(&resource.uri, home)).unwrap_or_default();
    let metadata = format!(r#"resource_metadata="{home}{PROTECTED_RESOURCE}{path}""#);
    let words = match resource {
        Some(resource) => resource.scope.to_string(),
        None => discovery::api_scopes().join(" "),
    };
    let scope = if words.is_empty() { String::new() } else { format!(r#"scope="{words}", "#) };
    let with_bearer = extract::text(request.headers(), &header::AUTHORIZATION)
        .is_some_and(|value| value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer ")));
    match error {
        AppError::InsufficientScope { needed } => Some(format!(r#"Bearer error="insufficient_scope", scope="{needed}", {metadata}"#)),
        AppError::WrongResource => {
            let description = r#"error_description="The access token is for another resource""#;
            Some(format!(r#"Bearer error="invalid_token", {description}, {scope}{metadata}"#))
        }
        AppError::Unauthenticated if with_bearer => Some(format!(r#"Bearer error="invalid_token", {scope}{metadata}"#)),
        _ if exception.status == StatusCode::UNAUTHORIZED => Some(format!("Bearer {scope}{metadata}")),
        _ => None,
    }
}
