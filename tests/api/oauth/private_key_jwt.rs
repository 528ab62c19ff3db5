//! Clients that prove who they are with keys of their own (RFC 7523, OpenID Connect Core section 9).

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ostiary::domain::client::SigningAlgorithm;
use ostiary::secrets::keys::{SigningKey, generate};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{OAUTH, REDIRECT_URI, expect_refusal};
use crate::both_databases;
use crate::support::process::Launch;
use crate::support::{Backend, Caller, Database, Reply, Setup, Site, TemporaryDirectory, TestApp, TestClient, TokenPair};

both_databases!(
    every_algorithm_and_every_endpoint_takes_an_assertion,
    a_login_with_an_assertion_needs_no_secret_anywhere,
    claims_that_do_not_say_what_they_must_are_refused,
    no_other_algorithm_and_no_other_key_passes,
    an_assertion_works_once_at_whatever_endpoint,
    of_parallel_uses_of_one_assertion_exactly_one_wins,
    an_assertion_used_in_one_process_is_used_in_all,
    used_assertions_are_forgotten_when_nobody_could_use_them,
    two_methods_at_once_are_refused,
    a_client_has_one_method,
    a_removed_key_is_refused_at_once,
    whoever_proves_no_key_is_told_the_same_whatever_the_client_is,
    keys_are_checked_when_they_are_registered,
    a_client_registers_itself_with_its_keys,
    no_bytes_as_an_assertion_are_our_fault,
);

pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const CLIENTS: &str = "/api/resource/OAuth%20Client";

/// A key of a client.
pub struct Key {
    algorithm: SigningAlgorithm,
    pkcs8: Vec<u8>,
    pub jwk: Value,
}

impl Key {
    pub fn new(kid: &str, algorithm: SigningAlgorithm) -> Self {
        let pkcs8 = generate(algorithm).to_vec();
        let jwk = SigningKey::from_pkcs8(kid, algorithm, &pkcs8).expect("a key").jwk;
        Self { algorithm, pkcs8, jwk }
    }

    fn kid(&self) -> &str {
        self.jwk["kid"].as_str().expect("a kid")
    }

    fn sign(&self, message: &str) -> Vec<u8> {
        let (random, message) = (SystemRandom::new(), message.as_bytes());
        match self.algorithm {
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(&self.pkcs8).expect("a key");
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("signs");
                signature
            }
            SigningAlgorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.pkcs8).expect("a key");
                pair.sign(&random, message).expect("signs").as_ref().to_vec()
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8(&self.pkcs8).expect("a key").sign(message).as_ref().to_vec(),
        }
    }

    /// An assertion with these claims.
    pub fn assertion(&self, claims: &Value) -> String {
        self.assertion_under(&json!({"alg": self.algorithm.as_str(), "kid": self.kid(), "typ": "JWT"}), claims)
    }

    fn assertion_under(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.sign(&message)))
    }
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

pub fn key_set(keys: &[&Key]) -> String {
    json!({ "keys": keys.iter().map(|key| &key.jwk).collect::<Vec<_>>() }).to_string()
}

fn unix() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs()
}

/// What an honest client claims, with a `jti` of its own each time.
pub fn claims(issuer: &str, client_id: &str) -> Value {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let jti = format!("jti-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    json!({"iss": client_id, "sub": client_id, "aud": issuer, "exp": unix() + 60, "iat": unix(), "jti": jti})
}

fn but(mut claims: Value, name: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(claims.as_object_mut().expect("an object").shift_remove(name)),
        value => claims[name] = value,
    }
    claims
}

/// A machine with these keys.
async fn machine(site: &Site, keys: &[&Key]) -> TestClient {
    let user = site.user("robot@example.com").await;
    let fields = json!({"grant_type": "Client Credentials", "user": user.name, "scopes": "all",
        "token_endpoint_auth_method": "Private Key JWT", "jwks": key_set(keys)});
    let client = site.client(fields).await;
    assert_eq!(client.secret, None, "it has none");
    client
}

/// Posts to an endpoint with an assertion.
async fn post(caller: &Caller, endpoint: &str, assertion: &str, parameters: &[(&str, &str)]) -> Reply {
    let mut form = vec![("client_assertion_type", JWT_BEARER), ("client_assertion", assertion)];
    form.extend_from_slice(parameters);
    caller.post(&format!("{OAUTH}.{endpoint}")).form(&form).send().await
}

