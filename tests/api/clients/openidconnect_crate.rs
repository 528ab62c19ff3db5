//! `openidconnect` (OpenID Connect Core and Discovery), which verifies what it is given: the
//! discovery document, the id token's signature and claims, the subject of the user's claims.

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, IntrospectionUrl, IssuerUrl, LoginHint, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, ProviderMetadata,
    RedirectUrl, RevocationUrl, Scope, TokenIntrospectionResponse as _, TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{allow, over_tls, send};
use crate::both_databases;
use crate::support::{REDIRECT_URI, TestApp};

both_databases!(
    a_confidential_client_logs_a_user_in_with_rs256,
    a_confidential_client_that_posts_its_secret_logs_a_user_in_with_es256,
    a_public_client_logs_a_user_in,
    a_silent_request_and_a_second_login_go_as_the_client_asks,
);

/// The endpoints that plain OpenID Connect Discovery does not know (RFC 8414).
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Endpoints {
    revocation_endpoint: String,
    introspection_endpoint: String,
}

impl AdditionalProviderMetadata for Endpoints {}

type Metadata = ProviderMetadata<
    Endpoints,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

async fn discover(app: &TestApp) -> Metadata {
    let issuer = IssuerUrl::new(app.url.clone()).expect("a URL");
    // Fetches the key set too, and refuses a document of another issuer.
    let metadata = Metadata::discover_async(issuer, &send).await.expect("a discovery document and its keys");
    let announced = |algorithm| metadata.id_token_signing_alg_values_supported().contains(&algorithm);
    assert!(announced(CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256) && announced(CoreJwsSigningAlgorithm::EcdsaP256Sha256));
    metadata
}

fn redirect() -> RedirectUrl {
    RedirectUrl::new(REDIRECT_URI.into()).expect("a URL")
}

/// The whole of it, for a client with these fields.
async fn logs_a_user_in(app: &TestApp, fields: Value, auth_type: AuthType, algorithm: CoreJwsSigningAlgorithm) {
    let amina = app.user_with_roles("amina@example.com", &["System Manager"]).await;
    let mut all = json!({ "scopes": "openid profile email roles offline_access" });
    all.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    let registered = app.client(all).await;
    let metadata = discover(app).await;
    let endpoints = metadata.additional_metadata().clone();
    let secret = registered.secret.clone().map(ClientSecret::new);
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(registered.id.clone()), secret)
        .set_auth_type(auth_type)
        .set_redirect_uri(redirect())
        .set_introspection_url(IntrospectionUrl::new(endpoints.introspection_endpoint).expect("a URL"))
        .set_revocation_url(RevocationUrl::new(over_tls(&endpoints.revocation_endpoint)).expect("a URL"));

    let (challenge, pkce) = PkceCodeChallenge::new_random_sha256();
    let (address, state, nonce) = client
        .authorize_url(AuthenticationFlow::<CoreResponseType>::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("profile".into()))
        .add_scope(Scope::new("email".into()))
        .add_scope(Scope::new("offline_access".into()))
        .set_pkce_challenge(challenge)
        .url();
    let landed = allow(&app.browser(), &amina, &address).await;
    assert_eq!(landed.get("state").as_ref(), Some(state.secret()));
    assert_eq!(landed.get("iss"), Some(app.url.clone()), "the answer names its issuer (RFC 9207)");

    let code = AuthorizationCode::new(landed.get("code").expect("a code"));
    let exchange = client.exchange_code(code).expect("a token endpoint").set_pkce_verifier(pkce);
    let tokens = exchange.request_async(&send).await.expect("tokens");

    // Signature, issuer, audience, expiry and nonce are checked by the verifier, the rest here.
    let verifier = client.id_token_verifier().set_allowed_algs([algorithm.clone()]);
    let id_token = tokens.id_token().expect("an id token");
    let claims = id_token.claims(&verifier, &nonce).expect("a valid id token");
    assert_eq!(id_token.signing_alg().expect("signed"), &algorithm);
    assert_eq!(claims.issuer().as_str(), app.url);
    assert_eq!(claims.audiences().iter().map(|audience| audience.as_str()).collect::<Vec<_>>(), [registered.id.as_str()]);
    assert!(claims.auth_time().is_some_and(|time| time <= claims.issue_time()));
    let key = id_token.signing_key(&verifier).expect("its key is in the key set");
    let expected = AccessTokenHash::from_token(tokens.access_token(), &algorithm, key).expect("a hash");
    assert_eq!(claims.access_token_hash(), Some(&expected));
    assert_ne!(claims.subject().as_str(), amina.name, "the subject is no address");
    let other_nonce = id_token.claims(&verifier, &Nonce::new_random());
    assert!(matches!(other_nonce, Err(ClaimsVerificationError::InvalidNonce(_))), "{other_nonce:?}");

    let request = client.user_info(tokens.access_token().clone(), Some(claims.subject().clone())).expect("a userinfo endpoint");
    let about: CoreUserInfoClaims = request.request_async(&send).await.expect("claims about the same subject");
    assert_eq!(about.email().map(|email| email.as_str()), Some("amina@example.com"));
    assert_eq!(about.name().and_then(|name| name.get(None)).map(|name| name.as_str()), Some("amina"));

    let refresh = tokens.refresh_token().expect("a refresh token");
    let request = client.exchange_refresh_token(refresh).expect("a token endpoint");
    let refreshed = request.request_async(&send).await.expect("new tokens");
    if let Some(again) = refreshed.id_token() {
        // OpenID Connect Core section 12.2: the same person, logged in at the same time.
        let verify_nonce = |sent: Option<&Nonce>| {
            if sent.is_none_or(|sent| sent.secret() == nonce.secret()) { Ok(()) } else { Err("another nonce".into()) }
        };
        let later = again.claims(&verifier, verify_nonce).expect("a valid id token");
        assert_eq!((later.subject(), later.auth_time()), (claims.subject(), claims.auth_time()));
    }

    if registered.secret.is_some() {
        let seen = client.introspect(refreshed.access_token()).request_async(&send).await.expect("an answer");
        assert!(seen.active());
        assert_eq!(seen.sub(), Some(claims.subject().as_str()));
    }
    let family = refreshed.refresh_token().expect("a refresh token").clone();
    client.revoke_token(family.into()).expect("over TLS").request_async(&send).await.expect("revoked");
    let request = client.user_info(refreshed.access_token().clone(), None).expect("a userinfo endpoint");
    let refused: Result<CoreUserInfoClaims, _> = request.request_async(&send).await;
    assert!(refused.is_err(), "the revoked family tells nothing more");
}

