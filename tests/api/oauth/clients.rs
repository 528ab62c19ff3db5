//! The registry: `OAuth Client`, `OAuth Bearer Token` and `Social Login Key` over `/api/resource`.

use serde_json::{Value, json};

use super::{REDIRECT_URI, authorize, but, ordinary, scene};
use crate::both_databases;
use crate::support::{Caller, Reply, TestApp, TestClient, VERIFIER};

both_databases!(
    a_new_clients_secret_is_shown_once,
    a_client_reads_back_as_frappe_shows_it,
    a_rotated_secret_replaces_the_old_one_at_once,
    a_rotated_secret_may_leave_the_old_one_for_a_time,
    never_more_than_two_secrets_are_accepted,
    dangerous_registrations_are_refused_with_the_reason,
    secrets_and_ids_cannot_be_chosen,
    becoming_public_takes_the_secret_and_becoming_confidential_gives_one,
    a_client_with_tokens_in_force_cannot_be_deleted,
    deleting_a_bearer_token_ends_its_family,
    only_system_managers_see_clients_and_tokens,
    a_social_login_key_registers_a_client_that_works,
    a_social_login_key_for_another_provider_is_not_half_made,
);

const CLIENTS: &str = "/api/resource/OAuth%20Client";

async fn create(caller: &Caller, changes: Value) -> Reply {
    let mut body = json!({"app_name": "Ledger", "default_redirect_uri": REDIRECT_URI, "redirect_uris": REDIRECT_URI});
    for (name, value) in changes.as_object().expect("an object") {
        body[name] = value.clone();
    }
    caller.post(CLIENTS).json(&body).send().await
}

