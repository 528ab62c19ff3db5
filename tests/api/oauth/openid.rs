//! Id tokens, the keys that verify them, and userinfo.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, SHA512};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use serde_json::{Value, json};

use super::{OAUTH, authorize, but, ordinary, scene, scene_with};
use crate::both_databases;
use crate::support::{Setup, TestApp, TestClient, TokenPair};

both_databases!(
    an_id_token_verifies_with_the_published_keys_and_says_what_it_must,
    claims_follow_the_scope,
    userinfo_wants_a_token_with_openid_or_all,
    a_rotation_keeps_old_id_tokens_verifiable,
    signing_keys_rotate_by_age_with_overlap_and_go_when_nothing_needs_them,
    a_site_may_rotate_signing_keys_by_command_only,
);

async fn keys(app: &TestApp) -> JwkSet {
    let reply = app.anonymous().get(&format!("{OAUTH}.jwks")).send().await.expect_status(200);
    serde_json::from_value(reply.json()).expect("a key set")
}

/// The claims of an id token, verified with the published keys.
fn verified(keys: &JwkSet, id_token: &str, audience: &str, algorithm: Algorithm) -> Value {
    let header = jsonwebtoken::decode_header(id_token).expect("a header");
    assert_eq!(header.alg, algorithm);
    let key = keys.find(header.kid.as_deref().expect("a key id")).expect("a published key");
    let mut rules = Validation::new(algorithm);
    rules.set_audience(&[audience]);
    jsonwebtoken::decode::<Value>(id_token, &DecodingKey::from_jwk(key).expect("a public key"), &rules).expect("a valid token").claims
}

async fn an_id_token_verifies_with_the_published_keys_and_says_what_it_must(app: TestApp) {
    let (browser, rsa) = scene(&app).await;
    let ec = app.client(json!({"skip_authorization": 1, "id_token_alg": "ES256"})).await;
    let ed = app.client(json!({"skip_authorization": 1, "id_token_alg": "EdDSA"})).await;
    let keys = keys(&app).await;
    assert_eq!(keys.keys.len(), 6, "a current and a next key of each algorithm");
    let challenge = TestClient::challenge();
    for (client, algorithm) in [(&rsa, Algorithm::RS256), (&ec, Algorithm::ES256), (&ed, Algorithm::EdDSA)] {
        let asked = but(ordinary(client, &challenge, "openid email"), &[("nonce", "n-0S6")]);
        let code = authorize(&browser, &asked).await.location_parameter("code").expect("a code");
        let tokens = TokenPair::of(&client.exchange(&code).await);
        let claims = verified(&keys, tokens.id_token.as_deref().expect("an id token"), &client.id, algorithm);
        assert_eq!((&claims["iss"], &claims["nonce"], &claims["email"]), (&json!(app.url), &json!("n-0S6"), &json!("amina@example.com")));
        assert!(claims["sub"].as_str().is_some_and(|sub| !sub.is_empty() && !sub.contains('@')), "{claims}");
        let (function, half) = if algorithm == Algorithm::EdDSA { (&SHA512, 32) } else { (&SHA256, 16) };
        let hash = aws_lc_rs::digest::digest(function, tokens.access.as_bytes());
        let at_hash = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &hash.as_ref()[..half]);
        assert_eq!(claims["at_hash"], at_hash);
        let number = |name: &str| claims[name].as_i64().expect(name);
        assert_eq!(number("exp") - number("iat"), 3600);
        assert!(number("auth_time") <= number("iat") && number("iat") - number("auth_time") < 60);
    }
}

async fn claims_follow_the_scope(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"scopes": "all openid profile email roles"})).await;
    for (scope, present, absent) in [
        ("openid", vec!["sub"], vec!["name", "email", "picture", "roles"]),
        ("openid profile", vec!["sub", "name", "given_name"], vec!["email", "roles"]),
        ("openid email", vec!["sub", "email"], vec!["name", "roles"]),
        ("openid roles", vec!["sub", "roles"], vec!["name", "email"]),
        ("openid all", vec!["sub", "name", "email", "roles"], vec![]),
    ] {
        let tokens = client.log_in(&browser, scope).await;
        let info = client.holder(&tokens.access).get(&format!("{OAUTH}.openid_profile")).send().await.expect_status(200).json();
        let claims = verified(&keys(&app).await, tokens.id_token.as_deref().expect("an id token"), &client.id, Algorithm::RS256);
        for (claims, source) in [(&info, "userinfo"), (&claims, "id token")] {
            assert!(present.iter().all(|name| claims.get(name).is_some()), "{scope} {source}: {claims}");
            assert!(absent.iter().all(|name| claims.get(name).is_none()), "{scope} {source}: {claims}");
        }
        assert_eq!((&info["sub"], &info["iss"]), (&claims["sub"], &json!(app.url)));
    }
}

