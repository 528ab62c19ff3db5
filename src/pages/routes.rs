//! The handlers of the pages: they fill a view in and send it under its policy.

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::policy::{CACHE_CONTROL, Policy, REFERRER_POLICY};
use super::{
    AccessLine, AppLine, AppsView, Destination, ErrorView, HomeView, LoginView, LogoutView, MessageLink, Place, ScopeLine, assets, paths,
    scope_lines, scope_lines_elsewhere,
};
use crate::auth::login::LoginAttempt;
use crate::auth::{Identity, RequestFacts, Via, csrf, session};
use crate::domain::limit::Limit;
use crate::domain::scope::doctype_word;
use crate::domain::{Instant, Scope};
use crate::error::AppError;
use crate::http::cookies::{self, CookieChange};
use crate::http::login::log_in;
use crate::http::params::Params;
use crate::http::request_log::RequestLog;
use crate::http::{State, body, extract, respond};
use crate::oauth::apps::{self, Access, AllowedApp};
use crate::oauth::revoke;

/// Largest form a page posts.
const MAX_FORM: usize = 64 * 1024;

/// Sends a rendered page under its policy.
pub fn page(status: StatusCode, view: &impl Template, policy: &Policy<'_>) -> HttpResponse {
    let html = match view.render() {
        Ok(html) => html,
        Err(cause) => {
            tracing::error!(%cause, "a page cannot be rendered");
            return HttpResponse::InternalServerError().finish();
        }
    };
    let mut response =
        HttpResponse::build(status).insert_header((header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))).body(html);
    respond::set(&mut response, "content-security-policy", &policy.content_security_policy());
    respond::set(&mut response, "x-frame-options", "DENY");
    respond::set(&mut response, "referrer-policy", REFERRER_POLICY);
    respond::set(&mut response, "cache-control", CACHE_CONTROL);
    response
}

/// The page for a request that cannot be answered.
pub fn error_page(state: &State, status: StatusCode, title: &str, message: &str, advice: &str) -> HttpResponse {
    let view = ErrorView {
        site_name: state.env.config.site.name.clone(),
        title: title.to_owned(),
        heading: title.to_owned(),
        message: message.to_owned(),
        advice: advice.to_owned(),
        link: None,
        request_id: None,
    };
    page(status, &view, &Policy::default())
}

/// The page for a private file that its reader may not open, or that is not there: both alike. Whoever then logs in
/// comes back to it.
pub fn private_file_page(state: &State, request: &HttpRequest, status: StatusCode) -> HttpResponse {
    let here = request.uri().path_and_query().map_or(paths::HOME, |here| here.as_str());
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("again", "1").append_pair("redirect-to", here).finish();
    let view = ErrorView {
        site_name: state.env.config.site.name.clone(),
        // As Frappe's.
        title: status.to_string(),
        heading: "You cannot open this file".to_owned(),
        message: "It is private, or not there any more.".to_owned(),
        advice: "Log in as somebody who may read it, or ask whoever gave you this address.".to_owned(),
        link: Some(MessageLink { label: "Log in".to_owned(), path: format!("{}?{query}", paths::LOGIN) }),
        request_id: None,
    };
    page(status, &view, &Policy::default())
}

/// Handles everything that is neither API nor well-known document.
pub async fn handle(state: &State, request: &HttpRequest, payload: Payload, log: &mut RequestLog) -> HttpResponse {
    let path = request.path();
    if let Some(name) = path.strip_prefix("/static/") {
        log.route = "/static/";
        return asset(request, name);
    }
    let outcome = match path {
        paths::LOGIN => {
            log.route = "/login";
            if request.method() == Method::POST {
                post_login(state, request, payload, log).await
            } else {
                get_login(state, request, log).await
            }
        }
        paths::LOGOUT => {
            log.route = "/logout";
            if request.method() == Method::POST {
                post_logout(state, request, payload, log).await
            } else {
                get_logout(state, request, log).await
            }
        }
        // The second is Frappe's name for it.
        paths::APPS | "/third_party_apps" => {
            log.route = "/me/apps";
            if request.method() == Method::POST {
                post_apps(state, request, payload, log).await
            } else {
                get_apps(state, request, log).await
            }
        }
        // Where Frappe's logins lead: the desk, and the portal's own page.
        paths::HOME | "/app" | "/me" | "/desk" => {
            log.route = "/";
            get_home(state, request, log).await
        }
        _ => {
            log.route = "/?";
            Ok(error_page(state, StatusCode::NOT_FOUND, "Not Found", "There is no page at this address.", "Check the address, or go back."))
        }
    };
    outcome.unwrap_or_else(|error| {
        log.note_error(&error);
        let mut response = failure(state, &error);
        if matches!(error, AppError::Unauthenticated | AppError::SessionExpired) {
            // A session that is refused would be refused on every page, the login page too.
            cookies::apply(&CookieChange::Clear, &mut response, state);
        }
        response
    })
}

