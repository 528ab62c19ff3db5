//! Token introspection (RFC 7662): a resource server asks what a token is worth, often and about the
//! same token, so good answers about access tokens are remembered ([`IntrospectionCache`]).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::assertion;
use super::client_auth::{self, Gathered, Legacy};
use super::error::{ErrorCode, ProtocolError, Stop};
use super::params::Params;
use super::resources;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::domain::Instant;
use crate::domain::claims::Claim;
use crate::domain::limit::Limit;
use crate::domain::scope::Scope;
use crate::domain::token::RefreshState;
use crate::error::AppError;
use crate::oidc::claims::{self, House};
use crate::secrets::{SecretHash, mint};
use crate::store::epochs::Epochs;
use crate::store::{StoreError, clients, tokens, users};

/// A request to the introspection endpoint.
#[derive(Clone)]
pub struct IntrospectRequest {
    pub params: Params,
    /// The value of the `Authorization` header where it is a client's credential.
    pub authorization: Option<String>,
    /// What was found out about the client before the flow.
    pub gathered: Gathered,
}

/// What the introspection endpoint answers.
#[derive(Clone, Debug, PartialEq)]
pub enum IntrospectOutcome {
    /// The body, whether the token is good or not.
    Reply(Reply),
    Refused(ProtocolError),
}

/// What is said about a token.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub body: Value,
    /// Whose epoch the answer stands and falls with, and until when at most it may be given; `None`
    /// for answers that may change without anybody being told.
    pub lasting: Option<(String, Instant)>,
}

/// Says what a token is worth. Open to confidential clients, and to `caller` if that is a System
/// Manager with a session or an unscoped key.
///
/// # Errors
/// [`AppError`] for faults only.
pub fn introspect(cx: &mut Cx, request: &IntrospectRequest, caller: Option<&Caller>) -> Result<IntrospectOutcome, AppError> {
    match run(cx, request, caller) {
        Ok(reply) => Ok(IntrospectOutcome::Reply(reply)),
        Err(Stop::Refused(error)) => Ok(IntrospectOutcome::Refused(error)),
        Err(Stop::Fault(error)) => Err(error),
    }
}

/// Who asks.
struct Asker {
    sight: Sight,
    /// See [`KnownClient::proven_until`](client_auth::KnownClient::proven_until).
    proven_until: Option<Instant>,
}

/// Whose tokens the asker may see.
enum Sight {
    Everything,
    /// A client's own, and those for resources that name it.
    Client(String),
}

fn run(cx: &mut Cx, request: &IntrospectRequest, caller: Option<&Caller>) -> Result<Reply, Stop> {
    let params = &request.params;
    let Asker { sight, proven_until } = asker(cx, request, caller)?;
    let presented = params.get("token")?.ok_or_else(|| ProtocolError::invalid_request("Missing token parameter."))?;
    // A hint is only a hint; hashes of both kinds never meet.
    params.get("token_type_hint")?;
    let Some(live) = find_live(cx, presented)? else { return Ok(inactive()) };
    if let Sight::Client(client_id) = &sight
        && *client_id != live.client_id
        && !introspects(cx, client_id, &live)?
    {
        return Ok(inactive());
    }
    let Some(client) = clients::find_client(cx.conn, &live.client_id)? else { return Ok(inactive()) };
    let Some(user) = users::find_user(cx.conn, &live.user)?.filter(|user| user.enabled) else { return Ok(inactive()) };
    let mut body = Map::new();
    // Frappe's keys first, in its order; RFC 7662's others after them.
    body.insert("client_id".into(), live.client_id.as_str().into());
    body.insert("trusted_client".into(), i32::from(client.skip_authorization).into());
    body.insert("active".into(), true.into());
    body.insert("exp".into(), live.expires_at.unix().into());
    body.insert("scope".into(), live.scope.to_string().into());
    let house = House::of(cx.env);
    let scope = claims::identity_of(&live.scope, live.resource.as_deref(), house);
    // A user's name is their address, which whoever sees all tokens may know, and others by the token's scope only.
    let may_know_name = matches!(sight, Sight::Everything) || Claim::Email.is_opened_by(&scope);
    if live.scope.contains("openid") {
        body.append(&mut claims::about_user(&user, &scope, &[], house));
    } else {
        body.insert("sub".into(), user.sub.into());
    }
    body.insert("iss".into(), cx.env.public_url.as_str().into());
    body.insert("iat".into(), live.issued_at.unix().into());
    body.insert("aud".into(), live.resource.as_deref().unwrap_or(cx.env.public_url.as_str()).into());
    if may_know_name {
        body.insert("username".into(), user.name.into());
    }
    if live.is_access {
        body.insert("token_type".into(), "Bearer".into());
    }
    let end = proven_until.map_or(live.expires_at, |end| end.min(live.expires_at));
    // A refresh token may be spent at any time without a word.
    let lasting = live.is_access.then_some((live.user, end));
    Ok(Reply { body: body.into(), lasting })
}

