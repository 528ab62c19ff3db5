//! `User` as a doctype.

use serde_json::{Value, json};

use super::{TODO, USER, assert_forbidden, assert_missing, assert_refused, column, create, keys, list, messages, path};
use crate::both_databases;
use crate::support::{ADMIN_PASSWORD, Caller, PASSWORD, TestApp};

both_databases!(
    a_new_user_is_answered_in_frappes_shape,
    names_and_usernames_are_taken_once,
    nobody_takes_the_name_of_another_as_a_username,
    values_that_do_not_fit_are_refused,
    one_sees_and_changes_ones_own_document_within_limits,
    nobody_promotes_themselves,
    secrets_are_never_shown_listed_filtered_or_sorted_by,
    fields_of_a_higher_level_are_closed_to_the_others,
    the_standard_users_belong_to_administrator,
    a_new_password_works_and_the_old_one_does_not,
    what_was_read_may_be_sent_back,
    an_address_cannot_be_changed,
    a_deleted_user_is_gone_with_all_it_was_given,
);

async fn manager(app: &TestApp) -> Caller {
    app.user_with_roles("manager@example.com", &["System Manager"]).await.api_key().await
}

async fn a_new_user_is_answered_in_frappes_shape(app: TestApp) {
    let administrator = app.administrator().await;
    let body = json!({
        "email": "Alice@Example.com", "first_name": "Alice", "last_name": "Test", "send_welcome_email": 0, "enabled": 1,
        "new_password": PASSWORD, "user_type": "System User", "roles": [],
    });
    let created = administrator.post(USER).json(&body).send().await.expect_status(200);
    assert!(!created.text().contains(PASSWORD) && !created.text().contains("argon2"), "{}", created.text());
    let data = created.data();
    let expected = "name owner creation modified modified_by docstatus idx enabled email first_name last_name full_name username";
    assert!(keys(&data).join(" ").starts_with(expected), "{data}");
    assert!(data.as_object().expect("an object").values().all(|value| !value.is_null()), "{data}");
    for (field, value) in [
        ("name", json!("alice@example.com")),
        ("email", json!("alice@example.com")),
        ("owner", json!("Administrator")),
        ("full_name", json!("Alice Test")),
        ("username", json!("alice")),
        ("enabled", json!(1)),
        // It follows from the roles, whatever was sent.
        ("user_type", json!("Website User")),
        ("doctype", json!("User")),
        ("roles", json!([])),
    ] {
        assert_eq!(data[field], value, "{field}");
    }
    app.existing_user("alice@example.com", PASSWORD).cookie().await.whoami().await.expect_status(200);

    let rows = json!([{ "role": "System Manager" }, { "role": "System Manager" }, { "role": "All" }]);
    let given = administrator.put(&path(USER, "ALICE@example.com")).json(&json!({ "roles": rows })).send().await.expect_status(200).data();
    let row = &given["roles"][0];
    assert_eq!((given["roles"].as_array().map(Vec::len), &given["user_type"]), (Some(1), &json!("System User")));
    let columns = "name owner creation modified modified_by docstatus idx role parent parentfield parenttype doctype";
    assert_eq!(keys(row), columns.split_whitespace().collect::<Vec<_>>());
    assert_eq!((&row["idx"], &row["role"], &row["parent"]), (&json!(1), &json!("System Manager"), &json!("alice@example.com")));
    assert_eq!((&row["parentfield"], &row["parenttype"], &row["doctype"]), (&json!("roles"), &json!("User"), &json!("Has Role")));
}

async fn names_and_usernames_are_taken_once(app: TestApp) {
    let administrator = app.administrator().await;
    app.user("amina@example.com").await;
    for email in ["amina@example.com", "AMINA@EXAMPLE.COM", " amina@example.com "] {
        let refused = administrator.post(USER).json(&json!({ "email": email, "first_name": "Other" })).send().await;
        assert_refused(&refused, 409, "DuplicateEntryError", "User amina@example.com already exists");
        assert!(refused.string("_server_messages").contains("Duplicate Name"));
    }
    assert_eq!(administrator.get(&path(USER, "amina@example.com")).send().await.data()["first_name"], "amina");
    // The part before the @ is a username only while nobody has it.
    let other = administrator.post(USER).json(&json!({ "email": "amina@example.org", "first_name": "Other" })).send().await;
    assert!(other.expect_status(200).data().get("username").is_none());
    let chosen = json!({ "username": "amina" });
    let refused = administrator.put(&path(USER, "amina@example.org")).json(&chosen).send().await;
    assert_refused(&refused, 417, "UniqueValidationError", "Username must be unique");
}

