//! `frappe.desk.*`, `frappe.utils.change_log`: what Frappe's own pages call (contract 6.7).

use serde_json::{Value, json};

use super::define;
use crate::both_databases;
use crate::support::{ADMIN_PASSWORD, Caller, TestApp};

both_databases!(
    links_are_suggested_by_name_and_by_search_fields,
    suggestions_keep_to_filters_and_to_what_is_switched_on,
    suggestions_show_nothing_that_may_not_be_read,
    who_may_only_select_gets_suggestions,
    a_list_page_gets_its_columns_once,
    a_form_is_loaded_with_its_document,
    a_form_is_loaded_with_its_definitions,
    a_form_is_saved,
    versions_are_told_to_who_is_logged_in,
    authenticate_answers_as_login_does,
);

const DESK: &str = "/api/method/frappe.desk";

async fn amina(app: &TestApp) -> Caller {
    app.user("amina@example.com").await.api_key().await
}

async fn todo(caller: &Caller, fields: Value) -> String {
    let made = caller.post("/api/resource/ToDo").json(&fields).send().await.expect_status(200).data();
    made["name"].as_str().expect("a name").to_owned()
}

async fn search(caller: &Caller, query: &[(&str, &str)]) -> Value {
    caller.get(&format!("{DESK}.search.search_link")).query(query).send().await.expect_status(200).message()
}

/// One member of each suggestion.
fn column(found: &Value, key: &str) -> Vec<Value> {
    found.as_array().expect("a list").iter().map(|row| row[key].clone()).collect()
}

async fn links_are_suggested_by_name_and_by_search_fields(app: TestApp) {
    let caller = amina(&app).await;
    let water = todo(&caller, json!({ "description": "water the plants" })).await;
    let dig = todo(&caller, json!({ "description": "dig" })).await;
    let found = search(&caller, &[("doctype", "ToDo"), ("txt", "WATER")]).await;
    assert_eq!(found, json!([{ "value": water, "description": "water the plants" }]));
    let found = search(&caller, &[("doctype", "ToDo"), ("txt", &dig)]).await;
    assert_eq!(column(&found, "value"), [json!(dig)]);
    // Nothing typed: whatever there is, as many as are asked for.
    assert_eq!(column(&search(&caller, &[("doctype", "ToDo"), ("txt", "")]).await, "value").len(), 2);
    assert_eq!(column(&search(&caller, &[("doctype", "ToDo"), ("page_length", "1")]).await, "value").len(), 1);
    assert_eq!(search(&caller, &[("doctype", "ToDo"), ("txt", "nosuch")]).await, json!([]));
    // One field alone.
    let by_name = [("doctype", "ToDo"), ("txt", "water"), ("searchfield", "name")];
    assert_eq!(search(&caller, &by_name).await, json!([]));
    // A document that two fields find is there once.
    let role = app.administrator().await;
    let found = search(&role, &[("doctype", "Role"), ("txt", "system man")]).await;
    assert_eq!(column(&found, "value"), [json!("System Manager")]);
    let refused = caller.get(&format!("{DESK}.search.search_link")).query(&[("txt", "x")]).send().await.expect_status(417);
    assert!(refused.text().contains("parameter doctype is required"));
    let query = [("doctype", "ToDo"), ("query", "frappe.core.doctype.user.user.user_query")];
    caller.get(&format!("{DESK}.search.search_link")).query(&query).send().await.expect_status(417);
}

async fn suggestions_keep_to_filters_and_to_what_is_switched_on(app: TestApp) {
    let caller = amina(&app).await;
    let open = todo(&caller, json!({ "description": "water 1" })).await;
    todo(&caller, json!({ "description": "water 2", "status": "Closed" })).await;
    for filters in [r#"{"status": "Open"}"#, r#"{"status": ["!=", "Closed"]}"#, r#"[["ToDo", "status", "=", "Open"]]"#] {
        let found = search(&caller, &[("doctype", "ToDo"), ("txt", "water"), ("filters", filters)]).await;
        assert_eq!(column(&found, "value"), [json!(open)], "{filters}");
    }
    let administrator = app.administrator().await;
    app.user("boris@example.com").await;
    let found = async || column(&search(&administrator, &[("doctype", "User"), ("txt", "boris")]).await, "value");
    assert_eq!(found().await, [json!("boris@example.com")]);
    administrator.put("/api/resource/User/boris@example.com").json(&json!({ "enabled": 0 })).send().await.expect_status(200);
    assert_eq!(found().await, Vec::<Value>::new());
}