fn asker(cx: &mut Cx, request: &IntrospectRequest, caller: Option<&Caller>) -> Result<Asker, Stop> {
    if caller.is_some_and(|caller| caller.scope.is_none() && caller.is_system_manager()) {
        return Ok(Asker { sight: Sight::Everything, proven_until: None });
    }
    let known = client_auth::authenticate(cx, &request.params, request.authorization.as_deref(), &request.gathered, Legacy::Strict)?;
    known.count(cx, Limit::Introspect)?;
    if !known.proven {
        let code = ErrorCode::InvalidClient { basic: request.authorization.is_some() };
        return Err(ProtocolError::new(code, "Only clients that authenticate may introspect tokens.").into());
    }
    let sight = match known.client.is_resource_server {
        true => Sight::Everything,
        false => Sight::Client(known.client.client_id),
    };
    Ok(Asker { sight, proven_until: known.proven_until })
}

/// Whether a token is for a resource whose tokens this client introspects. Access tokens only: a resource that took a
/// refresh token for one would open to what it was never meant to see.
fn introspects(cx: &mut Cx, client_id: &str, live: &Live) -> Result<bool, StoreError> {
    let Some(uri) = live.resource.as_deref().filter(|_| live.is_access) else { return Ok(false) };
    let known = resources::known(cx)?;
    Ok(known.find(uri).is_some_and(|resource| resource.introspecting_client.as_deref() == Some(client_id)))
}

fn inactive() -> Reply {
    // Frappe: also says whose dead token it was, here: nothing, because RFC 7662 section 2.2 says so.
    Reply { body: serde_json::json!({"active": false}), lasting: None }
}

/// Answers that stay right until their user's epoch moves, or the token or the secret of who asked ends.
pub struct IntrospectionCache {
    entries: moka::sync::Cache<[u8; 32], Arc<Remembered>>,
    epochs: Arc<Epochs>,
    salt: [u8; 32],
}

struct Remembered {
    body: String,
    user: String,
    expires_at: Instant,
    as_of: u64,
}

impl IntrospectionCache {
    /// An empty cache over the epochs of a database.
    pub fn new(epochs: Arc<Epochs>) -> Self {
        Self { entries: moka::sync::Cache::new(10_000), epochs, salt: mint::random_bytes() }
    }

    /// Under which key an answer is remembered: a hash of everything the answer depends on, the
    /// client's credential included. `None` for requests that are not remembered: those without one, and
    /// those with an assertion, which proves something once.
    pub fn key(&self, request: &IntrospectRequest) -> Option<[u8; 32]> {
        let get = |name| request.params.get(name).ok().map(Option::unwrap_or_default);
        let (token, client_id, secret) = (get("token")?, get("client_id")?, get("client_secret")?);
        let authorization = request.authorization.as_deref().unwrap_or_default();
        let proves = !authorization.is_empty() || !secret.is_empty();
        let parts = [&self.salt, token.as_bytes(), client_id.as_bytes(), secret.as_bytes(), authorization.as_bytes()];
        (proves && !assertion::is_sent(&request.params)).then(|| SecretHash::of_tuple(&parts).bytes())
    }

    /// The answer under a key, if it is still right.
    pub fn find(&self, key: &[u8; 32], now: Instant) -> Option<String> {
        let remembered = self.entries.get(key)?;
        let right = remembered.expires_at > now && self.epochs.is_current(&remembered.user, remembered.as_of);
        right.then(|| remembered.body.clone())
    }

    /// The epoch to pass to [`IntrospectionCache::insert`]; read it before the SELECT.
    pub fn epoch(&self) -> u64 {
        self.epochs.now()
    }

    /// Remembers an answer of a SELECT that began at `as_of`, if it lasts.
    pub fn insert(&self, key: [u8; 32], reply: &Reply, as_of: u64) {
        if let Some((user, expires_at)) = reply.lasting.clone() {
            self.entries.insert(key, Arc::new(Remembered { body: reply.body.to_string(), user, expires_at, as_of }));
        }
    }
}

/// A token that opens something right now.
struct Live {
    client_id: String,
    user: String,
    scope: Scope,
    resource: Option<String>,
    issued_at: Instant,
    expires_at: Instant,
    is_access: bool,
}

fn find_live(cx: &mut Cx, presented: &str) -> Result<Option<Live>, StoreError> {
    let hash = SecretHash::of(presented);
    if let Some(token) = tokens::find_access_by_hash(cx.conn, &hash)? {
        let live = !token.revoked && token.expires_at > cx.now;
        return Ok(live.then_some(Live {
            client_id: token.client_id,
            user: token.user,
            scope: token.scope,
            resource: token.resource,
            issued_at: token.issued_at,
            expires_at: token.expires_at,
            is_access: true,
        }));
    }
    let found = tokens::find_refresh_by_hash(cx.conn, &hash)?;
    Ok(found.and_then(|found| {
        let end = found.token.expires_at.min(found.grant.expires_at);
        let live = found.token.state == RefreshState::Live && !found.grant.revoked && end > cx.now;
        live.then_some(Live {
            client_id: found.grant.client_id,
            user: found.grant.user,
            scope: found.grant.scope,
            resource: found.grant.resource,
            issued_at: found.token.issued_at,
            expires_at: end,
            is_access: false,
        })
    }))
}