/// What a page says when something went wrong on the way.
fn failure(state: &State, error: &AppError) -> HttpResponse {
    match error {
        AppError::Unavailable { retry_after, .. } => {
            let mut response = error_page(
                state,
                StatusCode::SERVICE_UNAVAILABLE,
                "Try Again",
                "The server cannot do this right now.",
                "Wait a moment and try again.",
            );
            respond::retry_after(&mut response, *retry_after);
            response
        }
        AppError::TooManyRequests { retry_after, .. } | AppError::Locked { retry_after } => {
            let mut response = error_page(
                state,
                StatusCode::TOO_MANY_REQUESTS,
                "Too Many Requests",
                "That was too often.",
                "Wait a moment and try again.",
            );
            respond::retry_after(&mut response, *retry_after);
            response
        }
        AppError::Csrf => error_page(
            state,
            StatusCode::BAD_REQUEST,
            "Invalid Request",
            "This form was not sent from a page of this site, or the page was too old.",
            "Go back, load the page again and send it once more.",
        ),
        AppError::Unauthenticated | AppError::SessionExpired => {
            error_page(state, StatusCode::UNAUTHORIZED, "Session Expired", "You are not logged in.", "Log in and try again.")
        }
        AppError::InvalidData(text) => error_page(state, StatusCode::BAD_REQUEST, "Invalid Request", text, "Go back and try again."),
        AppError::MalformedCredentials
        | AppError::WrongResource
        | AppError::LoginRefused(_)
        | AppError::InsufficientScope { .. }
        | AppError::NotPermitted(_)
        | AppError::FieldNotPermitted(_)
        | AppError::NotFound { .. }
        | AppError::NoSuchPath
        | AppError::NoSuchMethod(_)
        | AppError::Unsupported(_)
        | AppError::WrongArgument { .. }
        | AppError::Validation(_)
        | AppError::Mandatory { .. }
        | AppError::LinkNotFound { .. }
        | AppError::Duplicate { .. }
        | AppError::NotUnique { .. }
        | AppError::NotAnOption { .. }
        | AppError::Stale { .. }
        | AppError::TooLong { .. }
        | AppError::LinkExists { .. }
        | AppError::SetOnce { .. }
        | AppError::DocstatusTransition { .. }
        | AppError::AfterSubmit { .. }
        | AppError::CancelledLink { .. }
        | AppError::Tree { .. }
        | AppError::InvalidName(_)
        | AppError::QueryTimeout
        | AppError::Internal(_) => error_page(
            state,
            StatusCode::INTERNAL_SERVER_ERROR,
            "Server Error",
            "Something went wrong on our side.",
            "Try again; if it stays, tell the administrator of this site.",
        ),
    }
}

async fn identify(state: &State, request: &HttpRequest, log: &mut RequestLog) -> Result<Identity, AppError> {
    let facts = extract::facts(request, &state.env.config.server.trusted_proxies);
    state.env.limits.check(Limit::Request, &crate::auth::address::limit_key(facts.address))?;
    let identity = state.identify(&RequestFacts { authorization: None, ..facts }).await?;
    log.scheme = identity.caller.via.as_str();
    if !identity.caller.is_guest() {
        log.caller = Some(identity.caller.name().to_owned());
    }
    Ok(identity)
}

fn query(request: &HttpRequest) -> Result<Params, AppError> {
    Params::read(request, &actix_web::web::Bytes::new())
}