async fn suggestions_show_nothing_that_may_not_be_read(app: TestApp) {
    let caller = amina(&app).await;
    todo(&app.administrator().await, json!({ "description": "a secret plan" })).await;
    assert_eq!(search(&caller, &[("doctype", "ToDo"), ("txt", "secret")]).await, json!([]));
    let path = format!("{DESK}.search.search_link");
    caller.get(&path).query(&[("doctype", "Role"), ("txt", "x")]).send().await.expect_status(403);
    caller.get(&path).query(&[("doctype", "Nope"), ("txt", "x")]).send().await.expect_status(404);
    app.anonymous().get(&path).query(&[("doctype", "ToDo"), ("txt", "x")]).send().await.expect_status(403);
    // A field that may not be read is no way to find out about it.
    for field in ["api_secret", "restrict_ip"] {
        let query = [("doctype", "User"), ("txt", "x"), ("searchfield", field)];
        caller.get(&path).query(&query).send().await.expect_status(417);
    }
    let reader = app.user("boris@example.com").await.bearer(&app, "read:note").await;
    let refused = reader.get(&path).query(&[("doctype", "ToDo"), ("txt", "x")]).send().await.expect_status(403);
    assert!(refused.header("www-authenticate").is_some_and(|challenge| challenge.contains("read:todo")));
}

