//! Requests that are for a certain user: `id_token_hint` (OpenID Connect Core section 3.1.2.1) and
//! `sub` in `claims` (section 5.5.1).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::dangerous::insecure_decode;
use serde_json::{Value, json};

use super::openid::one_round;
use super::{OAUTH, authorize, but, ordinary, scene_with};
use crate::both_databases;
use crate::support::{Caller, PASSWORD, Reply, TestApp, TestClient};

both_databases!(
    the_user_of_the_hint_goes_on_however_old_it_is,
    another_user_is_sent_to_log_in_and_is_refused_silently,
    whoever_logs_in_as_another_is_refused_and_not_asked_for_ever,
    the_login_page_is_told_an_address_only_if_the_hint_tells_it,
    a_hint_that_is_no_id_token_for_this_client_is_refused,
    a_hint_that_is_older_than_every_key_is_none,
    a_subject_in_claims_is_a_hint_too,
    the_hint_itself_stands_in_no_address_and_on_no_page,
    what_a_hint_proved_can_be_neither_forged_nor_moved_to_another_client,
);

struct Scene {
    app: TestApp,
    amina: Caller,
    boris: Caller,
    client: TestClient,
    /// Amina's id token.
    hint: String,
}

async fn scene(app: TestApp, scope: &str) -> Scene {
    let (amina, client) = scene_with(&app, json!({"scopes": "openid email"})).await;
    let hint = client.log_in(&amina, scope).await.id_token.expect("an id token");
    let boris = app.user("boris@example.com").await.cookie().await;
    Scene { app, amina, boris, client, hint }
}

/// What a browser is answered that brings the hint, with these changes.
async fn bring(scene: &Scene, browser: &Caller, changes: &[(&str, &str)]) -> Reply {
    let challenge = TestClient::challenge();
    let asked = but(ordinary(&scene.client, &challenge, "openid"), &[("id_token_hint", &scene.hint)]);
    authorize(browser, &but(asked, changes)).await.expect_status(302)
}

/// Logs a browser in on the login page it was sent to, and follows it back.
async fn log_in(app: &TestApp, browser: &Caller, sent: &Reply, user: &str) -> Reply {
    assert_eq!(sent.location().path(), "/login", "{}", sent.location());
    // A login a moment later, as people's are.
    app.advance(Duration::from_secs(2));
    let back = sent.location_parameter("redirect-to").expect("where to come back to");
    let form = [("usr", user), ("pwd", PASSWORD), ("redirect_to", back.as_str())];
    let location = browser.post("/login").form(&form).header("origin", &app.url).send().await.expect_status(302);
    let location = location.header("location").expect("a redirect").to_owned();
    browser.get(&location).header("accept", "text/html").send().await.expect_status(302)
}

#[track_caller]
fn expect_error(reply: &Reply, error: &str) {
    let parameter = |name: &str| reply.location_parameter(name);
    assert_eq!((parameter("error").as_deref(), parameter("code")), (Some(error), None), "{}", reply.location());
    assert_eq!(parameter("state").as_deref(), Some("a state"));
}

async fn the_user_of_the_hint_goes_on_however_old_it_is(app: TestApp) {
    let scene = scene(app, "openid").await;
    for _ in 0..2 {
        for prompt in ["", "none"] {
            let reply = bring(&scene, &scene.amina, &[("prompt", prompt)]).await;
            assert!(reply.location_parameter("code").is_some(), "{}", reply.location());
        }
        // The id token expires long before the session does.
        scene.app.advance(Duration::from_secs(2 * 86_400));
    }
}

