//! Clients that nobody registered: the client id is the URL of the client's own description
//! (draft-ietf-oauth-client-id-metadata-document-02, which MCP's authorization builds on).
//!
//! The flow never fetches. [`need`] says what is missing, the door fetches it without holding a connection, [`read`]
//! checks what came, [`settle`] keeps it as an ordinary client, and the flow is run again. The token endpoint knows
//! the kept client only. What such a client may never bring is what one that registers itself may not:
//! `super::register` reads both.

use std::time::Duration;

use serde_json::{Map, Value};

use super::asking;
use super::clients::{self, ClientKind};
use super::error::{ErrorCode, ProtocolError, Stop};
use super::hint::Hinted;
use super::params::Params;
use super::register;
use super::resource::{self, Target};
use crate::cx::Cx;
use crate::domain::Scope;
use crate::domain::client::{AuthMethod, Client, check_redirect_uri};
use crate::domain::scope::{ADMIN_CREDENTIALS, ALL, IDENTITY};
use crate::domain::user::GUEST;
use crate::error::AppError;
use crate::fetch::{FetchError, Fetched, Keep, Validators};
use crate::store::client_documents::{self as copies, ClientDocument};
use crate::store::clients as rows;

/// Longest URL that may be a client id. It is shown to people, and kept with every token.
pub const MAX_URL: usize = 255;
/// How long a copy is good enough while its host cannot be asked.
const LAST_RESORT: Duration = Duration::from_secs(24 * 3600);
/// How it may authenticate: there is no way to agree on a secret (section 4.1), but its keys may be public.
const METHODS: [AuthMethod; 2] = [AuthMethod::None, AuthMethod::PrivateKeyJwt];
/// What all client ids that are URLs begin with; none that is made here does.
const SCHEME: &str = "https://";

/// A description that must be fetched before the request can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedDocument {
    /// The client id.
    pub url: String,
    /// What the copy that is kept is checked with.
    pub known: Option<Validators>,
    /// Whether that copy will do if nothing better can be had.
    pub copy_will_do: bool,
}

/// What came, read and checked.
#[derive(Clone, Debug)]
pub enum Brought {
    Client(Box<Client>, Keep),
    /// The copy that is kept is still right.
    Same(Keep),
}

/// The host (and port, unless it is the usual one) of a client id that is a URL.
pub fn host_of(client_id: &str) -> Option<String> {
    let url = url::Url::parse(client_id).ok().filter(|_| client_id.starts_with(SCHEME))?;
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// Whether a client describes itself, so that its host says who it is.
///
/// # Errors
/// [`AppError`] for faults only.
pub(super) fn describes_itself(cx: &mut Cx, client_id: &str) -> Result<bool, AppError> {
    Ok(client_id.starts_with(SCHEME) && copies::find_document(cx.conn, client_id)?.is_some())
}

/// What must be fetched before a request can be answered, if anything. Whatever else is wrong with the request is said
/// first, so that nothing is fetched for it: here where the client is not known yet, else by the client that is kept,
/// which hears of it at the address it registered.
pub(super) fn need(cx: &mut Cx, params: &Params) -> Result<Option<NeedDocument>, Stop> {
    let Some(client_id) = params.get("client_id")?.filter(|id| id.starts_with(SCHEME)) else { return Ok(None) };
    if !cx.env.config.oauth.client_metadata_documents {
        return Ok(None);
    }
    let copy = copies::find_document(cx.conn, client_id)?;
    let fresh = copy.as_ref().is_some_and(|copy| cx.now < copy.expires_at);
    // An administrator may register such a URL as any other client id; then what is registered holds.
    if fresh || (copy.is_none() && rows::find_client(cx.conn, client_id)?.is_some()) {
        return Ok(None);
    }
    check_url(client_id).map_err(|reason| ProtocolError::invalid_request(format!("Invalid client_id: a URL {reason}.")))?;
    match (check_request(cx, params, unknown(params)), &copy) {
        (Ok(()), _) => {}
        (Err(Stop::Refused(_)), Some(_)) => {
            // One that is right by what is kept, as where the address is left out, is not answered by an old copy.
            let kept = rows::find_client(cx.conn, client_id)?;
            if kept.map_or(Ok(false), |kept| refused(check_request(cx, params, kept)))? {
                return Ok(None);
            }
        }
        (Err(stop), _) => return Err(stop),
    }
    Ok(Some(NeedDocument {
        url: client_id.to_owned(),
        copy_will_do: copy.as_ref().is_some_and(|copy| cx.now < copy.fetched_at.plus(LAST_RESORT)),
        known: copy.map(|copy| Validators { etag: copy.etag, last_modified: copy.last_modified }),
    }))
}

/// Whether a URL may be a client id (section 3): in its normal form, so that what is compared, fetched and shown is
/// one text.
fn check_url(url: &str) -> Result<(), &'static str> {
    if url.len() > MAX_URL {
        return Err("must not be longer than 255 characters");
    }
    let Ok(parsed) = url::Url::parse(url) else { return Err("must be well formed") };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("must not contain a user name or password");
    }
    if url.contains('#') {
        return Err("must not have a fragment");
    }
    if url.contains('?') {
        return Err("must not have a query");
    }
    // No dot segments, no missing path, no other spelling of the host.
    if parsed.as_str() != url {
        return Err("must be in its normal form and have a path, as in https://app.example/client.json");
    }
    Ok(())
}

