//! The authorization endpoint (RFC 6749 section 4.1.1): a user meets a client.
//!
//! In order: client and redirect URI (a bad one is an error page, never a redirect); the rest of the
//! request (errors go to the client); who is logged in; what they allowed before; the consent page.
//! Knows sessions only: an API key is not a login.

use serde::{Deserialize, Serialize};

use super::asking::{self, Asking};
use super::client_documents::{self, NeedDocument};
use super::error::{ErrorCode, ProtocolError, Stop};
use super::hint::{HINTED_USER, Hinted, ID_TOKEN_HINT};
use super::params::Params;
use super::redirect::{Redirection, ResponseMode, To};
use super::resource::{self, Target};
use super::resources;
use crate::audit::{self, AuditEvent};
use crate::auth::Caller;
use crate::cx::{Cx, Env};
use crate::domain::Instant;
use crate::domain::Scope;
use crate::domain::claims::ClaimsRequest;
use crate::domain::client::Client;
use crate::domain::grant::{AuthorizationCode, CodeState};
use crate::domain::resource::path_below;
use crate::domain::scope::ADMIN_CREDENTIALS;
use crate::error::AppError;
use crate::secrets::{SecretHash, constant_time_eq, mint};
use crate::store::authorization_requests::{self, PendingRequest};
use crate::store::consents::ConsentKey;
use crate::store::{clients, codes, consents};

/// The user in front of the browser: a live session.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub session_id: String,
    /// When they last proved who they are.
    pub auth_time: Instant,
    pub caller: Caller,
}

/// A request to the authorization endpoint.
#[derive(Clone, Debug)]
pub struct AuthorizeRequest {
    pub params: Params,
    /// The address it came from, for the audit log.
    pub ip: Option<String>,
    /// Whether what the client publishes of itself was asked for already: what is kept now has to do.
    pub document_asked_for: bool,
    hinted: Hinted,
}

impl AuthorizeRequest {
    /// A request as it came in. Checks the signature of its `id_token_hint`, so this is for outside of transactions, and for
    /// requests that were counted.
    pub fn new(env: &Env, params: Params, ip: Option<String>) -> Self {
        let (hinted, params) = Hinted::take(env, params);
        Self { params, ip, document_asked_for: false, hinted }
    }
}

/// What the authorization endpoint answers.
#[derive(Clone, Debug, PartialEq)]
pub enum AuthorizeOutcome {
    /// Log in, then come back with these parameters.
    NeedLogin {
        params: Params,
        login_hint: Option<String>,
        /// Whether a login is wanted although there is a session.
        again: bool,
    },
    NeedConsent(Box<ConsentView>),
    /// Fetch what the client publishes of itself, then run this again.
    NeedDocument(NeedDocument),
    Redirect(Redirection),
    /// An error page: the client or its redirect URI is not to be trusted with an answer.
    Refuse(ProtocolError),
}

/// What a consent page asks: may `client` have `scope`, and hear of it at `redirect_uri`?
#[derive(Clone, Debug, PartialEq)]
pub struct ConsentView {
    /// What the form posts back, with the session's CSRF token.
    pub pending_id: String,
    pub client: Client,
    /// The validated redirect URI.
    pub redirect_uri: String,
    /// Everything that Allow allows.
    pub scope: Scope,
    /// What of it the user allowed before and is asked again only along with the rest.
    pub known: Scope,
    /// Whether an administrator vouches for the client; one that registered itself has nobody.
    pub verified: bool,
    /// The host that says who the client is, for one that describes itself.
    pub described_at: Option<String>,
    /// The resource it is about, unless that is the whole API of this server.
    pub at: Option<ConsentedAt>,
}

/// A resource that a consent is for.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsentedAt {
    pub uri: String,
    /// What people call it, where it is registered.
    pub title: Option<String>,
    /// Whether it is no part of this server.
    pub elsewhere: bool,
}

impl ConsentedAt {
    /// What there is to say of a resource that is not the whole API.
    pub(super) fn of(cx: &mut Cx, uri: String) -> Result<Self, AppError> {
        let title = resources::known(cx)?.find(&uri).map(|resource| resource.title.clone());
        Ok(Self { title, elsewhere: path_below(&uri, cx.env.public_url.as_str()).is_none(), uri })
    }
}