async fn userinfo_wants_a_token_with_openid_or_all(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"scopes": "all openid profile email read"})).await;
    let url = format!("{OAUTH}.openid_profile");
    let all = client.log_in(&browser, "all").await;
    let reply = client.holder(&all.access).get(&url).send().await.expect_status(200);
    let body = reply.json();
    let members: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["sub", "name", "given_name", "family_name", "email", "picture", "roles", "iss"]);
    client.holder(&all.access).post(&url).send().await.expect_status(200);

    let narrow = client.log_in(&browser, "email").await;
    let refused = client.holder(&narrow.access).get(&url).send().await.expect_status(403);
    assert!(
        refused
            .header("www-authenticate")
            .is_some_and(|challenge| challenge.contains("insufficient_scope") && challenge.contains("openid"))
    );
    for caller in [app.anonymous(), browser, client.holder("ost_at_0123456789012345678901234567890123456789012")] {
        let refused = caller.get(&url).send().await.expect_status(401);
        assert!(
            refused
                .header("www-authenticate")
                .is_some_and(|challenge| challenge.starts_with("Bearer ") && challenge.contains("resource_metadata="))
        );
        assert_eq!(refused.error().as_deref(), Some("invalid_token"));
    }
}

async fn a_rotation_keeps_old_id_tokens_verifiable(app: TestApp) {
    use ostiary::domain::client::SigningAlgorithm;
    use ostiary::secrets::SealKey;
    use ostiary::store::signing_keys::KeyState;

    let (browser, client) = scene(&app).await;
    let before = client.log_in(&browser, "openid").await.id_token.expect("an id token");
    let db = app.db().clone();
    let seal: SealKey = app.env().seal.clone();
    let now = app.env().clock.now();
    let fresh = ostiary::oidc::keys::make(&seal, now, SigningAlgorithm::Rs256, KeyState::Next);
    let published = keys(&app).await;
    db.write("rotate", move |conn, effects| ostiary::oidc::keys::rotate(conn, effects, now, &fresh)).await.expect("rotated");
    // The server hears of it by itself.
    let mut after = client.log_in(&browser, "openid").await.id_token.expect("an id token");
    for _ in 0..50 {
        if jsonwebtoken::decode_header(&after).expect("a header").kid != jsonwebtoken::decode_header(&before).expect("a header").kid {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        after = client.log_in(&browser, "openid").await.id_token.expect("an id token");
    }
    let kid = |token: &str| jsonwebtoken::decode_header(token).expect("a header").kid.expect("a key id");
    assert_ne!(kid(&before), kid(&after));
    assert!(published.find(&kid(&after)).is_some(), "the new key was published before it signed");
    for token in [&before, &after] {
        verified(&keys(&app).await, token, &client.id, Algorithm::RS256);
    }
}

/// The ids of the published keys of an algorithm.
async fn published(app: &TestApp, algorithm: &str) -> Vec<String> {
    let set = app.anonymous().get(&format!("{OAUTH}.jwks")).send().await.expect_status(200).json();
    let keys = set["keys"].as_array().expect("keys").iter().filter(|key| key["alg"] == algorithm);
    keys.map(|key| key["kid"].as_str().expect("a key id").to_owned()).collect()
}

/// What the background does every minute.
pub async fn one_round(app: &TestApp) {
    let (db, env) = (app.db().clone(), app.env().clone());
    tokio::task::spawn_blocking(move || {
        ostiary::oidc::keys::rotate_due(&db, &env).expect("rotated");
        ostiary::background::purge_all(&db, &env);
        ostiary::oidc::keys::reload(&db, &env).expect("read again");
    })
    .await
    .expect("a round");
}

async fn signing_keys_rotate_by_age_with_overlap_and_go_when_nothing_needs_them(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let day = Duration::from_secs(86_400);
    let before = client.log_in(&browser, "openid").await.id_token.expect("an id token");
    let first = published(&app, "RS256").await;
    assert_eq!(first.len(), 2, "one signs, the next is known already");
    app.advance(89 * day);
    one_round(&app).await;
    assert_eq!(published(&app, "RS256").await, first, "not due yet");
    app.advance(2 * day);
    // Two processes, or one that is asked twice: once is enough.
    one_round(&app).await;
    one_round(&app).await;
    let second = published(&app, "RS256").await;
    assert_eq!(second.len(), 3);
    assert_eq!(second[0], first[1], "the next key signs now");
    assert!(second.contains(&first[0]), "the one before goes on verifying");
    let browser = app.existing_user("amina@example.com", crate::support::PASSWORD).cookie().await;
    let after = client.log_in(&browser, "openid").await.id_token.expect("an id token");
    assert_eq!(jsonwebtoken::decode_header(&after).expect("a header").kid.as_ref(), Some(&first[1]));
    assert_eq!(jsonwebtoken::decode_header(&before).expect("a header").kid.as_ref(), Some(&first[0]));
    for algorithm in ["ES256", "EdDSA"] {
        assert_eq!(published(&app, algorithm).await.len(), 3, "{algorithm}");
    }
    app.advance(8 * day);
    one_round(&app).await;
    assert!(!published(&app, "RS256").await.contains(&first[0]), "nothing that it signed is in force any more");
}

async fn a_site_may_rotate_signing_keys_by_command_only(setup: Setup) {
    let app = setup.configure(|config| config.oauth.signing_key_lifetime = 0).start().await;
    let before = published(&app, "RS256").await;
    app.advance(Duration::from_secs(1000 * 86_400));
    one_round(&app).await;
    assert_eq!(published(&app, "RS256").await, before);
}
