//! `frappe.client.*` (contract 6.7): every row's success and refusal.

mod rights;
mod states;
mod values;

use serde_json::{Map, Value, json};

use super::{assert_refused, messages};
use crate::both_databases;
use crate::support::{Caller, Reply, Request, TestApp};

both_databases!(
    lists_and_counts_answer_as_the_resource_does,
    a_document_is_got_by_name_or_by_filters,
    values_are_got_by_name_or_by_filters,
    a_value_of_a_closed_doctype_is_refused_with_frappes_text,
    a_link_is_validated_within_the_callers_rights,
    the_time_zone_is_told_to_anyone,
    a_document_is_inserted_as_json_or_as_a_text_of_a_form,
    many_documents_are_inserted_all_or_none,
    a_value_is_set_and_standard_fields_are_not,
    a_document_is_saved_by_name_or_made,
    a_document_is_deleted,
    documents_are_updated_in_bulk_and_what_failed_is_told,
    rows_are_inserted_changed_and_deleted_through_their_parent,
    verbs_are_those_of_the_contract,
    guests_may_call_none_of_it,
    scopes_reach_by_the_doctype_in_the_arguments,
    the_old_clients_form_reaches_every_method,
);

const CLIENT: &str = "/api/method/frappe.client";

fn get(caller: &Caller, method: &str, query: &[(&str, &str)]) -> Request {
    caller.get(&format!("{CLIENT}.{method}")).query(query)
}

fn post(caller: &Caller, method: &str, body: &Value) -> Request {
    caller.post(&format!("{CLIENT}.{method}")).json(body)
}

async fn amina(app: &TestApp) -> Caller {
    app.user("amina@example.com").await.api_key().await
}

/// Makes a `ToDo` of this text and returns its name.
async fn todo(caller: &Caller, description: &str) -> String {
    let doc = json!({ "doc": { "doctype": "ToDo", "description": description } });
    post(caller, "insert", &doc).send().await.expect_status(200).message()["name"].as_str().expect("a name").to_owned()
}

/// The members of an object in their order.
fn keys(object: &Value) -> Vec<&str> {
    object.as_object().map(Map::keys).expect("an object").map(String::as_str).collect()
}

