//! `frappe.integrations.oauth2.*`: Frappe's names for the OAuth and OpenID Connect endpoints. Their
//! answers are RFC-shaped JSON, redirects and pages, never Frappe's envelope.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::auth::address::limit_key;
use crate::auth::{Via, csrf};
use crate::config::Registration;
use crate::cx::Cx;
use crate::domain::client::SigningAlgorithm;
use crate::domain::limit::Limit;
use crate::error::AppError;
use crate::frappe::call::{Answer, Call, Reply, Verb};
use crate::http::{State, extract, oauth as door, respond};
use crate::oauth::authorize::{self, AuthorizeOutcome, AuthorizeRequest, ConsentView, Decision, Visitor};
use crate::oauth::end_session::{self, Back, EndSessionOutcome, EndSessionRequest};
use crate::oauth::introspect::{self, IntrospectOutcome, IntrospectRequest};
use crate::oauth::redirect::{Redirection, ResponseMode};
use crate::oauth::register::{self, RegisterOutcome, RegisterRequest};
use crate::oauth::revoke::{self, RevokeOutcome, RevokeRequest};
use crate::oauth::token::{self, TokenOutcome, TokenRequest};
use crate::oauth::{self, Gathered, Params, ProtocolError};
use crate::oidc::claims::House;
use crate::oidc::id_token::UnsignedIdToken;
use crate::oidc::{discovery, keys, userinfo};
use crate::pages;
use crate::pages::policy::Policy;

/// Where `authorize` is; logins lead back to it.
const AUTHORIZE: &str = "/api/method/frappe.integrations.oauth2.authorize";

/// Starts an authorization (RFC 6749 section 4.1.1), by GET or POST.
pub fn authorize(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let request = authorize_request(&call)?;
        start(&call, request, Allow::NotYet).await
    })
}

/// By POST the answer of the consent page, or full parameters with a CSRF token as Frappe's own
/// page sends them; by GET the same as [`authorize()`]: a link alone never allows anything.
pub fn approve(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let request = authorize_request(&call)?;
        if call.verb != Verb::Post {
            return start(&call, request, Allow::NotYet).await;
        }
        let decision = call.params.text("decision");
        let Some(visitor) = visitor(&call) else {
            let text = "You are not logged in any more. Go back to the app and start again.";
            return match decision {
                Some(_) => answer(&call, None, &request, AuthorizeOutcome::Refuse(ProtocolError::invalid_request(text))).await,
                None => start(&call, request, Allow::NotYet).await,
            };
        };
        if let Some(decision) = decision {
            let decision = Decision {
                pending_id: call.params.text("request").unwrap_or_default(),
                // Whatever is not clearly yes is no.
                allow: decision == "allow",
                ip: request.ip.clone(),
            };
            let who = visitor.clone();
            let outcome = call.state.write("decide", move |cx| authorize::decide(cx, &who, &decision)).await?;
            return answer(&call, Some(&visitor), &request, outcome).await;
        }
        // Without a CSRF token that was asked for and proven, a POST says no more than a link.
        let allow = if call.identity.csrf_issued { Allow::Sent } else { Allow::NotYet };
        start(&call, request, allow).await
    })
}

/// Counts a request, and only then looks at what it says: that may cost checking a signature.
fn authorize_request(call: &Call<'_>) -> Result<AuthorizeRequest, AppError> {
    let params = Params::new(call.params.pairs());
    count(call, Limit::Authorize, oauth::named_client(&params, None))?;
    Ok(AuthorizeRequest::new(&call.state.env, params, Some(call.facts.address.to_string())))
}

/// The session's user. An API key or token is not a login.
fn visitor(call: &Call<'_>) -> Option<Visitor> {
    let Via::Session { id } = &call.identity.caller.via else { return None };
    Some(Visitor { session_id: id.clone(), auth_time: call.identity.auth_time?, caller: call.identity.caller.clone() })
}

/// Whether a request came with the user's consent.
#[derive(Clone, Copy)]
enum Allow {
    NotYet,
    Sent,
}

