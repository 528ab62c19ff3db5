//! Attacks of RFC 9700 that no other file tests at its endpoint, each beside the honest request that works.
//! `docs/security.md` says which test stands for which threat.

use serde_json::{Value, json};

use super::{OAUTH, REDIRECT_URI, authorize, but, hidden_field, ordinary, scene, scene_with};
use crate::both_databases;
use crate::support::{Caller, PASSWORD, Reply, Setup, TestApp, TestClient, TokenPair, VERIFIER, decide};

both_databases!(
    a_stolen_code_is_worth_nothing_in_the_thiefs_own_login,
    an_id_token_carries_the_nonce_of_its_own_request_only,
    every_answer_and_every_token_names_its_issuer,
    the_issuer_is_never_taken_from_the_host_header,
    the_way_back_from_the_login_page_stays_on_the_site,
    a_post_with_a_password_or_a_consent_is_never_repeated_elsewhere,
    a_cookie_tossed_in_beside_ours_makes_nobody_somebody_else,
    a_consent_page_of_one_session_is_not_answered_in_another,
    a_stranger_cannot_forge_its_address,
    a_token_in_the_address_opens_nothing,
    pages_give_nothing_away_to_where_they_link,
    nothing_is_offered_that_puts_tokens_into_the_browser,
    an_answer_is_sent_to_the_one_redirect_uri_and_carries_no_token,
    a_client_cannot_take_a_users_identity,
);

const VERIFIER_OF_THE_THIEF: &str = "a-verifier-that-only-the-thief-knows-0123456789-0123456789";

fn claims(id_token: &str) -> Value {
    use base64::Engine as _;
    let payload = id_token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON")
}

/// RFC 9700 section 4.5: the thief has the victim's code, and a login of their own at the same app in which to use it.
async fn a_stolen_code_is_worth_nothing_in_the_thiefs_own_login(app: TestApp) {
    let (victim, client) = scene(&app).await;
    for client in [client, app.client(json!({"skip_authorization": 1, "token_endpoint_auth_method": "None"})).await] {
        let injected = async |verifier: &'static str| {
            let code = client.code(&victim, "all").await;
            // The app exchanges it with the verifier of whoever's browser brought it.
            let exchange =
                [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT_URI), ("code_verifier", verifier)];
            (client.get_token(&exchange).await, code)
        };
        let (refused, code) = injected(VERIFIER_OF_THE_THIEF).await;
        assert_eq!(refused.expect_status(400).error().as_deref(), Some("invalid_grant"));
        // The code is gone with the attempt.
        client.exchange(&code).await.expect_status(400);
        injected(VERIFIER).await.0.expect_status(200);
    }
}

async fn an_id_token_carries_the_nonce_of_its_own_request_only(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let challenge = TestClient::challenge();
    let mut ordinary = ordinary(&client, &challenge, "openid");
    ordinary.push(("nonce", "of the victim"));
    let code = authorize(&browser, &ordinary).await.location_parameter("code").expect("a code");
    let tokens = TokenPair::of(&client.exchange(&code).await);
    assert_eq!(claims(&tokens.id_token.expect("an id token"))["nonce"], "of the victim");
    let without = client.log_in(&browser, "openid").await.id_token.expect("an id token");
    assert_eq!(claims(&without).get("nonce"), None);
}

/// RFC 9700 section 4.4, RFC 9207: an app with several servers must see which one answered.
async fn every_answer_and_every_token_names_its_issuer(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let document = app.anonymous().get("/.well-known/oauth-authorization-server").send().await.json();
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    let issuer = document["issuer"].as_str().expect("an issuer");
    let challenge = TestClient::challenge();
    let good = ordinary(&client, &challenge, "openid");
    for request in [good.clone(), but(good.clone(), &[("scope", "unknown")]), but(good, &[("prompt", "none login")])] {
        let answer = authorize(&browser, &request).await.expect_status(302);
        assert_eq!(answer.location_parameter("iss").as_deref(), Some(issuer), "{}", answer.location());
    }
    let tokens = client.log_in(&browser, "openid").await;
    assert_eq!(claims(&tokens.id_token.expect("an id token"))["iss"], issuer);
    let known = client.post("introspect_token", &[("token", &tokens.access)]).await;
    assert_eq!(known.json()["iss"], issuer);
}