/// What a request may say; whatever else it says is neither read nor passed on.
const KNOWN: [&str; 21] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "login_hint",
    "display",
    "ui_locales",
    "claims_locales",
    ID_TOKEN_HINT,
    HINTED_USER,
    "claims",
    "acr_values",
    "resource",
    LOGIN_AFTER,
];

/// Added to the parameters on the way to a login that `prompt=login` asked for: a login from then
/// on satisfies it.
pub(super) const LOGIN_AFTER: &str = "login_after";

/// Starts an authorization, or finishes it at once where consent is remembered or not needed.
/// `approve` by GET is the same: a link alone never allows anything.
///
/// # Errors
/// [`AppError`] for faults only.
pub fn authorize(cx: &mut Cx, request: &AuthorizeRequest, visitor: Option<&Visitor>) -> Result<AuthorizeOutcome, AppError> {
    run(cx, request, visitor, Consent::Ask)
}

/// `approve` by POST with full parameters, as Frappe's own page sends them. The caller has checked
/// the session's CSRF token, which only a page of ours can know: it stands for pressing Allow.
///
/// # Errors
/// [`AppError`] for faults only.
pub fn approve(cx: &mut Cx, request: &AuthorizeRequest, visitor: &Visitor) -> Result<AuthorizeOutcome, AppError> {
    run(cx, request, Some(visitor), Consent::Sent)
}

/// Allow or Deny for a request whose consent page this session was shown.
///
/// # Errors
/// [`AppError`] for faults only.
pub fn decide(cx: &mut Cx, visitor: &Visitor, decision: &Decision) -> Result<AuthorizeOutcome, AppError> {
    let kept = authorization_requests::consume_request(cx.conn, cx.now, &decision.pending_id, &visitor.session_id)?;
    // One that an older version kept counts as expired.
    let Some(Shown { params, said }) = kept.and_then(|kept| serde_json::from_str(&kept).ok()) else {
        let text = "This page has expired or was already answered. Go back to the app and start again.";
        return Ok(AuthorizeOutcome::Refuse(ProtocolError::invalid_request(text)));
    };
    // Who it is was settled before the page was shown, and the page is used up now.
    let request = AuthorizeRequest { params, ip: decision.ip.clone(), document_asked_for: true, hinted: Hinted::Nobody };
    // Checked anew: the client may have changed since the page was shown.
    let consent = if decision.allow { Consent::Allowed(&said) } else { Consent::Denied };
    run(cx, &request, Some(visitor), consent)
}

/// What a consent form posts.
#[derive(Clone, Debug)]
pub struct Decision {
    pub pending_id: String,
    pub allow: bool,
    /// The address it came from, for the audit log.
    pub ip: Option<String>,
}

/// A request whose consent page was shown, as it is kept until that is answered.
#[derive(Serialize, Deserialize)]
struct Shown {
    params: Params,
    said: Said,
}

/// What a consent page said and would grant. Allow is an answer to this and to nothing else: a client may change, or
/// describe itself anew, while its page is open.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Said {
    scope: String,
    claims: Option<String>,
    resource: Option<String>,
    redirect_uri: String,
    app_name: String,
    verified: bool,
    described_at: Option<String>,
    legacy_no_pkce: bool,
}

