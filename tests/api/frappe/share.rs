//! `frappe.share.*`: one document for one more user.

use serde_json::{Value, json};

use super::{assert_refused, define};
use crate::both_databases;
use crate::support::{Caller, Request, TestApp};

both_databases!(
    a_share_of_what_is_not_there_is_refused_in_frappes_words,
    a_document_is_shared_and_taken_back,
    rights_of_a_share_are_given_and_taken_one_by_one,
    everyone_sees_what_is_shared_with_everyone,
    nobody_shares_without_the_right_to,
    what_is_missing_is_named,
);

const PLANS: &str = "/api/resource/Plan";
const PLAN: &str = "/api/resource/Plan/Trip";

fn call(caller: &Caller, method: &str, arguments: &[(&str, &str)]) -> Request {
    let form: Vec<_> = [("doctype", "Plan"), ("name", "Trip")].into_iter().chain(arguments.iter().copied()).collect();
    caller.post(&format!("/api/method/frappe.share.{method}")).form(&form)
}

/// Amina with a plan of her own, and Boris.
async fn two(app: &TestApp) -> (Caller, Caller) {
    let everybody = json!({ "role": "All", "if_owner": 1, "read": 1, "write": 1, "create": 1, "share": 1 });
    let fields = json!([{ "fieldname": "title", "label": "Title", "fieldtype": "Data" }]);
    define(&app.administrator().await, json!({ "name": "Plan", "autoname": "prompt", "fields": fields }), everybody).await;
    let amina = app.user("amina@example.com").await.api_key().await;
    amina.post(PLANS).json(&json!({ "name": "Trip", "title": "to the lake" })).send().await.expect_status(200);
    (amina, app.user("boris@example.com").await.api_key().await)
}

const BORIS: (&str, &str) = ("user", "boris@example.com");

async fn a_share_of_what_is_not_there_is_refused_in_frappes_words(app: TestApp) {
    // Transcript 396.
    let form = [("doctype", "ToDo"), ("name", "nosuch"), ("user", "bob@example.com"), ("read", "1")];
    let refused = app.administrator().await.post("/api/method/frappe.share.add").form(&form).send().await;
    assert_refused(&refused, 417, "LinkValidationError", "Could not find Document Name: nosuch");
    assert_eq!(refused.string("exception"), "frappe.exceptions.LinkValidationError: Could not find Document Name: nosuch");
}

async fn a_document_is_shared_and_taken_back(app: TestApp) {
    let (amina, boris) = two(&app).await;
    boris.get(PLAN).send().await.expect_status(403);
    let share = call(&amina, "add", &[BORIS, ("read", "1")]).send().await.expect_status(200).message();
    for (key, value) in [
        ("doctype", json!("DocShare")),
        ("user", json!("boris@example.com")),
        ("share_doctype", json!("Plan")),
        ("share_name", json!("Trip")),
        ("read", json!(1)),
        ("write", json!(0)),
        ("share", json!(0)),
        ("everyone", json!(0)),
        ("owner", json!("amina@example.com")),
    ] {
        assert_eq!(share[key], value, "{key} of {share}");
    }
    assert_eq!(boris.get(PLAN).send().await.expect_status(200).data()["title"], "to the lake");
    assert_eq!(boris.get(PLANS).send().await.expect_status(200).data(), json!([{ "name": "Trip" }]));
    boris.put(PLAN).json(&json!({ "title": "his" })).send().await.expect_status(403);
    // Whoever may read it may know who else does.
    for caller in [&amina, &boris] {
        let users = call(caller, "get_users", &[]).send().await.expect_status(200).message();
        assert_eq!((users.as_array().map(Vec::len), &users[0]["user"], &users[0]["name"]), (Some(1), &share["user"], &share["name"]));
    }
    let chen = app.user("chen@example.com").await.api_key().await;
    call(&chen, "get_users", &[]).send().await.expect_status(403);
    assert_eq!(call(&amina, "remove", &[BORIS]).send().await.expect_status(200).text(), "{}");
    boris.get(PLAN).send().await.expect_status(403);
    call(&boris, "get_users", &[]).send().await.expect_status(403);
    assert_eq!(call(&amina, "get_users", &[]).send().await.expect_status(200).message(), json!([]));
}