async fn lists_and_counts_answer_as_the_resource_does(app: TestApp) {
    let caller = amina(&app).await;
    for text in ["a", "b", "c"] {
        todo(&caller, text).await;
    }
    todo(&app.administrator().await, "d").await;
    let query = [("doctype", "ToDo"), ("fields", r#"["description"]"#), ("order_by", "description desc"), ("limit_page_length", "2")];
    let rows = json!([{ "description": "c" }, { "description": "b" }]);
    assert_eq!(get(&caller, "get_list", &query).send().await.expect_status(200).json(), json!({ "message": rows }));
    let body = json!({ "doctype": "ToDo", "fields": ["description"], "order_by": "description desc", "limit_page_length": 2 });
    assert_eq!(post(&caller, "get_list", &body).send().await.expect_status(200).message(), rows);
    let filters = json!({ "doctype": "ToDo", "filters": [["ToDo", "description", "in", ["a", "d"]]], "fields": ["description"] });
    assert_eq!(post(&caller, "get_list", &filters).send().await.expect_status(200).message(), json!([{ "description": "a" }]));
    // The contract's transcript 018, in every spelling.
    assert_eq!(caller.post(&format!("{CLIENT}.get_count")).form(&[("doctype", "ToDo")]).send().await.text(), r#"{"message":3}"#);
    let filters = [("doctype", "ToDo"), ("filters", r#"{"description": ["!=", "a"]}"#)];
    assert_eq!(get(&caller, "get_count", &filters).send().await.expect_status(200).message(), 2);
    assert_eq!(get(&app.administrator().await, "get_count", &[("doctype", "ToDo")]).send().await.message(), 4);
    // Frappe counts whatever anyone asks for; here rights hold.
    for method in ["get_list", "get_count"] {
        let refused = get(&caller, method, &[("doctype", "Role")]).send().await;
        let text =
            "User <strong>amina@example.com</strong> does not have doctype access via role permission for document <strong>Role</strong>";
        assert_refused(&refused, 403, "PermissionError", text);
        assert_eq!(refused.string("_error_message"), "No permission for Role");
        let refused = get(&caller, method, &[]).send().await;
        assert_refused(&refused, 417, "DataError", "parameter doctype is required");
        let refused = get(&caller, method, &[("doctype", "User"), ("filters", r#"{"api_secret": "x"}"#)]).send().await;
        assert_refused(&refused, 417, "DataError", "Field not permitted in query: api_secret");
        // Transcript 404: rows are reached through their parents.
        get(&caller, method, &[("doctype", "Has Role")]).send().await.expect_status(403);
    }
}

async fn a_document_is_got_by_name_or_by_filters(app: TestApp) {
    let caller = amina(&app).await;
    let name = todo(&caller, "mine").await;
    let by_name = get(&caller, "get", &[("doctype", "ToDo"), ("name", &name)]).send().await.expect_status(200).message();
    assert_eq!(by_name["description"], "mine");
    // Frappe 15 shows nulls here, unlike under /api/resource.
    assert!(by_name.get("color").is_some_and(Value::is_null), "{by_name}");
    let filters = [("doctype", "ToDo"), ("filters", r#"{"description": "mine"}"#)];
    assert_eq!(get(&caller, "get", &filters).send().await.expect_status(200).message(), by_name);
    let missing = get(&caller, "get", &[("doctype", "ToDo"), ("name", "nosuch")]).send().await;
    assert_refused(&missing, 404, "DoesNotExistError", "ToDo nosuch not found");
    let missing = get(&caller, "get", &[("doctype", "ToDo"), ("filters", r#"{"description": "nosuch"}"#)]).send().await;
    assert_refused(&missing, 404, "DoesNotExistError", r#"ToDo {"description":"nosuch"} not found"#);
    let foreign = todo(&app.administrator().await, "the administrator's").await;
    get(&caller, "get", &[("doctype", "ToDo"), ("name", &foreign)]).send().await.expect_status(403);
    let filters = json!({ "name": foreign }).to_string();
    get(&caller, "get", &[("doctype", "ToDo"), ("filters", &filters)]).send().await.expect_status(404);
}

async fn values_are_got_by_name_or_by_filters(app: TestApp) {
    let administrator = app.administrator().await;
    app.user("bob@example.com").await;
    let query = [("doctype", "User"), ("fieldname", "first_name"), ("filters", "bob@example.com")];
    let reply = get(&administrator, "get_value", &query).send().await.expect_status(200);
    assert_eq!(reply.text(), r#"{"message":{"first_name":"bob"}}"#);
    let ask = async |fieldname: Value, filters: Value| {
        let body = json!({ "doctype": "User", "fieldname": fieldname, "filters": filters });
        post(&administrator, "get_value", &body).send().await.expect_status(200).message()
    };
    let both = json!({ "name": "bob@example.com", "enabled": 1 });
    assert_eq!(ask(json!(["name", "enabled"]), json!({ "first_name": "bob" })).await, both);
    assert_eq!(ask(json!("[\"name\", \"enabled\"]"), json!("{\"first_name\": \"bob\"}")).await, both);
    assert_eq!(ask(json!("name"), json!([["first_name", "like", "bo%"]])).await, json!({ "name": "bob@example.com" }));
    assert_eq!(ask(json!("name"), json!("nosuch")).await, json!({}));
    // The Python client sends names as JSON.
    assert_eq!(ask(json!("first_name"), json!("\"bob@example.com\"")).await, json!({ "first_name": "bob" }));
    assert_eq!(ask(json!("first_name"), json!("\"bob@example.com")).await, json!({}));
    let values = async |fieldname: Value| {
        let body = json!({ "doctype": "User", "fieldname": fieldname, "filters": "bob@example.com", "as_dict": 0 });
        post(&administrator, "get_value", &body).send().await.expect_status(200).json()
    };
    assert_eq!(values(json!("first_name")).await, json!({ "message": "bob" }));
    assert_eq!(values(json!(["first_name", "enabled"])).await, json!({ "message": ["bob", 1] }));
    let nothing = json!({ "doctype": "User", "fieldname": "name", "filters": "nosuch", "as_dict": false });
    assert_eq!(post(&administrator, "get_value", &nothing).send().await.expect_status(200).text(), "{}");
    let refused = get(&administrator, "get_value", &[("doctype", "User"), ("filters", "x")]).send().await;
    assert_refused(&refused, 417, "DataError", "parameter fieldname is required");
    let secret = get(&administrator, "get_value", &[("doctype", "User"), ("fieldname", "api_secret"), ("filters", "bob@example.com")]);
    assert_refused(&secret.send().await, 417, "DataError", "Field not permitted in query: api_secret");
}

async fn a_value_of_a_closed_doctype_is_refused_with_frappes_text(app: TestApp) {
    let caller = amina(&app).await;
    let refused = get(&caller, "get_value", &[("doctype", "Role"), ("fieldname", "name"), ("filters", "All")]).send().await;
    assert_refused(&refused, 403, "PermissionError", "No permission for Role");
    let refused = get(&caller, "get_single_value", &[("doctype", "Role"), ("field", "name")]).send().await;
    assert_refused(&refused, 403, "PermissionError", "No permission for Role");
}

async fn a_link_is_validated_within_the_callers_rights(app: TestApp) {
    let caller = amina(&app).await;
    let name = todo(&caller, "mine").await;
    let link = |doctype: &str, name: &str| json!({ "doctype": doctype, "docname": name });
    let validate = async |body: &Value| post(&caller, "validate_link", body).send().await.expect_status(200).json();
    assert_eq!(validate(&link("ToDo", &name)).await, json!({ "message": { "name": name } }));
    let mut with_fields = link("ToDo", &name);
    with_fields["fields"] = json!("[\"description\", \"status\"]");
    assert_eq!(validate(&with_fields).await, json!({ "message": { "name": name, "description": "mine", "status": "Open" } }));
    assert_eq!(validate(&link("ToDo", "nosuch")).await, json!({ "message": {} }));
    // Whether somebody else's exists is not told either.
    let foreign = todo(&app.administrator().await, "x").await;
    assert_eq!(validate(&link("ToDo", &foreign)).await, json!({ "message": {} }));
    assert_eq!(validate(&link("DocType", "ToDo")).await, json!({ "message": { "name": "ToDo" } }));
    assert_eq!(validate(&link("DocType", "Nope")).await, json!({ "message": {} }));
    let refused = post(&caller, "validate_link", &link("Role", "All")).send().await;
    assert_refused(&refused, 403, "PermissionError", "You do not have Read or Select Permissions for Role");
    let refused = post(&caller, "validate_link", &json!({ "doctype": "ToDo", "docname": 5 })).send().await;
    assert_refused(&refused, 417, "ValidationError", "Document Name must be a string");
}

async fn the_time_zone_is_told_to_anyone(app: TestApp) {
    let reply = get(&app.anonymous(), "get_time_zone", &[]).send().await.expect_status(200);
    assert_eq!(reply.text(), r#"{"message":{"time_zone":"UTC"}}"#);
}

async fn a_document_is_inserted_as_json_or_as_a_text_of_a_form(app: TestApp) {
    let caller = amina(&app).await;
    let text = r#"{"doctype": "ToDo", "description": "ins", "name": "mine"}"#;
    let parsed: Value = serde_json::from_str(text).expect("JSON");
    for request in [
        post(&caller, "insert", &json!({ "doc": parsed })),
        post(&caller, "insert", &json!({ "doc": text })),
        caller.post(&format!("{CLIENT}.insert")).form(&[("doc", text)]),
        caller.put(&format!("{CLIENT}.insert")).form(&[("doc", text)]),
    ] {
        let made = request.send().await.expect_status(200).message();
        assert_eq!((&made["description"], &made["owner"]), (&json!("ins"), &json!("amina@example.com")));
        assert_ne!(made["name"], "mine");
        assert!(made.get("color").is_some_and(Value::is_null), "{made}");
    }
    // Transcript 312.
    let refused = post(&caller, "insert", &json!({ "doc": { "doctype": "ToDo" } })).send().await;
    assert_refused(&refused, 417, "MandatoryError", "Error: Value missing for ToDo: Description");
    for (body, class, text) in [
        (json!({}), "DataError", "parameter doc is required"),
        (json!({ "doc": {} }), "DataError", "parameter doctype is required"),
        (json!({ "doc": [1] }), "FrappeTypeError", "Argument 'doc' should be of type 'dict' but got 'list' instead."),
        (json!({ "doc": "x" }), "FrappeTypeError", "Argument 'doc' should be of type 'dict' but got 'str' instead."),
    ] {
        assert_refused(&post(&caller, "insert", &body).send().await, 417, class, text);
    }
    post(&caller, "insert", &json!({ "doc": { "doctype": "Role", "role_name": "Mine" } })).send().await.expect_status(403);
    post(&caller, "insert", &json!({ "doc": { "doctype": "Nope" } })).send().await.expect_status(404);
}

async fn many_documents_are_inserted_all_or_none(app: TestApp) {
    let caller = amina(&app).await;
    let docs = |texts: &[Option<&str>]| -> Value {
        json!({ "docs": texts.iter().map(|text| json!({ "doctype": "ToDo", "description": text })).collect::<Vec<_>>() })
    };
    let names = post(&caller, "insert_many", &docs(&[Some("a"), Some("b")])).send().await.expect_status(200).message();
    let names = names.as_array().expect("a list");
    assert_eq!(names.len(), 2);
    let first = get(&caller, "get", &[("doctype", "ToDo"), ("name", names[0].as_str().expect("a name"))]).send().await;
    assert_eq!(first.expect_status(200).message()["description"], "a");
    let count = async || get(&caller, "get_count", &[("doctype", "ToDo")]).send().await.message();
    post(&caller, "insert_many", &docs(&[Some("c"), None])).send().await.expect_status(417);
    assert_eq!(count().await, 2);
    let refused = post(&caller, "insert_many", &docs(&[Some("x"); 201])).send().await;
    assert_refused(&refused, 417, "ValidationError", "Only 200 inserts allowed in one request");
    let form = docs(&[Some("d")])["docs"].to_string();
    caller.post(&format!("{CLIENT}.insert_many")).form(&[("docs", &form)]).send().await.expect_status(200);
    assert_eq!(count().await, 3);
    post(&caller, "insert_many", &docs(&[Some("x"); 200])).send().await.expect_status(200);
    assert_eq!(count().await, 203);
}

async fn a_value_is_set_and_standard_fields_are_not(app: TestApp) {
    let caller = amina(&app).await;
    let name = todo(&caller, "ins").await;
    let form = [("doctype", "ToDo"), ("name", name.as_str()), ("fieldname", "status"), ("value", "Closed")];
    let set = caller.post(&format!("{CLIENT}.set_value")).form(&form).send().await.expect_status(200).message();
    assert_eq!((&set["status"], &set["description"]), (&json!("Closed"), &json!("ins")));
    assert!(set.get("color").is_some_and(Value::is_null), "{set}");
    let set = async |fieldname: Value, value: Value| {
        post(&caller, "set_value", &json!({ "doctype": "ToDo", "name": name, "fieldname": fieldname, "value": value })).send().await
    };
    let changed = set(json!({ "status": "Open", "priority": "High" }), Value::Null).await.expect_status(200).message();
    assert_eq!((&changed["status"], &changed["priority"]), (&json!("Open"), &json!("High")));
    let changed = set(json!("{\"priority\": \"Low\"}"), Value::Null).await.expect_status(200).message();
    assert_eq!(changed["priority"], "Low");
    let changed = set(json!("color"), json!("#fff")).await.expect_status(200).message();
    assert_eq!(changed["color"], "#fff");
    for fieldname in [json!("owner"), json!("name"), json!("docstatus"), json!({ "creation": "2020-01-01" }), json!({ "parent": "x" })] {
        assert_refused(&set(fieldname, Value::Null).await, 417, "ValidationError", "Cannot edit standard fields");
    }
    set(json!("status"), json!("Banana")).await.expect_status(417);
    let foreign = todo(&app.administrator().await, "x").await;
    let body = json!({ "doctype": "ToDo", "name": foreign, "fieldname": "status", "value": "Closed" });
    post(&caller, "set_value", &body).send().await.expect_status(403);
}

async fn a_document_is_saved_by_name_or_made(app: TestApp) {
    let caller = amina(&app).await;
    let name = todo(&caller, "first").await;
    let mut doc = get(&caller, "get", &[("doctype", "ToDo"), ("name", &name)]).send().await.message();
    doc["description"] = json!("second");
    let saved = post(&caller, "save", &json!({ "doc": doc })).send().await.expect_status(200).message();
    assert_eq!((&saved["name"], &saved["description"]), (&json!(name), &json!("second")));
    // What was read before that is out of date.
    let stale = post(&caller, "save", &json!({ "doc": doc })).send().await.expect_status(417);
    assert_eq!(stale.error().as_deref(), Some("TimestampMismatchError"));
    let made = post(&caller, "save", &json!({ "doc": { "doctype": "ToDo", "description": "new" } })).send().await;
    assert_ne!(made.expect_status(200).message()["name"], name.as_str());
    let missing = post(&caller, "save", &json!({ "doc": { "doctype": "ToDo", "name": "nosuch", "description": "x" } })).send().await;
    assert_refused(&missing, 404, "DoesNotExistError", "ToDo nosuch not found");
}

async fn a_document_is_deleted(app: TestApp) {
    let caller = amina(&app).await;
    let (first, second) = (todo(&caller, "1").await, todo(&caller, "2").await);
    let body = json!({ "doctype": "ToDo", "name": first });
    assert_eq!(post(&caller, "delete", &body).send().await.expect_status(200).text(), "{}");
    assert_refused(&post(&caller, "delete", &body).send().await, 404, "DoesNotExistError", &format!("ToDo {first} not found"));
    let query = [("doctype", "ToDo"), ("name", second.as_str())];
    assert_eq!(caller.delete(&format!("{CLIENT}.delete")).query(&query).send().await.expect_status(200).text(), "{}");
    let foreign = todo(&app.administrator().await, "x").await;
    post(&caller, "delete", &json!({ "doctype": "ToDo", "name": foreign })).send().await.expect_status(403);
    assert_refused(&post(&caller, "delete", &json!({ "doctype": "ToDo" })).send().await, 417, "DataError", "parameter name is required");
}

async fn documents_are_updated_in_bulk_and_what_failed_is_told(app: TestApp) {
    let caller = amina(&app).await;
    let name = todo(&caller, "x").await;
    let bad = json!({ "doctype": "ToDo", "docname": "nosuch", "status": "Closed" });
    let docs = json!([{ "doctype": "ToDo", "docname": name, "status": "Closed", "flags": { "ignore_permissions": 1 } }, bad]);
    let told = json!({ "failed_docs": [{ "doc": bad, "exc": "frappe.exceptions.DoesNotExistError: ToDo nosuch not found" }] });
    for request in [
        post(&caller, "bulk_update", &json!({ "docs": docs })),
        caller.post(&format!("{CLIENT}.bulk_update")).form(&[("docs", &docs.to_string())]),
    ] {
        assert_eq!(request.send().await.expect_status(200).message(), told);
    }
    let read = get(&caller, "get", &[("doctype", "ToDo"), ("name", &name)]).send().await.message();
    assert_eq!(read["status"], "Closed");
    post(&caller, "bulk_update", &json!({ "docs": vec![bad; 501] })).send().await.expect_status(417);
}

async fn rows_are_inserted_changed_and_deleted_through_their_parent(app: TestApp) {
    let administrator = app.administrator().await;
    let amina = app.user("amina@example.com").await.api_key().await;
    let row = json!({ "doctype": "Has Role", "parenttype": "User", "parent": "amina@example.com", "parentfield": "roles", "role": "System Manager" });
    post(&amina, "insert", &json!({ "doc": row })).send().await;
    get(&amina, "get_count", &[("doctype", "Role")]).send().await.expect_status(403);
    // The parent comes back.
    let parent = post(&administrator, "insert", &json!({ "doc": row })).send().await.expect_status(200).message();
    assert_eq!((&parent["doctype"], &parent["name"]), (&json!("User"), &json!("amina@example.com")));
    assert_eq!(parent["roles"][0]["role"], "System Manager");
    get(&amina, "get_count", &[("doctype", "Role")]).send().await.expect_status(200);
    let name = parent["roles"][0]["name"].as_str().expect("a name").to_owned();
    let read = get(&administrator, "get", &[("doctype", "Has Role"), ("name", &name)]).send().await.expect_status(200).message();
    assert_eq!((&read["role"], &read["parent"]), (&json!("System Manager"), &json!("amina@example.com")));
    let body = json!({ "doctype": "Has Role", "name": name });
    post(&administrator, "delete", &body).send().await.expect_status(200);
    get(&amina, "get_count", &[("doctype", "Role")]).send().await.expect_status(403);
    post(&administrator, "delete", &body).send().await.expect_status(404);
    let lost = json!({ "doc": { "doctype": "Has Role", "role": "System Manager" } });
    let refused = post(&administrator, "insert", &lost).send().await;
    assert_refused(&refused, 417, "ValidationError", "Parenttype, Parent and Parentfield are required to insert a child record");
    let mut elsewhere = row.clone();
    elsewhere["parentfield"] = json!("first_name");
    let refused = post(&administrator, "insert", &json!({ "doc": elsewhere })).send().await;
    assert_refused(&refused, 417, "ValidationError", "User has no table first_name of Has Role");
}

async fn verbs_are_those_of_the_contract(app: TestApp) {
    let caller = amina(&app).await;
    // Transcript 300.
    let refused = get(&caller, "insert", &[("doc", "{}")]).send().await;
    assert_refused(&refused, 403, "PermissionError", "Not permitted");
    for method in ["insert", "insert_many", "set_value", "save", "submit", "cancel", "bulk_update"] {
        for verb in ["GET", "DELETE"] {
            let refused = caller.request(verb.parse().expect("a verb"), &format!("{CLIENT}.{method}")).send().await;
            assert_refused(&refused, 403, "PermissionError", "Not permitted");
        }
        for verb in ["POST", "PUT"] {
            caller.request(verb.parse().expect("a verb"), &format!("{CLIENT}.{method}")).send().await.expect_status(417);
        }
    }
    for verb in ["GET", "PUT"] {
        caller.request(verb.parse().expect("a verb"), &format!("{CLIENT}.delete")).send().await.expect_status(403);
    }
    for method in ["get_list", "get_count", "get", "get_value", "get_single_value", "validate_link"] {
        for verb in ["GET", "POST", "PUT", "DELETE"] {
            caller.request(verb.parse().expect("a verb"), &format!("{CLIENT}.{method}")).send().await.expect_status(417);
        }
    }
}

async fn guests_may_call_none_of_it(app: TestApp) {
    let rows = ostiary::app::methods().filter(|row| row.path.starts_with("frappe.client.") && row.path != "frappe.client.get_time_zone");
    let mut count = 0;
    for row in rows {
        count += 1;
        let body = json!({ "doctype": "ToDo", "name": "x", "doc": { "doctype": "ToDo", "description": "x" }, "docs": [] });
        let refused = app.anonymous().post(&format!("/api/method/{}", row.path)).json(&body).send().await;
        assert_eq!((refused.status, refused.error().as_deref()), (403, Some("PermissionError")), "{}", row.path);
        assert!(messages(&refused)[0].contains("is not whitelisted"), "{}", refused.text());
    }
    assert!(count > 10, "{count}");
}

async fn scopes_reach_by_the_doctype_in_the_arguments(app: TestApp) {
    let user = app.user("amina@example.com").await;
    let name = todo(&user.api_key().await, "x").await;
    let reader = user.bearer(&app, "read:todo").await;
    let named = [("doctype", "ToDo"), ("name", name.as_str())];
    get(&reader, "get_list", &named[..1]).send().await.expect_status(200);
    get(&reader, "get_count", &named[..1]).send().await.expect_status(200);
    get(&reader, "get", &named).send().await.expect_status(200);
    get(&reader, "get_value", &[named[0], ("fieldname", "name"), ("filters", &name)]).send().await.expect_status(200);
    #[track_caller]
    fn assert_too_narrow(reply: &Reply, needed: &str) {
        assert_eq!(reply.status, 403, "{}", reply.text());
        let challenge = reply.header("www-authenticate").expect("a challenge");
        assert!(challenge.contains(&format!(r#"error="insufficient_scope", scope="{needed}""#)), "{challenge}");
    }
    for (request, needed) in [
        (get(&reader, "get_list", &[("doctype", "Note")]), "read:note"),
        (get(&reader, "get", &[("doctype", "User"), ("name", "amina@example.com")]), "read:user"),
        (get(&reader, "validate_link", &[("doctype", "Note"), ("docname", "x")]), "read:note"),
        (post(&reader, "set_value", &json!({ "doctype": "ToDo", "name": name, "fieldname": "status", "value": "Closed" })), "write:todo"),
        (post(&reader, "insert", &json!({ "doc": { "doctype": "ToDo", "description": "y" } })), "write:todo"),
        (post(&reader, "insert_many", &json!({ "docs": [{ "doctype": "ToDo", "description": "y" }] })), "write:todo"),
        (post(&reader, "save", &json!({ "doc": { "doctype": "ToDo", "name": name } })), "write:todo"),
        (post(&reader, "delete", &json!({ "doctype": "ToDo", "name": name })), "write:todo"),
    ] {
        assert_too_narrow(&request.send().await, needed);
    }
    let writer = user.bearer(&app, "write:todo").await;
    post(&writer, "insert", &json!({ "doc": { "doctype": "ToDo", "description": "y" } })).send().await.expect_status(200);
    assert_too_narrow(&post(&writer, "insert", &json!({ "doc": { "doctype": "Note", "title": "y" } })).send().await, "write:note");
    // A scope of the method alone opens no doctype, and one of identity nothing.
    for scope in ["method:frappe.client.get_list", "openid"] {
        assert_too_narrow(&get(&user.bearer(&app, scope).await, "get_list", &named[..1]).send().await, "read:todo");
    }
}

async fn the_old_clients_form_reaches_every_method(app: TestApp) {
    let caller = amina(&app).await;
    let call = async |form: &[(&str, &str)]| caller.post("/").form(form).send().await;
    let doc = r#"{"doctype": "ToDo", "description": "by cmd"}"#;
    let made = call(&[("cmd", "frappe.client.insert"), ("doc", doc)]).await.expect_status(200).message();
    let name = made["name"].as_str().expect("a name");
    let rows = call(&[("cmd", "frappe.client.get_list"), ("doctype", "ToDo"), ("fields", r#"["description"]"#)]).await;
    assert_eq!(rows.expect_status(200).message(), json!([{ "description": "by cmd" }]));
    let set = [("cmd", "frappe.client.set_value"), ("doctype", "ToDo"), ("name", name), ("fieldname", "status"), ("value", "Closed")];
    assert_eq!(call(&set).await.expect_status(200).message()["status"], "Closed");
    let got = caller.get("/").query(&[("cmd", "frappe.client.get"), ("doctype", "ToDo"), ("name", name)]).send().await;
    assert_eq!(keys(&got.expect_status(200).json()), ["message"]);
    // A link in a page deletes nothing.
    let query = [("cmd", "frappe.client.delete"), ("doctype", "ToDo"), ("name", name)];
    caller.get("/").query(&query).send().await.expect_status(403);
    assert_eq!(call(&query).await.expect_status(200).text(), "{}");
    // Off /api the shape of an error is what the caller accepts, as in Frappe; the old client accepts JSON.
    let unknown = caller.post("/").header("Accept", "application/json").form(&[("cmd", "frappe.client.nosuch")]);
    let refused = unknown.send().await.expect_status(417);
    assert!(messages(&refused)[0].starts_with("Failed to get method for command frappe.client.nosuch"), "{}", refused.text());
    // Paths of methods and resources may end in a slash.
    caller.get(&format!("{CLIENT}.get_list/")).query(&[("doctype", "ToDo")]).send().await.expect_status(200);
    caller.post("/api/resource/ToDo/").form(&[("data", r#"{"description": "slash"}"#)]).send().await.expect_status(200);
}
