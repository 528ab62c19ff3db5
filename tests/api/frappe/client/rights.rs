//! `frappe.client.has_permission` and `get_doc_permissions`: they answer as the doors do.

use serde_json::{Value, json};

use super::super::assert_refused;
use super::{amina, get, post, todo};
use crate::both_databases;
use crate::support::{Caller, TestApp};

both_databases!(
    a_right_is_told_as_it_holds,
    all_rights_are_told_at_once,
    nothing_is_told_about_documents_of_a_closed_doctype,
    a_scope_narrows_what_is_told,
);

/// Whether the caller has a right, as the server says.
async fn may(caller: &Caller, doctype: &str, name: &str, right: &str) -> Value {
    let query = [("doctype", doctype), ("docname", name), ("perm_type", right)];
    let told = get(caller, "has_permission", &query).send().await.expect_status(200).message();
    told["has_permission"].clone()
}

async fn a_right_is_told_as_it_holds(app: TestApp) {
    let caller = amina(&app).await;
    let boris = app.user("boris@example.com").await.api_key().await;
    let name = todo(&caller, "mine").await;
    let path = format!("/api/resource/ToDo/{name}");
    // Transcripts have none; the contract's shape, and `read` unless another right is named.
    let query = [("doctype", "ToDo"), ("docname", name.as_str())];
    assert_eq!(get(&caller, "has_permission", &query).send().await.text(), r#"{"message":{"has_permission":true}}"#);
    assert_eq!(
        post(&boris, "has_permission", &json!({ "doctype": "ToDo", "docname": name })).send().await.text(),
        r#"{"message":{"has_permission":false}}"#
    );
    for right in ["read", "write", "Delete"] {
        assert_eq!(may(&caller, "ToDo", &name, right).await, true, "{right}");
        assert_eq!(may(&boris, "ToDo", &name, right).await, false, "{right}");
        assert_eq!(may(&app.administrator().await, "ToDo", &name, right).await, true, "{right}");
    }
    assert_eq!(may(&caller, "ToDo", &name, "submit").await, false, "a ToDo is not submitted");
    caller.get(&path).send().await.expect_status(200);
    boris.get(&path).send().await.expect_status(403);
    // Without a name: whether any document could be.
    assert_eq!(may(&boris, "ToDo", "", "create").await, true);
    assert_eq!(may(&boris, "Role", "", "read").await, false);
    let refused = get(&caller, "has_permission", &[("doctype", "ToDo"), ("docname", "nosuch")]).send().await;
    assert_refused(&refused, 404, "DoesNotExistError", "ToDo nosuch not found");
    let refused = get(&caller, "has_permission", &[("doctype", "ToDo"), ("docname", &name), ("perm_type", "fly")]).send().await;
    assert_refused(&refused, 417, "ValidationError", "There is no permission fly");
    get(&caller, "has_permission", &[("docname", "x")]).send().await.expect_status(417);
    get(&caller, "has_permission", &[("doctype", "Nope"), ("docname", "x")]).send().await.expect_status(404);
}

async fn all_rights_are_told_at_once(app: TestApp) {
    let caller = amina(&app).await;
    let boris = app.user("boris@example.com").await.api_key().await;
    let name = todo(&caller, "mine").await;
    let told = async |caller: &Caller| {
        let query = [("doctype", "ToDo"), ("docname", name.as_str())];
        get(caller, "get_doc_permissions", &query).send().await.expect_status(200).message()["permissions"].clone()
    };
    let rights = |on: &[&str]| {
        let all = [
            "select", "read", "write", "create", "delete", "submit", "cancel", "amend", "print", "email", "report", "import", "export",
            "share",
        ];
        Value::Object(all.iter().map(|right| ((*right).to_owned(), json!(i32::from(on.contains(right))))).collect())
    };
    assert_eq!(told(&caller).await, rights(&["select", "read", "write", "create", "delete"]));
    // Who may make one of their own may make one.
    assert_eq!(told(&boris).await, rights(&["create"]));
    get(&caller, "get_doc_permissions", &[("doctype", "ToDo"), ("docname", "nosuch")]).send().await.expect_status(404);
}

async fn nothing_is_told_about_documents_of_a_closed_doctype(app: TestApp) {
    let caller = amina(&app).await;
    for name in ["System Manager", "nosuch"] {
        assert_eq!(may(&caller, "Role", name, "read").await, false, "{name}");
        let told = get(&caller, "get_doc_permissions", &[("doctype", "Role"), ("docname", name)]).send().await.expect_status(200).message();
        assert!(told["permissions"].as_object().is_some_and(|rights| rights.values().all(|right| right == 0)), "{told}");
    }
}

async fn a_scope_narrows_what_is_told(app: TestApp) {
    let user = app.user("amina@example.com").await;
    let name = todo(&user.api_key().await, "mine").await;
    let reader = user.bearer(&app, "read:todo").await;
    assert_eq!(may(&reader, "ToDo", &name, "read").await, true);
    assert_eq!(may(&reader, "ToDo", &name, "write").await, false);
    let elsewhere = user.bearer(&app, "read:note").await;
    let refused = get(&elsewhere, "has_permission", &[("doctype", "ToDo"), ("docname", &name)]).send().await.expect_status(403);
    assert!(refused.header("www-authenticate").is_some_and(|challenge| challenge.contains("read:todo")));
}