async fn form(request: &HttpRequest, mut payload: Payload) -> Result<Params, AppError> {
    let body = body::read(request, &mut payload, MAX_FORM).await?;
    Params::read(request, &body)
}

/// The CSRF token of a session that is about to see a page.
pub async fn csrf_token(state: &State, session_id: &str, user: &str) -> Result<String, AppError> {
    let (id, user) = (session_id.to_owned(), user.to_owned());
    state.write("issue csrf token", move |cx| session::issue_csrf_token(cx, &id, &user)).await
}

/// A path on this site, or `/`: a login must never lead elsewhere (open redirect).
pub fn local_path(target: Option<&str>) -> String {
    let safe = target.filter(|path| {
        path.starts_with('/')
            && !path.starts_with("//")
            && !path.contains('\\')
            && path.chars().all(|c| !c.is_control())
            && path.len() <= 8000
    });
    safe.unwrap_or(paths::HOME).to_owned()
}

/// The redirect URI of an authorize request that a login leads back to: the browser follows the
/// login form all the way there, so the page's policy must name it. Only a registered one counts.
async fn waiting_app(state: &State, redirect_to: &str) -> Option<(String, String)> {
    let query = redirect_to.strip_prefix("/api/method/frappe.integrations.oauth2.authorize?")?.to_owned();
    let params: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let find = |name: &str| params.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let (client_id, redirect_uri) = (find("client_id")?, find("redirect_uri"));
    let client = state.lookup(move |cx| Ok(crate::store::clients::find_client(cx.conn, &client_id)?)).await.ok()??;
    let redirect_uri = redirect_uri.or_else(|| client.default_redirect_uri.clone())?;
    client.matches_redirect_uri(&redirect_uri).then_some((client.app_name, redirect_uri))
}

async fn login_page(state: &State, status: StatusCode, redirect_to: String, usr: String, error: Option<String>) -> HttpResponse {
    let waiting = waiting_app(state, &redirect_to).await;
    let (app_name, redirect_uri) = waiting.map_or((None, None), |(name, uri)| (Some(name), Some(uri)));
    let view = LoginView { site_name: state.env.config.site.name.clone(), redirect_to, usr, error, app_name };
    page(status, &view, &Policy { redirect_uri: redirect_uri.as_deref(), ..Policy::default() })
}

/// Frappe spells the parameter `redirect-to`; our own form field is `redirect_to`.
fn redirect_target(params: &Params) -> String {
    local_path(params.text("redirect_to").or_else(|| params.text("redirect-to")).as_deref())
}

async fn get_login(state: &State, request: &HttpRequest, log: &mut RequestLog) -> Result<HttpResponse, AppError> {
    let params = query(request)?;
    let redirect_to = redirect_target(&params);
    let identity = match identify(state, request, log).await {
        // Whoever may not use their session (from this address, at this hour) may log in as somebody else.
        Err(AppError::Unauthenticated) => Identity::guest(true),
        other => other?,
    };
    // `prompt=login` sends a logged-in user here on purpose; everybody else has nothing to do here.
    if !identity.caller.is_guest() && params.text("again").is_none() {
        return Ok(respond::redirect(&redirect_to));
    }
    let usr = params.text("login_hint").unwrap_or_default();
    let mut response = login_page(state, StatusCode::OK, redirect_to, usr, None).await;
    if identity.session_expired {
        cookies::apply(&CookieChange::Clear, &mut response, state);
    }
    Ok(response)
}