async fn start(call: &Call<'_>, mut request: AuthorizeRequest, allow: Allow) -> Result<Reply, AppError> {
    let visitor = visitor(call);
    let mut outcome = run(call.state, visitor.clone(), request.clone(), allow).await?;
    if let AuthorizeOutcome::NeedDocument(need) = &outcome {
        outcome = match call.state.gather_client_metadata(need, call.facts.address).await? {
            Ok(()) => {
                request.document_asked_for = true;
                run(call.state, visitor.clone(), request.clone(), allow).await?
            }
            Err(error) => AuthorizeOutcome::Refuse(error),
        };
    }
    answer(call, visitor.as_ref(), &request, outcome).await
}

async fn run(state: &State, visitor: Option<Visitor>, asked: AuthorizeRequest, allow: Allow) -> Result<AuthorizeOutcome, AppError> {
    match (visitor, allow) {
        (Some(who), Allow::Sent) => state.write("approve", move |cx| authorize::approve(cx, &asked, &who)).await,
        // A code or a pending request is written for a user only.
        (Some(who), Allow::NotYet) => state.write("authorize", move |cx| authorize::authorize(cx, &asked, Some(&who))).await,
        (None, _) => state.lookup(move |cx| authorize::authorize(cx, &asked, None)).await,
    }
}

async fn answer(
    call: &Call<'_>,
    visitor: Option<&Visitor>,
    request: &AuthorizeRequest,
    outcome: AuthorizeOutcome,
) -> Result<Reply, AppError> {
    let response = match (outcome, visitor) {
        (AuthorizeOutcome::NeedLogin { params, login_hint, again }, _) => {
            respond::redirect(&login_path(&params, login_hint.as_deref(), again))
        }
        (AuthorizeOutcome::NeedConsent(view), Some(visitor)) => consent_page(call.state, visitor, request, *view).await?,
        (AuthorizeOutcome::NeedDocument(_), _) => return Err(AppError::internal("what was gathered is asked for again")),
        (AuthorizeOutcome::NeedConsent(_), None) => return Err(AppError::internal("consent asked of nobody")),
        (AuthorizeOutcome::Redirect(redirection), _) => redirected(call.state, redirection),
        (AuthorizeOutcome::Refuse(error), _) => refused(call, &error),
    };
    Ok(Reply::response(response))
}

/// The login page, which leads back to `authorize` with these parameters.
fn login_path(params: &Params, login_hint: Option<&str>, again: bool) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut path = format!("{}?redirect-to={}", pages::paths::LOGIN, encode(&format!("{AUTHORIZE}?{}", params.to_query())));
    if let Some(hint) = login_hint {
        path.push_str(&format!("&login_hint={}", encode(hint)));
    }
    if again {
        path.push_str("&again=1");
    }
    path
}

async fn consent_page(state: &State, visitor: &Visitor, request: &AuthorizeRequest, view: ConsentView) -> Result<HttpResponse, AppError> {
    let user = &visitor.caller.user.user;
    let link = |uri: &Option<String>| uri.as_deref().and_then(pages::WebLink::new);
    let client = view.client;
    let elsewhere = view.at.as_ref().is_some_and(|at| at.elsewhere);
    let page = pages::ConsentView {
        site_name: state.env.config.site.name.clone(),
        only_local: client.has_only_loopback_addresses(),
        app_name: client.app_name,
        described_at: view.described_at,
        // A picture from there would tell its makers who looks at this page, and could become another's mark at any time.
        logo: if view.verified { link(&client.logo_uri) } else { None },
        destination: pages::Destination::of(&view.redirect_uri),
        verified: view.verified,
        client_uri: link(&client.client_uri),
        tos_uri: link(&client.tos_uri),
        policy_uri: link(&client.policy_uri),
        scopes: pages::scope_lines_of(state, &view.scope.without(&view.known), elsewhere),
        known: pages::scope_lines_of(state, &view.known, elsewhere),
        at: view.at.map(|at| pages::Place::of(&at.uri, at.title, at.elsewhere)),
        scope_text: view.scope.to_string(),
        legacy_no_pkce: client.legacy_no_pkce,
        user_full_name: user.full_name.clone(),
        user_email: user.email.clone(),
        switch_user_to: login_path(&request.params, None, true),
        pending_id: view.pending_id,
        csrf_token: pages::csrf_token(state, &visitor.session_id, &user.name).await?,
    };
    let policy = Policy { redirect_uri: Some(&view.redirect_uri), logo: page.logo.as_ref(), ..Policy::default() };
    Ok(pages::page(StatusCode::OK, &page, &policy))
}