/// A client of which nothing is known, that may ask for what it asks for. Whether it needs PKCE is not known either.
fn unknown(params: &Params) -> Client {
    let scope = params.get_lenient("scope").and_then(|scope| Scope::parse(scope).ok()).filter(|scope| !scope.is_empty());
    ClientKind::Web.template("", scope.unwrap_or_else(default_scope), Vec::new())
}

/// Reads a request as if it came from `client` and it had registered the address that is named.
fn check_request(cx: &mut Cx, params: &Params, client: Client) -> Result<(), Stop> {
    let redirect_uri = params.get("redirect_uri")?.or(client.implied_redirect_uri()).map(str::to_owned);
    let redirect_uri = redirect_uri.ok_or_else(|| ProtocolError::invalid_request("Missing redirect_uri parameter."))?;
    check_redirect_uri(&redirect_uri).map_err(|error| ProtocolError::invalid_request(error.to_string()))?;
    let client = Client { redirect_uris: vec![redirect_uri.clone()], ..client };
    let target = resource::wanted(cx, params)?.unwrap_or(Target::Api);
    // Whether a hint is right is seen when the client is: it costs one fetch.
    asking::read(&client, &redirect_uri, params, target, &Hinted::Nobody)?;
    Ok(())
}

/// Whether a request was refused; faults are none of it.
fn refused(checked: Result<(), Stop>) -> Result<bool, Stop> {
    match checked {
        Ok(()) => Ok(false),
        Err(Stop::Refused(_)) => Ok(true),
        Err(fault) => Err(fault),
    }
}

/// What a description that names no scope lets its client ask for. It is written for many servers, so most do not.
fn default_scope() -> Scope {
    let words: Vec<&str> = IDENTITY.into_iter().chain([ALL, "read", "write"]).collect();
    Scope::parse(&words.join(" ")).expect("words of our own")
}

/// Reads and checks what was fetched for `need`.
///
/// # Errors
/// What is wrong with the description, for the people who publish it.
pub fn read(need: &NeedDocument, fetched: Fetched) -> Result<Brought, ProtocolError> {
    match fetched {
        Fetched::Same(keep) => Ok(Brought::Same(keep)),
        Fetched::New { body, keep } => match client(&need.url, &body) {
            Ok(client) => Ok(Brought::Client(Box::new(client), keep)),
            Err(error) => Err(unusable(&need.url, &error.description.unwrap_or(error.cause))),
        },
    }
}