async fn nobody_takes_the_name_of_another_as_a_username(app: TestApp) {
    let administrator = app.administrator().await;
    let own = path(USER, "amina@example.com");
    let amina = app.user("amina@example.com").await.api_key().await;
    app.user("boris@example.com").await;
    for other in ["Administrator", "administrator", " GUEST", "Boris@Example.com", "admin@example.com", "later@example.com"] {
        let document = json!({ "email": "carla@example.com", "first_name": "Carla", "username": other });
        for refused in [
            amina.put(&own).json(&json!({ "username": other })).send().await,
            administrator.put(&own).json(&json!({ "username": other })).send().await,
            administrator.post(USER).json(&document).send().await,
        ] {
            assert_eq!((refused.status, refused.error().as_deref()), (417, Some("ValidationError")), "{other}: {}", refused.text());
            assert!(messages(&refused)[0].starts_with("Username cannot be "), "{}", refused.text());
        }
    }
    assert_missing(&administrator.get(&path(USER, "carla@example.com")).send().await, "User carla@example.com not found");
    let changed = administrator.put(&own).json(&json!({ "username": "Amina@Example.com" })).send().await.expect_status(200);
    assert_eq!(changed.data()["username"], "Amina@Example.com");
    // Nor is it suggested to whoever has such an address.
    let made = administrator.post(USER).json(&json!({ "email": "administrator@example.com", "first_name": "A" })).send().await;
    assert!(made.expect_status(200).data().get("username").is_none());
}

async fn values_that_do_not_fit_are_refused(app: TestApp) {
    let administrator = app.administrator().await;
    let post = |changes: Value| {
        let mut body = json!({ "email": "x@example.com", "first_name": "X" });
        for (name, value) in changes.as_object().expect("an object") {
            body[name] = value.clone();
        }
        administrator.post(USER).json(&body).send()
    };
    for (changes, class, text) in [
        (json!({ "email": "nonsense" }), "ValidationError", "nonsense is not a valid Email Address"),
        (json!({ "roles": [{ "role": "Nobody" }] }), "LinkValidationError", "Could not find Row #1: Role: Nobody"),
        (json!({ "roles": [{ "role": "Administrator" }] }), "ValidationError", "Role Administrator cannot be given to a user"),
        (json!({ "roles": "System Manager" }), "DataError", "roles must be a list of objects"),
        (json!({ "login_after": 25 }), "ValidationError", "login_after must be an hour from 0 to 24"),
        (json!({ "enabled": "perhaps" }), "ValidationError", "Enabled (enabled) must be 0 or 1, not \"perhaps\""),
        (json!({ "new_password": 7 }), "ValidationError", "Set New Password (new_password) must be a text"),
    ] {
        assert_refused(&post(changes).await, 417, class, text);
    }
    let refused = post(json!({ "first_name": "" })).await.expect_status(417);
    assert!(refused.string("exception").ends_with("MandatoryError: [User, x@example.com]: first_name"), "{}", refused.text());
    for weak in ["short", "aaaaaaaaaaaaaaaaaaaaaaaa"] {
        post(json!({ "api_secret": weak })).await.expect_status(417);
    }
    // A refused user is not half there.
    assert_missing(&administrator.get(&path(USER, "x@example.com")).send().await, "User x@example.com not found");
}