fn redirected(state: &State, redirection: Redirection) -> HttpResponse {
    match redirection.mode {
        ResponseMode::Query => respond::redirect(&redirection.url()),
        ResponseMode::FormPost => {
            let view = pages::FormPostView {
                site_name: state.env.config.site.name.clone(),
                app_name: redirection.app_name,
                fields: redirection.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                redirect_uri: redirection.redirect_uri,
            };
            let policy = Policy { redirect_uri: Some(&view.redirect_uri), script: true, ..Policy::default() };
            pages::page(StatusCode::OK, &view, &policy)
        }
    }
}

/// An error page, or Frappe's JSON for callers that accept nothing else.
fn refused(call: &Call<'_>, error: &ProtocolError) -> HttpResponse {
    if extract::wants_json(call.request) {
        return door::refusal_of_authorize(error);
    }
    let text = error.description.as_deref().unwrap_or("The app sent a request that cannot be answered.");
    let mut response = pages::error_page(
        call.state,
        StatusCode::BAD_REQUEST,
        "Invalid Request",
        text,
        "Go back to the app. If it happens again, tell its makers.",
    );
    door::with_cause(&mut response, error);
    response
}

/// Logout that an app asks for (OpenID Connect RP-Initiated Logout): a question, and its answer by POST.
pub fn end_session(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let request = EndSessionRequest::new(&call.state.env, &Params::new(call.params.pairs()));
        let visitor = visitor(&call);
        let pressed = call.verb == Verb::Post && call.params.text("decision").as_deref() == Some("log_out");
        let outcome = match visitor.clone() {
            Some(visitor) if pressed && call.identity.csrf_issued => {
                let (asked, ip) = (request.clone(), call.facts.address.to_string());
                call.state.write("end session", move |cx| end_session::confirm(cx, &asked, &visitor, Some(&ip))).await?
            }
            // An app's own form comes without our cookie (SameSite); a redirect has the browser send it.
            None if call.verb == Verb::Post => {
                return Ok(Reply::response(respond::redirect(&format!("{}?{}", pages::paths::END_SESSION, request.params.to_query()))));
            }
            visitor => {
                let asked = request.clone();
                call.state.lookup(move |cx| end_session::end_session(cx, &asked, visitor.as_ref())).await?
            }
        };
        match (outcome, visitor) {
            (EndSessionOutcome::Ask { app_name, back }, Some(visitor)) => {
                let response = logout_page(call.state, &visitor, &request.params, app_name, back.as_ref()).await?;
                Ok(Reply::response(response))
            }
            (EndSessionOutcome::Ask { .. }, None) => Err(AppError::internal("logout asked of nobody")),
            (EndSessionOutcome::LoggedOut(back), visitor) => {
                let response = match back {
                    Some(back) => respond::redirect(&back.url()),
                    None => logged_out_page(call.state, None),
                };
                let reply = Reply::response(response);
                Ok(if visitor.is_some() { reply.clearing() } else { reply })
            }
            (EndSessionOutcome::Offer(back), _) => Ok(Reply::response(logged_out_page(call.state, Some(&back)))),
            (EndSessionOutcome::Refuse(error), _) => Ok(Reply::response(refused(&call, &error))),
        }
    })
}

async fn logout_page(
    state: &State,
    visitor: &Visitor,
    params: &Params,
    app_name: Option<String>,
    back: Option<&Back>,
) -> Result<HttpResponse, AppError> {
    let user = &visitor.caller.user.user;
    let asked = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let view = pages::LogoutView {
        site_name: state.env.config.site.name.clone(),
        user_full_name: user.full_name.clone(),
        user_email: user.email.clone(),
        csrf_token: pages::csrf_token(state, &visitor.session_id, &user.name).await?,
        app_name,
        action: pages::paths::END_SESSION,
        fields: asked.chain([("decision".to_owned(), "log_out".to_owned())]).collect(),
    };
    let policy = Policy { redirect_uri: back.map(|back| back.redirect_uri.as_str()), ..Policy::default() };
    Ok(pages::page(StatusCode::OK, &view, &policy))
}

fn logged_out_page(state: &State, onward: Option<&Back>) -> HttpResponse {
    let view = pages::MessageView {
        site_name: state.env.config.site.name.clone(),
        title: "Logged Out".to_owned(),
        message: "You are logged out. Apps that you are still using keep working until you log out there too.".to_owned(),
        link: Some(pages::MessageLink { label: "Log in".to_owned(), path: pages::paths::LOGIN.to_owned() }),
        onward: onward.map(|back| pages::Onward::to(back.url())),
    };
    pages::page(StatusCode::OK, &view, &Policy::default())
}