async fn a_new_clients_secret_is_shown_once(app: TestApp) {
    let administrator = app.administrator().await;
    let created = create(&administrator, json!({})).await.expect_status(200);
    let secret = created.data()["client_secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("ost_cs_") && secret.len() == 50, "{secret}");
    let id = created.data()["name"].as_str().expect("a name").to_owned();
    assert_eq!((id.len(), &created.data()["client_id"]), (10, &json!(id)));
    let one = administrator.get(&format!("{CLIENTS}/{id}")).send().await.expect_status(200);
    let changed = administrator.put(&format!("{CLIENTS}/{id}")).json(&json!({"app_name": "Other"})).send().await.expect_status(200);
    let list = administrator.get(CLIENTS).query(&[("fields", r#"["*"]"#)]).send().await.expect_status(200);
    for reply in [one, changed, list] {
        assert!(!reply.text().contains(&secret) && !reply.text().contains("ost_cs_"), "{}", reply.text());
    }
}

async fn a_client_reads_back_as_frappe_shows_it(app: TestApp) {
    let administrator = app.administrator().await;
    let uris = "http://127.0.0.1:9999/cb http://127.0.0.1:9999/cb2";
    let data =
        create(&administrator, json!({"redirect_uris": uris, "default_redirect_uri": "http://127.0.0.1:9999/cb", "skip_authorization": 1}))
            .await
            .expect_status(200)
            .data();
    for (field, value) in [
        ("app_name", json!("Ledger")),
        ("skip_authorization", json!(1)),
        ("scopes", json!("all openid")),
        ("redirect_uris", json!(uris)),
        ("default_redirect_uri", json!("http://127.0.0.1:9999/cb")),
        ("grant_type", json!("Authorization Code")),
        ("response_type", json!("Code")),
        ("doctype", json!("OAuth Client")),
        ("legacy_no_pkce", json!(0)),
    ] {
        assert_eq!(data[field], value, "{field}");
    }
    assert_eq!((&data["allowed_roles"][0]["role"], data["allowed_roles"].as_array().map(Vec::len)), (&json!("Desk User"), Some(1)));
    let missing = administrator.post(CLIENTS).json(&json!({"app_name": "x"})).send().await.expect_status(417);
    assert_eq!(missing.error().as_deref(), Some("MandatoryError"));
}

async fn a_rotated_secret_replaces_the_old_one_at_once(app: TestApp) {
    let robot = app.user("robot@example.com").await;
    let machine = app.machine(&robot, "all").await;
    machine.issue().await.expect_status(200);
    let path = "/api/method/frappe.integrations.doctype.oauth_client.oauth_client.rotate_secret";
    let rotate = |caller: &Caller| caller.post(path).json(&json!({"client_id": machine.id})).send();
    rotate(&robot.api_key().await).await.expect_status(403);
    let rotated = rotate(&app.administrator().await).await.expect_status(200);
    assert_eq!(rotated.header("cache-control"), Some("no-store"));
    let secret = rotated.message()["client_secret"].as_str().expect("a secret").to_owned();
    machine.issue().await.expect_status(401);
    TestClient { secret: Some(secret), ..machine.clone() }.issue().await.expect_status(200);
    let unknown = app.administrator().await.post(path).json(&json!({"client_id": "nosuch"})).send().await.expect_status(404);
    assert_eq!(unknown.error().as_deref(), Some("DoesNotExistError"));
}

const ROTATE: &str = "/api/method/frappe.integrations.doctype.oauth_client.oauth_client.rotate_secret";

/// The client with its next secret.
pub async fn rotate(app: &TestApp, client: &TestClient, keep_old: &str) -> TestClient {
    let body = json!({"client_id": client.id, "keep_old": keep_old});
    let rotated = app.administrator().await.post(ROTATE).json(&body).send().await.expect_status(200);
    let secret = rotated.message()["client_secret"].as_str().expect("a secret").to_owned();
    TestClient { secret: Some(secret), ..client.clone() }
}

async fn statuses(clients: &[&TestClient]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for client in clients {
        statuses.push(client.issue().await.status);
    }
    statuses
}

async fn a_rotated_secret_may_leave_the_old_one_for_a_time(app: TestApp) {
    let first = app.machine(&app.user("robot@example.com").await, "all").await;
    let administrator = app.administrator().await;
    for bad in ["0d", "91d", "30s", "-1d", "1w", "d", "one day", "99999999999999999999d"] {
        let refused = administrator.post(ROTATE).json(&json!({"client_id": first.id, "keep_old": bad})).send().await;
        assert_eq!(refused.status, 417, "{bad}: {}", refused.text());
        assert!(refused.text().contains("keep_old"), "{bad}: {}", refused.text());
    }
    let end = async || {
        let shown = administrator.get(&format!("{CLIENTS}/{}", first.id)).send().await.expect_status(200);
        assert!(!shown.text().contains("ost_cs_"));
        shown.data()["old_secret_expires"].clone()
    };
    assert_eq!((statuses(&[&first]).await, end().await), (vec![200], Value::Null));
    let second = rotate(&app, &first, "12h").await;
    assert_ne!(first.secret, second.secret);
    assert_eq!(statuses(&[&first, &second]).await, [200, 200]);
    assert!(end().await.is_string(), "an administrator sees until when the old one lives");
    app.advance(std::time::Duration::from_secs(11 * 3600));
    assert_eq!(statuses(&[&first, &second]).await, [200, 200]);
    app.advance(std::time::Duration::from_secs(3601));
    assert_eq!(statuses(&[&first, &second]).await, [401, 200]);
    // What has ended is removed, the other one is not.
    let (db, env) = (app.db().clone(), app.env().clone());
    tokio::task::spawn_blocking(move || ostiary::background::purge_all(&db, &env)).await.expect("no panic");
    assert_eq!((statuses(&[&first, &second]).await, end().await), (vec![401, 200], Value::Null));
}

async fn never_more_than_two_secrets_are_accepted(app: TestApp) {
    let first = app.machine(&app.user("robot@example.com").await, "all").await;
    let second = rotate(&app, &first, "7").await;
    let third = rotate(&app, &first, "30m").await;
    assert_eq!(statuses(&[&first, &second, &third]).await, [401, 200, 200]);
    // Those who rotate at once are one after the other.
    let (a, b, c, d) =
        tokio::join!(rotate(&app, &first, "1d"), rotate(&app, &first, "1d"), rotate(&app, &first, "1d"), rotate(&app, &first, "1d"));
    let rotated = [a, b, c, d];
    let accepted = statuses(&rotated.iter().collect::<Vec<_>>()).await;
    assert_eq!(accepted.iter().filter(|status| **status == 200).count(), 2, "{accepted:?}");
    assert_eq!(statuses(&[&second, &third]).await, [401, 401]);
    // Without an overlap all others end.
    let last = rotate(&app, &first, "").await;
    let others = statuses(&rotated.iter().collect::<Vec<_>>()).await;
    assert_eq!((others, statuses(&[&last]).await), (vec![401; 4], vec![200]));
}

async fn dangerous_registrations_are_refused_with_the_reason(app: TestApp) {
    let administrator = app.administrator().await;
    for (changes, reason) in [
        (json!({"grant_type": "Implicit", "response_type": "Token"}), "Implicit"),
        (json!({"response_type": "Token"}), "Implicit"),
        (json!({"default_redirect_uri": "javascript:alert(1)"}), "scheme"),
        (json!({"redirect_uris": "https://app.example.com/cb#x"}), "fragment"),
        (json!({"redirect_uris": "https://*.example.com/cb"}), "wildcard"),
        (json!({"redirect_uris": "https://app.example.com;sandbox/cb"}), "host"),
        (json!({"redirect_uris": "http://app.example.com/cb"}), "https"),
        (json!({"redirect_uris": "https://u:p@app.example.com/cb"}), "password"),
        (json!({"logo_uri": "javascript:alert(1)"}), "http"),
        (json!({"scopes": "a\"b"}), "scope"),
    ] {
        let refused = create(&administrator, changes.clone()).await.expect_status(417);
        assert!(refused.text().contains(reason), "{changes}: {}", refused.text());
    }
    assert_eq!(
        create(&administrator, json!({"user": "nobody@example.com"})).await.expect_status(417).error().as_deref(),
        Some("LinkValidationError")
    );
    assert_eq!(
        create(&administrator, json!({"allowed_roles": [{"role": "Nobody"}]})).await.expect_status(417).error().as_deref(),
        Some("LinkValidationError")
    );
    create(&administrator, json!({"redirect_uris": "com.example.app:/cb"})).await.expect_status(200);
}

async fn secrets_and_ids_cannot_be_chosen(app: TestApp) {
    let administrator = app.administrator().await;
    create(&administrator, json!({"client_secret": "a secret of my own choice"})).await.expect_status(417);
    // Frappe too sets the id to the document's name, whatever was sent.
    let created = create(&administrator, json!({"client_id": "chosen"})).await.expect_status(200).data();
    let id = created["name"].as_str().expect("a name").to_owned();
    assert_eq!(created["client_id"], json!(id));
    let path = format!("{CLIENTS}/{id}");
    administrator.put(&path).json(&json!({"client_secret": "another secret of mine"})).send().await.expect_status(417);
    // What was read may be sent back.
    let shown = administrator.get(&path).send().await.expect_status(200).data();
    administrator.put(&path).json(&shown).send().await.expect_status(200);
}

async fn becoming_public_takes_the_secret_and_becoming_confidential_gives_one(app: TestApp) {
    let administrator = app.administrator().await;
    let (browser, client) = scene(&app).await;
    let path = format!("{CLIENTS}/{}", client.id);
    let set = |method: &'static str| administrator.put(&path).json(&json!({"token_endpoint_auth_method": method})).send();
    assert!(set("None").await.expect_status(200).data().get("client_secret").is_none());
    client.exchange("x").await.expect_status(401);
    let public = TestClient { secret: None, ..client.clone() };
    public.log_in(&browser, "all").await;
    let secret = set("Client Secret").await.expect_status(200).data()["client_secret"].as_str().expect("a secret").to_owned();
    public.exchange("x").await.expect_status(401);
    assert_ne!(client.secret.as_deref(), Some(secret.as_str()));
    TestClient { secret: Some(secret), ..client }.log_in(&browser, "all").await;
}

async fn a_client_with_tokens_in_force_cannot_be_deleted(app: TestApp) {
    let administrator = app.administrator().await;
    let (browser, client) = scene(&app).await;
    let tokens = client.log_in(&browser, "all").await;
    let path = format!("{CLIENTS}/{}", client.id);
    let refused = administrator.delete(&path).send().await.expect_status(417);
    assert_eq!(refused.error().as_deref(), Some("LinkExistsError"));
    client.post("revoke_token", &[("token", tokens.refresh.as_deref().expect("a refresh token"))]).await.expect_status(200);
    administrator.delete(&path).send().await.expect_status(202);
    administrator.get(&path).send().await.expect_status(404);

    let robot = app.user("robot@example.com").await;
    let machine = app.machine(&robot, "all").await;
    machine.issue().await.expect_status(200);
    let path = format!("{CLIENTS}/{}", machine.id);
    administrator.delete(&path).send().await.expect_status(417);
    app.advance(std::time::Duration::from_secs(3601));
    administrator.delete(&path).send().await.expect_status(202);
}

async fn deleting_a_bearer_token_ends_its_family(app: TestApp) {
    let administrator = app.administrator().await;
    let (browser, client) = scene(&app).await;
    let tokens = client.log_in(&browser, "all").await;
    let url = "/api/resource/OAuth%20Bearer%20Token";
    let rows = administrator
        .get(url)
        .query(&[("fields", r#"["name","status","scopes","expires_in","client","user"]"#)])
        .send()
        .await
        .expect_status(200)
        .data();
    let row = &rows[0];
    assert_eq!((&row["status"], &row["scopes"], &row["expires_in"]), (&json!("Active"), &json!("all"), &json!(3600)));
    assert_eq!((&row["client"], &row["user"]), (&json!(client.id), &json!("amina@example.com")));
    let name = row["name"].as_str().expect("a name");
    assert_ne!(name, tokens.access);
    administrator.delete(&format!("{url}/{name}")).send().await.expect_status(202);
    client.holder(&tokens.access).whoami().await.expect_status(401);
    client.refresh(tokens.refresh.as_deref().expect("a refresh token")).await.expect_status(400);
    administrator.post(url).json(&json!({"client": client.id})).send().await.expect_status(417);
}

async fn only_system_managers_see_clients_and_tokens(app: TestApp) {
    let (browser, client) = scene(&app).await;
    let bearer = client.holder(&client.log_in(&browser, "all").await.access);
    for caller in [browser, bearer] {
        for path in [CLIENTS, "/api/resource/OAuth%20Bearer%20Token", "/api/resource/Social%20Login%20Key"] {
            caller.get(path).send().await.expect_status(403);
        }
    }
    // A token of an administrator's app cannot make clients either.
    let administrator = app.existing_user("Administrator", crate::support::ADMIN_PASSWORD).cookie().await;
    let app_of_administrator = client.holder(&client.log_in(&administrator, "all").await.access);
    create(&app_of_administrator, json!({})).await.expect_status(403);
}

async fn a_social_login_key_registers_a_client_that_works(app: TestApp) {
    let administrator = app.administrator().await;
    let url = "/api/resource/Social%20Login%20Key";
    let body = json!({"provider_name": "My App", "redirect_url": REDIRECT_URI});
    let created = administrator.post(url).json(&body).send().await.expect_status(200).data();
    assert_eq!(created["name"], "my_app");
    let text = |name: &str| created[name].as_str().unwrap_or_else(|| panic!("no {name} in {created}")).to_owned();
    let (id, secret) = (text("client_id"), text("client_secret"));
    assert_eq!(administrator.post(url).json(&body).send().await.expect_status(409).error().as_deref(), Some("DuplicateEntryError"));
    let shown = administrator.get(&format!("{url}/my_app")).send().await.expect_status(200);
    assert!(!shown.text().contains(&secret));

    let template = app.client(json!({})).await;
    let client = TestClient { id: id.clone(), secret: Some(secret), ..template };
    let customer = app.user("customer@example.com").await.cookie().await;
    let challenge = TestClient::challenge();
    authorize(&customer, &ordinary(&client, &challenge, "all")).await.expect_status(200);

    let moved = "https://app.example.com/moved";
    administrator.put(&format!("{url}/my_app")).json(&json!({"redirect_url": moved})).send().await.expect_status(200);
    authorize(&customer, &ordinary(&client, &challenge, "all")).await.expect_status(400);
    authorize(&customer, &but(ordinary(&client, &challenge, "all"), &[("redirect_uri", moved)])).await.expect_status(200);
    let exchange = [("grant_type", "authorization_code"), ("code", "x"), ("code_verifier", VERIFIER)];
    assert_eq!(client.get_token(&exchange).await.error().as_deref(), Some("invalid_grant"));
    administrator.delete(&format!("{url}/my_app")).send().await.expect_status(202);
    administrator.get(&format!("{CLIENTS}/{id}")).send().await.expect_status(404);
}

async fn a_social_login_key_for_another_provider_is_not_half_made(app: TestApp) {
    let administrator = app.administrator().await;
    for extra in [
        ("authorize_url", "https://idp.example/auth"),
        ("base_url", "https://idp.example"),
        ("client_id", "theirs"),
        ("client_secret", "theirs too"),
        ("social_login_provider", "Google"),
    ] {
        let mut body = json!({"provider_name": "Other", "redirect_url": REDIRECT_URI});
        body[extra.0] = extra.1.into();
        let refused = administrator.post("/api/resource/Social%20Login%20Key").json(&body).send().await.expect_status(417);
        assert!(refused.text().contains("provider"), "{}", refused.text());
    }
}