async fn another_user_is_sent_to_log_in_and_is_refused_silently(app: TestApp) {
    let scene = scene(app, "openid email").await;
    expect_error(&bring(&scene, &scene.boris, &[("prompt", "none")]).await, "login_required");
    expect_error(&bring(&scene, &scene.app.browser(), &[("prompt", "none")]).await, "login_required");
    let sent = bring(&scene, &scene.boris, &[]).await;
    let parameter = |name: &str| sent.location_parameter(name);
    assert_eq!((parameter("login_hint").as_deref(), parameter("again").as_deref()), (Some("amina@example.com"), Some("1")));
    // Coming back without having logged in changes nothing.
    let back = parameter("redirect-to").expect("where to come back to");
    let unmoved = scene.boris.get(&back).header("accept", "text/html").send().await.expect_status(302);
    assert_eq!(unmoved.location().path(), "/login");
    let right = log_in(&scene.app, &scene.boris, &sent, "amina@example.com").await;
    assert!(right.location_parameter("code").is_some(), "{}", right.location());
    // The control: without a hint anybody's login will do.
    assert!(
        bring(&scene, &scene.app.user("carla@example.com").await.cookie().await, &[("id_token_hint", "")])
            .await
            .location_parameter("code")
            .is_some()
    );
}

async fn whoever_logs_in_as_another_is_refused_and_not_asked_for_ever(app: TestApp) {
    let scene = scene(app, "openid").await;
    let sent = bring(&scene, &scene.boris, &[]).await;
    expect_error(&log_in(&scene.app, &scene.boris, &sent, "boris@example.com").await, "login_required");
    // Who was not logged in has had their one login too.
    let guest = scene.app.browser();
    let sent = bring(&scene, &guest, &[]).await;
    expect_error(&log_in(&scene.app, &guest, &sent, "boris@example.com").await, "login_required");
    let guest = scene.app.browser();
    let sent = bring(&scene, &guest, &[]).await;
    assert!(log_in(&scene.app, &guest, &sent, "amina@example.com").await.location_parameter("code").is_some());
    // A later request starts anew.
    assert_eq!(bring(&scene, &scene.boris, &[("state", "another")]).await.location().path(), "/login");
}

async fn the_login_page_is_told_an_address_only_if_the_hint_tells_it(app: TestApp) {
    let scene = scene(app, "openid").await;
    let nobody = scene.app.browser();
    assert_eq!(bring(&scene, &nobody, &[]).await.location_parameter("login_hint"), None, "this client was never told the address");
    let named = bring(&scene, &nobody, &[("login_hint", "somebody")]).await;
    assert_eq!(named.location_parameter("login_hint").as_deref(), Some("somebody"));
}

async fn a_hint_that_is_no_id_token_for_this_client_is_refused(app: TestApp) {
    let scene = scene(app, "openid").await;
    let other = scene.app.client(json!({"skip_authorization": 1})).await;
    let foreign = other.log_in(&scene.amina, "openid").await;
    let (head, signature) = scene.hint.rsplit_once('.').expect("a signature");
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let unsigned = "eyJhbGciOiJub25lIn0.e30.";
    for bad in ["x", "a.b.c", unsigned, &forged, head, &foreign.id_token.expect("an id token"), &foreign.access] {
        for (browser, prompt) in [(&scene.amina, ""), (&scene.amina, "none"), (&scene.app.browser(), "")] {
            let reply = bring(&scene, browser, &[("id_token_hint", bad), ("prompt", prompt)]).await;
            expect_error(&reply, "invalid_request");
            assert!(reply.location_parameter("error_description").is_some_and(|text| text.contains("id_token_hint")), "{bad}");
        }
    }
    let challenge = TestClient::challenge();
    let mut twice = ordinary(&scene.client, &challenge, "openid");
    twice.extend([("id_token_hint", scene.hint.as_str()), ("id_token_hint", scene.hint.as_str())]);
    expect_error(&authorize(&scene.amina, &twice).await, "invalid_request");
}

/// Lets time pass until the keys that signed before are gone.
pub async fn outlive_the_keys(app: &TestApp) {
    for days in [91, 8] {
        app.advance(Duration::from_secs(days * 86_400));
        one_round(app).await;
    }
}

/// An id token with these changes in its header and its claims, and the signature it had.
pub fn altered(token: &str, header: &Value, claims: &Value) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let with = |part: &str, changes: &Value| {
        let mut known: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON");
        for (name, value) in changes.as_object().expect("an object") {
            known[name] = value.clone();
        }
        URL_SAFE_NO_PAD.encode(known.to_string())
    };
    format!("{}.{}.{}", with(parts[0], header), with(parts[1], claims), parts[2])
}

