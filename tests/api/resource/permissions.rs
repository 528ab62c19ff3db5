//! Who may do what to which document, and how soon a change of rights holds.

use serde_json::{Value, json};

use super::{ROLE, TODO, USER, assert_forbidden, column, create, list, path, todo};
use crate::both_databases;
use crate::support::{Caller, TestApp};

both_databases!(
    everybody_has_only_their_own_todos,
    somebody_elses_todo_is_refused_with_frappes_text,
    a_system_manager_sees_and_changes_all_todos,
    a_guest_is_refused_everything,
    a_role_given_or_taken_holds_at_once_for_every_credential,
    a_disabled_user_is_refused_at_once_with_every_credential,
    a_role_without_rights_opens_nothing,
);

/// Whose ToDos someone sees, by description.
async fn seen(caller: &Caller) -> Vec<Value> {
    column(caller, TODO, "description", &[("order_by", "description"), ("limit", "0")]).await
}

async fn everybody_has_only_their_own_todos(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let boris = app.user("boris@example.com").await.api_key().await;
    let (hers, his) = (todo(&amina, "hers").await, todo(&boris, "his").await);
    for _ in 0..21 {
        todo(&boris, "more of his").await;
    }
    assert_eq!(seen(&amina).await, ["hers"]);
    assert_eq!(seen(&boris).await.len(), 22);
    // Other people's rows are neither found nor counted by a limit.
    assert_eq!(list(&amina, TODO, &[("limit_start", "1")]).await, json!([]));
    for filters in [
        json!({ "owner": "boris@example.com" }),
        json!({ "name": his }),
        json!([["description", "like", "%his%"]]),
        json!([["owner", "!=", "amina@example.com"]]),
        json!([["owner", "in", ["boris@example.com", "Administrator"]]]),
    ] {
        assert_eq!(list(&amina, TODO, &[("filters", &filters.to_string())]).await, json!([]), "{filters}");
    }
    // Assigning one does not hand it over.
    let assigned = create(&boris, TODO, json!({ "description": "for her", "allocated_to": "amina@example.com" })).await;
    amina.get(&path(TODO, &assigned)).send().await.expect_status(403);
    // One's own can be read, changed and deleted.
    amina.get(&path(TODO, &hers)).send().await.expect_status(200);
    amina.put(&path(TODO, &hers)).json(&json!({ "owner": "boris@example.com" })).send().await.expect_status(200);
    amina.delete(&path(TODO, &hers)).send().await.expect_status(202);
}

async fn somebody_elses_todo_is_refused_with_frappes_text(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let his = todo(&app.user("boris@example.com").await.api_key().await, "his").await;
    let document = path(TODO, &his);
    for request in [
        amina.get(&document),
        amina.put(&document).json(&json!({ "status": "Closed" })),
        amina.put(&document).json(&json!({ "status": "Banana", "modified": "2020-01-01 00:00:00" })),
        amina.delete(&document),
        amina.post(&document).query(&[("run_method", "x")]),
    ] {
        let text = format!(
            "Not allowed via controller permission check<br>User <strong>amina@example.com</strong> does not have access to this document: ToDo - {his}"
        );
        assert_forbidden(&request.send().await, &text);
    }
    let text = "User <strong>amina@example.com</strong> does not have doctype access via role permission for document <strong>Role</strong><br>User <strong>amina@example.com</strong> does not have access to this document";
    let role = path(ROLE, "System%20Manager");
    for request in [amina.get(&role), amina.put(&role).json(&json!({ "disabled": 1 })), amina.delete(&role)] {
        assert_forbidden(&request.send().await, text);
    }
    let refused = amina.post(ROLE).json(&json!({ "role_name": "Mine" })).send().await;
    let text =
        "User <strong>amina@example.com</strong> does not have doctype access via role permission for document <strong>Role</strong>";
    assert_forbidden(&refused, text);
    assert_eq!(refused.string("_error_message"), "No permission for Role");
    assert_eq!(app.administrator().await.get(&document).send().await.data()["status"], "Open");
}

async fn a_system_manager_sees_and_changes_all_todos(app: TestApp) {
    let manager = app.user_with_roles("manager@example.com", &["System Manager"]).await.api_key().await;
    let amina = app.user("amina@example.com").await.api_key().await;
    let hers = todo(&amina, "hers").await;
    todo(&app.administrator().await, "the administrator's").await;
    todo(&manager, "the manager's").await;
    for caller in [&manager, &app.administrator().await] {
        assert_eq!(seen(caller).await, ["hers", "the administrator's", "the manager's"]);
    }
    let changed = manager.put(&path(TODO, &hers)).json(&json!({ "status": "Closed" })).send().await.expect_status(200).data();
    assert_eq!((&changed["owner"], &changed["modified_by"]), (&json!("amina@example.com"), &json!("manager@example.com")));
    // It is still hers.
    assert_eq!(amina.get(&path(TODO, &hers)).send().await.expect_status(200).data()["status"], "Closed");
    manager.delete(&path(TODO, &hers)).send().await.expect_status(202);
}