pub async fn issue(caller: &Caller, assertion: &str) -> Reply {
    post(caller, "get_token", assertion, &[("grant_type", "client_credentials")]).await
}

async fn every_algorithm_and_every_endpoint_takes_an_assertion(app: TestApp) {
    let keys = SigningAlgorithm::ALL.map(|algorithm| Key::new(algorithm.as_str(), algorithm));
    let client = machine(&app, &keys.each_ref()).await;
    let anonymous = app.anonymous();
    for key in &keys {
        let fresh = || claims(&app.url, &client.id);
        let token = TokenPair::of(&issue(&anonymous, &key.assertion(&fresh())).await).access;
        client.holder(&token).whoami().await.expect_status(200);
        let introspected = post(&anonymous, "introspect_token", &key.assertion(&fresh()), &[("token", &token)]).await.expect_status(200);
        assert_eq!(introspected.json()["active"], true);
        post(&anonymous, "revoke_token", &key.assertion(&fresh()), &[("token", &token)]).await.expect_status(200);
        client.holder(&token).whoami().await.expect_status(401);
        let introspected = post(&anonymous, "introspect_token", &key.assertion(&fresh()), &[("token", &token)]).await.expect_status(200);
        assert_eq!(introspected.json(), json!({"active": false}));
        // Without its name in the header the key is found too, and the client's name may stand beside the assertion.
        let nameless = key.assertion_under(&json!({"alg": key.algorithm.as_str()}), &fresh());
        let named = [("grant_type", "client_credentials"), ("client_id", client.id.as_str())];
        post(&anonymous, "get_token", &nameless, &named).await.expect_status(200);
        // A confidential client's token is not for everybody to revoke.
        let token = TokenPair::of(&issue(&anonymous, &key.assertion(&fresh())).await).access;
        expect_refusal(&client.post("revoke_token", &[("token", &token)]).await, 401, "invalid_client");
        expect_refusal(&client.post("introspect_token", &[("token", &token)]).await, 401, "invalid_client");
    }
}

async fn a_login_with_an_assertion_needs_no_secret_anywhere(app: TestApp) {
    let key = Key::new("1", SigningAlgorithm::Es256);
    let fields = json!({"token_endpoint_auth_method": "Private Key JWT", "jwks": key_set(&[&key]), "skip_authorization": 1});
    let client = app.client(fields).await;
    let browser = app.user("amina@example.com").await.cookie().await;
    let code = client.code(&browser, "openid all").await;
    let fresh = || key.assertion(&claims(&app.url, &client.id));
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", crate::support::VERIFIER),
    ];
    // Without the assertion the code is not even looked at.
    let bare: Vec<_> = exchange.into_iter().chain([("client_id", client.id.as_str())]).collect();
    let refused = app.anonymous().post(&format!("{OAUTH}.get_token")).form(&bare).send().await;
    expect_refusal(&refused, 401, "invalid_client");
    assert!(refused.text().contains("client_assertion"), "{}", refused.text());
    let pair = TokenPair::of(&post(&app.anonymous(), "get_token", &fresh(), &exchange).await);
    let refresh = pair.refresh.expect("a refresh token");
    let parameters = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    expect_refusal(&client.get_token(&parameters).await, 401, "invalid_client");
    TokenPair::of(&post(&app.anonymous(), "get_token", &fresh(), &parameters).await);
}