async fn one_sees_and_changes_ones_own_document_within_limits(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    app.user("boris@example.com").await;
    assert_eq!(column(&amina, USER, "name", &[]).await, ["amina@example.com"]);
    assert_eq!(list(&amina, USER, &[("filters", r#"{"name":"boris@example.com"}"#)]).await, json!([]));
    let own = amina.get(&path(USER, "amina@example.com")).send().await.expect_status(200).data();
    assert_eq!((&own["first_name"], &own["full_name"]), (&json!("amina"), &json!("amina")));
    for hidden in ["enabled", "email", "user_type", "restrict_ip", "api_key", "roles"] {
        assert!(own.get(hidden).is_none(), "{hidden}: {own}");
    }
    let changed = amina.put(&path(USER, "amina@example.com")).json(&json!({ "first_name": "Amina", "last_name": "K" })).send().await;
    assert_eq!(changed.expect_status(200).data()["full_name"], "Amina K");
    let his = path(USER, "boris@example.com");
    let amina_is = "User <strong>amina@example.com</strong> does not have";
    let refused =
        format!("{amina_is} doctype access via role permission for document <strong>User</strong><br>{amina_is} access to this document");
    for request in [amina.get(&his), amina.put(&his).json(&json!({ "first_name": "Gone" }))] {
        assert_forbidden(&request.send().await, &format!("{refused}: User - boris@example.com"));
    }
    let standard = amina.get(&path(USER, "Administrator")).send().await;
    assert_forbidden(&standard, &format!("Not allowed via controller permission check<br>{refused}: User - Administrator"));
    // Not even one's own.
    for request in [
        amina.delete(&path(USER, "amina@example.com")),
        amina.delete(&his),
        amina.post(USER).json(&json!({ "email": "x@example.com", "first_name": "X" })),
    ] {
        request.send().await.expect_status(403);
    }
}

async fn nobody_promotes_themselves(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    for caller in [amina.api_key().await, amina.cookie().await] {
        // Frappe restores what one may not write, and says nothing.
        let body = json!({
            "first_name": "Amina", "roles": [{ "role": "System Manager" }], "user_type": "System User", "enabled": 1,
            "email": "Administrator", "api_key": "mine", "api_secret": "u7Q_d91Lx-0vRzPq4mT2yB8s",
        });
        caller.put(&path(USER, "amina@example.com")).json(&body).send().await.expect_status(200);
        caller.get(super::ROLE).send().await.expect_status(403);
    }
    let stored = app.administrator().await.get(&path(USER, "amina@example.com")).send().await.data();
    assert_eq!((&stored["roles"], &stored["user_type"], &stored["first_name"]), (&json!([]), &json!("Website User"), &json!("Amina")));
    assert_ne!(stored["api_key"], "mine");
    app.anonymous().with_authorization("token mine:u7Q_d91Lx-0vRzPq4mT2yB8s").whoami().await.expect_status(401);
    // Rows of the child table cannot be written by themselves.
    let row = json!({ "role": "System Manager", "parent": "amina@example.com", "parenttype": "User", "parentfield": "roles" });
    amina.api_key().await.post("/api/resource/Has%20Role").json(&row).send().await.expect_status(403);
}

async fn secrets_are_never_shown_listed_filtered_or_sorted_by(app: TestApp) {
    let administrator = app.administrator().await;
    let (key, secret) = app.user("amina@example.com").await.generate_keys().await;
    for secret_field in ["new_password", "api_secret", "password_hash", "logout_all_sessions", "`tabUser`.`api_secret`", "api_secret as x"]
    {
        for parameter in [
            ("fields", json!([secret_field]).to_string()),
            ("filters", json!([[secret_field, "like", "%"]]).to_string()),
            ("filters", json!({ secret_field: ["is", "set"] }).to_string()),
            ("order_by", secret_field.to_owned()),
        ] {
            let refused = administrator.get(USER).query(&[(parameter.0, &parameter.1)]).send().await.expect_status(417);
            assert_eq!(refused.error().as_deref(), Some("DataError"), "{parameter:?}");
        }
    }
    for reply in [
        administrator.get(USER).query(&[("fields", r#"["*"]"#)]).send().await,
        administrator.get(&path(USER, "amina@example.com")).send().await,
        administrator.put(&path(USER, "amina@example.com")).json(&json!({ "new_password": "another pass phrase 8!" })).send().await,
    ] {
        let text = reply.expect_status(200).text();
        // The key alone opens nothing and names what to revoke.
        assert!(text.contains(&key), "{text}");
        for hidden in [secret.as_str(), "another pass phrase", "api_secret", "new_password", "password_hash", "argon2", "ost_sk_"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
    }
}

async fn fields_of_a_higher_level_are_closed_to_the_others(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    for fieldname in ["enabled", "email", "api_key", "restrict_ip", "user_type"] {
        // Left out of a list without a word, as in Frappe, but never a question one can ask.
        let rows = list(&amina, USER, &[("fields", &json!(["name", fieldname]).to_string())]).await;
        assert_eq!(rows, json!([{ "name": "amina@example.com" }]), "{fieldname}");
        for parameter in [("filters", json!([[fieldname, "is", "set"]]).to_string()), ("order_by", fieldname.to_owned())] {
            let refused = amina.get(USER).query(&[(parameter.0, &parameter.1)]).send().await;
            assert_refused(&refused, 417, "DataError", &format!("Field not permitted in query: {fieldname}"));
        }
    }
    let everything = list(&amina, USER, &[("fields", r#"["*"]"#)]).await;
    assert!(everything[0].get("api_key").is_none() && everything[0].get("first_name").is_some(), "{everything}");
}

async fn the_standard_users_belong_to_administrator(app: TestApp) {
    let (administrator, manager) = (app.administrator().await, manager(&app).await);
    assert_eq!(column(&administrator, USER, "name", &[("order_by", "name")]).await, ["Administrator", "Guest", "manager@example.com"]);
    assert_eq!(column(&manager, USER, "name", &[]).await, ["manager@example.com"]);
    assert_eq!(list(&manager, USER, &[("filters", r#"[["name","in",["Administrator","Guest"]]]"#)]).await, json!([]));
    for name in ["Administrator", "administrator", "Guest"] {
        let standard = path(USER, name);
        for request in [
            manager.get(&standard),
            manager.put(&standard).json(&json!({ "new_password": "a pass phrase of my own 9!" })),
            manager.put(&standard).json(&json!({ "roles": [] })),
            manager.delete(&standard),
        ] {
            request.send().await.expect_status(403);
        }
        administrator.delete(&standard).send().await.expect_status(417);
        administrator.put(&standard).json(&json!({ "enabled": 0 })).send().await.expect_status(417);
    }
    app.existing_user("Administrator", ADMIN_PASSWORD).cookie().await.whoami().await.expect_status(200);
}

async fn a_new_password_works_and_the_old_one_does_not(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let (own, other) = (amina.cookie().await, amina.cookie().await);
    let key = amina.api_key().await;
    let fresh = "another pass phrase 8!";
    own.put(&path(USER, "amina@example.com")).json(&json!({ "new_password": fresh })).send().await.expect_status(200);
    amina.basic().whoami().await.expect_status(401);
    app.existing_user("amina@example.com", fresh).cookie().await.whoami().await.expect_status(200);
    // The other sessions end; this one and the keys go on.
    other.whoami().await.expect_status(401);
    own.whoami().await.expect_status(200);
    key.whoami().await.expect_status(200);
}

async fn what_was_read_may_be_sent_back(app: TestApp) {
    let administrator = app.administrator().await;
    let amina = app.user_with_roles("amina@example.com", &["System Manager"]).await;
    let key = amina.api_key().await;
    let document = path(USER, "amina@example.com");
    let mut read = administrator.get(&document).send().await.expect_status(200).data();
    read["last_name"] = json!("K");
    // Frappe's desk shows a password that is set as asterisks, or as nothing.
    read["new_password"] = json!("");
    let saved = administrator.put(&document).json(&read).send().await.expect_status(200).data();
    assert_eq!((&saved["full_name"], &saved["roles"][0]["role"]), (&json!("amina K"), &json!("System Manager")));
    amina.cookie().await.whoami().await.expect_status(200);
    key.get(super::ROLE).send().await.expect_status(200);
}

async fn an_address_cannot_be_changed(app: TestApp) {
    let administrator = app.administrator().await;
    app.user("amina@example.com").await;
    let document = path(USER, "amina@example.com");
    let refused = administrator.put(&document).json(&json!({ "email": "other@example.com" })).send().await;
    let text = "Email cannot be changed to other@example.com: it is the name of the user";
    assert_refused(&refused, 417, "ValidationError", text);
    administrator.put(&document).json(&json!({ "email": "Amina@Example.com" })).send().await.expect_status(200);
    let refused = administrator.put(&document).json(&json!({ "name": "other@example.com" })).send().await;
    assert_missing(&refused, "User other@example.com not found");
}

async fn a_deleted_user_is_gone_with_all_it_was_given(app: TestApp) {
    let administrator = app.administrator().await;
    let amina = app.user("amina@example.com").await;
    let (key, cookie, basic, bearer) = (amina.api_key().await, amina.cookie().await, amina.basic(), amina.bearer(&app, "all").await);
    let sid = cookie.cookie("sid").expect("a session");
    let kept = super::todo(&key, "outlives her").await;
    let named = create(&administrator, TODO, json!({ "description": "x", "allocated_to": "amina@example.com" })).await;
    let document = path(USER, "amina@example.com");
    let refused = administrator.delete(&document).send().await;
    let text = format!("Cannot delete or cancel because User amina@example.com is linked with ToDo {named}");
    assert_refused(&refused, 417, "LinkExistsError", &text);
    key.whoami().await.expect_status(200);
    administrator.delete(&path(TODO, &named)).send().await.expect_status(202);
    assert_eq!(administrator.delete(&document).send().await.expect_status(202).text(), r#"{"data":"ok"}"#);
    assert_missing(&administrator.get(&document).send().await, "User amina@example.com not found");
    for caller in [&key, &cookie, &basic, &bearer] {
        caller.whoami().await.expect_status(401);
        // The answer took the cookie away; a program may go on sending it.
        cookie.set_cookie("sid", &sid);
        caller.get(TODO).send().await.expect_status(401);
    }
    assert_eq!(administrator.get(&path(TODO, &kept)).send().await.expect_status(200).data()["owner"], "amina@example.com");
    // Somebody new of that name gets nothing of the old one's.
    cookie.set_cookie("sid", &sid);
    app.user("amina@example.com").await.cookie().await.whoami().await.expect_status(200);
    for caller in [&key, &cookie, &bearer] {
        caller.whoami().await.expect_status(401);
    }
}
