//! Which client is asking at the token, introspection and revocation endpoints, and whether it proved it.
//!
//! oxide-auth is never shown a secret: the client is settled here first, and the state machines get
//! exactly one credential, its id. They would take Basic beside the same `client_id` for two clients,
//! and Basic's parts as they stand instead of form-encoded.
//!
//! What takes long or needs the network comes before the flow, as [`Gathered`].

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::assertion::{self, ProvenAssertion};
use super::error::{ErrorCode, ProtocolError, Stop};
use super::params::Params;
use crate::cx::Cx;
use crate::domain::Instant;
use crate::domain::client::{AuthMethod, Client};
use crate::domain::limit::Limit;
use crate::error::AppError;
use crate::secrets::{SecretHash, constant_time_eq};
use crate::store::clients;

/// Client libraries disagree about padding.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// The client of a request.
#[derive(Clone, Debug)]
pub(super) struct KnownClient {
    pub client: Client,
    /// Whether it proved who it is; a public client cannot.
    pub proven: bool,
    /// Until when at most that proof holds: the end of the replaced secret that was sent.
    pub proven_until: Option<Instant>,
    /// Whether its service account exists and may act.
    pub user_enabled: bool,
}

impl KnownClient {
    /// Counts a use against the client's own budget, wherever it comes from. One that proved nothing
    /// is not counted: anybody could use up its budget by naming it.
    ///
    /// # Errors
    /// [`AppError::TooManyRequests`] when the budget is spent.
    pub fn count(&self, cx: &Cx, limit: Limit) -> Result<(), AppError> {
        if self.proven {
            cx.env.limits.check(limit, &self.client.client_id)?;
        }
        Ok(())
    }
}

/// Whether an "old Frappe integration" may come without its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Legacy {
    /// At the exchanges Frappe's documents describe without one.
    SecretOptional,
    Strict,
}

/// For a secret that is nobody's, whatever the client is: who guesses learns nothing of it.
const WRONG_SECRET: &str = "Client authentication failed: there is no such client with this secret.";
/// For a request that proves nothing, by whatever client: what there is to send.
const NO_PROOF: &str = "Client authentication failed: send client_secret (HTTP Basic or in the body), or client_assertion where the \
     client is registered for private_key_jwt. An old integration that sends only code, client_id and redirect_uri needs the field \
     legacy_no_pkce of its OAuth Client (ostiary client add --kind old-frappe).";

/// Longer than any client id.
const MAX_CLIENT_ID: usize = 255;

/// What was found out about a request's client before the flow; [`Default`] where there was nothing to find out.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Of a request that has a `client_assertion`.
    pub assertion: Option<ProvenAssertion>,
}

/// What was presented, before anything is looked up.
struct Presented<'a> {
    client_id: String,
    secret: Option<String>,
    basic: bool,
    assertion: Option<&'a ProvenAssertion>,
}

/// Finds and authenticates the client of a request.
///
/// `authorization` is the value of the `Authorization` header, which at these endpoints is the client's.
///
/// # Errors
/// `invalid_client`, or `invalid_request` when credentials were sent in two ways.
pub(super) fn authenticate(
    cx: &mut Cx,
    params: &Params,
    authorization: Option<&str>,
    gathered: &Gathered,
    legacy: Legacy,
) -> Result<KnownClient, Stop> {
    let presented = presented(params, authorization, gathered)?;
    let refuse = |description: &str, cause: String| {
        let code = ErrorCode::InvalidClient { basic: presented.basic };
        Stop::Refused(ProtocolError::because(code, description, cause))
    };
    let unproven = |cause: String| refuse(if presented.secret.is_some() { WRONG_SECRET } else { NO_PROOF }, cause);
    // Unknown ones are not named: people mix up the fields, and this one might be the secret.
    let unknown = || unproven("unknown client".into());
    if presented.client_id.len() > MAX_CLIENT_ID {
        return Err(unknown());
    }
    let found = cx.env.clients.find(&presented.client_id, || clients::find_with_secrets(cx.conn, &presented.client_id))?;
    let known = found.as_deref();
    let right = right_secret(cx, presented.secret.as_deref(), known.map_or(&[], |known| &known.secrets));
    let Some(known) = known else { return Err(unknown()) };
    let client = &known.client;
    let because = |cause: &str| format!("client {:?}: {cause}", presented.client_id);
    let wrong_way = |method: AuthMethod| {
        refuse(&format!("This client is registered for {}.", method.as_str()), because(&format!("pinned to {}", method.as_str())))
    };
    let proven = match (client.auth_method, &presented.secret) {
        _ if let Some(proven) = presented.assertion => {
            assertion::admit(cx, proven, known)?;
            true
        }
        (AuthMethod::PrivateKeyJwt, _) => return Err(unproven(because("registered for private_key_jwt, no assertion"))),
        (AuthMethod::None, None) => false,
        (AuthMethod::None, Some(_)) => {
            return Err(refuse("This client is public: it has no secret to send.", because("public client sent a secret")));
        }
        (AuthMethod::Secret | AuthMethod::SecretBasic | AuthMethod::SecretPost, Some(_)) if right.is_none() => {
            return Err(unproven(because("wrong secret")));
        }
        (method @ AuthMethod::SecretBasic, Some(_)) if !presented.basic => return Err(wrong_way(method)),
        (method @ AuthMethod::SecretPost, Some(_)) if presented.basic => return Err(wrong_way(method)),
        (AuthMethod::Secret | AuthMethod::SecretBasic | AuthMethod::SecretPost, Some(_)) => true,
        (AuthMethod::Secret | AuthMethod::SecretBasic | AuthMethod::SecretPost, None) => {
            if legacy == Legacy::Strict || !client.legacy_no_pkce {
                return Err(unproven(because("no secret")));
            }
            false
        }
    };
    let proven_until = right.and_then(|secret| secret.expires_at);
    Ok(KnownClient { client: client.clone(), proven, proven_until, user_enabled: known.user_enabled })
}