async fn claims_that_do_not_say_what_they_must_are_refused(app: TestApp) {
    let key = Key::new("1", SigningAlgorithm::EdDsa);
    let client = machine(&app, &[&key]).await;
    let caller = app.anonymous();
    let (token, introspect) = (format!("{}{OAUTH}.get_token", app.url), format!("{}{OAUTH}.introspect_token", app.url));
    for (name, value) in [
        ("aud", json!(app.url)),
        ("aud", json!(token)),
        ("aud", json!([app.url])),
        ("aud", json!([app.url, token])),
        ("exp", json!(unix() + 3595)),
        // A minute of leeway for clocks that are off.
        ("exp", json!(unix() - 30)),
        ("nbf", json!(unix() + 30)),
        ("iat", json!(unix() + 30)),
        ("iat", Value::Null),
        ("more", json!({"what": "nobody asked for"})),
    ] {
        let assertion = key.assertion(&but(claims(&app.url, &client.id), name, value.clone()));
        let reply = issue(&caller, &assertion).await;
        assert_eq!(reply.status, 200, "{name} {value}: {}", reply.text());
    }
    for (name, value) in [
        ("aud", Value::Null),
        ("aud", json!("https://other.example")),
        ("aud", json!(format!("{}/", app.url))),
        ("aud", json!(introspect)),
        ("aud", json!([app.url, "https://other.example"])),
        ("aud", json!([])),
        ("exp", Value::Null),
        ("exp", json!(unix() - 90)),
        ("exp", json!(unix() + 3720)),
        ("exp", json!("soon")),
        ("nbf", json!(unix() + 120)),
        ("iat", json!(unix() + 120)),
        ("jti", Value::Null),
        ("jti", json!("")),
        ("jti", json!("x".repeat(300))),
        ("iss", json!("other")),
        ("iss", Value::Null),
        ("sub", json!("other")),
        ("sub", Value::Null),
    ] {
        let assertion = key.assertion(&but(claims(&app.url, &client.id), name, value.clone()));
        let reply = issue(&caller, &assertion).await;
        expect_refusal(&reply, 401, "invalid_client");
        // The claim is named, so that the client's developer knows where to look.
        assert!(reply.string("error_description").contains(name), "{name} {value}: {}", reply.text());
    }
    // The endpoint that is asked may be named instead; another endpoint's address is another's.
    let at_introspection = key.assertion(&but(claims(&app.url, &client.id), "aud", json!(introspect)));
    post(&caller, "introspect_token", &at_introspection, &[("token", "x")]).await.expect_status(200);
    // Time is the server's.
    let early = key.assertion(&claims(&app.url, &client.id));
    app.advance(Duration::from_secs(180));
    expect_refusal(&issue(&caller, &early).await, 401, "invalid_client");
}

