//! `oauth2` (RFC 6749, 7009, 7636, 7662).

use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicTokenType};
use oauth2::{
    AccessToken, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, IntrospectionUrl, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, RevocationUrl, Scope, TokenIntrospectionResponse as _,
    TokenResponse as _, TokenUrl,
};
use serde_json::json;

use super::{allow, over_tls, send};
use crate::both_databases;
use crate::support::{REDIRECT_URI, TestApp, TestClient};

both_databases!(
    a_client_that_sends_its_secret_in_the_header_goes_all_the_way,
    a_client_that_sends_its_secret_in_the_body_goes_all_the_way,
    a_public_client_goes_all_the_way_and_fails_without_its_verifier,
    a_machine_gets_a_token_of_its_own,
    errors_are_understood,
);

/// A client with every endpoint set.
type Client = BasicClient<oauth2::EndpointSet, oauth2::EndpointNotSet, oauth2::EndpointSet, oauth2::EndpointSet, oauth2::EndpointSet>;

fn client(app: &TestApp, registered: &TestClient, auth_type: AuthType) -> Client {
    let at = |name: &str| format!("{}/api/method/frappe.integrations.oauth2.{name}", app.url);
    let client = BasicClient::new(ClientId::new(registered.id.clone()))
        .set_auth_type(auth_type)
        .set_auth_uri(AuthUrl::new(at("authorize")).expect("a URL"))
        .set_token_uri(TokenUrl::new(at("get_token")).expect("a URL"))
        .set_introspection_url(IntrospectionUrl::new(at("introspect_token")).expect("a URL"))
        .set_revocation_url(RevocationUrl::new(over_tls(&at("revoke_token"))).expect("a URL"))
        .set_redirect_uri(RedirectUrl::new(REDIRECT_URI.into()).expect("a URL"));
    match &registered.secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.clone())),
        None => client,
    }
}

/// Logs a user in as far as the code.
async fn code(app: &TestApp, client: &Client) -> (AuthorizationCode, PkceCodeVerifier) {
    let amina = app.existing_user("amina@example.com", crate::support::PASSWORD);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let request = client.authorize_url(CsrfToken::new_random).add_scope(Scope::new("all".into())).set_pkce_challenge(challenge);
    let (address, state) = request.url();
    let landed = allow(&app.browser(), &amina, &address).await;
    assert_eq!(landed.get("state").as_ref(), Some(state.secret()));
    assert_eq!(landed.get("iss"), Some(app.url.clone()));
    (AuthorizationCode::new(landed.get("code").expect("a code")), verifier)
}

async fn who(app: &TestApp, access: &AccessToken) -> u16 {
    let holder = app.anonymous().with_authorization(format!("Bearer {}", access.secret()));
    holder.whoami().await.status
}

async fn goes_all_the_way(app: &TestApp, method: &str, auth_type: AuthType) {
    app.user("amina@example.com").await;
    let registered = app.client(json!({ "token_endpoint_auth_method": method })).await;
    let client = client(app, &registered, auth_type);
    let (code, verifier) = code(app, &client).await;

    let tokens = client.exchange_code(code).set_pkce_verifier(verifier).request_async(&send).await.expect("tokens");
    assert_eq!(tokens.token_type(), &BasicTokenType::Bearer);
    assert_eq!(tokens.scopes().expect("scopes").iter().map(|scope| scope.as_str()).collect::<Vec<_>>(), ["all"]);
    assert!(tokens.expires_in().is_some_and(|lifetime| lifetime.as_secs() == 3600), "{:?}", tokens.expires_in());
    assert_eq!(who(app, tokens.access_token()).await, 200);

    let first = tokens.refresh_token().expect("a refresh token");
    let refreshed = client.exchange_refresh_token(first).request_async(&send).await.expect("new tokens");
    assert_ne!(refreshed.access_token().secret(), tokens.access_token().secret());
    assert_ne!(refreshed.refresh_token().map(RefreshToken::secret), Some(first.secret()), "it was rotated");
    assert_eq!(who(app, refreshed.access_token()).await, 200);

    if registered.secret.is_some() {
        let seen = client.introspect(refreshed.access_token()).set_token_type_hint("access_token").request_async(&send).await;
        let seen = seen.expect("an answer");
        assert!(seen.active());
        assert_eq!(seen.client_id().map(|id| id.as_str()), Some(registered.id.as_str()));
        assert!(seen.exp().is_some() && seen.sub().is_some());
    }
    // Revoking the access token ends it alone, revoking the refresh token ends all.
    client.revoke_token(refreshed.access_token().clone().into()).expect("over TLS").request_async(&send).await.expect("revoked");
    assert_eq!(who(app, refreshed.access_token()).await, 401);
    let second = refreshed.refresh_token().expect("a refresh token");
    let third = client.exchange_refresh_token(second).request_async(&send).await.expect("new tokens");
    assert_eq!(who(app, third.access_token()).await, 200);
    client.revoke_token(third.refresh_token().expect("one").clone().into()).expect("over TLS").request_async(&send).await.expect("revoked");
    assert_eq!(who(app, third.access_token()).await, 401);
    if registered.secret.is_some() {
        assert!(!client.introspect(third.access_token()).request_async(&send).await.expect("an answer").active());
    }
}

