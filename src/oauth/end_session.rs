//! Logout that an app asks for (OpenID Connect RP-Initiated Logout 1.0).
//!
//! The user is always asked: the link that leads here may come from anybody. A bad client, hint or
//! `post_logout_redirect_uri` is an error page, never a redirect. Where there is nothing to ask, because nobody is logged
//! in, only an id token or an administrator's word for the client leads on by itself: else anybody could register a client
//! and have links to this site lead to theirs. Ends the session only; what apps may do goes on.

use super::authorize::Visitor;
use super::error::{ProtocolError, Stop};
use super::hint::{HINTED_USER, Hinted, ID_TOKEN_HINT};
use super::params::Params;
use super::redirect::with_query;
use crate::auth::session;
use crate::cx::{Cx, Env};
use crate::domain::client::Client;
use crate::error::AppError;
use crate::store::clients;

/// What a request may say; whatever else it says is neither read nor passed on.
const KNOWN: [&str; 7] = [ID_TOKEN_HINT, HINTED_USER, "client_id", "post_logout_redirect_uri", "state", "logout_hint", "ui_locales"];

/// A request to the end session endpoint.
#[derive(Clone, Debug)]
pub struct EndSessionRequest {
    /// What it says, of what is known.
    pub params: Params,
    hinted: Hinted,
}

impl EndSessionRequest {
    /// A request as it came in. Checks the signature of its `id_token_hint`, so this is for outside of transactions.
    pub fn new(env: &Env, params: &Params) -> Self {
        let (hinted, params) = Hinted::take(env, params.only(&KNOWN));
        Self { params, hinted }
    }
}

/// What the end session endpoint answers.
#[derive(Clone, Debug, PartialEq)]
pub enum EndSessionOutcome {
    /// Ask the user; their answer comes with the same parameters.
    Ask { app_name: Option<String>, back: Option<Back> },
    /// Nobody is logged in any more.
    LoggedOut(Option<Back>),
    /// The same, where nobody vouches for the way back: it may be shown, and taken by hand.
    Offer(Back),
    /// An error page.
    Refuse(ProtocolError),
}

/// The way back to the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Back {
    /// As it was registered.
    pub redirect_uri: String,
    pub state: Option<String>,
}

impl Back {
    /// Where the browser goes.
    pub fn url(&self) -> String {
        match &self.state {
            None => self.redirect_uri.clone(),
            Some(state) => with_query(&self.redirect_uri, &[("state", state.as_str())].into_iter().collect()),
        }
    }
}

/// Checks a request and says what to do with the visitor, if there is one.
///
/// # Errors
/// [`AppError`] for faults only.
pub fn end_session(cx: &mut Cx, request: &EndSessionRequest, visitor: Option<&Visitor>) -> Result<EndSessionOutcome, AppError> {
    let (client, back) = match bind(cx, request) {
        Ok(bound) => bound,
        Err(Stop::Refused(error)) => return Ok(EndSessionOutcome::Refuse(error)),
        Err(Stop::Fault(error)) => return Err(error),
    };
    let vouched = request.hinted.is_proven() || client.as_ref().is_some_and(|client| client.verified);
    Ok(match (visitor, back) {
        (Some(_), back) => EndSessionOutcome::Ask { app_name: client.map(|client| client.app_name), back },
        (None, Some(back)) if !vouched => EndSessionOutcome::Offer(back),
        (None, back) => EndSessionOutcome::LoggedOut(back),
    })
}

/// Ends the visitor's session. The caller has checked the session's CSRF token, which stands for
/// pressing the button.
///
/// # Errors
/// [`AppError`] for faults only.
pub fn confirm(cx: &mut Cx, request: &EndSessionRequest, visitor: &Visitor, ip: Option<&str>) -> Result<EndSessionOutcome, AppError> {
    match end_session(cx, request, Some(visitor))? {
        EndSessionOutcome::Ask { back, .. } => {
            session::end(cx, &visitor.session_id, visitor.caller.name(), ip)?;
            Ok(EndSessionOutcome::LoggedOut(back))
        }
        other => Ok(other),
    }
}

fn bind(cx: &mut Cx, request: &EndSessionRequest) -> Result<(Option<Client>, Option<Back>), Stop> {
    let params = &request.params;
    for name in KNOWN {
        params.get(name)?;
    }
    // A hint that nobody can prove names its client as well as `client_id` does, which proves nothing either.
    let client_id = match params.get("client_id")? {
        Some(named) => request.hinted.for_client(named).map(|_| Some(named))?,
        None => request.hinted.client_id()?,
    };
    let client = match client_id {
        None => None,
        Some(client_id) => {
            let found = clients::find_client(cx.conn, client_id)?;
            Some(found.ok_or_else(|| ProtocolError::invalid_request("Invalid client_id parameter value."))?)
        }
    };
    let Some(redirect_uri) = params.get("post_logout_redirect_uri")? else { return Ok((client, None)) };
    let Some(client) = client else {
        return Err(ProtocolError::invalid_request("post_logout_redirect_uri needs id_token_hint or client_id.").into());
    };
    if !client.post_logout_redirect_uris.iter().any(|registered| registered == redirect_uri) {
        return Err(ProtocolError::invalid_request("Mismatching post_logout_redirect_uri.").into());
    }
    let back = Back { redirect_uri: redirect_uri.to_owned(), state: params.get("state")?.map(str::to_owned) };
    Ok((Some(client), Some(back)))
}
