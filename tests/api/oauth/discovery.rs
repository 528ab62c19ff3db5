//! The documents under `/.well-known/`: complete, honest, readable from anywhere.

use serde_json::{Value, json};

use super::OAUTH;
use crate::both_databases;
use crate::support::TestApp;

both_databases!(
    documents_are_json_for_any_origin_and_never_a_redirect,
    every_announced_endpoint_exists_below_the_issuer,
    announced_values_are_what_works,
    the_resource_document_offers_no_scope_that_reaches_everything,
    unknown_documents_are_404_json,
);

const DOCUMENTS: [&str; 3] = ["openid-configuration", "oauth-authorization-server", "oauth-protected-resource"];

async fn document(app: &TestApp, name: &str) -> Value {
    app.anonymous().get(&format!("/.well-known/{name}")).send().await.expect_status(200).json()
}

async fn documents_are_json_for_any_origin_and_never_a_redirect(app: TestApp) {
    for name in DOCUMENTS {
        let reply =
            app.anonymous().get(&format!("/.well-known/{name}")).header("origin", "https://anyone.example").send().await.expect_status(200);
        assert_eq!(
            (reply.header("content-type"), reply.header("access-control-allow-origin")),
            (Some("application/json"), Some("*")),
            "{name}"
        );
    }
    let named = app.anonymous().get(&format!("{OAUTH}.openid_configuration")).send().await.expect_status(200);
    assert_eq!(named.json(), document(&app, "openid-configuration").await);
    assert_eq!(document(&app, "oauth-protected-resource").await["authorization_servers"], json!([app.url]));
}

async fn every_announced_endpoint_exists_below_the_issuer(app: TestApp) {
    for name in DOCUMENTS {
        let body = document(&app, name).await;
        for (member, value) in body.as_object().expect("an object") {
            if !member.ends_with("_endpoint") && member != "jwks_uri" {
                continue;
            }
            let url = value.as_str().expect("a URL");
            assert!(url.starts_with(&format!("{}/", app.url)), "{member}: {url}");
            let reply = app.anonymous().get(url).header("accept", "application/json").send().await;
            assert!(![403, 404, 417, 500].contains(&reply.status), "{member} answers {}: {}", reply.status, reply.text());
        }
    }
}

async fn announced_values_are_what_works(app: TestApp) {
    let body = document(&app, "openid-configuration").await;
    assert_eq!(body["issuer"], app.url);
    let methods = json!(["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]);
    assert_eq!((&body["token_endpoint_auth_methods_supported"], &body["revocation_endpoint_auth_methods_supported"]), (&methods, &methods));
    let confidential = json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]);
    assert_eq!(body["introspection_endpoint_auth_methods_supported"], confidential);
    for endpoint in ["token", "revocation", "introspection"] {
        let announced = &body[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
        assert_eq!(*announced, json!(["RS256", "ES256", "EdDSA", "Ed25519"]), "{endpoint}");
    }
    assert_eq!(body["grant_types_supported"], json!(["authorization_code", "refresh_token", "client_credentials"]));
    assert_eq!(body["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(body["id_token_signing_alg_values_supported"], json!(["RS256", "ES256", "EdDSA"]));
    assert_eq!(body["response_modes_supported"], json!(["query", "form_post"]));
    assert_eq!(
        (&body["request_uri_parameter_supported"], &body["authorization_response_iss_parameter_supported"]),
        (&json!(false), &json!(true))
    );
    assert_eq!((&body["claims_parameter_supported"], &body["acr_values_supported"]), (&json!(true), &json!(["0"])));
    let listed = |name: &str, word: &str| body[name].as_array().is_some_and(|words| words.iter().any(|known| known == word));
    assert!(
        ["email_verified", "phone_number", "phone_number_verified", "sub", "roles"].iter().all(|claim| listed("claims_supported", claim))
    );
    assert!(listed("scopes_supported", "phone") && !listed("claims_supported", "address"));
    for (name, value) in document(&app, "oauth-authorization-server").await.as_object().expect("an object") {
        assert_eq!(body.get(name), Some(value), "{name}");
    }
    assert!(body["jwks_uri"].is_string() && body.get("registration_endpoint").is_none());
}

async fn the_resource_document_offers_no_scope_that_reaches_everything(app: TestApp) {
    // A client that knows no better asks for every one of them, and must get as far as a consent page worth reading.
    let scopes = async |name| document(&app, name).await["scopes_supported"].as_array().expect("a list").clone();
    let (offered, mut known) = (scopes("oauth-protected-resource").await, scopes("openid-configuration").await);
    known.retain(|word| !["all", "admin:credentials"].contains(&word.as_str().expect("a word")));
    assert_eq!(offered, known, "everything but those two, which the server itself names");
    assert!(offered.len() + 2 == scopes("openid-configuration").await.len() && offered.contains(&json!("read")));
}

async fn unknown_documents_are_404_json(app: TestApp) {
    for path in ["/.well-known/oauth-authorization-server/tenant", "/.well-known/nonsense", "/.well-known/"] {
        let reply = app.anonymous().get(path).send().await.expect_status(404);
        assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
    }
    app.anonymous().post("/.well-known/openid-configuration").send().await.expect_status(405);
}