async fn a_guest_is_refused_everything(app: TestApp) {
    let guest = app.anonymous();
    let name = todo(&app.administrator().await, "x").await;
    let document = path(TODO, &name);
    let access = "User <strong>Guest</strong> does not have doctype access via role permission for document <strong>ToDo</strong>";
    let text = format!(
        "Not allowed via controller permission check<br>{access}<br>User <strong>Guest</strong> does not have access to this document"
    );
    for request in [
        guest.get(&document),
        guest.get(&path(TODO, "nosuch")),
        guest.put(&document).json(&json!({ "status": "Closed" })),
        guest.delete(&document),
        guest.post(&document).query(&[("run_method", "x")]),
    ] {
        let refused = request.send().await;
        assert_forbidden(&refused, &text);
        assert!(refused.header("www-authenticate").is_none());
    }
    for request in [guest.get(TODO), guest.post(TODO).json(&json!({ "description": "x" }))] {
        let refused = request.send().await;
        assert_forbidden(&refused, access);
        assert_eq!(refused.string("_error_message"), "No permission for ToDo");
    }
    guest.get(USER).send().await.expect_status(403);
    guest.post(USER).json(&json!({ "email": "x@example.com", "first_name": "X", "new_password": "x" })).send().await.expect_status(403);
}

async fn a_role_given_or_taken_holds_at_once_for_every_credential(app: TestApp) {
    let administrator = app.administrator().await;
    let amina = app.user("amina@example.com").await;
    let callers = [amina.api_key().await, amina.cookie().await, amina.basic(), amina.bearer(&app, "all").await];
    let give = |roles: Value| administrator.put(&path(USER, "amina@example.com")).json(&json!({ "roles": roles })).send();
    for _ in 0..2 {
        for caller in &callers {
            caller.get(ROLE).send().await.expect_status(403);
        }
        give(json!([{ "role": "System Manager" }])).await.expect_status(200);
        for caller in &callers {
            caller.get(ROLE).send().await.expect_status(200);
        }
        give(json!([])).await.expect_status(200);
    }
    for caller in &callers {
        caller.get(ROLE).send().await.expect_status(403);
        caller.whoami().await.expect_status(200);
    }
}

async fn a_disabled_user_is_refused_at_once_with_every_credential(app: TestApp) {
    let administrator = app.administrator().await;
    let amina = app.user("amina@example.com").await;
    let (key, cookie, basic, bearer) = (amina.api_key().await, amina.cookie().await, amina.basic(), amina.bearer(&app, "all").await);
    for caller in [&key, &cookie, &basic, &bearer] {
        caller.get(TODO).send().await.expect_status(200);
    }
    let sid = cookie.cookie("sid").expect("a session");
    let enable = |enabled: u8| administrator.put(&path(USER, "amina@example.com")).json(&json!({ "enabled": enabled })).send();
    assert_eq!(enable(0).await.expect_status(200).data()["enabled"], 0);
    for caller in [&key, &cookie, &basic, &bearer] {
        let refused = caller.get(TODO).send().await.expect_status(401);
        assert_eq!(refused.error().as_deref(), Some("AuthenticationError"));
        // The answer took the cookie away; a program may go on sending it.
        cookie.set_cookie("sid", &sid);
        caller.post(TODO).json(&json!({ "description": "x" })).send().await.expect_status(401);
    }
    enable(1).await.expect_status(200);
    key.get(TODO).send().await.expect_status(200);
    basic.get(TODO).send().await.expect_status(200);
    // What a login gave does not come back.
    cookie.set_cookie("sid", &sid);
    cookie.get(TODO).send().await.expect_status(401);
    bearer.get(TODO).send().await.expect_status(401);
}

async fn a_role_without_rights_opens_nothing(app: TestApp) {
    create(&app.administrator().await, ROLE, json!({ "role_name": "Night Watch" })).await;
    let watch = app.user_with_roles("watch@example.com", &["Night Watch"]).await.api_key().await;
    todo(&app.administrator().await, "not theirs").await;
    assert_eq!(seen(&watch).await, Vec::<Value>::new());
    watch.get(ROLE).send().await.expect_status(403);
    // The role of the same name in other letters is another one.
    create(&app.administrator().await, ROLE, json!({ "role_name": "system manager" })).await;
    let lookalike = app.user_with_roles("lookalike@example.com", &["system manager"]).await.api_key().await;
    lookalike.get(ROLE).send().await.expect_status(403);
}