/// The refusal of a request whose client's description cannot be used.
pub fn unusable(url: &str, why: &str) -> ProtocolError {
    let host = host_of(url).unwrap_or_default();
    ProtocolError::new(ErrorCode::InvalidRequest, format!("The app's description at {host} cannot be used: {why}"))
}

/// The refusal where it could not be had at all.
pub fn unreadable(need: &NeedDocument, error: &FetchError) -> ProtocolError {
    let ProtocolError { code, description, .. } = unusable(&need.url, &format!("{}.", error.public_text()));
    ProtocolError { code, description, cause: format!("{}: {error}", need.url) }
}

fn invalid(text: impl Into<String>) -> ProtocolError {
    ProtocolError::new(ErrorCode::InvalidClientMetadata, text)
}

fn client(url: &str, body: &[u8]) -> Result<Client, ProtocolError> {
    let mut metadata: Map<String, Value> = serde_json::from_slice(body).map_err(|_| invalid("it is not a JSON object."))?;
    if metadata.get("client_id").and_then(Value::as_str) != Some(url) {
        return Err(invalid("its client_id is not the URL it is published at, letter by letter."));
    }
    if let Some(secret) = ["client_secret", "client_secret_expires_at"].into_iter().find(|name| metadata.contains_key(*name)) {
        return Err(invalid(format!("{secret} must not be published.")));
    }
    match metadata.get("token_endpoint_auth_method") {
        // RFC 7591 would have it mean a secret, which it cannot have.
        None | Some(Value::Null) => {
            metadata.insert("token_endpoint_auth_method".into(), AuthMethod::None.as_str().into());
        }
        Some(method) => {
            let words = METHODS.map(AuthMethod::as_str);
            if !method.as_str().is_some_and(|method| words.contains(&method)) {
                return Err(invalid(format!("token_endpoint_auth_method must be {}.", words.join(" or "))));
            }
        }
    }
    if let Some(Value::String(scope)) = metadata.get("scope") {
        // It says the same to every server; what is never for such a client is left out.
        let words: Vec<&str> = scope.split(' ').filter(|word| *word != ADMIN_CREDENTIALS).collect();
        let scope = words.join(" ").trim().to_owned();
        metadata.insert("scope".into(), scope.into());
    }
    if metadata.get("scope").is_none_or(|scope| scope.is_null() || scope.as_str() == Some("")) {
        metadata.insert("scope".into(), default_scope().to_string().into());
    }
    if metadata.get("client_name").is_none_or(|name| name.is_null() || name.as_str().is_some_and(|name| name.trim().is_empty())) {
        metadata.insert("client_name".into(), host_of(url).unwrap_or_default().into());
    }
    Ok(Client { client_id: url.to_owned(), ..register::read(&metadata, false)? })
}