async fn a_client_that_sends_its_secret_in_the_header_goes_all_the_way(app: TestApp) {
    goes_all_the_way(&app, "Client Secret Basic", AuthType::BasicAuth).await;
}

async fn a_client_that_sends_its_secret_in_the_body_goes_all_the_way(app: TestApp) {
    goes_all_the_way(&app, "Client Secret Post", AuthType::RequestBody).await;
}

async fn a_public_client_goes_all_the_way_and_fails_without_its_verifier(app: TestApp) {
    goes_all_the_way(&app, "None", AuthType::RequestBody).await;
    let registered = app.client(json!({ "token_endpoint_auth_method": "None", "app_name": "Another" })).await;
    let client = client(&app, &registered, AuthType::RequestBody);
    let (code, _) = code(&app, &client).await;
    let (_, wrong) = PkceCodeChallenge::new_random_sha256();
    let refused = client.exchange_code(code).set_pkce_verifier(wrong).request_async(&send).await.expect_err("a wrong verifier");
    assert!(
        matches!(&refused, RequestTokenError::ServerResponse(error) if *error.error() == BasicErrorResponseType::InvalidGrant),
        "{refused:?}"
    );
}

async fn a_machine_gets_a_token_of_its_own(app: TestApp) {
    let robot = app.user("robot@example.com").await;
    let registered = app.machine(&robot, "all").await;
    for auth_type in [AuthType::BasicAuth, AuthType::RequestBody] {
        let client = client(&app, &registered, auth_type);
        let tokens = client.exchange_client_credentials().add_scope(Scope::new("all".into())).request_async(&send).await.expect("a token");
        assert!(tokens.refresh_token().is_none(), "a machine asks again instead");
        let holder = app.anonymous().with_authorization(format!("Bearer {}", tokens.access_token().secret()));
        assert_eq!(holder.whoami().await.expect_status(200).message(), json!(robot.name));
    }
}

async fn errors_are_understood(app: TestApp) {
    app.user("amina@example.com").await;
    let registered = app.client(json!({})).await;
    let client = client(&app, &registered, AuthType::BasicAuth);
    let (code, verifier) = code(&app, &client).await;
    let impostor = client.clone().set_client_secret(ClientSecret::new("wrong".into()));
    let verifier_again = PkceCodeVerifier::new(verifier.secret().clone());
    let refused = impostor.exchange_code(code.clone()).set_pkce_verifier(verifier_again).request_async(&send).await.expect_err("wrong");
    assert!(
        matches!(&refused, RequestTokenError::ServerResponse(error) if *error.error() == BasicErrorResponseType::InvalidClient),
        "{refused:?}"
    );
    // Nobody but the client could have spent its code.
    client.exchange_code(code).set_pkce_verifier(verifier).request_async(&send).await.expect("tokens");
    let unknown = RefreshToken::new("ost_rt_unknown".into());
    let refused = client.exchange_refresh_token(&unknown).request_async(&send).await.expect_err("unknown");
    assert!(
        matches!(&refused, RequestTokenError::ServerResponse(error) if *error.error() == BasicErrorResponseType::InvalidGrant),
        "{refused:?}"
    );
    let wide = client.authorize_url(CsrfToken::new_random).add_scope(Scope::new("admin:credentials".into())).url().0;
    let amina = app.existing_user("amina@example.com", crate::support::PASSWORD);
    let landed = amina.cookie().await.get(wide.as_str()).send().await.expect_status(302);
    assert_eq!(landed.location_parameter("error").as_deref(), Some("invalid_scope"));
}