async fn no_other_algorithm_and_no_other_key_passes(app: TestApp) {
    let (rsa, ec, strange) =
        (Key::new("rsa", SigningAlgorithm::Rs256), Key::new("ec", SigningAlgorithm::Es256), Key::new("ec", SigningAlgorithm::Es256));
    let client = machine(&app, &[&rsa, &ec]).await;
    let caller = app.anonymous();
    let fresh = || claims(&app.url, &client.id);
    issue(&caller, &rsa.assertion(&fresh())).await.expect_status(200);
    issue(&caller, &ec.assertion(&fresh())).await.expect_status(200);

    let modulus = rsa.jwk["n"].as_str().expect("a modulus");
    let hmac_with = |secret: &[u8]| {
        let message = message(&json!({"alg": "HS256", "kid": "rsa"}), &fresh());
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let unsigned = |alg: &str| format!("{}.", message(&json!({ "alg": alg }), &fresh()));
    let good = ec.assertion(&fresh());
    let (signed, signature) = good.rsplit_once('.').expect("a JWS");
    let of_another = ec.assertion(&fresh());
    let (_, other_signature) = of_another.rsplit_once('.').expect("a JWS");
    for (what, bad) in [
        ("HS256 over the public key's text", hmac_with(rsa.jwk.to_string().as_bytes())),
        ("HS256 over the modulus", hmac_with(modulus.as_bytes())),
        ("none", unsigned("none")),
        ("None", unsigned("None")),
        ("no signature", unsigned("ES256")),
        ("a header that says RS256 over an ES256 signature", ec.assertion_under(&json!({"alg": "RS256", "kid": "rsa"}), &fresh())),
        ("a header that says RS256 with the EC key's name", ec.assertion_under(&json!({"alg": "RS256", "kid": "ec"}), &fresh())),
        ("a header that says ES256 over an RSA signature", rsa.assertion_under(&json!({"alg": "ES256", "kid": "rsa"}), &fresh())),
        ("an algorithm that nobody offers", rsa.assertion_under(&json!({"alg": "PS256", "kid": "rsa"}), &fresh())),
        ("a name that no key has", ec.assertion_under(&json!({"alg": "ES256", "kid": "other"}), &fresh())),
        ("the name of another key", ec.assertion_under(&json!({"alg": "ES256", "kid": "rsa"}), &fresh())),
        ("a stranger's key of the same name", strange.assertion(&fresh())),
        ("a stranger's key that comes along", {
            strange.assertion_under(&json!({"alg": "ES256", "kid": "ec", "jwk": strange.jwk}), &fresh())
        }),
        ("a key at an address that comes along", {
            strange.assertion_under(&json!({"alg": "ES256", "jku": "https://other.example/keys"}), &fresh())
        }),
        ("a critical extension", ec.assertion_under(&json!({"alg": "ES256", "kid": "ec", "crit": ["b64"], "b64": true}), &fresh())),
        ("a JWT of another kind", ec.assertion_under(&json!({"alg": "ES256", "kid": "ec", "typ": "dpop+jwt"}), &fresh())),
        ("another assertion's signature", format!("{signed}.{other_signature}")),
        ("padding", format!("{signed}.{signature}==")),
        ("a part more", format!("{good}.{signature}")),
        ("a part less", signed.to_owned()),
        ("no JWT", "assertion".to_owned()),
    ] {
        let reply = issue(&caller, &bad).await;
        assert_eq!((reply.status, reply.error().as_deref()), (401, Some("invalid_client")), "{what}: {}", reply.text());
    }
    // What was not accepted was not used up.
    issue(&caller, &good).await.expect_status(200);
    let typed = ec.assertion_under(&json!({"alg": "ES256", "kid": "ec", "typ": "client-authentication+jwt"}), &fresh());
    issue(&caller, &typed).await.expect_status(200);

    // A client that named its algorithm means it.
    let administrator = app.administrator().await;
    let document = format!("{CLIENTS}/{}", client.id);
    let pin = json!({"token_endpoint_auth_signing_alg": "RS256"});
    administrator.put(&document).json(&pin).send().await.expect_status(200);
    let other = issue(&caller, &ec.assertion(&fresh())).await;
    expect_refusal(&other, 401, "invalid_client");
    assert!(other.text().contains("RS256"), "who has the key is told which algorithm: {}", other.text());
    issue(&caller, &rsa.assertion(&fresh())).await.expect_status(200);
}

async fn an_assertion_works_once_at_whatever_endpoint(app: TestApp) {
    let key = Key::new("1", SigningAlgorithm::EdDsa);
    let client = machine(&app, &[&key]).await;
    let caller = app.anonymous();
    for (first, second) in
        [("get_token", "get_token"), ("get_token", "introspect_token"), ("introspect_token", "revoke_token"), ("revoke_token", "get_token")]
    {
        let assertion = key.assertion(&claims(&app.url, &client.id));
        let parameters = [("grant_type", "client_credentials"), ("token", "x")];
        post(&caller, first, &assertion, &parameters).await.expect_status(200);
        let replayed = post(&caller, second, &assertion, &parameters).await;
        expect_refusal(&replayed, 401, "invalid_client");
        assert!(replayed.text().contains("jti"), "{}", replayed.text());
        // The same jti in another assertion is as used.
        let again = but(claims(&app.url, &client.id), "jti", claims_of(&assertion)["jti"].clone());
        expect_refusal(&post(&caller, second, &key.assertion(&again), &parameters).await, 401, "invalid_client");
    }
    // A refusal by the grant uses it up too, and a jti is one client's own.
    let spent = key.assertion(&claims(&app.url, &client.id));
    let nothing = [("grant_type", "authorization_code"), ("code", "x")];
    expect_refusal(&post(&caller, "get_token", &spent, &nothing).await, 400, "unauthorized_client");
    expect_refusal(&issue(&caller, &spent).await, 401, "invalid_client");
    let other = app.client(json!({"token_endpoint_auth_method": "Private Key JWT", "jwks": key_set(&[&key])})).await;
    let same_jti = but(claims(&app.url, &other.id), "jti", claims_of(&spent)["jti"].clone());
    post(&caller, "introspect_token", &key.assertion(&same_jti), &[("token", "x")]).await.expect_status(200);
}

fn claims_of(assertion: &str) -> Value {
    let claims = assertion.split('.').nth(1).expect("a payload");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON")
}

async fn of_parallel_uses_of_one_assertion_exactly_one_wins(app: TestApp) {
    let key = Key::new("1", SigningAlgorithm::EdDsa);
    let client = machine(&app, &[&key]).await;
    for _ in 0..3 {
        let assertion = key.assertion(&claims(&app.url, &client.id));
        let mut attempts = JoinSet::new();
        for _ in 0..12 {
            let (caller, assertion) = (app.anonymous(), assertion.clone());
            attempts.spawn(async move { issue(&caller, &assertion).await.status });
        }
        let mut statuses = attempts.join_all().await;
        statuses.sort_unstable();
        assert_eq!(statuses, [[200].as_slice(), &[401; 11]].concat());
    }
}

async fn an_assertion_used_in_one_process_is_used_in_all(backend: Backend) {
    let (database, mine, yours) = (Database::new(backend), TemporaryDirectory::new(), TemporaryDirectory::new());
    let (one, two) = (Launch::new(database.url(), mine.path()), Launch::new(database.url(), yours.path()));
    // Behind one address, as processes on one database are.
    let issuer = one.url();
    let here = one.start().await;
    let there = two.environment("OSTIARY_PUBLIC_URL", &issuer).start().await;
    let key = Key::new("1", SigningAlgorithm::EdDsa);
    let client = machine(&here, &[&key]).await;
    for (first, second) in [(&here, &there), (&there, &here)] {
        let assertion = key.assertion(&claims(&issuer, &client.id));
        issue(&first.anonymous(), &assertion).await.expect_status(200);
        expect_refusal(&issue(&second.anonymous(), &assertion).await, 401, "invalid_client");
    }
}

async fn used_assertions_are_forgotten_when_nobody_could_use_them(app: TestApp) {
    let key = Key::new("1", SigningAlgorithm::EdDsa);
    let client = machine(&app, &[&key]).await;
    let remembered = async || {
        let count = |conn: &mut ostiary::store::Conn, _: &mut ostiary::store::Effects| {
            use diesel::RunQueryDsl as _;
            #[derive(diesel::QueryableByName)]
            struct Count {
                #[diesel(sql_type = diesel::sql_types::BigInt)]
                count: i64,
            }
            let query = diesel::sql_query("SELECT COUNT(*) AS count FROM oauth_assertions");
            Ok(query.get_result::<Count>(conn).expect("a count").count)
        };
        app.db().lookup(count).await.expect("a count")
    };
    issue(&app.anonymous(), &key.assertion(&claims(&app.url, &client.id))).await.expect_status(200);
    let purge = async || {
        let (db, env) = (app.db().clone(), app.env().clone());
        tokio::task::spawn_blocking(move || ostiary::background::purge_all(&db, &env)).await.expect("no panic");
    };
    app.advance(Duration::from_secs(110));
    purge().await;
    assert_eq!(remembered().await, 1, "it would still be accepted");
    app.advance(Duration::from_secs(120));
    purge().await;
    assert_eq!(remembered().await, 0);
}

async fn two_methods_at_once_are_refused(app: TestApp) {
    let key = Key::new("1", SigningAlgorithm::EdDsa);
    let client = machine(&app, &[&key]).await;
    let assertion = key.assertion(&claims(&app.url, &client.id));
    let basic = app.anonymous().with_authorization(format!("Basic {}", STANDARD.encode(format!("{}:x", client.id))));
    for endpoint in ["get_token", "introspect_token", "revoke_token"] {
        let parameters = [("grant_type", "client_credentials"), ("token", "x")];
        expect_refusal(&post(&basic, endpoint, &assertion, &parameters).await, 400, "invalid_request");
        let with_secret = [parameters.as_slice(), &[("client_secret", "x")]].concat();
        expect_refusal(&post(&app.anonymous(), endpoint, &assertion, &with_secret).await, 400, "invalid_request");
        let with_other = [parameters.as_slice(), &[("client_id", "other")]].concat();
        expect_refusal(&post(&app.anonymous(), endpoint, &assertion, &with_other).await, 400, "invalid_request");
        // Half an assertion.
        for (name, value) in [("client_assertion", assertion.as_str()), ("client_assertion_type", JWT_BEARER)] {
            let form = [parameters.as_slice(), &[(name, value)]].concat();
            let reply = app.anonymous().post(&format!("{OAUTH}.{endpoint}")).form(&form).send().await;
            expect_refusal(&reply, 400, "invalid_request");
        }
        let saml = [parameters.as_slice(), &[("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")]];
        let form = [saml.concat().as_slice(), &[("client_assertion", assertion.as_str())]].concat();
        expect_refusal(&app.anonymous().post(&format!("{OAUTH}.{endpoint}")).form(&form).send().await, 401, "invalid_client");
        let twice = [parameters.as_slice(), &[("client_assertion", assertion.as_str())]].concat();
        expect_refusal(&post(&app.anonymous(), endpoint, &assertion, &twice).await, 400, "invalid_request");
    }
    // Nothing of that used it up; an empty secret is none.
    let parameters = [("grant_type", "client_credentials"), ("client_secret", "")];
    post(&app.anonymous(), "get_token", &assertion, &parameters).await.expect_status(200);
}

async fn a_client_has_one_method(app: TestApp) {
    let key = Key::new("1", SigningAlgorithm::EdDsa);
    let user = app.user("nightly@example.com").await;
    let with_secret = app.machine(&user, "all").await;
    let public = app.client(json!({"token_endpoint_auth_method": "None", "jwks": key_set(&[&key])})).await;
    for client in [&with_secret, &public] {
        let reply = issue(&app.anonymous(), &key.assertion(&claims(&app.url, &client.id))).await;
        expect_refusal(&reply, 401, "invalid_client");
    }
    let with_key = machine(&app, &[&key]).await;
    let guess = TestClient { secret: Some("ost_cs_guess".into()), ..with_key.clone() };
    expect_refusal(&guess.issue().await, 401, "invalid_client");
    expect_refusal(&with_key.issue().await, 401, "invalid_client");
    issue(&app.anonymous(), &key.assertion(&claims(&app.url, &with_key.id))).await.expect_status(200);

    // Changing the method ends the old one: a secret that was handed out opens nothing any more, and back again.
    let administrator = app.administrator().await;
    let document = format!("{CLIENTS}/{}", with_secret.id);
    with_secret.issue().await.expect_status(200);
    let to_key = json!({"token_endpoint_auth_method": "Private Key JWT", "jwks": key_set(&[&key])});
    let changed = administrator.put(&document).json(&to_key).send().await.expect_status(200);
    assert_eq!(changed.data()["token_endpoint_auth_method"], "Private Key JWT");
    expect_refusal(&with_secret.issue().await, 401, "invalid_client");
    issue(&app.anonymous(), &key.assertion(&claims(&app.url, &with_secret.id))).await.expect_status(200);
    let to_secret = json!({"token_endpoint_auth_method": "Client Secret"});
    let changed = administrator.put(&document).json(&to_secret).send().await.expect_status(200);
    let secret = changed.data()["client_secret"].as_str().expect("a new secret").to_owned();
    expect_refusal(&with_secret.issue().await, 401, "invalid_client");
    TestClient { secret: Some(secret), ..with_secret.clone() }.issue().await.expect_status(200);
    expect_refusal(&issue(&app.anonymous(), &key.assertion(&claims(&app.url, &with_secret.id))).await, 401, "invalid_client");
}

async fn a_removed_key_is_refused_at_once(app: TestApp) {
    let (old, new) = (Key::new("old", SigningAlgorithm::Es256), Key::new("new", SigningAlgorithm::EdDsa));
    let client = machine(&app, &[&old]).await;
    let administrator = app.administrator().await;
    let fresh = |key: &Key| key.assertion(&claims(&app.url, &client.id));
    let document = format!("{CLIENTS}/{}", client.id);
    let register = async |keys: &[&Key]| {
        administrator.put(&document).json(&json!({ "jwks": key_set(keys) })).send().await.expect_status(200);
    };
    for (keys, old_status, new_status) in [(&[&old][..], 200, 401), (&[&old, &new], 200, 200), (&[&new], 401, 200)] {
        register(keys).await;
        issue(&app.anonymous(), &fresh(&old)).await.expect_status(old_status);
        issue(&app.anonymous(), &fresh(&new)).await.expect_status(new_status);
    }
    administrator.delete(&document).send().await;
}

async fn whoever_proves_no_key_is_told_the_same_whatever_the_client_is(app: TestApp) {
    let (right, wrong) = (Key::new("1", SigningAlgorithm::EdDsa), Key::new("1", SigningAlgorithm::EdDsa));
    let with_key = machine(&app, &[&right]).await;
    let with_secret = app.client(json!({"jwks": key_set(&[&wrong])})).await;
    let public = app.client(json!({"token_endpoint_auth_method": "None", "jwks": key_set(&[&wrong])})).await;
    let pinned =
        json!({"token_endpoint_auth_method": "Private Key JWT", "jwks": key_set(&[&right]), "token_endpoint_auth_signing_alg": "RS256"});
    let pinned = app.client(pinned).await;
    // Where nothing is to be fetched from.
    let publishing = json!({"token_endpoint_auth_method": "Private Key JWT", "jwks_uri": "https://127.0.0.1/keys"});
    let publishing = app.client(publishing).await;
    let unknown = issue(&app.anonymous(), &wrong.assertion(&claims(&app.url, "nosuchclient"))).await;
    for client in [&with_key, &with_secret, &public, &pinned, &publishing] {
        let refused = issue(&app.anonymous(), &wrong.assertion(&claims(&app.url, &client.id))).await;
        expect_refusal(&refused, 401, "invalid_client");
        assert!(refused.header("www-authenticate").is_none_or(|challenge| !challenge.starts_with("Basic ")));
        assert_eq!(refused.text(), unknown.text());
    }
    // A name that no database takes is no fault of ours.
    let odd = wrong.assertion(&claims(&app.url, "a\u{0}b"));
    expect_refusal(&issue(&app.anonymous(), &odd).await, 401, "invalid_client");
}

async fn keys_are_checked_when_they_are_registered(app: TestApp) {
    let administrator = app.administrator().await;
    let key = Key::new("1", SigningAlgorithm::Es256);
    let body = |changes: Value| {
        let mut body = json!({"app_name": "Ledger", "redirect_uris": REDIRECT_URI, "default_redirect_uri": REDIRECT_URI,
            "token_endpoint_auth_method": "Private Key JWT"});
        for (name, value) in changes.as_object().expect("an object") {
            body[name] = value.clone();
        }
        body
    };
    let register = async |changes: Value| administrator.post(CLIENTS).json(&body(changes)).send().await;
    let created = register(json!({"jwks": key_set(&[&key]), "token_endpoint_auth_signing_alg": "ES256"})).await.expect_status(200).data();
    assert_eq!(
        [&created["token_endpoint_auth_method"], &created["jwks"], &created["token_endpoint_auth_signing_alg"]],
        [&json!("Private Key JWT"), &json!(key_set(&[&key])), &json!("ES256")]
    );
    assert!(created.get("client_secret").is_none(), "{created}");
    register(json!({"jwks_uri": "https://app.example/keys"})).await.expect_status(200);

    let mut private = key.jwk.clone();
    private["d"] = json!("AAAA");
    let with_private = json!({ "keys": [private] }).to_string();
    let symmetric = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}).to_string();
    let many = json!({"keys": vec![json!({"kty": "EC", "crv": "P-256", "x": key.jwk["x"], "y": key.jwk["y"]}); 11]}).to_string();
    for (changes, reason) in [
        (json!({}), "needs the client's public keys"),
        (json!({"jwks": key_set(&[&key]), "jwks_uri": "https://app.example/keys"}), "not both"),
        (json!({"jwks": with_private}), "key 1 is a private key"),
        (json!({"jwks": symmetric}), "key 1 is symmetric"),
        (json!({"jwks": many}), "more than 10 keys"),
        (json!({"jwks": "[]"}), "not a JWK Set"),
        (json!({"jwks": "{\"keys\": []}"}), "no keys"),
        (json!({"jwks": "https://app.example/keys"}), "not JSON"),
        (json!({"jwks_uri": "http://app.example/keys"}), "https"),
        (json!({"jwks_uri": "https://user:pass@app.example/keys"}), "https"),
        (json!({"jwks_uri": "https://app.example/keys#1"}), "https"),
        (json!({"jwks": key_set(&[&key]), "legacy_no_pkce": 1}), "legacy_no_pkce"),
        (json!({"jwks": key_set(&[&key]), "token_endpoint_auth_signing_alg": "HS256"}), "Signing Algorithm"),
    ] {
        let reply = register(changes.clone()).await;
        assert_eq!(reply.status, 417, "{changes}: {}", reply.text());
        assert!(reply.text().contains(reason), "{changes}: {}", reply.text());
    }
    // There is no secret to rotate.
    let rotate = "/api/method/frappe.integrations.doctype.oauth_client.oauth_client.rotate_secret";
    let refused = administrator.post(rotate).json(&json!({"client_id": created["name"]})).send().await.expect_status(417);
    assert!(refused.text().contains("no secret"), "{}", refused.text());
}

