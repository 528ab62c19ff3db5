//! `OAuth Client` and `OAuth Bearer Token` as doctypes; what a registration means is tested in `oauth::clients`.

use serde_json::{Value, json};

use super::{BEARER_TOKEN, CLIENT, assert_forbidden, assert_refused, column, keys, list, messages, path};
use crate::both_databases;
use crate::support::{Caller, REDIRECT_URI, Reply, TestApp, TestClient};

both_databases!(
    a_new_client_is_answered_in_frappes_shape_with_its_secret_this_once,
    a_rotated_secret_is_shown_this_once,
    secrets_of_clients_and_tokens_can_be_asked_for_in_no_way,
    implicit_clients_are_refused_with_the_reason,
    what_is_missing_is_named,
    a_machine_needs_no_redirect_uri_and_can_be_changed,
    a_client_cannot_be_deleted_while_tokens_name_it,
    bearer_tokens_are_called_by_ids,
    others_are_refused_with_frappes_texts,
    a_client_that_acts_as_administrator_is_administrators,
    no_spelling_of_administrator_is_somebody_else,
    guest_is_nobodys_service_account,
);

const ROTATE: &str = "/api/method/frappe.integrations.doctype.oauth_client.oauth_client.rotate_secret";

async fn register(caller: &Caller, changes: Value) -> Reply {
    let mut body = json!({ "app_name": "Ledger", "redirect_uris": REDIRECT_URI, "default_redirect_uri": REDIRECT_URI });
    for (name, value) in changes.as_object().expect("an object") {
        body[name] = value.clone();
    }
    caller.post(CLIENT).json(&body).send().await
}

fn text(document: &Value, fieldname: &str) -> String {
    document[fieldname].as_str().unwrap_or_else(|| panic!("no {fieldname} in {document}")).to_owned()
}