async fn the_issuer_is_never_taken_from_the_host_header(app: TestApp) {
    let (browser, client) = scene(&app).await;
    for path in ["openid-configuration", "oauth-authorization-server", "oauth-protected-resource"] {
        let document = app.anonymous().get(&format!("/.well-known/{path}")).header("host", "evil.example").send().await;
        let text = document.expect_status(200).text();
        assert!(text.contains(&app.url) && !text.contains("evil"), "{text}");
    }
    let challenge = TestClient::challenge();
    let query = ordinary(&client, &challenge, "all");
    let to_authorize = |caller: &Caller| caller.get(&format!("{OAUTH}.authorize")).query(&query).header("accept", "text/html");
    let answer = to_authorize(&browser).header("host", "evil.example").send().await;
    assert_eq!(answer.location_parameter("iss").as_deref(), Some(app.url.as_str()));
    let login = to_authorize(&app.anonymous()).header("host", "evil.example").send().await.expect_status(302);
    assert!(login.header("location").is_some_and(|path| path.starts_with("/login?") && !path.contains("evil")));
}

/// RFC 9700 section 4.11: a login that sends people on to wherever a link says is a phisher's best page.
async fn the_way_back_from_the_login_page_stays_on_the_site(app: TestApp) {
    let user = app.user("amina@example.com").await;
    let log_in = async |back: &str| {
        let form = [("usr", user.name.as_str()), ("pwd", PASSWORD), ("redirect_to", back)];
        let reply = app.browser().post("/login").form(&form).header("origin", &app.url).send().await.expect_status(302);
        reply.header("location").expect("somewhere").to_owned()
    };
    assert_eq!(log_in("/api/method/ping?x=1").await, "/api/method/ping?x=1");
    let site = url::Url::parse(&app.url).expect("a URL");
    for elsewhere in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example",
        "/%09//evil.example/..//evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "https:evil.example",
        "/..//evil.example",
        "http://127.0.0.1:1/",
    ] {
        // As browsers read it: they drop tabs and take a backslash for a slash.
        let target = site.join(&log_in(elsewhere).await).expect("a URL");
        assert_eq!(target.origin(), site.origin(), "{elsewhere} leads to {target}");
        let page = app.browser().get("/login").query(&[("redirect-to", elsewhere)]).send().await.expect_status(200);
        let carried = site.join(&hidden_field(&page.text(), "redirect_to")).expect("a URL");
        assert_eq!(carried.origin(), site.origin(), "{elsewhere} leads to {carried}");
    }
}

/// RFC 9700 section 4.12: after a 307 or 308 a browser posts the form again, password and all, to the app.
async fn a_post_with_a_password_or_a_consent_is_never_repeated_elsewhere(app: TestApp) {
    let user = app.user("amina@example.com").await;
    let client = app.client(json!({})).await;
    let browser = app.browser();
    let back = format!("{OAUTH}.authorize?client_id={}", client.id);
    let form = [("usr", user.name.as_str()), ("pwd", PASSWORD), ("redirect_to", back.as_str())];
    let logged_in = browser.post("/login").form(&form).header("origin", &app.url).send().await;
    assert!([302, 303].contains(&logged_in.status), "{}", logged_in.status);
    let page = client.authorize(&browser, "all").await;
    let allowed = decide(&browser, &page, "allow").await;
    assert!([302, 303].contains(&allowed.status), "{}", allowed.status);
    assert!(allowed.location_parameter("code").is_some());
}

