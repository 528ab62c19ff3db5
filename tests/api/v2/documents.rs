//! Documents of version 2: what differs from version 1 is shown, the rest is the same flows.

use serde_json::{Value, json};

use super::{TODO, amina, error, keys, path, todo};
use crate::both_databases;
use crate::support::{TestApp, define};

both_databases!(
    a_document_is_made_read_changed_and_deleted,
    a_sent_name_is_the_documents_name,
    a_name_with_slashes_is_found_encoded_or_plain,
    a_list_says_whether_more_follow,
    a_list_is_turned_page_by_page_with_its_cursor,
    list_parameters_of_the_wrong_type_are_refused,
    a_copy_has_nothing_of_the_original_but_its_contents,
    a_copy_leaves_out_what_is_not_to_be_copied,
    documents_are_counted_within_the_callers_rights,
    a_doctype_is_described_to_whoever_may_read_it,
    verbs_without_a_route_are_405,
    a_guest_is_refused_everywhere,
);

async fn a_document_is_made_read_changed_and_deleted(app: TestApp) {
    let caller = amina(&app).await;
    let created = caller.post(TODO).json(&json!({ "description": "v2" })).send().await.expect_status(200);
    let document = created.data();
    // Frappe 16 leaves nulls where they are.
    assert_eq!(document["color"], Value::Null);
    assert!(keys(&document).contains(&"color"), "{document}");
    assert_eq!((&document["description"], &document["doctype"]), (&json!("v2"), &json!("ToDo")));
    let name = document["name"].as_str().expect("a name");
    let read = caller.get(&path(name)).send().await.expect_status(200);
    assert_eq!(read.text(), created.text());
    for (verb, status) in [("PATCH", "Closed"), ("PUT", "Open")] {
        let request = caller.request(verb.parse().expect("a verb"), &path(name)).json(&json!({ "status": status }));
        let changed = request.send().await.expect_status(200).data();
        assert_eq!((&changed["status"], &changed["description"]), (&json!(status), &json!("v2")), "{verb}");
    }
    let stale = json!({ "status": "Closed", "modified": document["modified"] });
    error(&caller.request(reqwest::Method::PATCH, &path(name)).json(&stale).send().await, 417, "TimestampMismatchError");
    let deleted = caller.delete(&format!("{}/", path(name))).send().await.expect_status(202);
    assert_eq!(deleted.text(), r#"{"data":"ok"}"#);
    error(&caller.get(&path(name)).send().await, 404, "DoesNotExistError");
}

async fn a_sent_name_is_the_documents_name(app: TestApp) {
    let caller = amina(&app).await;
    let body = json!({ "description": "mine", "name": "mine-1" });
    assert_eq!(caller.post(TODO).json(&body).send().await.expect_status(200).data()["name"], "mine-1");
    let taken = error(&caller.post(TODO).json(&body).send().await, 409, "DuplicateEntryError");
    assert_eq!((&taken["message"], &taken["title"]), (&json!("ToDo mine-1 already exists"), &json!("Duplicate Name")));
    error(&caller.post(TODO).json(&json!({ "description": "x", "name": "a<b" })).send().await, 409, "NameError");
    // Version 1 makes a name of its own, as Frappe 15 does.
    let named = caller.post("/api/resource/ToDo").json(&json!({ "description": "x", "name": "mine-2" })).send().await.expect_status(200);
    assert_ne!(named.data()["name"], "mine-2");
    // A user is who the address says, whatever name is sent.
    let user = json!({ "email": "boris@example.com", "first_name": "Boris", "name": "Administrator2" });
    let made = app.administrator().await.post("/api/v2/document/User").json(&user).send().await.expect_status(200).data();
    assert_eq!(made["name"], "boris@example.com");
}

async fn a_name_with_slashes_is_found_encoded_or_plain(app: TestApp) {
    let caller = amina(&app).await;
    for name in ["a/b", "a/copy", "a/method/b", "50% of é"] {
        caller.post(TODO).json(&json!({ "description": name, "name": name })).send().await.expect_status(200);
        let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let encoded = encoded.replace('+', "%20");
        let read = caller.get(&path(&encoded)).send().await.expect_status(200).data();
        assert_eq!((&read["name"], &read["description"]), (&json!(name), &json!(name)));
    }
    assert_eq!(caller.get(&path("a/b")).send().await.expect_status(200).data()["name"], "a/b");
    let missing = error(&caller.get(&path("a/c")).send().await, 404, "DoesNotExistError");
    assert_eq!(missing["message"], "ToDo a/c not found");
    caller.delete(&path("a/b")).send().await.expect_status(202);
}

async fn a_list_says_whether_more_follow(app: TestApp) {
    let caller = amina(&app).await;
    for number in 0..3 {
        todo(&caller, &format!("t{number}")).await;
    }
    let page = async |parameters: &[(&str, &str)]| {
        let body = caller.get(TODO).query(parameters).send().await.expect_status(200).json();
        let more = body["has_next_page"] == true && body.get("next_cursor").is_some();
        assert_eq!(keys(&body), if more { &["data", "has_next_page", "next_cursor"][..] } else { &["data", "has_next_page"] });
        (body["data"].clone(), body["has_next_page"].clone())
    };
    let by_text = [("fields", r#"["description"]"#), ("order_by", "description asc")];
    let with = |more: &[(&'static str, &'static str)]| by_text.iter().chain(more).copied().collect::<Vec<_>>();
    let first = json!([{ "description": "t0" }, { "description": "t1" }]);
    assert_eq!(page(&with(&[("limit", "2")])).await, (first, json!(true)));
    assert_eq!(page(&with(&[("limit", "2"), ("start", "2")])).await, (json!([{ "description": "t2" }]), json!(false)));
    assert_eq!(page(&with(&[("limit", "3")])).await.1, json!(false));
    assert_eq!(page(&with(&[("limit", "0")])).await, (json!([]), json!(true)));
    assert_eq!(page(&with(&[("filters", r#"{"description": "t1"}"#)])).await, (json!([{ "description": "t1" }]), json!(false)));
    // Names alone, 20 of them, when nothing is asked for.
    assert_eq!(keys(&page(&[]).await.0[0]), ["name"]);
    for number in 3..21 {
        todo(&caller, &format!("t{number}")).await;
    }
    let (rows, more) = page(&[]).await;
    assert_eq!((rows.as_array().map(Vec::len), more), (Some(20), json!(true)));
    // The rights of version 1 hold: others see nothing of it.
    let boris = app.user("boris@example.com").await.api_key().await;
    assert_eq!(boris.get(TODO).send().await.expect_status(200).json(), json!({ "data": [], "has_next_page": false }));
}

async fn a_list_is_turned_page_by_page_with_its_cursor(app: TestApp) {
    let caller = amina(&app).await;
    // Texts that are the same leave the order to the names.
    let docs: Vec<Value> = (0..45).map(|number| json!({ "doctype": "ToDo", "description": format!("t{}", number % 7) })).collect();
    caller.post("/api/method/frappe.client.insert_many").json(&json!({ "docs": docs })).send().await.expect_status(200);
    for order in [&[][..], &[("order_by", "description desc")], &[("order_by", "status asc, description asc")]] {
        let ask = async |more: &[(&str, &str)]| {
            let query: Vec<_> =
                [("fields", r#"["name", "description"]"#), ("limit", "10")].into_iter().chain(order.iter().copied()).collect();
            caller.get(TODO).query(&[&query, more].concat()).send().await.expect_status(200).json()
        };
        let (mut by_cursor, mut by_start) = (Vec::new(), Vec::new());
        let mut page = ask(&[]).await;
        loop {
            by_cursor.push(page["data"].clone());
            let Some(cursor) = page["next_cursor"].as_str().map(str::to_owned) else { break };
            assert_eq!(page["has_next_page"], true);
            page = ask(&[("cursor", &cursor)]).await;
        }
        assert_eq!(page["has_next_page"], false);
        for start in ["0", "10", "20", "30", "40"] {
            by_start.push(ask(&[("start", start)]).await["data"].clone());
        }
        assert_eq!(by_cursor, by_start, "{order:?}");
        assert_eq!(by_cursor.iter().map(|rows| rows.as_array().map_or(0, Vec::len)).collect::<Vec<_>>(), [10, 10, 10, 10, 5]);
    }
    for cursor in ["x", "bm8"] {
        error(&caller.get(TODO).query(&[("cursor", cursor)]).send().await, 417, "DataError");
    }
}

async fn list_parameters_of_the_wrong_type_are_refused(app: TestApp) {
    let caller = amina(&app).await;
    for (name, value) in [("start", "x"), ("start", "-1"), ("limit", "many"), ("limit", "1.5")] {
        let refused = error(&caller.get(TODO).query(&[(name, value)]).send().await, 417, "FrappeTypeError");
        assert_eq!(refused["message"], format!("Argument '{name}' should be of type 'int' but got 'str' instead."));
    }
    for (name, value) in [("fields", "[name"), ("filters", "{"), ("filters", "1"), ("as_dict", "maybe")] {
        caller.get(TODO).query(&[(name, value)]).send().await.expect_status(417);
    }
    let refused = error(&caller.get(TODO).query(&[("order_by", "nosuch desc")]).send().await, 417, "DataError");
    assert_eq!(refused["message"], "Field not permitted in query: nosuch");
}

async fn a_copy_has_nothing_of_the_original_but_its_contents(app: TestApp) {
    let caller = amina(&app).await;
    let name = todo(&caller, "to be copied").await;
    let copy = caller.get(&format!("{}/copy", path(&name))).send().await.expect_status(200).data();
    assert_eq!((&copy["description"], &copy["doctype"]), (&json!("to be copied"), &json!("ToDo")));
    for key in ["name", "owner", "creation", "modified", "modified_by", "docstatus"] {
        assert!(copy.get(key).is_none(), "{key} in {copy}");
    }
    // What comes back can be sent as it is.
    let again = caller.post(TODO).json(&copy).send().await.expect_status(200).data();
    assert_eq!(again["description"], "to be copied");
    assert_ne!(again["name"], name.as_str());
    error(&caller.get(&path("nosuch/copy")).send().await, 404, "DoesNotExistError");
    let boris = app.user("boris@example.com").await.api_key().await;
    error(&boris.get(&format!("{}/copy", path(&name))).send().await, 403, "PermissionError");
}

async fn a_copy_leaves_out_what_is_not_to_be_copied(app: TestApp) {
    let administrator = app.administrator().await;
    let fields = json!([
        { "fieldname": "kind", "label": "Kind", "fieldtype": "Data" },
        { "fieldname": "serial", "label": "Serial", "fieldtype": "Data", "no_copy": 1 },
    ]);
    define(&administrator, json!({ "name": "Machine Part", "istable": 1, "fields": fields })).await;
    let fields = json!([
        { "fieldname": "title", "label": "Title", "fieldtype": "Data" },
        { "fieldname": "plate", "label": "Plate", "fieldtype": "Data", "no_copy": 1 },
        { "fieldname": "code", "label": "Code", "fieldtype": "Password" },
        { "fieldname": "parts", "label": "Parts", "fieldtype": "Table", "options": "Machine Part" },
        { "fieldname": "spares", "label": "Spares", "fieldtype": "Table", "options": "Machine Part", "no_copy": 1 },
    ]);
    define(&administrator, json!({ "name": "Machine", "autoname": "hash", "fields": fields })).await;
    let part = json!({ "kind": "wheel", "serial": "7" });
    let machine = json!({ "title": "Mill", "plate": "A 1", "code": "secret", "parts": [part], "spares": [part] });
    let made = administrator.post("/api/v2/document/Machine").json(&machine).send().await.expect_status(200).data();
    let path = format!("/api/v2/document/Machine/{}/copy", made["name"].as_str().expect("a name"));
    let copy = administrator.get(&path).send().await.expect_status(200).data();
    let part = json!({ "idx": 1, "kind": "wheel", "doctype": "Machine Part" });
    assert_eq!(copy, json!({ "title": "Mill", "doctype": "Machine", "parts": [part] }));
}

async fn documents_are_counted_within_the_callers_rights(app: TestApp) {
    let caller = amina(&app).await;
    for text in ["a", "b"] {
        todo(&caller, text).await;
    }
    todo(&app.administrator().await, "c").await;
    let count = "/api/v2/doctype/ToDo/count";
    assert_eq!(caller.get(count).send().await.expect_status(200).text(), r#"{"data":2}"#);
    assert_eq!(app.administrator().await.get(count).send().await.expect_status(200).data(), 3);
    let filters = [("filters", r#"[["description", "=", "a"]]"#)];
    assert_eq!(caller.get(count).query(&filters).send().await.expect_status(200).data(), 1);
    error(&caller.get("/api/v2/doctype/Role/count").send().await, 403, "PermissionError");
    error(&caller.get("/api/v2/doctype/Nope/count").send().await, 404, "DoesNotExistError");
    // Nor does a field that may not be read tell anything by counting.
    let hidden = [("filters", r#"{"api_key": "x"}"#)];
    error(&caller.get("/api/v2/doctype/User/count").query(&hidden).send().await, 417, "DataError");
}

async fn a_doctype_is_described_to_whoever_may_read_it(app: TestApp) {
    let caller = amina(&app).await;
    let meta = caller.get("/api/v2/doctype/ToDo/meta").send().await.expect_status(200).data();
    assert_eq!((&meta["name"], &meta["doctype"]), (&json!("ToDo"), &json!("DocType")));
    let field = |name: &str| meta["fields"].as_array().expect("fields").iter().find(|field| field["fieldname"] == name).cloned();
    assert_eq!(field("status").expect("a field")["fieldtype"], "Select");
    let user = caller.get("/api/v2/doctype/User/meta").send().await.expect_status(200);
    assert!(!user.text().contains("ostiary_"), "{}", user.text());
    // A child table is described to whoever may read one of its parents.
    assert_eq!(caller.get("/api/v2/doctype/Has Role/meta").send().await.expect_status(200).data()["istable"], 1);
    error(&caller.get("/api/v2/doctype/OAuth Client Role/meta").send().await, 403, "PermissionError");
    error(&caller.get("/api/v2/doctype/Role/meta").send().await, 403, "PermissionError");
    error(&caller.get("/api/v2/doctype/Nope/meta").send().await, 404, "DoesNotExistError");
    error(&app.anonymous().get("/api/v2/doctype/ToDo/meta").send().await, 403, "PermissionError");
    for path in ["/api/v2/doctype/ToDo", "/api/v2/doctype/ToDo/nosuch", "/api/v2/doctype", "/api/v2/document/", "/api/v2/nosuch"] {
        error(&caller.get(path).send().await, 404, "DoesNotExistError");
    }
}

async fn verbs_without_a_route_are_405(app: TestApp) {
    let caller = amina(&app).await;
    let name = path(&todo(&caller, "x").await);
    for (verb, path, allow) in [
        ("DELETE", TODO.to_owned(), "GET, HEAD, POST"),
        ("POST", name.clone(), "DELETE, GET, HEAD, PATCH, PUT"),
        ("POST", format!("{name}/copy"), "GET, HEAD"),
        ("POST", "/api/v2/doctype/ToDo/meta".to_owned(), "GET, HEAD"),
        ("POST", "/api/v2/doctype/ToDo/count".to_owned(), "GET, HEAD"),
        ("PUT", format!("{name}/method/submit"), "GET, HEAD, POST"),
    ] {
        let refused = caller.request(verb.parse().expect("a verb"), &path).send().await.expect_status(405);
        assert_eq!((refused.header("allow"), refused.header("content-type")), (Some(allow), Some("text/html; charset=utf-8")), "{path}");
    }
}

async fn a_guest_is_refused_everywhere(app: TestApp) {
    let name = path(&todo(&app.administrator().await, "x").await);
    let guest = app.anonymous();
    for request in [
        guest.get(TODO),
        guest.post(TODO).json(&json!({ "description": "x" })),
        guest.get(&name),
        guest.request(reqwest::Method::PATCH, &name).json(&json!({ "status": "Closed" })),
        guest.delete(&name),
        guest.get(&format!("{name}/copy")),
        guest.post(&format!("{name}/method/submit")),
        guest.post(&format!("{TODO}/bulk_update")).json(&json!({ "docs": [] })),
        guest.post(&format!("{TODO}/bulk_delete")).json(&json!({ "names": ["x"] })),
        guest.get("/api/v2/doctype/ToDo/count"),
        guest.get("/api/v2/method/frappe.client.get_list?doctype=ToDo"),
    ] {
        error(&request.send().await, 403, "PermissionError");
    }
    assert_eq!(app.administrator().await.get(&name).send().await.data()["status"], "Open");
}