async fn rights_of_a_share_are_given_and_taken_one_by_one(app: TestApp) {
    let (amina, boris) = two(&app).await;
    let set = async |right: &str, value: &str| {
        let arguments = [BORIS, ("permission_to", right), ("value", value)];
        call(&amina, "set_permission", &arguments).send().await.expect_status(200).json()
    };
    let change = async || boris.put(PLAN).json(&json!({ "title": "his" })).send().await.status;
    // Taking what was never given changes nothing.
    assert_eq!(set("write", "0").await, json!({}));
    let share = set("write", "1").await["message"].clone();
    assert_eq!((&share["read"], &share["write"], change().await), (&json!(1), &json!(1), 200));
    let share = set("write", "0").await["message"].clone();
    assert_eq!((&share["read"], &share["write"], change().await), (&json!(1), &json!(0), 403));
    boris.get(PLAN).send().await.expect_status(200);
    // Who may not read may do nothing else, so nothing is left.
    assert_eq!(set("read", "0").await, json!({}));
    boris.get(PLAN).send().await.expect_status(403);
    // Without a value it is given.
    call(&amina, "set_permission", &[BORIS, ("permission_to", "read")]).send().await.expect_status(200);
    boris.get(PLAN).send().await.expect_status(200);
    let refused = call(&amina, "set_permission", &[BORIS, ("permission_to", "delete")]).send().await;
    assert_refused(&refused, 417, "ValidationError", "delete cannot be shared");
    let refused = call(&amina, "add", &[BORIS, ("submit", "1")]).send().await;
    let text = "Cannot share Trip with submit permission as the doctype Plan is not submittable";
    assert_refused(&refused, 417, "ValidationError", text);
}

async fn everyone_sees_what_is_shared_with_everyone(app: TestApp) {
    let (amina, boris) = two(&app).await;
    let share = call(&amina, "add", &[("everyone", "1")]).send().await.expect_status(200).message();
    assert_eq!((&share["everyone"], &share["user"]), (&json!(1), &Value::Null));
    boris.get(PLAN).send().await.expect_status(200);
    app.anonymous().get(PLAN).send().await.expect_status(403);
    call(&amina, "remove", &[("everyone", "1")]).send().await.expect_status(200);
    boris.get(PLAN).send().await.expect_status(403);
}

async fn nobody_shares_without_the_right_to(app: TestApp) {
    let (amina, boris) = two(&app).await;
    let chen = app.user("chen@example.com").await.api_key().await;
    let with_chen = ("user", "chen@example.com");
    let methods = [("add", &[with_chen][..]), ("remove", &[with_chen]), ("set_permission", &[with_chen, ("permission_to", "read")])];
    call(&amina, "add", &[BORIS, ("write", "1")]).send().await.expect_status(200);
    for (method, arguments) in methods {
        for caller in [&boris, &chen, &app.anonymous()] {
            let refused = call(caller, method, arguments).send().await;
            assert_eq!((refused.status, refused.error().as_deref()), (403, Some("PermissionError")), "{method}");
        }
    }
    chen.get(PLAN).send().await.expect_status(403);
    // With the right to share, he hands on what he has.
    call(&amina, "add", &[BORIS, ("share", "1")]).send().await.expect_status(200);
    let refused = call(&boris, "add", &[with_chen, ("write", "1")]).send().await;
    assert_refused(&refused, 403, "PermissionError", "You cannot share the right to write without having it");
    call(&boris, "add", &[with_chen]).send().await.expect_status(200);
    chen.get(PLAN).send().await.expect_status(200);
    // A scope reaches as far as it says.
    let reader = app.existing_user("amina@example.com", crate::support::PASSWORD).bearer(&app, "read:plan").await;
    call(&reader, "get_users", &[]).send().await.expect_status(200);
    let refused = call(&reader, "remove", &[with_chen]).send().await.expect_status(403);
    assert!(refused.header("www-authenticate").is_some_and(|challenge| challenge.contains("write:plan")));
    // A link in a page shares nothing.
    let query = [("doctype", "Plan"), ("name", "Trip"), BORIS];
    for method in ["add", "remove", "set_permission"] {
        let refused = amina.get(&format!("/api/method/frappe.share.{method}")).query(&query).send().await;
        assert_refused(&refused, 403, "PermissionError", "Not permitted");
    }
}

async fn what_is_missing_is_named(app: TestApp) {
    let (amina, _) = two(&app).await;
    assert_refused(&call(&amina, "add", &[]).send().await, 417, "DataError", "parameter user is required");
    let refused = call(&amina, "add", &[("user", "nobody@example.com")]).send().await;
    assert_refused(&refused, 417, "LinkValidationError", "Could not find User: nobody@example.com");
    let refused = call(&amina, "set_permission", &[BORIS]).send().await;
    assert_refused(&refused, 417, "DataError", "parameter permission_to is required");
    let path = "/api/method/frappe.share.add";
    amina.post(path).form(&[("doctype", "Nope"), ("name", "x"), BORIS]).send().await.expect_status(404);
    amina.post(path).form(&[("doctype", "Role"), ("name", "All"), BORIS]).send().await.expect_status(403);
}