/// A sibling domain can set a cookie for ours, but not read or replace the one we set.
async fn a_cookie_tossed_in_beside_ours_makes_nobody_somebody_else(app: TestApp) {
    let victim = app.user("amina@example.com").await.cookie().await;
    let thief = app.user("mallory@example.com").await.cookie().await;
    let (own, tossed) = (victim.cookie("sid").expect("a session"), thief.cookie("sid").expect("a session"));
    let who = async |cookies: String| {
        let reply = app.anonymous().get("/api/method/frappe.auth.get_logged_user").header("cookie", cookies).send().await;
        (reply.status, reply.json().get("message").cloned())
    };
    assert_eq!(who(format!("sid={own}")).await, (200, Some(json!("amina@example.com"))));
    // The same twice is no question of whose.
    assert_eq!(who(format!("sid={own}; sid={own}")).await.0, 200);
    for both in [format!("sid={own}; sid={tossed}"), format!("sid={tossed}; sid={own}"), format!("sid={own}; x=1; sid=Guest")] {
        assert_eq!(who(both).await.0, 401);
    }
    // And what only describes the user decides nothing (Frappe's own approve went by it).
    let client = app.client(json!({"skip_authorization": 1})).await;
    victim.set_cookie("user_id", "mallory@example.com");
    let tokens = client.log_in(&victim, "all").await;
    assert_eq!(client.holder(&tokens.access).whoami().await.message(), "amina@example.com");
}

/// The thief has the victim's browser answer a page that the thief was shown.
async fn a_consent_page_of_one_session_is_not_answered_in_another(app: TestApp) {
    let (victim, client) = scene_with(&app, json!({"skip_authorization": 0})).await;
    let thief = app.user("mallory@example.com").await.cookie().await;
    let (theirs, own) = (client.authorize(&thief, "all").await, client.authorize(&victim, "all").await);
    let csrf = hidden_field(&own.text(), "csrf_token");
    let answer = async |request: &str| {
        let form = [("request", request), ("csrf_token", csrf.as_str()), ("decision", "allow")];
        victim.post(&format!("{OAUTH}.approve")).form(&form).header("origin", &app.url).header("accept", "text/html").send().await
    };
    let refused = answer(&hidden_field(&theirs.text(), "request")).await.expect_status(400);
    assert!(refused.header("location").is_none());
    assert!(answer(&hidden_field(&own.text(), "request")).await.expect_status(302).location_parameter("code").is_some());
}

/// RFC 9700 section 4.13: what a proxy says about the caller counts only from a proxy that the operator named.
async fn a_stranger_cannot_forge_its_address(setup: Setup) {
    let app = setup.start().await;
    let user = app.user("amina@example.com").await;
    let path = format!("/api/resource/User/{}", user.name);
    let key = user.api_key().await;
    app.administrator().await.put(&path).json(&json!({"restrict_ip": "203.0.113.7"})).send().await.expect_status(200);
    let who = |caller: &Caller| caller.get("/api/method/frappe.auth.get_logged_user");
    for header in ["x-forwarded-for", "x-real-ip", "forwarded", "cf-connecting-ip"] {
        let value = if header == "forwarded" { "for=203.0.113.7" } else { "203.0.113.7" };
        who(&key).header(header, value).send().await.expect_status(401);
    }
    app.administrator().await.put(&path).json(&json!({"restrict_ip": "127.0.0.1"})).send().await.expect_status(200);
    who(&key).header("x-forwarded-for", "203.0.113.7").send().await.expect_status(200);
}

/// RFC 9700 section 4.3.2: addresses end up in histories and logs.
async fn a_token_in_the_address_opens_nothing(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let token = client.log_in(&browser, "all openid").await.access;
    for path in ["/api/resource/ToDo".to_owned(), "/api/method/frappe.auth.get_logged_user".to_owned(), format!("{OAUTH}.openid_profile")] {
        let with = app.anonymous().get(&path).query(&[("access_token", token.as_str())]).send().await;
        assert!([401, 403].contains(&with.status), "{path}: {}", with.status);
        client.holder(&token).get(&path).send().await.expect_status(200);
    }
    let form = app.anonymous().post(&format!("{OAUTH}.openid_profile")).form(&[("access_token", token.as_str())]).send().await;
    form.expect_status(401);
}

