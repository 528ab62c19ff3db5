//! `Role` as a doctype.

use serde_json::json;

use super::{ROLE, USER, assert_missing, assert_refused, column, create, path};
use crate::both_databases;
use crate::support::TestApp;

both_databases!(
    a_role_is_answered_in_frappes_shape,
    a_role_is_there_once_and_keeps_its_name,
    a_name_may_have_spaces_and_slashes,
    names_that_could_be_markup_are_refused,
    a_role_that_somebody_has_cannot_be_deleted,
    a_disabled_role_is_taken_from_everybody_at_once,
    the_standard_roles_stay,
);

async fn a_role_is_answered_in_frappes_shape(app: TestApp) {
    let administrator = app.administrator().await;
    let created = administrator.post(ROLE).json(&json!({ "role_name": "Peer Role" })).send().await.expect_status(200);
    let at = created.data()["creation"].as_str().expect("a time").to_owned();
    let expected = format!(
        r#"{{"data":{{"name":"Peer Role","owner":"Administrator","creation":"{at}","modified":"{at}","modified_by":"Administrator","docstatus":0,"idx":0,"role_name":"Peer Role","disabled":0,"is_custom":0,"desk_access":1,"two_factor_auth":0,"doctype":"Role"}}}}"#
    );
    assert_eq!(created.text(), expected);
    assert_eq!(administrator.get(&path(ROLE, "Peer%20Role")).send().await.expect_status(200).text(), expected);
    let names = column(&administrator, ROLE, "name", &[("filters", r#"{"role_name":["like","peer%"]}"#)]).await;
    assert_eq!(names, ["Peer Role"]);
}

async fn a_role_is_there_once_and_keeps_its_name(app: TestApp) {
    let administrator = app.administrator().await;
    create(&administrator, ROLE, json!({ "role_name": "Peer Role" })).await;
    let refused = administrator.post(ROLE).json(&json!({ "role_name": "Peer Role" })).send().await;
    assert_refused(&refused, 409, "DuplicateEntryError", "Role Peer Role already exists");
    let document = path(ROLE, "Peer%20Role");
    let refused = administrator.put(&document).json(&json!({ "role_name": "Other" })).send().await;
    assert_refused(&refused, 417, "CannotChangeConstantError", "Value cannot be changed for Role Name");
    let refused = administrator.put(&document).json(&json!({ "name": "Other", "disabled": 1 })).send().await;
    assert_missing(&refused, "Role Other not found");
    let changed = administrator.put(&document).json(&json!({ "role_name": "Peer Role", "two_factor_auth": 1 })).send().await;
    assert_eq!(changed.expect_status(200).data()["two_factor_auth"], 1);
    assert_eq!(administrator.delete(&document).send().await.expect_status(202).text(), r#"{"data":"ok"}"#);
    assert_missing(&administrator.get(&document).send().await, "Role Peer Role not found");
}

async fn a_name_may_have_spaces_and_slashes(app: TestApp) {
    let administrator = app.administrator().await;
    for (name, in_path) in [("Ops/Night", "Ops/Night"), ("a b/c d", "a%20b%2Fc%20d"), ("5+5%", "5+5%25"), ("Köche", "K%C3%B6che")] {
        assert_eq!(create(&administrator, ROLE, json!({ "role_name": name })).await, name);
        let document = path(ROLE, in_path);
        assert_eq!(administrator.get(&document).send().await.expect_status(200).data()["name"], name);
        administrator.put(&document).json(&json!({ "two_factor_auth": 1 })).send().await.expect_status(200);
        administrator.delete(&document).send().await.expect_status(202);
        administrator.get(&document).send().await.expect_status(404);
    }
}

async fn names_that_could_be_markup_are_refused(app: TestApp) {
    let administrator = app.administrator().await;
    for name in ["<b>", "a>b", "Role", "New Role 1", "a\nb"] {
        let refused = administrator.post(ROLE).json(&json!({ "role_name": name })).send().await.expect_status(409);
        assert_eq!(refused.error().as_deref(), Some("NameError"), "{name}");
        assert!(!refused.text().contains("<b>"));
    }
    // Frappe names the document first, so a role without a name has nothing to be called.
    for body in [json!({}), json!({ "role_name": " " })] {
        assert_refused(&administrator.post(ROLE).json(&body).send().await, 417, "ValidationError", "Role Name is required");
    }
}

async fn a_role_that_somebody_has_cannot_be_deleted(app: TestApp) {
    let administrator = app.administrator().await;
    create(&administrator, ROLE, json!({ "role_name": "Watch" })).await;
    app.user_with_roles("watch@example.com", &["Watch"]).await;
    let refused = administrator.delete(&path(ROLE, "Watch")).send().await;
    let text = "Cannot delete or cancel because Role Watch is linked with User watch@example.com";
    assert_refused(&refused, 417, "LinkExistsError", text);
    administrator.put(&path(USER, "watch@example.com")).json(&json!({ "roles": [] })).send().await.expect_status(200);
    administrator.delete(&path(ROLE, "Watch")).send().await.expect_status(202);
}

async fn a_disabled_role_is_taken_from_everybody_at_once(app: TestApp) {
    let administrator = app.administrator().await;
    create(&administrator, ROLE, json!({ "role_name": "Watch" })).await;
    let watch = app.user_with_roles("watch@example.com", &["Watch"]).await;
    let (key, document) = (watch.api_key().await, path(USER, "watch@example.com"));
    assert_eq!(administrator.get(&document).send().await.data()["user_type"], "System User");
    key.whoami().await.expect_status(200);
    administrator.put(&path(ROLE, "Watch")).json(&json!({ "disabled": 1 })).send().await.expect_status(200);
    let stored = administrator.get(&document).send().await.data();
    assert_eq!((&stored["user_type"], &stored["roles"]), (&json!("Website User"), &json!([])));
    key.whoami().await.expect_status(200);
    // It does not come back by itself.
    administrator.put(&path(ROLE, "Watch")).json(&json!({ "disabled": 0 })).send().await.expect_status(200);
    assert_eq!(administrator.get(&document).send().await.data()["roles"], json!([]));
}

async fn the_standard_roles_stay(app: TestApp) {
    let administrator = app.administrator().await;
    for role in ["System%20Manager", "All", "Guest", "Administrator", "Desk%20User"] {
        administrator.get(&path(ROLE, role)).send().await.expect_status(200);
        let refused = administrator.put(&path(ROLE, role)).json(&json!({ "disabled": 1 })).send().await;
        assert_refused(&refused, 417, "ValidationError", "Standard roles cannot be disabled");
        administrator.delete(&path(ROLE, role)).send().await.expect_status(417);
    }
    let manager = app.user_with_roles("manager@example.com", &["System Manager"]).await.api_key().await;
    manager.get(&path(ROLE, "Administrator")).send().await.expect_status(200);
}