async fn a_client_registers_itself_with_its_keys(setup: Setup) {
    let app = setup.configure(|config| config.oauth.registration = ostiary::config::Registration::Open).start().await;
    let key = Key::new("1", SigningAlgorithm::Rs256);
    let jwks: Value = serde_json::from_str(&key_set(&[&key])).expect("JSON");
    let register = async |changes: Value| {
        let mut body = json!({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "private_key_jwt"});
        for (name, value) in changes.as_object().expect("an object") {
            body[name] = value.clone();
        }
        app.anonymous().post(&format!("{OAUTH}.register_client")).json(&body).send().await
    };
    let registered = register(json!({"jwks": jwks, "token_endpoint_auth_signing_alg": "RS256"})).await.expect_status(201).json();
    assert_eq!(registered["jwks"], jwks);
    assert_eq!(
        (&registered["token_endpoint_auth_method"], &registered["token_endpoint_auth_signing_alg"]),
        (&json!("private_key_jwt"), &json!("RS256"))
    );
    assert!(registered.get("client_secret").is_none() && registered.get("client_secret_expires_at").is_none(), "{registered}");
    let id = registered["client_id"].as_str().expect("an id");
    let introspected = post(&app.anonymous(), "introspect_token", &key.assertion(&claims(&app.url, id)), &[("token", "x")]).await;
    introspected.expect_status(200);
    let uri = "https://app.example/keys";
    assert_eq!(register(json!({"jwks_uri": uri})).await.expect_status(201).json()["jwks_uri"], uri);
    for bad in [
        json!({}),
        json!({"jwks": jwks, "jwks_uri": uri}),
        json!({"jwks": jwks.to_string()}),
        json!({"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}}),
        json!({"jwks": jwks, "token_endpoint_auth_signing_alg": "none"}),
        json!({"jwks_uri": "http://127.0.0.1/keys"}),
        json!({"jwks_uri": 7}),
    ] {
        expect_refusal(&register(bad).await, 400, "invalid_client_metadata");
    }
}

async fn no_bytes_as_an_assertion_are_our_fault(app: TestApp) {
    let key = Key::new("1", SigningAlgorithm::EdDsa);
    let client = machine(&app, &[&key]).await;
    let good = key.assertion(&claims(&app.url, &client.id));
    let json = prop_oneof![
        any::<Vec<u8>>(),
        ".{0,40}".prop_map(String::into_bytes),
        r#"\{"(alg|kid|typ|iss|sub|aud|exp|jti|crit)":("(EdDSA|RS256|none|)"|-?[0-9]{1,30}|\[\]|null|1e999)\}"#
            .prop_map(String::into_bytes),
    ];
    let part = json.prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    let built = (part.clone(), part.clone(), part).prop_map(|(header, claims, signature)| format!("{header}.{claims}.{signature}"));
    let mutated = (any::<prop::sample::Index>(), any::<u8>()).prop_map(move |(at, byte)| {
        let mut bytes = good.clone().into_bytes();
        let at = at.index(bytes.len());
        // Another letter than was there.
        bytes[at] = if bytes[at] == byte { byte ^ 1 } else { byte };
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let strategy = prop_oneof![".{0,200}", built, mutated];
    let mut runner = TestRunner::deterministic();
    for round in 0..150 {
        let assertion = strategy.new_tree(&mut runner).expect("a value").current();
        let endpoint = ["get_token", "introspect_token", "revoke_token"][round % 3];
        let reply = post(&app.anonymous(), endpoint, &assertion, &[("grant_type", "client_credentials"), ("token", "x")]).await;
        assert!([400, 401].contains(&reply.status), "{assertion:?}: {} {}", reply.status, reply.text());
    }
}