/// The stored secret that a presented one is. Takes the same time for every answer but "none presented".
fn right_secret<'a>(cx: &Cx, presented: Option<&str>, stored: &'a [clients::StoredSecret]) -> Option<&'a clients::StoredSecret> {
    let hash = SecretHash::of(presented?).to_text();
    let nobodys = constant_time_eq(hash.as_bytes(), NOBODY.as_bytes());
    let mut right = None;
    for secret in stored {
        let live = secret.expires_at.is_none_or(|end| end > cx.now);
        if constant_time_eq(hash.as_bytes(), secret.hash.as_bytes()) & live & !nobodys {
            right = Some(secret);
        }
    }
    right
}

/// No hash: what is compared when there is no client.
const NOBODY: &str = "-------------------------------------------";

/// Which client a request names, before anything is proven; for limits and logs.
pub fn named_client(params: &Params, authorization: Option<&str>) -> Option<String> {
    let in_header = authorization.and_then(decode_basic).map(|(client_id, _)| client_id);
    let named = in_header.or_else(|| params.get_lenient("client_id").map(str::to_owned)).or_else(|| assertion::named_client(params));
    named.filter(|name| name.len() <= MAX_CLIENT_ID)
}

/// Whether a request tries to authenticate its client, in whatever way.
///
/// # Errors
/// As [`Params::get`].
pub(super) fn is_tried(params: &Params, authorization: Option<&str>) -> Result<bool, ProtocolError> {
    Ok(authorization.is_some() || params.get("client_secret")?.is_some() || assertion::is_sent(params))
}

/// Reads the one credential of a request.
fn presented<'a>(params: &Params, authorization: Option<&str>, gathered: &'a Gathered) -> Result<Presented<'a>, ProtocolError> {
    let client_id = params.get("client_id")?;
    let client_secret = params.get("client_secret")?;
    if assertion::is_sent(params) {
        let proven = gathered.assertion.as_ref().ok_or_else(|| {
            let code = ErrorCode::InvalidClient { basic: false };
            ProtocolError::because(code, "Client authentication failed.", "an assertion that nobody looked at")
        })?;
        return Ok(Presented { client_id: proven.client_id.clone(), secret: None, basic: false, assertion: Some(proven) });
    }
    let Some(header) = authorization else {
        let client_id = client_id.ok_or_else(|| {
            ProtocolError::new(ErrorCode::InvalidClient { basic: false }, "Missing client_id parameter or client authentication.")
        })?;
        return Ok(Presented { client_id: client_id.to_owned(), secret: client_secret.map(str::to_owned), basic: false, assertion: None });
    };
    let (basic_id, secret) = decode_basic(header).ok_or_else(|| {
        // Frappe: reads this header as the caller's API key, here: the client's credential, because RFC 6749 section 2.3.1 says so.
        ProtocolError::new(ErrorCode::InvalidClient { basic: true }, "Authorization must be Basic with client_id and client_secret.")
    })?;
    if client_secret.is_some() {
        return Err(ProtocolError::invalid_request("Client credentials were sent both in the header and in the body."));
    }
    if client_id.is_some_and(|in_body| in_body != basic_id) {
        return Err(ProtocolError::invalid_request("client_id in the body is not the client in the header."));
    }
    Ok(Presented { client_id: basic_id, secret: (!secret.is_empty()).then_some(secret), basic: true, assertion: None })
}

/// The client id and secret of a `Basic` header, each form-decoded (RFC 6749 section 2.3.1).
fn decode_basic(header: &str) -> Option<(String, String)> {
    let (scheme, rest) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(rest.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let (id, secret) = (form_decode(id)?, form_decode(secret)?);
    (!id.is_empty()).then_some((id, secret))
}

fn form_decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD as ENGINE;

    fn basic(text: &str) -> String {
        format!("Basic {}", ENGINE.encode(text))
    }

    #[test]
    fn basic_credentials_are_form_decoded_and_may_lack_padding() {
        assert_eq!(decode_basic(&basic("a%3Ab:c+d%25")), Some(("a:b".into(), "c d%".into())));
        assert_eq!(decode_basic("basic YTpi"), Some(("a".into(), "b".into())));
        assert_eq!(decode_basic("BASIC  YTpiYw"), Some(("a".into(), "bc".into())));
        for bad in ["Bearer x", "Basic", "Basic !!", &basic("nocolon"), &basic(":secret"), "Basic /w=="] {
            assert_eq!(decode_basic(bad), None, "{bad}");
        }
    }

    #[test]
    fn credentials_in_two_places_are_refused_but_the_same_client_id_is_not() {
        let body: Params = [("client_id", "a")].into_iter().collect();
        let none = Gathered::default();
        assert!(presented(&body, Some(&basic("a:s")), &none).is_ok());
        assert!(presented(&body, Some(&basic("b:s")), &none).is_err());
        let both: Params = [("client_id", "a"), ("client_secret", "s")].into_iter().collect();
        assert!(presented(&both, Some(&basic("a:s")), &none).is_err());
    }

    #[test]
    fn an_assertion_that_was_not_looked_at_proves_nothing() {
        for name in ["client_assertion", "client_assertion_type"] {
            let params: Params = [("client_id", "a"), (name, "x")].into_iter().collect();
            assert!(presented(&params, None, &Gathered::default()).is_err());
        }
    }
}