/// What a client sent in the `Authorization` header. One that cannot be read is still one.
fn authorization(call: &Call<'_>) -> Option<String> {
    call.facts.authorization.map(|header| header.unwrap_or_default().to_owned())
}

/// Counts a request of the client that it names, before anything is looked up. Per client and address together:
/// anybody may name any client, and must not use up its budget from elsewhere.
fn count(call: &Call<'_>, limit: Limit, client: Option<String>) -> Result<(), AppError> {
    let key = format!("{}\n{}", client.unwrap_or_default(), limit_key(call.facts.address));
    call.state.env.limits.check(limit, &key).map(|_| ())
}

/// What a client sent to an endpoint where it authenticates, with what had to be found out first.
struct FromClient {
    params: Params,
    authorization: Option<String>,
    gathered: Gathered,
    /// Which client it names.
    named: Option<String>,
}

/// Counts a client's request and gathers for it; the inner error is the answer.
async fn from_client(call: &Call<'_>, limit: Limit, endpoint: &str) -> Result<Result<FromClient, Reply>, AppError> {
    let (params, authorization) = (Params::new(call.params.pairs()), authorization(call));
    let named = oauth::named_client(&params, authorization.as_deref());
    count(call, limit, named.clone())?;
    Ok(match call.state.gather_client(&params, authorization.as_deref(), endpoint, call.facts.address).await? {
        Ok(gathered) => Ok(FromClient { params, authorization, gathered, named }),
        Err(error) => Err(Reply::response(door::refusal(&error))),
    })
}

/// The token endpoint (RFC 6749 section 3.2); a form or JSON.
pub fn get_token(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let FromClient { params, authorization, gathered, .. } = match from_client(&call, Limit::GetToken, "get_token").await? {
            Ok(sent) => sent,
            Err(refusal) => return Ok(refusal),
        };
        let (arrived_at, ip) = (call.arrived_at, Some(call.facts.address.to_string()));
        let request = TokenRequest { params, authorization, gathered, arrived_at, ip };
        match call.state.write("token", move |cx| token::token(cx, &request)).await? {
            TokenOutcome::Refused(error) => Ok(Reply::response(door::refusal(&error))),
            TokenOutcome::Issued(reply) => {
                let id_token = match &reply.id_token {
                    Some(unsigned) => Some(sign(call.state, unsigned.clone()).await?),
                    None => None,
                };
                if let Some(race) = &reply.race {
                    // Whoever sent the same code before this answer leaves has not seen it.
                    call.state.workers.look().await;
                    call.state.env.races.answered(race, call.state.env.clock.now());
                }
                Ok(Reply::response(respond::json_no_store(StatusCode::OK, reply.to_json(id_token).to_string())))
            }
        }
    })
}

/// Signs an id token, RSA off the async threads: it takes longer than everything else together.
async fn sign(state: &State, unsigned: UnsignedIdToken) -> Result<String, AppError> {
    let key = state.env.signing_key(unsigned.algorithm).ok_or_else(|| AppError::internal("no signing key"))?;
    match unsigned.algorithm {
        SigningAlgorithm::Es256 | SigningAlgorithm::EdDsa => key.sign(&unsigned.claims).map_err(AppError::internal),
        SigningAlgorithm::Rs256 => {
            let signed = tokio::task::spawn_blocking(move || key.sign(&unsigned.claims)).await;
            signed.map_err(AppError::internal)?.map_err(AppError::internal)
        }
    }
}

/// Token revocation (RFC 7009).
pub fn revoke_token(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let FromClient { params, authorization, gathered, .. } = match from_client(&call, Limit::Revoke, "revoke_token").await? {
            Ok(sent) => sent,
            Err(refusal) => return Ok(refusal),
        };
        let request = RevokeRequest { params, authorization, gathered, ip: Some(call.facts.address.to_string()) };
        Ok(Reply::response(match call.state.write("revoke", move |cx| revoke::revoke(cx, &request)).await? {
            RevokeOutcome::Done => respond::json_no_store(StatusCode::OK, "{}"),
            RevokeOutcome::Refused(error) => door::refusal(&error),
        }))
    })
}