async fn a_hint_that_is_older_than_every_key_is_none(app: TestApp) {
    let scene = scene(app, "openid email").await;
    let other = scene.app.client(json!({"skip_authorization": 1})).await;
    let foreign = other.log_in(&scene.amina, "openid").await.id_token.expect("an id token");
    outlive_the_keys(&scene.app).await;
    let again = async |user: &str| scene.app.existing_user(user, PASSWORD).cookie().await;
    for browser in [again("amina@example.com").await, again("boris@example.com").await] {
        for prompt in ["", "none"] {
            let reply = bring(&scene, &browser, &[("prompt", prompt)]).await;
            assert!(reply.location_parameter("code").is_some(), "{}", reply.location());
        }
    }
    let sent = bring(&scene, &scene.app.browser(), &[]).await;
    assert_eq!(sent.location().path(), "/login");
    assert_eq!(sent.location_parameter("login_hint"), None, "nobody vouches for the address in it");

    let amina = again("amina@example.com").await;
    let (as_it_is, head) = (json!({}), scene.hint.rsplit_once('.').expect("a signature").0);
    for bad in [
        foreign,
        altered(&scene.hint, &as_it_is, &json!({"iss": "https://other.example"})),
        altered(&scene.hint, &as_it_is, &json!({"iss": null})),
        altered(&scene.hint, &as_it_is, &json!({"aud": other.id})),
        altered(&scene.hint, &as_it_is, &json!({"aud": [scene.client.id, other.id]})),
        altered(&scene.hint, &json!({"alg": "none"}), &as_it_is),
        altered(&scene.hint, &json!({"alg": "HS256"}), &as_it_is),
        altered(&scene.hint, &json!({"kid": null}), &as_it_is),
        format!("{head}."),
        head.to_owned(),
    ] {
        let reply = bring(&scene, &amina, &[("id_token_hint", &bad)]).await;
        expect_error(&reply, "invalid_request");
    }
    // With a key that is still there, nothing is believed that it did not sign.
    let fresh = scene.client.log_in(&amina, "openid").await.id_token.expect("an id token");
    let forged = altered(&fresh, &as_it_is, &json!({"sub": "somebody else"}));
    expect_error(&bring(&scene, &amina, &[("id_token_hint", &forged)]).await, "invalid_request");
}