/// Keeps what was brought for `url`; afterwards the flow finds the client.
///
/// # Errors
/// [`AppError::Validation`] for a description that cannot be kept: nothing of it is.
pub fn settle(cx: &mut Cx, url: &str, brought: &Brought) -> Result<(), AppError> {
    let (Brought::Client(_, keep) | Brought::Same(keep)) = brought;
    let copy = ClientDocument {
        client_id: url.to_owned(),
        fetched_at: cx.now,
        expires_at: cx.now.plus(keep.fresh_for),
        etag: keep.validators.etag.clone(),
        last_modified: keep.validators.last_modified.clone(),
    };
    let Brought::Client(client, _) = brought else {
        // Removed meanwhile: then there is no client, which the flow says.
        copies::update_document(cx.conn, &copy)?;
        return Ok(());
    };
    // Of requests that bring the same client at once, one makes it.
    if copies::insert_document(cx.conn, &copy)? {
        clients::register(cx, (**client).clone(), &[], GUEST)?;
        return Ok(());
    }
    copies::update_document(cx.conn, &copy)?;
    let Some(before) = rows::find_client(cx.conn, url)? else { return Ok(()) };
    // An administrator vouches for whoever publishes at this URL, and decides which roles may use it.
    let after = Client { verified: before.verified, ..(**client).clone() };
    if after != before {
        clients::update_described(cx, after)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const URL: &str = "https://app.example/client.json";

    fn document(extra: &[(&str, Value)]) -> Vec<u8> {
        let mut metadata = serde_json::json!({"client_id": URL, "redirect_uris": ["https://app.example/cb"]});
        for (name, value) in extra {
            metadata[*name] = value.clone();
        }
        metadata.to_string().into_bytes()
    }

    #[test]
    fn a_client_id_is_a_url_in_its_normal_form() {
        for good in [URL, "https://app.example:8443/", "https://xn--bcher-kva.example/a/b", "https://app.example/a%20b"] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in [
            "https://app.example",
            "https://app.example:443/client.json",
            "https://APP.example/client.json",
            "https://app.example/a/../client.json",
            "https://app.example/./client.json",
            "https://app.example/%2e%2e/client.json",
            "https://app.example/client.json?x=1",
            "https://app.example/client.json?",
            "https://app.example/client.json#x",
            "https://app.example/client.json#",
            "https://user@app.example/client.json",
            "https://user:secret@app.example/client.json",
            "https://app.example\\client.json",
            "https://bücher.example/client.json",
            "https://2130706433/client.json",
            "https://0x7f.1/client.json",
            "https:///client.json",
            "https://",
            " https://app.example/client.json",
            "https://app.example/client json",
            "http://app.example/client.json#",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
        assert!(check_url(&format!("https://app.example/{}", "x".repeat(MAX_URL - 20))).is_ok());
        assert!(check_url(&format!("https://app.example/{}", "x".repeat(MAX_URL - 19))).is_err());
    }

    #[test]
    fn what_a_description_leaves_out_is_filled_in_and_what_it_must_not_have_is_not() {
        let found =
            client(URL, &document(&[("skip_authorization", 1.into()), ("user", "Administrator".into()), ("legacy_no_pkce", 1.into())]))
                .expect("usable");
        assert_eq!((found.client_id.as_str(), found.app_name.as_str(), found.auth_method), (URL, "app.example", AuthMethod::None));
        assert!(!found.verified && !found.skip_authorization && !found.legacy_no_pkce && found.user.is_none() && !found.is_resource_server);
        assert_eq!(found.scope, default_scope());
        let found = client(URL, &document(&[("scope", "openid admin:credentials".into())])).expect("usable");
        assert_eq!(found.scope.to_string(), "openid");
        let found = client(URL, &document(&[("scope", "admin:credentials".into())])).expect("usable");
        assert_eq!(found.scope, default_scope());
    }

    proptest! {
        #[test]
        fn whatever_is_published_is_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200), value in "[ -~]{0,60}") {
            prop_assert!(client(URL, &body).is_err());
            for name in ["redirect_uris", "scope", "client_name", "grant_types", "logo_uri", "token_endpoint_auth_method"] {
                if let Ok(client) = client(URL, &document(&[(name, value.clone().into())])) {
                    prop_assert!(!client.scope.contains(ADMIN_CREDENTIALS) && METHODS.contains(&client.auth_method) && !client.verified);
                }
            }
        }

        #[test]
        fn a_url_that_is_accepted_is_what_is_fetched(tail in "[ -~]{0,60}") {
            let url = format!("https://{tail}");
            if check_url(&url).is_ok() {
                let parsed = url::Url::parse(&url).expect("it was accepted");
                prop_assert_eq!(parsed.as_str(), &url);
                prop_assert!(parsed.username().is_empty() && parsed.query().is_none() && parsed.fragment().is_none());
            }
        }
    }
}