async fn post_login(state: &State, request: &HttpRequest, payload: Payload, log: &mut RequestLog) -> Result<HttpResponse, AppError> {
    let facts = extract::facts(request, &state.env.config.server.trusted_proxies);
    state.env.limits.check(Limit::Request, &crate::auth::address::limit_key(facts.address))?;
    csrf::refuse_foreign(&state.csrf_rules(), &facts)?;
    let params = form(request, payload).await?;
    let redirect_to = redirect_target(&params);
    let usr = params.text("usr").unwrap_or_default();
    let again = |status, text: String| login_page(state, status, redirect_to.clone(), usr.clone(), Some(text));
    let attempt = match LoginAttempt::new(Some(&usr), params.text("pwd").as_deref(), &facts) {
        Ok(attempt) => attempt,
        Err(AppError::LoginRefused(text)) => return Ok(again(StatusCode::UNAUTHORIZED, text.to_owned()).await),
        Err(error) => return Err(error),
    };
    match log_in(state, attempt).await {
        Ok(Ok((started, user))) => {
            log.caller = Some(user.name.clone());
            let mut response = respond::redirect(&redirect_to);
            cookies::apply(&CookieChange::Start { sid: started.sid, user: Box::new(user) }, &mut response, state);
            Ok(response)
        }
        Ok(Err(text)) => {
            log.cause = Some(format!("login refused: {text}"));
            Ok(again(StatusCode::UNAUTHORIZED, text.to_owned()).await)
        }
        Err(AppError::Locked { retry_after }) => {
            let text = format!("Too many attempts. Try again in {} seconds.", retry_after.as_secs().max(1));
            let mut response = again(StatusCode::TOO_MANY_REQUESTS, text).await;
            respond::retry_after(&mut response, retry_after);
            Ok(response)
        }
        Err(error) => Err(error),
    }
}

async fn get_logout(state: &State, request: &HttpRequest, log: &mut RequestLog) -> Result<HttpResponse, AppError> {
    let redirect_to = redirect_target(&query(request)?);
    let identity = identify(state, request, log).await?;
    let Via::Session { id } = &identity.caller.via else { return Ok(respond::redirect(paths::LOGIN)) };
    let user = &identity.caller.user.user;
    let view = LogoutView {
        site_name: state.env.config.site.name.clone(),
        user_full_name: user.full_name.clone(),
        user_email: user.email.clone(),
        csrf_token: csrf_token(state, id, &user.name).await?,
        app_name: None,
        action: paths::LOGOUT,
        fields: vec![("redirect_to".to_owned(), redirect_to)],
    };
    Ok(page(StatusCode::OK, &view, &Policy::default()))
}

async fn post_logout(state: &State, request: &HttpRequest, payload: Payload, log: &mut RequestLog) -> Result<HttpResponse, AppError> {
    let facts = extract::facts(request, &state.env.config.server.trusted_proxies);
    let identity = identify(state, request, log).await?;
    let mut params = form(request, payload).await?;
    let field = params.take_text("csrf_token");
    csrf::check(&state.csrf_rules(), &identity, &facts, field.as_deref())?;
    if let Via::Session { id } = identity.caller.via.clone() {
        let (user, ip) = (identity.caller.name().to_owned(), facts.address.to_string());
        state.write("logout", move |cx| session::end(cx, &id, &user, Some(&ip))).await?;
    }
    let target = redirect_target(&params);
    let to = if target == paths::HOME { paths::LOGIN.to_owned() } else { target };
    let mut response = respond::redirect(&to);
    cookies::apply(&CookieChange::Clear, &mut response, state);
    Ok(response)
}

async fn get_home(state: &State, request: &HttpRequest, log: &mut RequestLog) -> Result<HttpResponse, AppError> {
    let identity = identify(state, request, log).await?;
    let Via::Session { id } = &identity.caller.via else { return Ok(respond::redirect(paths::LOGIN)) };
    let user = &identity.caller.user.user;
    let view = HomeView {
        site_name: state.env.config.site.name.clone(),
        user_full_name: user.full_name.clone(),
        user_email: user.email.clone(),
        csrf_token: csrf_token(state, id, &user.name).await?,
    };
    Ok(page(StatusCode::OK, &view, &Policy::default()))
}

/// A scope in plain words, doctypes by the names they have here; or `elsewhere`, at a resource that is no part of this server.
pub fn scope_lines_of(state: &State, scope: &Scope, elsewhere: bool) -> Vec<ScopeLine> {
    if elsewhere {
        return scope_lines_elsewhere(scope);
    }
    let doctypes = state.env.doctypes();
    scope_lines(scope, |word| doctypes.iter().find(|doctype| doctype_word(&doctype.name) == word).map(|doctype| doctype.name.clone()))
}