async fn a_new_client_is_answered_in_frappes_shape_with_its_secret_this_once(app: TestApp) {
    let administrator = app.administrator().await;
    let created = register(&administrator, json!({ "skip_authorization": 1 })).await.expect_status(200);
    assert_eq!(created.header("cache-control"), Some("no-store"));
    let data = created.data();
    let (id, secret) = (text(&data, "name"), text(&data, "client_secret"));
    // Frappe's fields in Frappe's order; Ostiary's own stand among them.
    let recorded = "name owner creation modified modified_by docstatus idx client_id app_name client_secret skip_authorization scopes \
                    redirect_uris default_redirect_uri grant_type response_type doctype allowed_roles";
    let shown: Vec<&str> = keys(&data).into_iter().filter(|key| recorded.split_whitespace().any(|known| known == *key)).collect();
    assert_eq!(shown, recorded.split_whitespace().collect::<Vec<_>>());
    let row = &data["allowed_roles"][0];
    assert_eq!((&row["role"], &row["doctype"], &row["parent"]), (&json!("Desk User"), &json!("OAuth Client Role"), &json!(id)));

    for reply in [
        administrator.get(&path(CLIENT, &id)).send().await,
        administrator.put(&path(CLIENT, &id)).json(&json!({ "app_name": "Other" })).send().await,
        administrator.get(CLIENT).query(&[("fields", r#"["*"]"#)]).send().await,
    ] {
        let body = reply.expect_status(200).text();
        assert!(!body.contains(&secret) && !body.contains("client_secret") && !body.contains("ost_cs_"), "{body}");
    }
    let rows = list(&administrator, CLIENT, &[("fields", r#"["name","app_name","skip_authorization"]"#)]).await;
    assert_eq!(rows, json!([{ "name": id, "app_name": "Other", "skip_authorization": 1 }]));
}

async fn a_rotated_secret_is_shown_this_once(app: TestApp) {
    let administrator = app.administrator().await;
    let created = register(&administrator, json!({})).await.expect_status(200).data();
    let (id, old) = (text(&created, "name"), text(&created, "client_secret"));
    let rotated = administrator.post(ROTATE).form(&[("client_id", &id)]).send().await.expect_status(200);
    assert_eq!(rotated.header("cache-control"), Some("no-store"));
    assert_eq!(keys(&rotated.message()), ["client_id", "client_secret"]);
    let new = text(&rotated.message(), "client_secret");
    assert!(new != old && new.starts_with("ost_cs_"));
    assert!(!administrator.get(&path(CLIENT, &id)).send().await.expect_status(200).text().contains("ost_cs_"));
    // A public client has none to rotate.
    let public = register(&administrator, json!({ "token_endpoint_auth_method": "None" })).await.expect_status(200);
    assert!(public.data().get("client_secret").is_none(), "{}", public.text());
    let id = text(&public.data(), "name");
    administrator.post(ROTATE).form(&[("client_id", &id)]).send().await.expect_status(417);
}

async fn secrets_of_clients_and_tokens_can_be_asked_for_in_no_way(app: TestApp) {
    let administrator = app.administrator().await;
    app.user("amina@example.com").await.bearer(&app, "all").await;
    for (collection, doctype, secrets) in [
        (CLIENT, "OAuth Client", ["client_secret", "secret_hash", "hash"]),
        (BEARER_TOKEN, "OAuth Bearer Token", ["access_token", "refresh_token", "token_hash"]),
    ] {
        for secret in secrets {
            let quoted = format!("`tab{doctype}`.`{secret}`");
            for (name, value) in [
                ("fields", json!(["name", secret]).to_string()),
                ("fields", json!([format!("{secret} as x")]).to_string()),
                ("fields", json!([quoted]).to_string()),
                ("filters", json!({ secret: "x" }).to_string()),
                ("filters", json!({ secret: ["is", "set"] }).to_string()),
                ("filters", json!([[secret, "like", "ost_%"]]).to_string()),
                ("filters", json!([[doctype, quoted, ">", "a"]]).to_string()),
                ("order_by", secret.to_owned()),
                ("order_by", format!("name, {quoted} desc")),
            ] {
                let refused = administrator.get(collection).query(&[(name, &value)]).send().await.expect_status(417);
                assert_eq!(refused.error().as_deref(), Some("DataError"), "{name}={value}");
                assert!(messages(&refused)[0].starts_with("Field not permitted in query: "), "{}", refused.text());
            }
            let grouped = administrator.get(collection).query(&[("group_by", secret)]).send().await.expect_status(417);
            assert_eq!(messages(&grouped), [format!("Field not permitted in query: {secret}")]);
        }
    }
}

async fn implicit_clients_are_refused_with_the_reason(app: TestApp) {
    let administrator = app.administrator().await;
    let reason = |reply: Reply| {
        assert_eq!((reply.status, reply.error().as_deref()), (417, Some("ValidationError")), "{}", reply.text());
        let said = messages(&reply).remove(0);
        assert!(said.contains("Implicit") && said.contains("Authorization Code"), "{said}");
    };
    reason(register(&administrator, json!({ "grant_type": "Implicit", "response_type": "Token" })).await);
    reason(register(&administrator, json!({ "grant_type": "Implicit" })).await);
    reason(register(&administrator, json!({ "response_type": "Token" })).await);
    assert_eq!(list(&administrator, CLIENT, &[]).await, json!([]));
    let id = text(&register(&administrator, json!({})).await.expect_status(200).data(), "name");
    reason(administrator.put(&path(CLIENT, &id)).json(&json!({ "grant_type": "Implicit" })).send().await);
    reason(administrator.put(&path(CLIENT, &id)).json(&json!({ "response_type": "Token" })).send().await);
    let kept = administrator.get(&path(CLIENT, &id)).send().await.data();
    assert_eq!((&kept["grant_type"], &kept["response_type"]), (&json!("Authorization Code"), &json!("Code")));
}

async fn what_is_missing_is_named(app: TestApp) {
    let refused = app.administrator().await.post(CLIENT).json(&json!({ "app_name": "x" })).send().await.expect_status(417);
    let exception = refused.string("exception");
    assert!(exception.starts_with("frappe.exceptions.MandatoryError: [OAuth Client, "), "{exception}");
    assert!(exception.ends_with("]: default_redirect_uri"), "{exception}");
    assert_eq!(messages(&refused), ["Error: Value missing for OAuth Client: Default Redirect URI"]);
    let refused = app.administrator().await.post(CLIENT).json(&json!({})).send().await.expect_status(417);
    let missing = ["Error: Value missing for OAuth Client: App Name", "Error: Value missing for OAuth Client: Default Redirect URI"];
    assert_eq!(messages(&refused), missing);
}

async fn a_machine_needs_no_redirect_uri_and_can_be_changed(app: TestApp) {
    let (administrator, robot) = (app.administrator().await, app.user("robot@example.com").await);
    let machine = json!({ "app_name": "Nightly", "grant_type": "Client Credentials", "user": robot.name, "scopes": "read" });
    let made = administrator.post(CLIENT).json(&machine).send().await.expect_status(200).data();
    let document = path(CLIENT, made["name"].as_str().expect("a name"));
    let changed = administrator.put(&document).json(&json!({ "scopes": "read write" })).send().await.expect_status(200).data();
    assert_eq!(changed["scopes"], "read write");
    // One that sends users somewhere still does.
    let refused = administrator.put(&document).json(&json!({ "grant_type": "Authorization Code" })).send().await.expect_status(417);
    assert_eq!(messages(&refused), ["Error: Value missing for OAuth Client: Default Redirect URI"]);
}

async fn a_client_cannot_be_deleted_while_tokens_name_it(app: TestApp) {
    let administrator = app.administrator().await;
    let client = app.client(json!({ "skip_authorization": 1 })).await;
    let browser = app.user("amina@example.com").await.cookie().await;
    let tokens = client.log_in(&browser, "all").await;
    let document = path(CLIENT, &client.id);
    let refused = administrator.delete(&document).send().await.expect_status(417);
    assert_eq!(refused.error().as_deref(), Some("LinkExistsError"));
    let said = messages(&refused).remove(0);
    let start = format!("Cannot delete or cancel because OAuth Client {} is linked with OAuth Bearer Token ", client.id);
    assert!(said.starts_with(&start), "{said}");
    assert!(!said.contains(&tokens.access) && !said.contains("ost_"), "{said}");
    client.holder(&tokens.access).whoami().await.expect_status(200);
    let token = column(&administrator, BEARER_TOKEN, "name", &[]).await[0].as_str().expect("a name").to_owned();
    administrator.delete(&path(BEARER_TOKEN, &token)).send().await.expect_status(202);
    client.holder(&tokens.access).whoami().await.expect_status(401);
    administrator.delete(&document).send().await.expect_status(202);
    administrator.get(&document).send().await.expect_status(404);
}

async fn bearer_tokens_are_called_by_ids(app: TestApp) {
    let administrator = app.administrator().await;
    let client = app.client(json!({ "skip_authorization": 1 })).await;
    let browser = app.user("amina@example.com").await.cookie().await;
    let tokens = client.log_in(&browser, "all openid").await;
    let refresh = tokens.refresh.clone().expect("a refresh token");
    let rows = list(&administrator, BEARER_TOKEN, &[("fields", r#"["name","status","scopes","expires_in"]"#)]).await;
    let name = text(&rows[0], "name");
    assert_eq!(rows, json!([{ "name": name, "status": "Active", "scopes": "all openid", "expires_in": 3600 }]));
    let everything = administrator.get(BEARER_TOKEN).query(&[("fields", r#"["*"]"#)]).send().await.expect_status(200);
    let one = administrator.get(&path(BEARER_TOKEN, &name)).send().await.expect_status(200);
    assert_eq!((&one.data()["client"], &one.data()["user"]), (&json!(client.id), &json!("amina@example.com")));
    for body in [everything.text(), one.text()] {
        for secret in [tokens.access.as_str(), &refresh, "access_token", "refresh_token", "ost_"] {
            assert!(!body.contains(secret), "{secret}: {body}");
        }
    }
    // The id opens nothing, and the token is no name.
    client.holder(&name).whoami().await.expect_status(401);
    administrator.get(&path(BEARER_TOKEN, &tokens.access)).send().await.expect_status(404);
    // They come from get_token alone.
    let made = json!({ "client": client.id, "user": "Administrator", "scopes": "all", "access_token": "chosen" });
    for refused in [
        administrator.post(BEARER_TOKEN).json(&made).send().await,
        administrator.put(&path(BEARER_TOKEN, &name)).json(&json!({ "user": "Administrator" })).send().await,
    ] {
        assert_eq!((refused.status, refused.error().as_deref()), (417, Some("ValidationError")), "{}", refused.text());
        assert!(messages(&refused)[0].ends_with("OAuth Bearer Token is not supported yet"), "{}", refused.text());
    }
    client.holder("chosen").whoami().await.expect_status(401);
    client.post("revoke_token", &[("token", &refresh)]).await.expect_status(200);
    assert_eq!(administrator.get(&path(BEARER_TOKEN, &name)).send().await.data()["status"], "Revoked");
}

async fn others_are_refused_with_frappes_texts(app: TestApp) {
    let client = app.client(json!({ "skip_authorization": 1 })).await;
    let amina = app.user("amina@example.com").await.api_key().await;
    let access = "User <strong>amina@example.com</strong> does not have doctype access via role permission for document <strong>OAuth Client</strong>";
    let text = format!("{access}<br>User <strong>amina@example.com</strong> does not have access to this document");
    let document = path(CLIENT, &client.id);
    for request in [amina.get(&document), amina.put(&document).json(&json!({ "skip_authorization": 1 })), amina.delete(&document)] {
        assert_forbidden(&request.send().await, &text);
    }
    for refused in [amina.get(CLIENT).send().await, register(&amina, json!({})).await] {
        assert_forbidden(&refused, access);
        assert_eq!(refused.string("_error_message"), "No permission for OAuth Client");
    }
    amina.post(ROTATE).form(&[("client_id", &client.id)]).send().await.expect_status(403);
    let guest = app.anonymous();
    for request in [guest.get(CLIENT), guest.get(&document), guest.get(BEARER_TOKEN), guest.post(ROTATE).form(&[("client_id", &client.id)])]
    {
        request.send().await.expect_status(403);
    }
}

async fn a_client_that_acts_as_administrator_is_administrators(app: TestApp) {
    let administrator = app.administrator().await;
    let manager = app.user_with_roles("manager@example.com", &["System Manager"]).await.api_key().await;
    let machine = |user: &str| json!({ "grant_type": "Client Credentials", "user": user, "scopes": "all" });
    let reason = "Only Administrator can register or change a client that acts as Administrator";
    assert_refused(&register(&manager, machine("Administrator")).await, 403, "PermissionError", reason);
    let own = register(&manager, machine("manager@example.com")).await.expect_status(200).data();
    let own = path(CLIENT, &text(&own, "name"));
    assert_refused(&manager.put(&own).json(&json!({ "user": "Administrator" })).send().await, 403, "PermissionError", reason);
    // Nor may another take over what Administrator registered: a new secret would be Administrator's.
    let theirs = text(&register(&administrator, machine("Administrator")).await.expect_status(200).data(), "name");
    for request in [
        manager.post(ROTATE).form(&[("client_id", &theirs)]),
        manager.put(&path(CLIENT, &theirs)).json(&json!({ "scopes": "all openid" })),
        manager.put(&path(CLIENT, &theirs)).json(&json!({ "user": "manager@example.com" })),
    ] {
        assert_refused(&request.send().await, 403, "PermissionError", reason);
    }
    administrator.post(ROTATE).form(&[("client_id", &theirs)]).send().await.expect_status(200);
}

async fn no_spelling_of_administrator_is_somebody_else(app: TestApp) {
    let manager = app.user_with_roles("manager@example.com", &["System Manager"]).await;
    let (key, browser) = (manager.api_key().await, manager.cookie().await);
    let machine = |user: &str| json!({ "grant_type": "Client Credentials", "user": user, "scopes": "all" });
    let own = register(&key, machine("manager@example.com")).await.expect_status(200).data();
    let own = path(CLIENT, &text(&own, "name"));
    for user in ["Administrator", "administrator", "ADMINISTRATOR", " Administrator ", "Administrator\n", "\u{a0}Administrator"] {
        for caller in [&key, &browser] {
            let made = register(caller, machine(user)).await;
            assert!([403, 417].contains(&made.status), "{user:?}: {} {}", made.status, made.text());
            let changed = caller.put(&own).json(&json!({ "user": user })).send().await;
            assert!([403, 417].contains(&changed.status), "{user:?}: {} {}", changed.status, changed.text());
        }
    }
    // Nor by way of a client that becomes a machine later.
    let web = register(&key, json!({ "user": "administrator" })).await;
    assert!([403, 417].contains(&web.status), "{} {}", web.status, web.text());
    assert_eq!(key.get(&own).send().await.data()["user"], "manager@example.com");
}

async fn guest_is_nobodys_service_account(app: TestApp) {
    let administrator = app.administrator().await;
    let amina = app.user("amina@example.com").await;
    let machine = |user: &str| json!({ "grant_type": "Client Credentials", "user": user, "scopes": "all" });
    let reason = "Guest cannot be a service account: set the field user to somebody who can log in";
    assert_refused(&register(&administrator, machine("Guest")).await, 417, "ValidationError", reason);
    let made = register(&administrator, machine(&amina.name)).await.expect_status(200).data();
    let document = path(CLIENT, &text(&made, "name"));
    assert_refused(&administrator.put(&document).json(&json!({ "user": "Guest" })).send().await, 417, "ValidationError", reason);
    let machine = TestClient { id: text(&made, "client_id"), secret: Some(text(&made, "client_secret")), anonymous: app.anonymous() };
    let token = machine.issue().await.expect_status(200).string("access_token");
    assert_eq!(machine.holder(&token).whoami().await.expect_status(200).message(), "amina@example.com");
}