/// Token introspection (RFC 7662), for clients that authenticate and for System Managers.
pub fn introspect_token(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let sent = match from_client(&call, Limit::Introspect, "introspect_token").await? {
            Ok(sent) => sent,
            Err(refusal) => return Ok(refusal),
        };
        let FromClient { params, authorization, gathered, named: client } = sent;
        let by_assertion = gathered.assertion.is_some();
        let request = IntrospectRequest { params, authorization, gathered };
        // What an assertion proves, no user has to.
        let manager = if by_assertion { None } else { manager(&call).await? };
        let remembered = &call.state.introspections;
        let key = if manager.is_none() { remembered.key(&request) } else { None };
        if let Some(body) = key.and_then(|key| remembered.find(&key, call.arrived_at)) {
            // The credential was right, so it is that client's own budget.
            call.state.env.limits.check(Limit::Introspect, client.as_deref().unwrap_or_default())?;
            return Ok(Reply::response(respond::json_no_store(StatusCode::OK, body)));
        }
        let as_of = remembered.epoch();
        let look = move |cx: &mut Cx<'_>| introspect::introspect(cx, &request, manager.as_ref());
        let outcome = match by_assertion {
            // An assertion is used up, which is a change.
            true => call.state.write("introspect", look).await?,
            false => call.state.lookup(look).await?,
        };
        Ok(Reply::response(match outcome {
            IntrospectOutcome::Reply(reply) => {
                if let Some(key) = key {
                    remembered.insert(key, &reply, as_of);
                }
                respond::json_no_store(StatusCode::OK, reply.body.to_string())
            }
            IntrospectOutcome::Refused(error) => door::refusal(&error),
        }))
    })
}

/// The user who asks with an API key (`token`) or a session of our own pages. `Basic` here is a client's.
async fn manager(call: &Call<'_>) -> Result<Option<crate::auth::Caller>, AppError> {
    match call.facts.authorization {
        Some(Ok(header)) if header.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("token ")) => {}
        Some(_) => return Ok(None),
        None if call.facts.sid.is_none() || call.params.text("client_id").is_some() => return Ok(None),
        None => {
            csrf::refuse_foreign(&call.state.csrf_rules(), &call.facts)?;
        }
    }
    let identity = call.state.identify(&call.facts).await?;
    Ok((!identity.caller.is_guest()).then_some(identity.caller))
}

/// Dynamic client registration (RFC 7591), where it is switched on.
pub fn register_client(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let env = &call.state.env;
        if env.config.oauth.registration == Registration::Off {
            let text = "Clients cannot register themselves here. Ask the administrator of this site to register the app.";
            let body = serde_json::json!({"error": "invalid_request", "error_description": text});
            return Ok(Reply::response(respond::json_no_store(StatusCode::NOT_FOUND, body.to_string())));
        }
        env.limits.check(Limit::Register, &limit_key(call.facts.address))?;
        let request = RegisterRequest {
            metadata: if call.params.is_json { call.params.values.clone() } else { serde_json::Map::new() },
            repeated: !call.params.repeated.is_empty(),
            by: call.identity.caller.clone(),
        };
        Ok(Reply::response(match call.state.write("register client", move |cx| register::register(cx, &request)).await? {
            RegisterOutcome::Registered(body) => respond::json_no_store(StatusCode::CREATED, body.to_string()),
            RegisterOutcome::Refused(error) => door::refusal(&error),
        }))
    })
}

/// Userinfo (OpenID Connect Core section 5.3).
pub fn openid_profile(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let by_name = match &call.identity.caller.via {
            Via::Bearer { token_id, single_claims: true, .. } => {
                let token_id = token_id.clone();
                call.state.lookup(move |cx| userinfo::claims_by_name(cx, &token_id)).await?
            }
            _ => Vec::new(),
        };
        let body = userinfo::openid_profile(&call.identity.caller, &by_name, House::of(&call.state.env))?;
        Ok(Reply::response(respond::json_no_store(StatusCode::OK, body.to_string())))
    })
}

/// The key set (RFC 7517).
pub fn jwks(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move { Ok(Reply::response(door::public_document(&keys::jwks(&call.state.env.signing_keys())))) })
}

/// Frappe's own name for the discovery document.
pub fn openid_configuration(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let document = discovery::openid_configuration(&oauth::offer(&call.state.env));
        Ok(Reply::response(door::public_document(&document)))
    })
}