async fn get_apps(state: &State, request: &HttpRequest, log: &mut RequestLog) -> Result<HttpResponse, AppError> {
    let identity = identify(state, request, log).await?;
    let Via::Session { id } = &identity.caller.via else {
        return Ok(respond::redirect(&format!("{}?redirect-to={}", paths::LOGIN, paths::APPS)));
    };
    let user = &identity.caller.user.user;
    let name = user.name.clone();
    let apps = state.query(move |cx| apps::list(cx, &name)).await?;
    let view = AppsView {
        site_name: state.env.config.site.name.clone(),
        user_full_name: user.full_name.clone(),
        user_email: user.email.clone(),
        csrf_token: csrf_token(state, id, &user.name).await?,
        withdrawn: query(request)?.text("withdrawn").is_some(),
        apps: apps.into_iter().map(|app| app_line(state, app)).collect(),
    };
    Ok(page(StatusCode::OK, &view, &Policy::default()))
}

fn app_line(state: &State, app: AllowedApp) -> AppLine {
    let zone = state.env.config.site.time_zone;
    let date = |at: Instant| at.naive_utc().and_utc().with_timezone(&zone).format("%-d %B %Y").to_string();
    let client = app.client;
    let redirect_uri = client.implied_redirect_uri().or(client.redirect_uris.first().map(String::as_str));
    AppLine {
        destination: redirect_uri.map(Destination::of),
        described_at: app.described_at,
        verified: client.verified,
        trusted: client.skip_authorization,
        access: app.access.into_iter().map(|access| access_line(state, access)).collect(),
        since: date(app.since),
        last_login: app.last_login.map(date),
        client_id: client.client_id,
        app_name: client.app_name,
    }
}

fn access_line(state: &State, access: Access) -> AccessLine {
    let elsewhere = access.at.as_ref().is_some_and(|at| at.elsewhere);
    AccessLine {
        scopes: scope_lines_of(state, &access.scope, elsewhere),
        at: access.at.map(|at| Place::of(&at.uri, at.title, at.elsewhere)),
    }
}

async fn post_apps(state: &State, request: &HttpRequest, payload: Payload, log: &mut RequestLog) -> Result<HttpResponse, AppError> {
    let facts = extract::facts(request, &state.env.config.server.trusted_proxies);
    let identity = identify(state, request, log).await?;
    let mut params = form(request, payload).await?;
    let field = params.take_text("csrf_token");
    csrf::check(&state.csrf_rules(), &identity, &facts, field.as_deref())?;
    let Via::Session { .. } = &identity.caller.via else { return Ok(respond::redirect(paths::LOGIN)) };
    // A session that was never shown a page cannot have pressed a button of one.
    if !identity.csrf_issued {
        return Err(AppError::Csrf);
    }
    let client_id = params.required("client_id")?;
    let (user, ip) = (identity.caller.name().to_owned(), facts.address.to_string());
    let withdrawn = state.write("withdraw app", move |cx| revoke::withdraw(cx, &user, &client_id, Some(&ip))).await?;
    let notice = if withdrawn { "?withdrawn=1" } else { "" };
    Ok(respond::redirect(&format!("{}{notice}", paths::APPS)))
}

fn asset(request: &HttpRequest, name: &str) -> HttpResponse {
    let Some(asset) = assets::find(name) else { return HttpResponse::NotFound().finish() };
    let tag = format!("\"{}\"", asset.version());
    let unchanged = extract::text(request.headers(), &header::IF_NONE_MATCH).is_some_and(|known| known == tag);
    let mut response =
        if unchanged { HttpResponse::NotModified().finish() } else { HttpResponse::Ok().content_type(asset.content_type).body(asset.body) };
    respond::set(&mut response, "etag", &tag);
    // The address carries the version, so a browser may keep the file for good.
    let age = if request.query_string() == format!("v={}", asset.version()) {
        "public, max-age=31536000, immutable"
    } else {
        "public, max-age=300"
    };
    respond::set(&mut response, "cache-control", age);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_lead_to_paths_of_this_site_only() {
        for good in ["/", "/api/method/x?y=%2F&z=http://a.example", "/app"] {
            assert_eq!(local_path(Some(good)), good);
        }
        for bad in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "javascript:alert(1)",
            "/a\r\nSet-Cookie: x",
            "",
            "evil",
        ] {
            assert_eq!(local_path(Some(bad)), "/", "{bad:?}");
        }
    }
}
