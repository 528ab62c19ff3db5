//! What the app answers, path by path.

use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{self, HeaderName};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::Site;
use super::provider::Trouble;
use super::sessions::{COOKIE, Login, Visit};
use super::views::{BoardView, MessageView, Notice, TokenLine, WelcomeView};

const STYLE: &str = include_str!("../../templates/sample_app/style.css");

/// Every request comes in here.
pub async fn handle(request: HttpRequest, site: Data<Site>) -> HttpResponse {
    let mut response = match (request.method(), request.path()) {
        // By another name it is another host to browsers: the answer would come back without the cookie.
        (&Method::GET, path) if is_elsewhere(&request, &site) => redirect(&format!("{}{path}", site.origin), None),
        (&Method::GET, "/") => home(&request, &site).await,
        (&Method::GET, "/login") => leave(&site).await,
        (&Method::GET, "/callback") => come_back(&request, &site).await,
        (&Method::POST, "/refresh") if is_own_form(&request, &site) => refresh(&request, &site).await,
        (&Method::POST, "/logout") if is_own_form(&request, &site) => log_out(&request, &site).await,
        (&Method::GET, "/style.css") => HttpResponse::Ok().content_type("text/css; charset=utf-8").body(STYLE),
        (_, "/refresh" | "/logout") => say(StatusCode::BAD_REQUEST, "Not from here", "That form was not sent from a page of this site."),
        _ => say(StatusCode::NOT_FOUND, "Not found", "There is no page at this address."),
    };
    for (name, value) in [
        ("content-security-policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"),
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        response.headers_mut().insert(HeaderName::from_static(name), header::HeaderValue::from_static(value));
    }
    response
}

/// Whether the app was called by another name than the issuer knows it by.
fn is_elsewhere(request: &HttpRequest, site: &Site) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    host.is_some_and(|host| site.origin != format!("http://{host}"))
}

/// Browsers say where a form comes from; the site next door must not press our buttons.
fn is_own_form(request: &HttpRequest, site: &Site) -> bool {
    request.headers().get(header::ORIGIN).is_some_and(|origin| origin.as_bytes() == site.origin.as_bytes())
}

fn session_id(request: &HttpRequest) -> Option<String> {
    request.cookie(COOKIE).map(|cookie| cookie.value().to_owned())
}

async fn home(request: &HttpRequest, site: &Site) -> HttpResponse {
    let Some(Login { who, tokens, before }) = session_id(request).and_then(|id| site.sessions.login(&id)) else {
        return page(StatusCode::OK, &WelcomeView { issuer: site.provider.issuer() });
    };
    let todos = site.provider.todos(&tokens).await.map_err(|trouble| match trouble {
        Trouble::Ended(_) => Notice {
            title: "This access has ended",
            text: "The access token has expired or was revoked. Press Refresh to get a new one; if that does not help, log in again."
                .into(),
        },
        other => notice(&other),
    });
    let lines = TokenLine::all(&tokens, before.as_ref());
    let lifetime = tokens.lifetime.map(|lifetime| lifetime.as_secs());
    page(StatusCode::OK, &BoardView { who: &who, todos, tokens: lines, refreshed: before.is_some(), lifetime })
}

async fn leave(site: &Site) -> HttpResponse {
    match site.provider.leave().await {
        Ok((url, state, verifier)) => redirect(&url, Some(&site.sessions.start(Visit::Leaving { state, verifier }))),
        Err(trouble) => troubled(&trouble),
    }
}

/// What the issuer puts into the redirect (RFC 6749 section 4.1.2, RFC 9207).
#[derive(Default)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Answer {
    fn of(query: &str) -> Self {
        let mut answer = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = Some(value.into_owned());
            match name.as_ref() {
                "code" => answer.code = value,
                "state" => answer.state = value,
                "iss" => answer.iss = value,
                "error" => answer.error = value,
                "error_description" => answer.error_description = value,
                _ => {}
            }
        }
        answer
    }
}