async fn who_may_only_select_gets_suggestions(app: TestApp) {
    let administrator = app.administrator().await;
    let fields = json!([
        { "fieldname": "title", "label": "Title", "fieldtype": "Data" },
        { "fieldname": "cost", "label": "Cost", "fieldtype": "Int" },
        { "fieldname": "enabled", "label": "Enabled", "fieldtype": "Check", "default": "1" },
    ]);
    let definition = json!({ "name": "Tool", "autoname": "prompt", "title_field": "title", "search_fields": "title", "fields": fields });
    define(&administrator, definition, json!({ "role": "All", "select": 1 })).await;
    for (name, title) in [("T1", "Hammer"), ("T2", "Saw")] {
        let body = json!({ "name": name, "title": title, "cost": 5 });
        administrator.post("/api/resource/Tool").json(&body).send().await.expect_status(200);
    }
    let caller = amina(&app).await;
    let found = search(&caller, &[("doctype", "Tool"), ("txt", "hamm")]).await;
    assert_eq!(found, json!([{ "value": "T1", "description": "Hammer" }]));
    assert_eq!(column(&search(&caller, &[("doctype", "Tool"), ("txt", "")]).await, "value").len(), 2);
    // Nothing else of it is open, nor to be found out by asking.
    caller.get("/api/resource/Tool/T1").send().await.expect_status(403);
    for more in [("searchfield", "cost"), ("filters", r#"{"cost": 5}"#)] {
        let query = [("doctype", "Tool"), ("txt", "5"), more];
        caller.get(&format!("{DESK}.search.search_link")).query(&query).send().await.expect_status(417);
    }
}

async fn a_list_page_gets_its_columns_once(app: TestApp) {
    let caller = amina(&app).await;
    let ask = async |method: &str, more: &[(&str, &str)]| {
        let query: Vec<_> = [("doctype", "ToDo")].into_iter().chain(more.iter().copied()).collect();
        caller.post(&format!("{DESK}.reportview.{method}")).form(&query).send().await.expect_status(200).message()
    };
    assert_eq!(ask("get", &[]).await, json!([]));
    for text in ["a", "b", "c"] {
        todo(&caller, json!({ "description": text })).await;
    }
    todo(&app.administrator().await, json!({ "description": "d" })).await;
    let page = [
        ("fields", r#"["`tabToDo`.`description`", "`tabToDo`.`status`"]"#),
        ("order_by", "`tabToDo`.`description` desc"),
        ("start", "1"),
        ("page_length", "2"),
    ];
    let found = ask("get", &page).await;
    assert_eq!(found["keys"], json!(["description", "status"]));
    assert_eq!(found["values"], json!([["b", "Open"], ["a", "Open"]]));
    let rows = json!([{ "description": "b", "status": "Open" }, { "description": "a", "status": "Open" }]);
    assert_eq!(ask("get_list", &page).await, rows);
    assert_eq!(ask("get_count", &[]).await, 3);
    let any = [
        ("fields", r#"["description"]"#),
        ("filters", r#"[["ToDo", "status", "=", "Open"]]"#),
        ("or_filters", r#"[["ToDo", "description", "=", "a"], ["ToDo", "description", "in", ["c", "d"]]]"#),
        ("order_by", "description asc"),
    ];
    assert_eq!(ask("get", &any).await["values"], json!([["a"], ["c"]]));
    assert_eq!(ask("get_count", &any).await, 2);
    assert_eq!(ask("get_count", &[("filters", r#"[["ToDo", "description", "!=", "a"]]"#)]).await, 2);
    for method in ["get", "get_list", "get_count"] {
        caller.get(&format!("{DESK}.reportview.{method}")).query(&[("doctype", "Role")]).send().await.expect_status(403);
    }
}

async fn a_form_is_loaded_with_its_document(app: TestApp) {
    let caller = amina(&app).await;
    let name = todo(&caller, json!({ "description": "x" })).await;
    let path = format!("{DESK}.form.load.getdoc");
    let loaded = caller.get(&path).query(&[("doctype", "ToDo"), ("name", &name)]).send().await.expect_status(200).json();
    let read = caller.get(&format!("/api/resource/ToDo/{name}")).send().await.expect_status(200).data();
    assert_eq!(loaded["docs"], json!([read]));
    assert_eq!(loaded["docinfo"]["name"], name.as_str());
    assert!(loaded.get("message").is_none());
    caller.get(&path).query(&[("doctype", "ToDo"), ("name", "nosuch")]).send().await.expect_status(404);
    let foreign = todo(&app.administrator().await, json!({ "description": "x" })).await;
    caller.get(&path).query(&[("doctype", "ToDo"), ("name", &foreign)]).send().await.expect_status(403);
}

async fn a_form_is_loaded_with_its_definitions(app: TestApp) {
    let caller = amina(&app).await;
    let path = format!("{DESK}.form.load.getdoctype");
    let loaded = caller.get(&path).query(&[("doctype", "User")]).send().await.expect_status(200).json();
    let names: Vec<_> = loaded["docs"].as_array().expect("docs").iter().map(|doc| doc["name"].clone()).collect();
    assert_eq!((&names[0], names.contains(&json!("Has Role"))), (&json!("User"), true), "{names:?}");
    caller.get(&path).query(&[("doctype", "Role")]).send().await.expect_status(403);
    caller.get(&path).query(&[("doctype", "Nope")]).send().await.expect_status(404);
}

async fn a_form_is_saved(app: TestApp) {
    let caller = amina(&app).await;
    let path = format!("{DESK}.form.save.savedocs");
    let save = async |doc: &Value, action: &str| caller.post(&path).form(&[("doc", &doc.to_string()), ("action", action)]).send().await;
    let new = json!({ "doctype": "ToDo", "name": "new-todo-1", "__islocal": 1, "__unsaved": 1, "description": "form" });
    let saved = save(&new, "Save").await.expect_status(200).json();
    let mut doc = saved["docs"][0].clone();
    assert_eq!(doc["description"], "form");
    assert_ne!(doc["name"], "new-todo-1");
    doc["status"] = json!("Closed");
    let saved = save(&doc, "Save").await.expect_status(200).json();
    assert_eq!(saved["docs"][0]["status"], "Closed");
    // What was read before that is out of date.
    save(&doc, "Save").await.expect_status(417);
    save(&saved["docs"][0], "Explode").await.expect_status(417);
    // A ToDo is not a doctype that is submitted.
    save(&saved["docs"][0], "Submit").await.expect_status(403);
    caller.get(&path).send().await.expect_status(403);
}

async fn versions_are_told_to_who_is_logged_in(app: TestApp) {
    let path = "/api/method/frappe.utils.change_log.get_versions";
    let told = amina(&app).await.get(path).send().await.expect_status(200).message();
    for app in ["frappe", "ostiary"] {
        for key in ["title", "description", "branch", "version"] {
            assert!(told[app][key].is_string(), "{app}.{key} in {told}");
        }
    }
    assert!(told["frappe"]["version"].as_str().is_some_and(|version| version.starts_with("15.")), "{told}");
    app.anonymous().get(path).send().await.expect_status(403);
}

async fn authenticate_answers_as_login_does(app: TestApp) {
    let credentials = json!({ "usr": "Administrator", "pwd": ADMIN_PASSWORD });
    let browser = app.browser();
    let reply = browser.post("/api/authenticate").json(&credentials).send().await.expect_status(200);
    let login = app.browser().post("/api/method/login").json(&credentials).send().await.expect_status(200);
    assert_eq!(reply.text(), login.text());
    assert_eq!(browser.whoami().await.message(), "Administrator");
    let wrong = json!({ "usr": "Administrator", "pwd": "x" });
    let refused = app.browser().post("/api/authenticate").json(&wrong).send().await.expect_status(401);
    assert_eq!(refused.string("message"), "Invalid login credentials");
    let query = [("usr", "Administrator"), ("pwd", ADMIN_PASSWORD)];
    app.browser().get("/api/authenticate").query(&query).send().await.expect_status(403);
}