impl Said {
    fn of(bound: &Bound, asking: &Asking) -> Self {
        Self {
            scope: asking.scope.to_string(),
            claims: asking.claims.as_ref().map(ClaimsRequest::to_text),
            resource: asking.target.key().map(str::to_owned),
            redirect_uri: bound.redirect_uri.clone(),
            app_name: bound.client.app_name.clone(),
            verified: bound.client.verified,
            described_at: bound.described_at.clone(),
            legacy_no_pkce: bound.client.legacy_no_pkce,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Consent<'a> {
    Ask,
    /// Sent along with the request, so whether the login is recent enough was not looked at before.
    Sent,
    /// Given to what a page said, and refused on one; it was shown only after that was looked at.
    Allowed(&'a Said),
    Denied,
}

fn run(cx: &mut Cx, request: &AuthorizeRequest, visitor: Option<&Visitor>, consent: Consent<'_>) -> Result<AuthorizeOutcome, AppError> {
    if !request.document_asked_for {
        match client_documents::need(cx, &request.params) {
            Ok(None) => {}
            Ok(Some(need)) => return Ok(AuthorizeOutcome::NeedDocument(need)),
            Err(Stop::Refused(error)) => return Ok(AuthorizeOutcome::Refuse(error)),
            Err(Stop::Fault(error)) => return Err(error),
        }
    }
    let bound = match bind(cx, &request.params) {
        Ok(bound) => bound,
        Err(Stop::Refused(error)) => return Ok(AuthorizeOutcome::Refuse(error)),
        Err(Stop::Fault(error)) => return Err(error),
    };
    match answer(cx, request, &bound, visitor, consent) {
        Ok(outcome) => Ok(outcome),
        Err(Stop::Refused(error)) => {
            // From here on the client may hear of errors, at the URI it registered.
            let mode = asking::mode(&request.params).unwrap_or(ResponseMode::Query);
            let state = request.params.get_lenient("state");
            let to = To { app_name: &bound.client.app_name, redirect_uri: &bound.redirect_uri, mode, state };
            Ok(AuthorizeOutcome::Redirect(Redirection::refusal(to, &error, cx.env.public_url.as_str())))
        }
        Err(Stop::Fault(error)) => Err(error),
    }
}

/// The client and the URI that will hear the answer.
struct Bound {
    client: Client,
    redirect_uri: String,
    /// Whether the request named it.
    sent: bool,
    /// See [`ConsentView::described_at`].
    described_at: Option<String>,
}

fn bind(cx: &mut Cx, params: &Params) -> Result<Bound, Stop> {
    let client_id = params.get("client_id")?.ok_or_else(|| ProtocolError::invalid_request("Missing client_id parameter."))?;
    let client =
        clients::find_client(cx.conn, client_id)?.ok_or_else(|| ProtocolError::invalid_request("Invalid client_id parameter value."))?;
    let described_at = match client_documents::describes_itself(cx, client_id)? {
        true if !cx.env.config.oauth.client_metadata_documents => {
            return Err(ProtocolError::invalid_request("Invalid client_id parameter value.").into());
        }
        true => client_documents::host_of(client_id),
        false => None,
    };
    let sent = params.get("redirect_uri")?;
    let redirect_uri = match sent {
        Some(uri) if url::Url::parse(uri).is_err() => return Err(ProtocolError::invalid_request("Invalid redirect URI.").into()),
        Some(uri) if !client.matches_redirect_uri(uri) => return Err(ProtocolError::invalid_request("Mismatching redirect URI.").into()),
        Some(uri) => uri,
        None => client.implied_redirect_uri().ok_or_else(|| ProtocolError::invalid_request("Missing redirect_uri parameter."))?,
    };
    Ok(Bound { redirect_uri: redirect_uri.to_owned(), sent: sent.is_some(), client, described_at })
}

fn answer(
    cx: &mut Cx,
    request: &AuthorizeRequest,
    bound: &Bound,
    visitor: Option<&Visitor>,
    consent: Consent<'_>,
) -> Result<AuthorizeOutcome, Stop> {
    let target = resource::wanted(cx, &request.params)?.unwrap_or(Target::Api);
    let asking = asking::read(&bound.client, &bound.redirect_uri, &request.params, target, &request.hinted)?;
    let Some(visitor) = visitor else { return need_login(cx, request, &asking, false) };
    let caller = &visitor.caller;
    if matches!(consent, Consent::Ask | Consent::Sent) {
        if !asking.is_for(&caller.user.user.sub) {
            return another_user(cx, request, &asking, visitor);
        }
        if login_is_too_old(cx, request, &asking, visitor) {
            return need_login(cx, request, &asking, true);
        }
    }
    let allowed = clients::list_allowed_roles(cx.conn, &bound.client.client_id)?;
    if !allowed.is_empty() && !allowed.iter().any(|allowed| caller.has_role(&allowed.role)) {
        return Err(ProtocolError::new(ErrorCode::AccessDenied, "This app is not open to the roles of this user.").into());
    }
    match consent {
        Consent::Denied => {
            let event = AuditEvent::Denied { user: caller.name().to_owned(), client_id: bound.client.client_id.clone() };
            audit::record(cx, request.ip.as_deref(), &event)?;
            Err(ProtocolError::new(ErrorCode::AccessDenied, "The user denied the request.").into())
        }
        Consent::Allowed(said) if *said != Said::of(bound, &asking) => ask(cx, request, bound, &asking, &Scope::default(), visitor),
        Consent::Sent | Consent::Allowed(_) => {
            remember(cx, request, bound, &asking, caller)?;
            issue(cx, bound, asking, visitor)
        }
        Consent::Ask => {
            let known = consents::hold_scope(cx.conn, consent_key(bound, &asking, caller))?.unwrap_or_default();
            // A System Manager may trust an app for everybody, but not with what only Administrator has.
            let trusted = bound.client.skip_authorization && !caller.is_administrator();
            let shown = asking.shown();
            // Whoever can make credentials can do anything later: that is asked each time, of trusted apps too.
            let makes_credentials = shown.contains(ADMIN_CREDENTIALS);
            let allowed = known.covers(&shown) || (trusted && !makes_credentials);
            // Where another local program can pose as the client, each time is asked.
            let each_time = makes_credentials || !bound.client.may_skip_consent(&bound.redirect_uri);
            if allowed && !each_time && !asking.prompts("consent") {
                return issue(cx, bound, asking, visitor);
            }
            if asking.prompts("none") {
                // OpenID Connect Core section 3.1.2.6: asking for consent once would not help where it was given already.
                return Err(match allowed {
                    true => ProtocolError::new(ErrorCode::InteractionRequired, "The user is asked each time that this app logs in."),
                    false => ProtocolError::new(ErrorCode::ConsentRequired, "The user has not allowed this yet."),
                }
                .into());
            }
            // What is asked each time is asked in full.
            let known = if each_time { Scope::default() } else { known };
            ask(cx, request, bound, &asking, &known, visitor)
        }
    }
}

/// When a login was asked for, in a form that only this server can write, and for this request only:
/// whoever could choose it, or use that of an earlier request, would get past `prompt=login` with an old session.
fn login_after(cx: &Cx, request: &AuthorizeRequest, micros: i64) -> String {
    let asked = request.params.only(&KNOWN).without(LOGIN_AFTER).to_query();
    format!("{micros}.{}", cx.env.seal.mac("login-after", format!("{micros}:{asked}").as_bytes()))
}

fn asked_to_log_in_since(cx: &Cx, request: &AuthorizeRequest) -> Option<i64> {
    let sent = request.params.get_lenient(LOGIN_AFTER)?;
    let micros: i64 = sent.split_once('.')?.0.parse().ok()?;
    // An app whose requests are all alike could be sent an old one again, but not for long.
    let fresh = cx.now.minus(cx.env.config.oauth.consent()).unix_micros() <= micros;
    (fresh && constant_time_eq(sent.as_bytes(), login_after(cx, request, micros).as_bytes())).then_some(micros)
}

fn need_login(cx: &Cx, request: &AuthorizeRequest, asking: &Asking, again: bool) -> Result<AuthorizeOutcome, Stop> {
    if asking.prompts("none") {
        return Err(ProtocolError::new(ErrorCode::LoginRequired, "The user is not logged in, or not lately enough.").into());
    }
    let wants_fresh = again || asking.prompts("login") || asking.prompts("select_account") || asking.names_its_user();
    let params = match wants_fresh && asked_to_log_in_since(cx, request).is_none() {
        true => request.params.only(&KNOWN).with(LOGIN_AFTER, &login_after(cx, request, cx.now.unix_micros())),
        false => request.params.only(&KNOWN),
    };
    Ok(AuthorizeOutcome::NeedLogin { params, login_hint: asking.login_hint.clone(), again })
}

/// The request is for a certain user (`id_token_hint`, or `sub` in `claims`), and somebody else is logged in. They
/// may log in as that user, once: whoever then is somebody else still is answered for, or the two would meet the
/// login page for ever.
fn another_user(cx: &Cx, request: &AuthorizeRequest, asking: &Asking, visitor: &Visitor) -> Result<AuthorizeOutcome, Stop> {
    if has_logged_in_since_asked(cx, request, visitor) {
        let text = "Another user logged in than the one that the request is for.";
        return Err(ProtocolError::new(ErrorCode::LoginRequired, text).into());
    }
    need_login(cx, request, asking, true)
}

/// Whether the session began by a login that this request asked for.
fn has_logged_in_since_asked(cx: &Cx, request: &AuthorizeRequest, visitor: &Visitor) -> bool {
    asked_to_log_in_since(cx, request).is_some_and(|since| visitor.auth_time.unix_micros() >= since)
}

/// Whether `prompt` or `max_age` want a login later than the session's.
fn login_is_too_old(cx: &Cx, request: &AuthorizeRequest, asking: &Asking, visitor: &Visitor) -> bool {
    let too_old = asking.max_age.is_some_and(|seconds| cx.now.since(visitor.auth_time).as_secs() > seconds);
    if !too_old && !asking.prompts("login") && !asking.prompts("select_account") {
        return false;
    }
    // A login that this request asked for is recent enough, however long the way back took.
    !has_logged_in_since_asked(cx, request, visitor)
}

fn ask(
    cx: &mut Cx,
    request: &AuthorizeRequest,
    bound: &Bound,
    asking: &Asking,
    known: &Scope,
    visitor: &Visitor,
) -> Result<AuthorizeOutcome, Stop> {
    // The hint was looked at by now, and tells more about a user than should lie about.
    let shown_request = Shown { params: request.params.only(&KNOWN).without(HINTED_USER), said: Said::of(bound, asking) };
    let pending = PendingRequest {
        id: mint::name(26),
        session_id: visitor.session_id.clone(),
        parameters: serde_json::to_string(&shown_request).map_err(AppError::internal)?,
        created: cx.now,
        expires_at: cx.now.plus(cx.env.config.oauth.consent()),
    };
    authorization_requests::insert_request(cx.conn, &pending)?;
    let shown = asking.shown();
    Ok(AuthorizeOutcome::NeedConsent(Box::new(ConsentView {
        pending_id: pending.id,
        client: bound.client.clone(),
        redirect_uri: bound.redirect_uri.clone(),
        // Nothing new to show apart: everything is asked again.
        known: if known.covers(&shown) { Scope::default() } else { shown.intersect(known) },
        scope: shown,
        verified: bound.client.verified,
        described_at: bound.described_at.clone(),
        at: asking.target.key().map(|uri| ConsentedAt::of(cx, uri.to_owned())).transpose()?,
    })))
}

fn consent_key<'a>(bound: &'a Bound, asking: &'a Asking, caller: &'a Caller) -> ConsentKey<'a> {
    ConsentKey { user: caller.name(), client_id: &bound.client.client_id, resource: asking.target.key() }
}

fn remember(cx: &mut Cx, request: &AuthorizeRequest, bound: &Bound, asking: &Asking, caller: &Caller) -> Result<(), Stop> {
    let (key, shown) = (consent_key(bound, asking, caller), asking.shown());
    let known = consents::find_scope(cx.conn, key)?.unwrap_or_default();
    consents::replace_scope(cx.conn, cx.now, key, &known.union(&shown))?;
    let event = AuditEvent::Consented {
        user: key.user.to_owned(),
        client_id: key.client_id.to_owned(),
        scope: shown.to_string(),
        resource: key.resource.map(str::to_owned),
    };
    audit::record(cx, request.ip.as_deref(), &event)?;
    Ok(())
}

fn issue(cx: &mut Cx, bound: &Bound, asking: Asking, visitor: &Visitor) -> Result<AuthorizeOutcome, Stop> {
    let secret = mint::secret(mint::Kind::AuthorizationCode);
    let code = AuthorizationCode {
        id: mint::id(cx.now),
        client_id: bound.client.client_id.clone(),
        user: visitor.caller.name().to_owned(),
        redirect_uri: bound.redirect_uri.clone(),
        redirect_uri_sent: bound.sent,
        resource: asking.target.key().map(str::to_owned),
        scope: asking.scope,
        claims: asking.claims,
        nonce: asking.nonce,
        code_challenge: asking.code_challenge,
        auth_time: visitor.auth_time,
        created: cx.now,
        expires_at: cx.now.plus(cx.env.config.oauth.code()),
        state: CodeState::Issued,
    };
    codes::insert_code(cx.conn, &code, &SecretHash::of(&secret))?;
    let to = To { app_name: &bound.client.app_name, redirect_uri: &bound.redirect_uri, mode: asking.mode, state: asking.state.as_deref() };
    Ok(AuthorizeOutcome::Redirect(Redirection::new(to, vec![("code", secret)], cx.env.public_url.as_str())))
}