async fn come_back(request: &HttpRequest, site: &Site) -> HttpResponse {
    let answer = Answer::of(request.query_string());
    let stranger = || {
        let text = "This answer does not belong to a login that you started here, or it was used before. Nothing happened; log in again.";
        say(StatusCode::BAD_REQUEST, "Not your login", text)
    };
    // Of a session that is logged in nothing is taken: a link from elsewhere must not log it out.
    let Some(id) = session_id(request).filter(|id| site.sessions.login(id).is_none()) else { return stranger() };
    let Some(Visit::Leaving { state, verifier }) = site.sessions.take(&id) else { return stranger() };
    if answer.state.as_deref() != Some(state.secret().as_str()) {
        return stranger();
    }
    match site.provider.is_own_answer(answer.iss.as_deref()).await {
        Ok(true) => {}
        // RFC 9207: another server's answer must not reach this one's token endpoint (mix-up).
        Ok(false) => return say(StatusCode::BAD_REQUEST, "Not your login", "The answer came from another server than you were sent to."),
        Err(trouble) => return troubled(&trouble),
    }
    let code = match (answer.error.as_deref(), answer.code) {
        (Some("access_denied"), _) => {
            return say(StatusCode::OK, "You said no", "That is fine: this app was given nothing. You can log in whenever you like.");
        }
        (Some(error), _) => {
            let text = format!("The server refused: {} ({error})", answer.error_description.as_deref().unwrap_or("it did not say why"));
            return say(StatusCode::BAD_GATEWAY, "No login this time", text);
        }
        (None, Some(code)) => code,
        (None, None) => return stranger(),
    };
    match log_in(site, code, verifier).await {
        Ok(login) => redirect("/", Some(&site.sessions.start(Visit::LoggedIn(login)))),
        Err(Trouble::Ended(_)) => {
            say(StatusCode::BAD_GATEWAY, "That took too long", "The server's one-time code is not valid any more. Log in again.")
        }
        Err(trouble) => troubled(&trouble),
    }
}

async fn log_in(site: &Site, code: String, verifier: oauth2::PkceCodeVerifier) -> Result<Login, Trouble> {
    let tokens = site.provider.exchange(code, verifier).await?;
    let who = site.provider.profile(&tokens).await?;
    Ok(Login { who, tokens, before: None })
}

async fn refresh(request: &HttpRequest, site: &Site) -> HttpResponse {
    let Some(id) = session_id(request) else { return redirect("/", None) };
    let Some(login) = site.sessions.login(&id) else { return redirect("/", None) };
    let Some(refresh) = login.tokens.refresh else {
        return say(StatusCode::OK, "Nothing to refresh with", "The server gave no refresh token. Log in again when the access ends.");
    };
    match site.provider.refresh(refresh).await {
        Ok(tokens) => {
            site.sessions.refreshed(&id, tokens);
            redirect("/", None)
        }
        Err(Trouble::Ended(_)) => {
            site.sessions.take(&id);
            say(
                StatusCode::OK,
                "Your login has ended",
                "The server does not accept this app's tokens any more: they were revoked or have expired. Log in again.",
            )
        }
        Err(trouble) => troubled(&trouble),
    }
}

async fn log_out(request: &HttpRequest, site: &Site) -> HttpResponse {
    let Some(Visit::LoggedIn(login)) = session_id(request).and_then(|id| site.sessions.take(&id)) else { return redirect("/", None) };
    match site.provider.revoke(&login.tokens).await {
        Ok(()) => say(StatusCode::OK, "Logged out", "The tokens were given back: the server does not accept them any more."),
        Err(trouble) => {
            let text = format!("You are logged out here, but the tokens could not be given back ({trouble}). They end by themselves.");
            say(StatusCode::OK, "Logged out here", text)
        }
    }
}

fn notice(trouble: &Trouble) -> Notice {
    match trouble {
        Trouble::Gone(_) => Notice { title: "The server does not answer", text: "Wait a moment and try again.".into() },
        Trouble::Ended(_) => Notice { title: "Your login has ended", text: "Log in again.".into() },
        Trouble::NotAllowed(_) => Notice { title: "Not allowed", text: "This app was not given the right to see that.".into() },
        Trouble::Unexpected(text) => Notice { title: "Something is wrong", text: format!("The server said something unexpected: {text}") },
    }
}

fn troubled(trouble: &Trouble) -> HttpResponse {
    tracing::warn!(cause = %trouble, "the sample app could not go on");
    page(StatusCode::BAD_GATEWAY, &MessageView { notice: &notice(trouble) })
}

fn say(status: StatusCode, title: &'static str, text: impl Into<String>) -> HttpResponse {
    page(status, &MessageView { notice: &Notice { title, text: text.into() } })
}

fn page(status: StatusCode, view: &impl Template) -> HttpResponse {
    match view.render() {
        Ok(html) => HttpResponse::build(status).content_type("text/html; charset=utf-8").body(html),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

/// 303: whatever was sent, a page is loaded next.
fn redirect(to: &str, session: Option<&str>) -> HttpResponse {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((header::LOCATION, to));
    if let Some(id) = session {
        // Lax, not Strict: the way back from the issuer starts on another site.
        response.cookie(Cookie::build(COOKIE, id).path("/").http_only(true).same_site(SameSite::Lax).finish());
    }
    response.finish()
}
