//! One document from its creation to its end, on `ToDo`.

use serde_json::json;

use super::{TODO, assert_missing, assert_refused, create, keys, messages, path, todo};
use crate::both_databases;
use crate::support::{Caller, TestApp};

both_databases!(
    a_new_todo_is_answered_with_frappes_keys_in_order_and_without_nulls,
    a_document_comes_as_json_as_a_form_or_in_the_field_data,
    what_the_server_decides_cannot_be_sent,
    values_that_do_not_fit_are_refused_with_frappes_texts,
    a_body_that_is_no_document_is_refused,
    an_update_changes_what_was_sent_and_nothing_else,
    a_stale_modified_is_refused_and_the_current_one_is_not,
    a_name_in_the_body_must_be_the_documents_own,
    a_deleted_todo_is_gone,
    a_missing_document_is_404_whatever_is_done_to_it,
    verbs_without_a_meaning_are_refused,
    a_document_that_another_one_names_cannot_be_deleted,
    doctypes_are_found_in_any_case_and_paths_are_read_literally,
    markup_in_a_refused_value_comes_back_escaped,
);

async fn amina(app: &TestApp) -> Caller {
    app.user("amina@example.com").await.api_key().await
}

async fn a_new_todo_is_answered_with_frappes_keys_in_order_and_without_nulls(app: TestApp) {
    let caller = amina(&app).await;
    let created = caller.post(TODO).json(&json!({ "description": "first" })).send().await.expect_status(200);
    assert_eq!(created.header("content-type"), Some("application/json"));
    let (name, at) = (created.data()["name"].clone(), created.data()["creation"].clone());
    let (name, at) = (name.as_str().expect("a name"), at.as_str().expect("a time"));
    assert!(name.len() == 10 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{name}");
    let shape: String = at.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    assert_eq!(shape, "0000-00-00 00:00:00.000000");
    let expected = format!(
        r#"{{"data":{{"name":"{name}","owner":"amina@example.com","creation":"{at}","modified":"{at}","modified_by":"amina@example.com","docstatus":0,"idx":0,"status":"Open","priority":"Medium","date":"{}","description":"first","doctype":"ToDo"}}}}"#,
        &at[..10]
    );
    assert_eq!(created.text(), expected);
    let read = caller.get(&path(TODO, name)).send().await.expect_status(200);
    assert_eq!(read.text(), expected);
    let head = caller.request(reqwest::Method::HEAD, &path(TODO, name)).send().await.expect_status(200);
    assert!(head.body.is_empty());
}

async fn a_document_comes_as_json_as_a_form_or_in_the_field_data(app: TestApp) {
    let caller = amina(&app).await;
    let document = r#"{"description": "water", "priority": "High"}"#;
    let multipart = format!("--xx\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{document}\r\n--xx--\r\n");
    for (what, request) in [
        ("JSON", caller.post(TODO).header("content-type", "application/json").body(document)),
        ("JSON of a charset", caller.post(TODO).header("content-type", "application/json; charset=utf-8").body(document)),
        ("JSON without a type", caller.post(TODO).body(document)),
        ("data as text", caller.post(TODO).form(&[("data", document)])),
        ("data as JSON", caller.post(TODO).json(&json!({ "data": { "description": "water", "priority": "High" } }))),
        ("data with other fields", caller.post(TODO).form(&[("data", document), ("priority", "Low")])),
        ("a form", caller.post(TODO).form(&[("description", "water"), ("priority", "High")])),
        ("multipart", caller.post(TODO).header("content-type", "multipart/form-data; boundary=xx").body(multipart)),
        ("the query", caller.post(TODO).query(&[("description", "water"), ("priority", "High")])),
    ] {
        let created = request.send().await.expect_status(200).data();
        assert_eq!((&created["description"], &created["priority"]), (&json!("water"), &json!("High")), "{what}");
    }
    let name = todo(&caller, "old").await;
    for (text, request) in [
        ("by data", caller.put(&path(TODO, &name)).form(&[("data", r#"{"description": "by data"}"#)])),
        ("by form", caller.put(&path(TODO, &name)).form(&[("description", "by form")])),
        ("without a type", caller.put(&path(TODO, &name)).body(r#"{"description": "without a type"}"#)),
    ] {
        assert_eq!(request.send().await.expect_status(200).data()["description"], text);
    }
}

async fn what_the_server_decides_cannot_be_sent(app: TestApp) {
    let caller = amina(&app).await;
    let sent = json!({
        "doctype": "User", "name": "myname1", "owner": "Administrator", "modified_by": "Administrator", "idx": 7,
        "creation": "2020-01-01 00:00:00.000000", "description": "x", "nosuchfield": 1,
    });
    let created = caller.post(TODO).json(&sent).send().await.expect_status(200).data();
    assert_ne!(created["name"], "myname1");
    for (field, value) in [("owner", "amina@example.com"), ("modified_by", "amina@example.com"), ("doctype", "ToDo")] {
        assert_eq!(created[field], value, "{field}");
    }
    assert!(
        created["creation"] != "2020-01-01 00:00:00.000000" && created["idx"] == 0 && created.get("nosuchfield").is_none(),
        "{created}"
    );
    let name = created["name"].as_str().expect("a name");
    let sent = json!({ "owner": "Administrator", "creation": "2020-01-01 00:00:00.000000", "doctype": "User", "status": "Closed" });
    let changed = caller.put(&path(TODO, name)).json(&sent).send().await.expect_status(200).data();
    assert_eq!((&changed["owner"], &changed["creation"]), (&created["owner"], &created["creation"]));
    assert_eq!((&changed["doctype"], &changed["status"]), (&json!("ToDo"), &json!("Closed")));
}

async fn values_that_do_not_fit_are_refused_with_frappes_texts(app: TestApp) {
    let caller = amina(&app).await;
    let status = r#" Status cannot be "Banana". It should be one of "Open", "Closed", "Cancelled""#;
    for (field, value, class, text) in [
        ("status", json!("Banana"), "ValidationError", status),
        ("date", json!("notadate"), "ValidationError", r#"Due Date (date) must be a date as YYYY-MM-DD, not "notadate""#),
        ("date", json!("2026-02-30"), "ValidationError", r#"Due Date (date) must be a date as YYYY-MM-DD, not "2026-02-30""#),
        ("priority", json!(["High"]), "ValidationError", "Value for Priority (priority) cannot be a list or an object"),
        ("sender", json!("x".repeat(141)), "CharacterLengthExceededError", "Sender will get truncated, as max characters allowed is 140"),
        ("role", json!("Nobody"), "LinkValidationError", "Could not find Role: Nobody"),
        ("reference_type", json!("Nope"), "LinkValidationError", "Could not find Reference Type: Nope"),
        ("reference_name", json!("x"), "ValidationError", "Reference Type must be set first"),
        ("docstatus", json!(7), "ValidationError", "Invalid docstatus"),
    ] {
        let body = json!({ "description": "x", field: value });
        assert_refused(&caller.post(TODO).json(&body).send().await, 417, class, text);
    }
    let submitted = caller.post(TODO).json(&json!({ "description": "x", "docstatus": 1 })).send().await;
    assert_refused(&submitted, 403, "PermissionError", "Document Type is not submittable");
    let name = todo(&caller, "x").await;
    assert_refused(&caller.put(&path(TODO, &name)).json(&json!({ "status": "Banana" })).send().await, 417, "ValidationError", status);

    // What is missing is named in the exception by field and in the message by label.
    for body in [json!({}), json!({ "description": null }), json!({ "description": "<div><br></div>" })] {
        let refused = caller.post(TODO).json(&body).send().await.expect_status(417);
        let exception = refused.string("exception");
        let name = exception.strip_prefix("frappe.exceptions.MandatoryError: [ToDo, ").and_then(|rest| rest.strip_suffix("]: description"));
        assert!(name.is_some_and(|name| name.len() == 10), "{exception}");
        assert_eq!(refused.string("exc_type"), "MandatoryError");
        assert_eq!(refused.string("exc"), json!([format!("{exception}\n")]).to_string());
        assert_eq!(messages(&refused), ["Error: Value missing for ToDo: Description"]);
    }
    let refused = caller.put(&path(TODO, &name)).json(&json!({ "description": "" })).send().await.expect_status(417);
    assert_eq!(refused.string("exception"), format!("frappe.exceptions.MandatoryError: [ToDo, {name}]: description"));
}

async fn a_body_that_is_no_document_is_refused(app: TestApp) {
    let caller = amina(&app).await;
    let name = todo(&caller, "x").await;
    // Frappe: 500 TypeError, here: 417, because a 500 is always our fault.
    let list = "the document must be a JSON object";
    for target in [caller.post(TODO), caller.put(&path(TODO, &name))] {
        assert_refused(&target.json(&json!([1, 2])).send().await, 417, "DataError", list);
    }
    for data in ["[1]", "7", "nonsense", ""] {
        assert_refused(&caller.post(TODO).form(&[("data", data)]).send().await, 417, "DataError", list);
    }
    let cut_off = caller.post(TODO).header("content-type", "application/json").body(r#"{"description": "#).send().await;
    assert_refused(&cut_off, 417, "DataError", "Invalid request body");
    assert_eq!(caller.get(TODO).send().await.data(), json!([{ "name": name }]));
}

async fn an_update_changes_what_was_sent_and_nothing_else(app: TestApp) {
    let caller = amina(&app).await;
    let before = caller
        .post(TODO)
        .json(&json!({ "description": "x", "date": "2026-05-04", "sender": "a@example.com" }))
        .send()
        .await
        .expect_status(200)
        .data();
    let document = path(TODO, before["name"].as_str().expect("a name"));
    app.advance(std::time::Duration::from_secs(60));
    let changed = caller.put(&document).json(&json!({ "status": "Closed", "sender": null })).send().await.expect_status(200);
    let mut expected = before.clone();
    expected["status"] = json!("Closed");
    expected["modified"] = changed.data()["modified"].clone();
    expected.as_object_mut().expect("an object").remove("sender");
    assert_eq!(changed.data(), expected);
    assert!(changed.data()["modified"].as_str() > before["modified"].as_str());
    assert_eq!(caller.get(&document).send().await.text(), changed.text());
    // What was read may be sent back as it is.
    caller.put(&document).json(&changed.data()).send().await.expect_status(200);
    // A save without a change is a save.
    let saved = caller.put(&document).json(&json!({})).send().await.expect_status(200).data();
    assert!(saved["modified"].as_str() > changed.data()["modified"].as_str());
}

async fn a_stale_modified_is_refused_and_the_current_one_is_not(app: TestApp) {
    let caller = amina(&app).await;
    let document = path(TODO, &todo(&caller, "x").await);
    let stored = caller.get(&document).send().await.data()["modified"].as_str().expect("a time").to_owned();
    let save = |modified: &str| caller.put(&document).json(&json!({ "status": "Closed", "modified": modified })).send();
    let stale = "2020-01-01 00:00:00.000001";
    let text = format!(
        "Error: Document has been modified after you have opened it ({stored}, {stale}). Please refresh to get the latest document."
    );
    assert_refused(&save(stale).await, 417, "TimestampMismatchError", &text);
    assert_eq!(caller.get(&document).send().await.data()["status"], "Open");
    assert_refused(&save("yesterday").await, 417, "DataError", "modified is no time: yesterday");
    save(&stored).await.expect_status(200);
    // It was the current one once.
    assert_eq!(save(&stored).await.expect_status(417).error().as_deref(), Some("TimestampMismatchError"));
    save("").await.expect_status(200);
}

async fn a_name_in_the_body_must_be_the_documents_own(app: TestApp) {
    let caller = amina(&app).await;
    let (name, other) = (todo(&caller, "x").await, todo(&caller, "y").await);
    let document = path(TODO, &name);
    assert_missing(&caller.put(&document).json(&json!({ "name": "other", "status": "Closed" })).send().await, "ToDo other not found");
    // Not even when there is such a document.
    caller.put(&document).json(&json!({ "name": other, "status": "Closed" })).send().await.expect_status(404);
    for untouched in [&name, &other] {
        assert_eq!(caller.get(&path(TODO, untouched)).send().await.data()["status"], "Open");
    }
    caller.put(&document).json(&json!({ "name": name, "status": "Closed" })).send().await.expect_status(200);
}

async fn a_deleted_todo_is_gone(app: TestApp) {
    let caller = amina(&app).await;
    let name = todo(&caller, "x").await;
    let deleted = caller.delete(&path(TODO, &name)).send().await.expect_status(202);
    assert_eq!(deleted.text(), r#"{"data":"ok"}"#);
    let gone = format!("ToDo {name} not found");
    assert_missing(&caller.get(&path(TODO, &name)).send().await, &gone);
    assert_missing(&caller.delete(&path(TODO, &name)).send().await, &gone);
    assert_eq!(caller.get(TODO).send().await.text(), r#"{"data":[]}"#);
}

async fn a_missing_document_is_404_whatever_is_done_to_it(app: TestApp) {
    for caller in [amina(&app).await, app.administrator().await] {
        let missing = path(TODO, "nosuch");
        for request in [
            caller.get(&missing),
            caller.put(&missing).json(&json!({ "status": "Closed" })),
            caller.delete(&missing),
            caller.post(&missing).query(&[("run_method", "x")]),
        ] {
            assert_missing(&request.send().await, "ToDo nosuch not found");
        }
    }
}

async fn verbs_without_a_meaning_are_refused(app: TestApp) {
    let caller = amina(&app).await;
    let document = path(TODO, &todo(&caller, "x").await);
    for request in
        [caller.delete(TODO), caller.put(TODO).json(&json!({ "description": "x" })), caller.request(reqwest::Method::PATCH, TODO)]
    {
        let refused = request.send().await.expect_status(405);
        assert_eq!((refused.header("allow"), refused.header("content-type")), (Some("GET, HEAD, POST"), Some("text/html; charset=utf-8")));
    }
    caller.request(reqwest::Method::PATCH, &document).json(&json!({ "status": "Closed" })).send().await.expect_status(404);
    let refused = caller.post(&document).json(&json!({})).send().await.expect_status(417);
    assert!(messages(&refused)[0].starts_with("parameter run_method is required"), "{}", refused.text());
    for request in [caller.post(&document).form(&[("run_method", "x")]), caller.get(&document).query(&[("run_method", "x")])] {
        assert_refused(&request.send().await, 417, "ValidationError", "Method x not found");
    }
    assert_eq!(caller.get(&document).send().await.expect_status(200).data()["status"], "Open");
}

async fn a_document_that_another_one_names_cannot_be_deleted(app: TestApp) {
    let administrator = app.administrator().await;
    create(&administrator, super::ROLE, json!({ "role_name": "Night Watch" })).await;
    let watch = create(&administrator, TODO, json!({ "description": "watch", "role": "Night Watch" })).await;
    let role = path(super::ROLE, "Night%20Watch");
    let refused = administrator.delete(&role).send().await;
    let text = format!("Cannot delete or cancel because Role Night Watch is linked with ToDo {watch}");
    assert_refused(&refused, 417, "LinkExistsError", &text);
    // What only is about a document goes with it.
    let about = create(&administrator, TODO, json!({ "description": "about", "reference_type": "ToDo", "reference_name": watch })).await;
    administrator.delete(&path(TODO, &watch)).send().await.expect_status(202);
    administrator.get(&path(TODO, &about)).send().await.expect_status(404);
    administrator.delete(&role).send().await.expect_status(202);
}

async fn doctypes_are_found_in_any_case_and_paths_are_read_literally(app: TestApp) {
    let administrator = app.administrator().await;
    let name = todo(&administrator, "x").await;
    for collection in ["todo", "TODO", "ToDo/", "%54oDo"] {
        let rows = administrator.get(&format!("/api/resource/{collection}")).send().await.expect_status(200).data();
        assert_eq!(rows, json!([{ "name": name }]), "{collection}");
    }
    for document in [format!("/api/v1/resource/ToDo/{name}"), format!("/api/resource/todo/{name}/")] {
        assert_eq!(administrator.get(&document).send().await.expect_status(200).data()["doctype"], "ToDo");
    }
    for collection in ["OAuth%20Client", "oauth%20client", "OAUTH%20CLIENT"] {
        administrator.get(&format!("/api/resource/{collection}")).send().await.expect_status(200);
    }
    // A plus sign is a space in a query, not in a path.
    assert_missing(&administrator.get("/api/resource/OAuth+Client?limit=1").send().await, "DocType OAuth+Client not found");
    assert_missing(&administrator.get(&path(TODO, "a/b")).send().await, "ToDo a/b not found");
    assert_missing(&administrator.get(&path(TODO, "a+b%2Fc")).send().await, "ToDo a+b/c not found");
    for request in [
        app.anonymous().get("/api/resource/Nope"),
        administrator.get("/api/resource/Nope"),
        administrator.post("/api/resource/Nope").json(&json!({})),
        administrator.get("/api/resource/Nope/x"),
        administrator.put("/api/resource/Nope/x").json(&json!({})),
        administrator.delete("/api/resource/Nope/x"),
    ] {
        assert_missing(&request.send().await, "DocType Nope not found");
    }
}

async fn markup_in_a_refused_value_comes_back_escaped(app: TestApp) {
    let caller = amina(&app).await;
    let markup = "<img src=x onerror=alert(1)>";
    for request in [
        caller.post(TODO).json(&json!({ "description": "x", "status": markup })),
        caller.post(TODO).json(&json!({ "description": "x", "role": markup })),
        caller.post(TODO).json(&json!({ "description": "x", "date": markup })),
        caller.get(TODO).query(&[("fields", &json!([markup]).to_string())]),
        caller.get(TODO).query(&[("order_by", markup)]),
        caller.get(TODO).query(&[("filters", &json!([["status", markup, 1]]).to_string())]),
        caller.get(&path(TODO, "%3Cimg%20src=x%20onerror=alert(1)%3E")),
    ] {
        let refused = request.send().await;
        assert!((400..500).contains(&refused.status), "{}", refused.text());
        assert!(!refused.text().contains("<img"), "{}", refused.text());
        assert!(refused.text().contains("&lt;img"), "{}", refused.text());
    }
    // What is stored is a text like any other: it comes back as it was sent, in JSON.
    let name = todo(&caller, markup).await;
    let read = caller.get(&path(TODO, &name)).send().await.expect_status(200);
    assert_eq!(keys(&read.json()), ["data"]);
    assert_eq!(read.data()["description"], markup);
}
