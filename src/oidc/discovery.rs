//! The discovery documents (OpenID Connect Discovery, RFC 8414, RFC 9728), built from what exists:
//! a grant or algorithm is announced because it is in its table, nothing is announced by hand that is not.

use serde_json::{Map, Value, json};

use super::id_token::ACR;
use crate::domain::claims::Claim;
use crate::domain::client::{AuthMethod, ED25519, SigningAlgorithm};
use crate::domain::resource::Resource;
use crate::domain::scope::{ADMIN_CREDENTIALS, ALL, IDENTITY};

/// Where the OAuth endpoints are, below the issuer. Frappe's names.
pub const ENDPOINTS: &str = "/api/method/frappe.integrations.oauth2.";

/// What `oauth` offers; that room stands above this one, so its door hands it over.
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// The public URL.
    pub issuer: &'a str,
    /// Whether clients may register themselves.
    pub registration: bool,
    /// Whether a client id may be the URL of the client's own description.
    pub client_metadata_documents: bool,
    pub grant_types: Vec<&'static str>,
    pub response_modes: Vec<&'static str>,
}

/// `/.well-known/oauth-authorization-server` (RFC 8414).
pub fn authorization_server(offer: &Offer) -> Value {
    let at = |name: &str| format!("{}{ENDPOINTS}{name}", offer.issuer);
    let any_client = AuthMethod::ANNOUNCED.map(AuthMethod::as_str);
    let confidential: Vec<&str> = AuthMethod::ANNOUNCED.into_iter().filter(|method| !method.is_public()).map(AuthMethod::as_str).collect();
    let algorithms: Vec<&str> = SigningAlgorithm::ALL.map(SigningAlgorithm::as_str).into_iter().chain([ED25519]).collect();
    let mut document = json!({
        "issuer": offer.issuer,
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("get_token"),
        "response_types_supported": ["code"],
        "response_modes_supported": offer.response_modes,
        "grant_types_supported": offer.grant_types,
        "token_endpoint_auth_methods_supported": any_client,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint": at("revoke_token"),
        "revocation_endpoint_auth_methods_supported": any_client,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint": at("introspect_token"),
        "introspection_endpoint_auth_methods_supported": confidential,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "userinfo_endpoint": at("openid_profile"),
        "jwks_uri": at("jwks"),
        "scopes_supported": scopes(),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    });
    if offer.registration {
        document["registration_endpoint"] = at("register_client").into();
    }
    if offer.client_metadata_documents {
        document["client_id_metadata_document_supported"] = true.into();
    }
    document
}

/// `/.well-known/openid-configuration` (OpenID Connect Discovery section 3).
pub fn openid_configuration(offer: &Offer) -> Value {
    let mut document: Map<String, Value> = match authorization_server(offer) {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    let algorithms = SigningAlgorithm::ALL.map(SigningAlgorithm::as_str);
    let mut add = |name: &str, value: Value| {
        document.insert(name.to_owned(), value);
    };
    add("end_session_endpoint", json!(format!("{}{ENDPOINTS}end_session", offer.issuer)));
    add("subject_types_supported", json!(["public"]));
    add("id_token_signing_alg_values_supported", json!(algorithms));
    add("claim_types_supported", json!(["normal"]));
    let meta = ["iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "acr", "amr"];
    add("claims_supported", json!(["sub"].into_iter().chain(Claim::ALL.map(Claim::as_str)).chain(meta).collect::<Vec<_>>()));
    add("claims_parameter_supported", json!(true));
    add("acr_values_supported", json!([ACR]));
    add("prompt_values_supported", json!(["none", "login", "consent", "select_account"]));
    // Absent would mean true for request_uri.
    add("request_parameter_supported", json!(false));
    add("request_uri_parameter_supported", json!(false));
    document.into()
}

/// What a client should ask for that knows no better: those of the Model Context Protocol ask for all that the document
/// of the resource or a challenge names. So the words that reach everything or credentials are not among them (RFC 9728
/// section 2 allows that).
pub fn api_scopes() -> Vec<&'static str> {
    IDENTITY.into_iter().chain(["read", "write"]).collect()
}

/// `/.well-known/oauth-protected-resource` (RFC 9728).
pub fn protected_resource(issuer: &str, name: &str) -> Value {
    json!({
        "resource": issuer,
        "authorization_servers": [issuer],
        "jwks_uri": format!("{issuer}{ENDPOINTS}jwks"),
        "scopes_supported": api_scopes(),
        "bearer_methods_supported": ["header"],
        "resource_name": name,
    })
}

/// `/.well-known/oauth-protected-resource/…` of a registered resource below the issuer.
pub fn registered_resource(issuer: &str, resource: &Resource) -> Value {
    let mut document = json!({
        "resource": resource.uri,
        "authorization_servers": [issuer],
        "bearer_methods_supported": ["header"],
        "resource_name": resource.title,
    });
    // Without scopes of its own there is nothing to say: which of ours mean something there is not known here.
    if !resource.scope.is_empty() {
        document["scopes_supported"] = resource.scope.words().collect();
    }
    document
}

/// The scope words that exist on every site. Those that name a doctype or a method are beyond listing.
pub fn scopes() -> Vec<&'static str> {
    IDENTITY.into_iter().chain([ALL, "read", "write", ADMIN_CREDENTIALS]).collect()
}