async fn a_subject_in_claims_is_a_hint_too(app: TestApp) {
    let scene = scene(app, "openid").await;
    let sub = insecure_decode::<Value>(&scene.hint).expect("a token").claims["sub"].as_str().expect("a subject").to_owned();
    let one = format!(r#"{{"id_token": {{"sub": {{"value": "{sub}"}}}}}}"#);
    let several = format!(r#"{{"userinfo": {{"sub": {{"values": ["nobody", "{sub}"]}}}}}}"#);
    for claims in [&one, &several] {
        let named = [("id_token_hint", ""), ("claims", claims.as_str())];
        assert!(bring(&scene, &scene.amina, &named).await.location_parameter("code").is_some(), "{claims}");
        let silent = [&named[..], &[("prompt", "none")]].concat();
        expect_error(&bring(&scene, &scene.boris, &silent).await, "login_required");
        let sent = bring(&scene, &scene.boris, &named).await;
        assert_eq!(sent.location_parameter("login_hint"), None, "a subject is not told whose it is");
        expect_error(&log_in(&scene.app, &scene.boris, &sent, "boris@example.com").await, "login_required");
    }
    // Two that cannot both be met.
    let both = [("claims", r#"{"id_token": {"sub": {"value": "nobody"}}}"#), ("prompt", "none")];
    expect_error(&bring(&scene, &scene.amina, &both).await, "login_required");
}

/// The parameters of the request that a login page leads back to.
fn carried(sent: &Reply) -> Vec<(String, String)> {
    let back = sent.location_parameter("redirect-to").expect("where to come back to");
    let query = back.split_once('?').expect("parameters").1;
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

async fn the_hint_itself_stands_in_no_address_and_on_no_page(app: TestApp) {
    let scene = scene(app, "openid email").await;
    let sub = insecure_decode::<Value>(&scene.hint).expect("a token").claims["sub"].as_str().expect("a subject").to_owned();
    let challenge = TestClient::challenge();
    let asked = but(ordinary(&scene.client, &challenge, "openid"), &[("id_token_hint", &scene.hint)]);
    for (browser, user, error) in [
        (scene.app.browser(), "amina@example.com", None),
        (scene.app.browser(), "boris@example.com", Some("login_required")),
        (scene.boris.clone(), "boris@example.com", Some("login_required")),
    ] {
        let post = browser.post(&format!("{OAUTH}.authorize")).form(&asked).header("accept", "text/html");
        let sent = post.send().await.expect_status(302);
        assert_eq!(sent.location_parameter("login_hint").as_deref(), Some("amina@example.com"));
        let back = sent.location_parameter("redirect-to").expect("where to come back to");
        for told in ["id_token_hint", scene.hint.as_str(), scene.hint.split('.').nth(1).expect("claims"), &sub, "amina"] {
            assert!(!back.contains(told), "{told} in {back}");
        }
        // It holds all the same, also for whoever comes back as they went.
        let unmoved = browser.get(&back).header("accept", "text/html").send().await.expect_status(302);
        assert_eq!((unmoved.location().path(), carried(&unmoved)), ("/login", carried(&sent)));
        assert_eq!(unmoved.location_parameter("login_hint").as_deref(), Some("amina@example.com"));
        let done = log_in(&scene.app, &browser, &sent, user).await;
        match error {
            None => assert!(done.location_parameter("code").is_some(), "{}", done.location()),
            Some(error) => expect_error(&done, error),
        }
    }
    // The consent page leads to the login page too.
    let asks = json!({"skip_authorization": 0});
    let put = scene.app.administrator().await.put(&format!("/api/resource/OAuth Client/{}", scene.client.id)).json(&asks);
    put.send().await.expect_status(200);
    let page = authorize(&scene.amina, &asked).await.expect_status(200).text();
    assert!(page.contains("redirect-to") && !page.contains(scene.hint.split('.').nth(1).expect("claims")), "{page}");
    assert!(!page.contains("id_token_hint") && !page.contains("id%5Ftoken%5Fhint"), "{page}");
}

async fn what_a_hint_proved_can_be_neither_forged_nor_moved_to_another_client(app: TestApp) {
    let scene = scene(app, "openid").await;
    let sent = carried(&bring(&scene, &scene.app.browser(), &[]).await);
    let proven = &sent.iter().find(|(name, _)| name == "hinted_user").expect("what the hint proved").1;
    let with = |value: &str| {
        let mut parameters = sent.clone();
        parameters.iter_mut().filter(|(name, _)| name == "hinted_user").for_each(|(_, kept)| value.clone_into(kept));
        parameters
    };
    let go = async |browser: &Caller, parameters: &[(String, String)]| {
        let parameters: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        authorize(browser, &parameters).await.expect_status(302)
    };
    assert!(go(&scene.amina, &with(proven)).await.location_parameter("code").is_some());
    let mut turned: Vec<char> = proven.chars().collect();
    turned.reverse();
    let sub = insecure_decode::<Value>(&scene.hint).expect("a token").claims["sub"].as_str().expect("a subject").to_owned();
    for bad in ["x", &sub, &scene.hint, &turned.iter().collect::<String>(), &proven[1..]] {
        expect_error(&go(&scene.amina, &with(bad)).await, "invalid_request");
    }
    let twice = [with(proven), vec![("hinted_user".to_owned(), proven.clone())]].concat();
    expect_error(&go(&scene.amina, &twice).await, "invalid_request");
    let other = scene.app.client(json!({"skip_authorization": 1})).await;
    let mut moved = with(proven);
    moved.iter_mut().filter(|(name, _)| name == "client_id").for_each(|(_, kept)| kept.clone_from(&other.id));
    expect_error(&go(&scene.amina, &moved).await, "invalid_request");
    // An id token that is sent again says more than what an older one proved.
    let boriss = scene.client.log_in(&scene.boris, "openid").await.id_token.expect("an id token");
    let both = [with(proven), vec![("id_token_hint".to_owned(), boriss)]].concat();
    assert!(go(&scene.boris, &both).await.location_parameter("code").is_some());
}