async fn a_confidential_client_logs_a_user_in_with_rs256(app: TestApp) {
    let rs256 = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
    logs_a_user_in(&app, json!({ "token_endpoint_auth_method": "Client Secret Basic" }), AuthType::BasicAuth, rs256).await;
}

async fn a_confidential_client_that_posts_its_secret_logs_a_user_in_with_es256(app: TestApp) {
    let fields = json!({ "token_endpoint_auth_method": "Client Secret Post", "id_token_alg": "ES256" });
    logs_a_user_in(&app, fields, AuthType::RequestBody, CoreJwsSigningAlgorithm::EcdsaP256Sha256).await;
}

async fn a_public_client_logs_a_user_in(app: TestApp) {
    let rs256 = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
    logs_a_user_in(&app, json!({ "token_endpoint_auth_method": "None" }), AuthType::RequestBody, rs256).await;
}

async fn a_silent_request_and_a_second_login_go_as_the_client_asks(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let registered = app.client(json!({ "scopes": "openid" })).await;
    let secret = registered.secret.clone().map(ClientSecret::new);
    let client =
        CoreClient::from_provider_metadata(discover(&app).await, ClientId::new(registered.id.clone()), secret).set_redirect_uri(redirect());
    let address = |prompt: Option<CoreAuthPrompt>| {
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        let request = request.set_login_hint(LoginHint::new("amina@example.com".into()));
        prompt.into_iter().fold(request, |request, prompt| request.add_prompt(prompt)).url().0
    };
    // Nobody is logged in; then nothing is allowed yet; then both are there.
    let browser = app.browser();
    let silent = async || browser.get(address(Some(CoreAuthPrompt::None)).as_str()).send().await.expect_status(302);
    assert_eq!(silent().await.location_parameter("error").as_deref(), Some("login_required"));
    let other = amina.cookie().await;
    let early = other.get(address(Some(CoreAuthPrompt::None)).as_str()).send().await.expect_status(302);
    assert_eq!(early.location_parameter("error").as_deref(), Some("consent_required"));
    assert!(allow(&browser, &amina, &address(None)).await.get("code").is_some());
    assert!(silent().await.location_parameter("code").is_some());
    // A client that wants a fresh login gets the login page although there is a session.
    let again = browser.get(address(Some(CoreAuthPrompt::Login)).as_str()).send().await.expect_status(302);
    assert_eq!(again.location().path(), "/login");
    assert_eq!(again.location_parameter("login_hint").as_deref(), Some("amina@example.com"));
}