/// RFC 9700 section 4.2.4: what stands in the address of a page must not reach whoever it links to or loads from.
async fn pages_give_nothing_away_to_where_they_link(app: TestApp) {
    let (browser, client) = scene_with(&app, json!({"skip_authorization": 0, "client_uri": "https://app.example.com/about"})).await;
    let consent = client.authorize(&browser, "all").await.expect_status(200);
    let login = app.browser().get("/login?redirect-to=/x").send().await.expect_status(200);
    let refused = authorize(&browser, &[("client_id", "nobody")]).await.expect_status(400);
    for page in [&consent, &login, &refused] {
        let policy = page.header("referrer-policy").expect("a policy");
        assert!(["same-origin", "no-referrer"].contains(&policy), "{policy}");
        assert!(page.header("content-security-policy").is_some_and(|csp| csp.contains("default-src 'none'")));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        for tag in page.text().split('<').filter(|tag| tag.starts_with("script") || tag.starts_with("img") || tag.starts_with("link")) {
            assert!(!tag.contains("://"), "{tag}");
        }
    }
    assert!(consent.text().contains("https://app.example.com/about"), "the page links somewhere else");
}

/// RFC 9700 sections 2.1.2 and 2.4: no implicit, hybrid or password grant, and no code in a fragment.
async fn nothing_is_offered_that_puts_tokens_into_the_browser(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let challenge = TestClient::challenge();
    let good = ordinary(&client, &challenge, "openid");
    for response_type in ["token", "id_token", "id_token token", "code token", "code id_token", "none"] {
        let refused = authorize(&browser, &but(good.clone(), &[("response_type", response_type)])).await.expect_status(302);
        assert_eq!(refused.location_parameter("error").as_deref(), Some("unsupported_response_type"), "{response_type}");
        assert!(refused.location().fragment().is_none());
    }
    let mut fragment = good.clone();
    fragment.push(("response_mode", "fragment"));
    let refused = authorize(&browser, &fragment).await.expect_status(302);
    assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_request"));
    let password = [("grant_type", "password"), ("username", "amina@example.com"), ("password", PASSWORD)];
    assert_eq!(client.get_token(&password).await.expect_status(400).error().as_deref(), Some("unsupported_grant_type"));
    assert!(authorize(&browser, &good).await.location_parameter("code").is_some());
}

async fn an_answer_is_sent_to_the_one_redirect_uri_and_carries_no_token(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let answer: Reply = client.authorize(&browser, "openid all").await.expect_status(302);
    assert!(answer.location().as_str().starts_with(REDIRECT_URI));
    let mut names: Vec<String> = answer.location().query_pairs().map(|(name, _)| name.into_owned()).collect();
    names.sort();
    assert_eq!(names, ["code", "iss", "state"]);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// RFC 9700 section 4.15: were a client's id somebody's `sub`, its own token would be taken for that user's.
async fn a_client_cannot_take_a_users_identity(setup: Setup) {
    let app = setup.configure(|config| config.oauth.registration = ostiary::config::Registration::Open).start().await;
    let (browser, web) = scene(&app).await;
    let sub = claims(&web.log_in(&browser, "openid").await.id_token.expect("an id token"))["sub"].as_str().expect("a subject").to_owned();
    let metadata = json!({"client_id": sub, "client_name": "Twin", "redirect_uris": [REDIRECT_URI], "scope": "openid"});
    let registered = app.anonymous().post(&format!("{OAUTH}.register_client")).json(&metadata).send().await.expect_status(201);
    assert_ne!(registered.json()["client_id"], json!(sub));
    // A machine's tokens carry the subject of its service account, an identity of its own kind of trust.
    let machine = app.machine(&app.user("robot@example.com").await, "all").await;
    let token = TokenPair::of(&machine.issue().await).access;
    let known = machine.post("introspect_token", &[("token", &token)]).await.json();
    assert!(known["sub"].as_str().is_some_and(|subject| subject != machine.id && subject != sub));
}
