//! Methods of documents (contract 6 and 6.6), and `expand_links`.

use serde_json::{Value, json};

use crate::both_databases;
use crate::support::{Caller, TestApp};

both_databases!(
    a_document_is_looked_for_before_its_method,
    what_documents_do_in_python_is_no_api,
    a_method_that_writes_is_not_run_by_get,
    a_method_is_run_on_a_document_that_was_sent,
    linked_documents_take_the_place_of_their_names,
    links_that_may_not_be_read_stay_names,
);

const RUN: &str = "/api/method/run_doc_method";

async fn todo(caller: &Caller, fields: Value) -> String {
    let made = caller.post("/api/resource/ToDo").json(&fields).send().await.expect_status(200).data();
    made["name"].as_str().expect("a name").to_owned()
}

async fn a_document_is_looked_for_before_its_method(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let name = todo(&amina, json!({ "description": "x" })).await;
    let boris = app.user("boris@example.com").await.api_key().await;
    for method in ["submit", "nosuch"] {
        for caller in [&amina, &app.administrator().await] {
            let missing = caller.post("/api/resource/ToDo/nosuch").query(&[("run_method", method)]).send().await;
            assert_eq!((missing.status, missing.error().as_deref()), (404, Some("DoesNotExistError")));
            let missing = caller.post(RUN).form(&[("dt", "ToDo"), ("dn", "nosuch"), ("method", method)]).send().await;
            assert_eq!((missing.status, missing.error().as_deref()), (404, Some("DoesNotExistError")));
        }
        let closed = boris.post(RUN).form(&[("dt", "ToDo"), ("dn", &name), ("method", method)]).send().await;
        assert_eq!((closed.status, closed.error().as_deref()), (403, Some("PermissionError")));
        app.anonymous().post(RUN).form(&[("dt", "ToDo"), ("dn", &name), ("method", method)]).send().await.expect_status(403);
    }
    let unknown = amina.post(RUN).form(&[("dt", "ToDo"), ("dn", &name), ("method", "nosuch")]).send().await.expect_status(417);
    assert!(unknown.text().contains("Method nosuch not found"), "{}", unknown.text());
    let narrow = app.user("cleo@example.com").await.bearer(&app, "write:note").await;
    let refused = narrow.post(RUN).form(&[("dt", "ToDo"), ("dn", &name), ("method", "submit")]).send().await.expect_status(403);
    assert!(refused.header("www-authenticate").is_some_and(|challenge| challenge.contains("read:todo")));
}

async fn what_documents_do_in_python_is_no_api(app: TestApp) {
    let administrator = app.administrator().await;
    let name = todo(&administrator, json!({ "description": "x" })).await;
    for method in ["db_set", "get_password", "delete", "save", "insert", "reload"] {
        for refused in [
            administrator.post(&format!("/api/resource/ToDo/{name}")).query(&[("run_method", method)]).send().await,
            administrator.post(RUN).form(&[("dt", "ToDo"), ("dn", &name), ("method", method)]).send().await,
        ] {
            assert_eq!((refused.status, refused.error().as_deref()), (403, Some("PermissionError")), "{method}");
            assert!(refused.text().contains("is not whitelisted"), "{}", refused.text());
        }
    }
    administrator.get(&format!("/api/resource/ToDo/{name}")).send().await.expect_status(200);
}

async fn a_method_that_writes_is_not_run_by_get(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let name = todo(&amina, json!({ "description": "x" })).await;
    for refused in [
        amina.get(&format!("/api/resource/ToDo/{name}")).query(&[("run_method", "submit")]).send().await,
        amina.get(RUN).query(&[("dt", "ToDo"), ("dn", &name), ("method", "cancel")]).send().await,
    ] {
        assert_eq!((refused.status, refused.string("exception").as_str()), (403, "frappe.exceptions.PermissionError: Not permitted"));
    }
}

async fn a_method_is_run_on_a_document_that_was_sent(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let name = todo(&amina, json!({ "description": "x" })).await;
    let run = async |docs: Value| amina.post(RUN).form(&[("docs", &docs.to_string()), ("method", "submit")]).send().await;
    // Whatever keeps a ToDo from being submitted, it was looked for and is unchanged.
    run(json!({ "doctype": "ToDo", "name": name, "description": "y" })).await.expect_status(403);
    run(json!({ "doctype": "ToDo", "name": "nosuch" })).await.expect_status(404);
    run(json!({ "doctype": "ToDo" })).await.expect_status(417);
    run(json!([])).await.expect_status(417);
    assert_eq!(amina.get(&format!("/api/resource/ToDo/{name}")).send().await.data()["description"], "x");
    let nothing = amina.post(RUN).form(&[("method", "submit")]).send().await.expect_status(417);
    assert!(nothing.text().contains("parameter dt or docs is required"), "{}", nothing.text());
    amina.post(RUN).form(&[("dt", "ToDo")]).send().await.expect_status(417);
}

async fn linked_documents_take_the_place_of_their_names(app: TestApp) {
    let administrator = app.administrator().await;
    let name = todo(&administrator, json!({ "description": "x", "allocated_to": "Administrator", "role": "System Manager" })).await;
    for path in [format!("/api/resource/ToDo/{name}"), format!("/api/v2/document/ToDo/{name}")] {
        for yes in ["true", "1"] {
            let read = administrator.get(&path).query(&[("expand_links", yes)]).send().await.expect_status(200).data();
            assert_eq!((&read["role"]["doctype"], &read["role"]["role_name"]), (&json!("Role"), &json!("System Manager")));
            assert_eq!((&read["allocated_to"]["doctype"], &read["allocated_to"]["name"]), (&json!("User"), &json!("Administrator")));
            assert_eq!((&read["owner"], &read["description"]), (&json!("Administrator"), &json!("x")));
        }
        let read = administrator.get(&path).query(&[("expand_links", "0")]).send().await.expect_status(200).data();
        assert_eq!(read["role"], "System Manager");
        administrator.get(&path).query(&[("expand_links", "perhaps")]).send().await.expect_status(417);
    }
}

async fn links_that_may_not_be_read_stay_names(app: TestApp) {
    let administrator = app.administrator().await;
    let amina = app.user("amina@example.com").await;
    let caller = amina.api_key().await;
    let fields = json!({ "description": "x", "allocated_to": "amina@example.com", "role": "System Manager" });
    let made = caller.post("/api/resource/ToDo").json(&fields).send().await.expect_status(200).data();
    let path = format!("/api/resource/ToDo/{}?expand_links=1", made["name"].as_str().expect("a name"));
    let read = caller.get(&path).send().await.expect_status(200).data();
    assert_eq!(read["role"], "System Manager");
    assert_eq!((&read["allocated_to"]["doctype"], &read["allocated_to"]["name"]), (&json!("User"), &json!("amina@example.com")));
    // Nor what the scope does not reach, and secrets nowhere.
    let reader = amina.bearer(&app, "read:todo").await;
    assert_eq!(reader.get(&path).send().await.expect_status(200).data()["allocated_to"], "amina@example.com");
    let read = administrator.get(&path).send().await.expect_status(200);
    assert!(!read.text().contains("api_secret") && !read.text().contains("new_password"), "{}", read.text());
}
