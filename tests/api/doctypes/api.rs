//! `/api/resource/DocType`: definitions as documents.

use serde_json::{Value, json};

use super::{DOCTYPE, define, definition, document, path, permissions, read, redefine};
use crate::both_databases;
use crate::support::process::Launch;
use crate::support::{ADMIN_PASSWORD, Backend, Database, TemporaryDirectory, TestApp};

both_databases!(
    a_system_manager_makes_reads_changes_and_deletes_a_doctype,
    shipped_doctypes_are_shown_with_their_fields_and_permissions,
    definitions_are_listed_filtered_and_counted_like_documents,
    nobody_else_sees_or_changes_definitions,
    a_changed_permission_holds_at_once,
    definitions_that_cannot_be_used_are_refused_with_the_reason,
    what_came_with_the_server_is_not_deleted_and_what_it_relies_on_not_changed,
    another_server_on_the_same_database_hears_of_it,
);

fn booking() -> Value {
    let mut definition = definition(
        "Lodge Booking",
        json!([
            {"fieldname": "guest_section", "fieldtype": "Section Break", "label": "Guest"},
            {"fieldname": "guest", "fieldtype": "Data", "label": "Guest", "reqd": 1, "in_list_view": 1, "depends_on": "eval:doc.rooms > 0"},
            {"fieldname": "column_break_1", "fieldtype": "Column Break"},
            {"fieldname": "rooms", "fieldtype": "Int", "label": "Rooms", "default": "1", "non_negative": 1, "made_up_by_an_app": {"a": [1]}},
            {"fieldname": "state", "fieldtype": "Select", "label": "State", "options": "Open\nPaid", "search_index": 1}
        ]),
    );
    definition["autoname"] = "hash".into();
    definition["title_field"] = "guest".into();
    definition["some_hook_of_an_app"] = json!({"kept": true});
    definition
}

async fn a_system_manager_makes_reads_changes_and_deletes_a_doctype(app: TestApp) {
    let manager = app.user_with_roles("manager@example.com", &["System Manager"]).await.cookie().await;
    let made = define(&manager, &booking()).await.expect_status(200).data();
    assert_eq!((&made["name"], &made["doctype"], &made["module"]), (&json!("Lodge Booking"), &json!("DocType"), &json!("Lodge")));
    assert_eq!((&made["title_field"], &made["autoname"], &made["owner"]), (&json!("guest"), &json!("hash"), &json!("manager@example.com")));
    let again = define(&manager, &booking()).await.expect_status(409);
    assert_eq!(again.error().as_deref(), Some("DuplicateEntryError"));

    let shown = read(&manager, "DocType", "Lodge Booking").await;
    let fields = shown["fields"].as_array().expect("rows");
    let names: Vec<_> = fields.iter().map(|field| field["fieldname"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, ["guest_section", "guest", "column_break_1", "rooms", "state"]);
    let guest = &fields[1];
    assert_eq!(
        (&guest["reqd"], &guest["unique"], &guest["idx"], &guest["depends_on"]),
        (&json!(1), &json!(0), &json!(2), &json!("eval:doc.rooms > 0"))
    );
    assert_eq!(
        (&guest["parent"], &guest["parentfield"], &guest["parenttype"], &guest["doctype"]),
        (&json!("Lodge Booking"), &json!("fields"), &json!("DocType"), &json!("DocField"))
    );
    assert_eq!((&fields[3]["default"], &fields[4]["options"]), (&json!("1"), &json!("Open\nPaid")));
    assert_eq!((&shown["permissions"][1]["role"], &shown["permissions"][1]["write"]), (&json!("All"), &json!(0)));

    // Documents of it, at once.
    let booked = manager.post(&path("Lodge Booking", "")).json(&json!({"guest": "Bo"})).send().await.expect_status(200).data();
    assert_eq!((&booked["rooms"], &booked["state"]), (&json!(1), &json!("Open")));

    // What was read can be sent back changed, as clients do.
    let mut changed = shown.clone();
    changed["fields"].as_array_mut().expect("rows").push(json!({"fieldname": "pets", "fieldtype": "Check", "label": "Pets"}));
    changed["title_field"] = Value::Null;
    let changed = redefine(&manager, &changed).await.expect_status(200).data();
    assert_eq!((changed["fields"].as_array().map(Vec::len), &changed["title_field"]), (Some(6), &Value::Null));
    let stale = redefine(&manager, &shown).await.expect_status(417);
    assert_eq!(stale.error().as_deref(), Some("TimestampMismatchError"));
    let name = booked["name"].as_str().expect("a name");
    assert_eq!(read(&manager, "Lodge Booking", name).await["pets"], 0);

    let one = format!("{DOCTYPE}/Lodge%20Booking");
    let kept = manager.delete(&one).send().await.expect_status(417);
    assert!(kept.text().contains("has documents"), "{}", kept.text());
    manager.delete(&path("Lodge Booking", name)).send().await.expect_status(202);
    manager.delete(&one).send().await.expect_status(202);
    manager.get(&one).send().await.expect_status(404);
    manager.get(&path("Lodge Booking", "")).send().await.expect_status(404);
    // Nothing is left of it.
    define(&manager, &definition("Lodge Booking", json!([{"fieldname": "guest", "fieldtype": "Int"}]))).await.expect_status(200);
    document(&manager, "Lodge Booking", "b", json!({"guest": 2})).await.expect_status(200);
}

async fn shipped_doctypes_are_shown_with_their_fields_and_permissions(app: TestApp) {
    let administrator = app.administrator().await;
    let todo = read(&administrator, "DocType", "ToDo").await;
    let status = todo["fields"].as_array().expect("rows").iter().find(|field| field["fieldname"] == "status").expect("a status").clone();
    assert_eq!((&status["fieldtype"], &status["default"]), (&json!("Select"), &json!("Open")));
    assert!(todo["permissions"].as_array().expect("rows").iter().any(|row| row["role"] == "System Manager" && row["delete"] == 1));
    for built_in in ["User", "DocType", "DocField"] {
        let shown = read(&administrator, "DocType", built_in).await;
        assert!(shown["fields"].as_array().is_some_and(|rows| !rows.is_empty()), "{built_in}");
        assert_eq!(shown["istable"], i32::from(built_in == "DocField"), "{built_in}");
    }
}

async fn definitions_are_listed_filtered_and_counted_like_documents(app: TestApp) {
    let administrator = app.administrator().await;
    define(&administrator, &booking()).await.expect_status(200);
    let mut single = definition("Lodge Settings", json!([{"fieldname": "open", "fieldtype": "Check"}]));
    single["issingle"] = 1.into();
    define(&administrator, &single).await.expect_status(200);
    let names = async |filters: &str| {
        let listed = administrator.get(DOCTYPE).query(&[("filters", filters), ("order_by", "name")]).send().await;
        listed.expect_status(200).data()
    };
    assert_eq!(names(r#"{"module": "Lodge"}"#).await, json!([{"name": "Lodge Booking"}, {"name": "Lodge Settings"}]));
    assert_eq!(names(r#"{"module": "Lodge", "issingle": 1}"#).await, json!([{"name": "Lodge Settings"}]));
    assert_eq!(names(r#"{"title_field": "guest", "module": "Lodge"}"#).await, json!([{"name": "Lodge Booking"}]));
    assert_eq!(names(r#"{"is_submittable": 1, "module": "Lodge"}"#).await, json!([]));
}

async fn nobody_else_sees_or_changes_definitions(app: TestApp) {
    let administrator = app.administrator().await;
    define(&administrator, &booking()).await.expect_status(200);
    let one = format!("{DOCTYPE}/Lodge%20Booking");
    let user = app.user("amina@example.com").await.cookie().await;
    let mut other = booking();
    other["name"] = "Lodge Other".into();
    for caller in [app.anonymous(), user] {
        for request in
            [caller.get(DOCTYPE), caller.get(&one), caller.put(&one).json(&json!({"permissions": permissions()})), caller.delete(&one)]
        {
            request.send().await.expect_status(403);
        }
        define(&caller, &other).await.expect_status(403);
    }
    // A definition says who reaches documents, so a scoped token of a manager changes none without the scope for credentials.
    let manager = app.user_with_roles("manager@example.com", &["System Manager"]).await;
    for scope in ["all", "write", "write:doctype read:role"] {
        let scoped = manager.bearer(&app, scope).await;
        scoped.get(&one).send().await.expect_status(200);
        for reply in [
            define(&scoped, &other).await,
            scoped.put(&one).json(&json!({"title_field": "state"})).send().await,
            scoped.delete(&one).send().await,
        ] {
            let challenge = reply.expect_status(403).header("www-authenticate").map(str::to_owned);
            assert!(challenge.is_some_and(|challenge| challenge.contains("admin:credentials")), "{scope}");
        }
    }
    let reader = manager.bearer(&app, "read:doctype").await;
    reader.get(&one).send().await.expect_status(200);
    reader.get("/api/resource/Lodge%20Booking").send().await.expect_status(403);
    let key = manager.api_key().await;
    define(&key, &other).await.expect_status(200);
}

async fn a_changed_permission_holds_at_once(app: TestApp) {
    let administrator = app.administrator().await;
    define(&administrator, &booking()).await.expect_status(200);
    let user = app.user("amina@example.com").await.cookie().await;
    let collection = path("Lodge Booking", "");
    user.get(&collection).send().await.expect_status(200);
    let closed = json!({"name": "Lodge Booking", "permissions": [{"role": "System Manager", "read": 1}]});
    redefine(&administrator, &closed).await.expect_status(200);
    user.get(&collection).send().await.expect_status(403);
    // What was not sent stays.
    let shown = read(&administrator, "DocType", "Lodge Booking").await;
    assert_eq!((shown["fields"].as_array().map(Vec::len), shown["permissions"].as_array().map(Vec::len)), (Some(5), Some(1)));
    // The same with one that came with the server.
    user.get("/api/resource/ToDo").send().await.expect_status(200);
    redefine(&administrator, &json!({"name": "ToDo", "permissions": [{"role": "System Manager", "read": 1}]})).await.expect_status(200);
    user.get("/api/resource/ToDo").send().await.expect_status(403);
}

async fn definitions_that_cannot_be_used_are_refused_with_the_reason(app: TestApp) {
    let administrator = app.administrator().await;
    define(&administrator, &booking()).await.expect_status(200);
    let fields = |fields: Value| definition("Lodge Bad", fields);
    for (bad, reason) in [
        (fields(json!([{"fieldname": "a", "fieldtype": "Banana"}])), "Banana"),
        (fields(json!([{"fieldname": "a b", "fieldtype": "Data"}])), "must be at most"),
        (fields(json!([{"fieldname": "a\"; DROP TABLE users; --", "fieldtype": "Data"}])), "must be at most"),
        (fields(json!([{"fieldname": "a", "fieldtype": "Data"}, {"fieldname": "A", "fieldtype": "Data"}])), "there twice"),
        (fields(json!([{"fieldname": "a", "fieldtype": "Link"}])), "needs options"),
        (fields(json!([{"fieldname": "xmin", "fieldtype": "Int"}])), "databases have a column of that name"),
        (fields(json!([{"fieldname": "CTID", "fieldtype": "Data"}])), "databases have a column of that name"),
        (fields(json!([{"fieldname": "rowid", "fieldtype": "Data"}])), "databases have a column of that name"),
        (fields(json!(5)), "must be a list"),
        (definition("Lodge Bad\"; --", json!([])), "ASCII letters"),
        (definition("lodge booking", json!([])), "upper and lower case"),
        (definition("Lodge-Booking", json!([])), "spelled like Lodge Booking in a scope"),
        (definition("OAuth_Client", json!([])), "spelled like OAuth Client"),
    ] {
        let refused = define(&administrator, &bad).await.expect_status(417);
        assert!(refused.text().contains(reason), "{reason}: {}", refused.text());
    }
    let unknown_role = json!([{"role": "Nobody's", "read": 1}]);
    let mut bad = fields(json!([]));
    bad["permissions"] = unknown_role;
    assert_eq!(define(&administrator, &bad).await.expect_status(417).error().as_deref(), Some("LinkValidationError"));
    administrator.get(&format!("{DOCTYPE}/Lodge%20Bad")).send().await.expect_status(404);
    // Rows of a doctype that is none are refused when they are written, not when they are defined.
    let rows = definition("Lodge Table", json!([{"fieldname": "rows", "fieldtype": "Table", "options": "Lodge Nowhere"}]));
    define(&administrator, &rows).await.expect_status(200);
    document(&administrator, "Lodge Table", "a", json!({"rows": [{"x": 1}]})).await.expect_status(417);
    document(&administrator, "Lodge Table", "a", json!({"rows": []})).await.expect_status(200);
    assert_eq!(read(&administrator, "Lodge Table", "a").await["rows"], json!([]));
}

async fn what_came_with_the_server_is_not_deleted_and_what_it_relies_on_not_changed(app: TestApp) {
    let administrator = app.administrator().await;
    for name in ["ToDo", "User", "DocType"] {
        let kept = administrator.delete(&format!("{DOCTYPE}/{name}")).send().await.expect_status(417);
        assert!(kept.text().contains("cannot be deleted") || kept.error().as_deref() == Some("LinkExistsError"), "{}", kept.text());
    }
    for name in ["User", "DocType", "OAuth Client"] {
        let opened = json!({"name": name, "permissions": [{"role": "All", "read": 1, "write": 1}]});
        let kept = redefine(&administrator, &opened).await.expect_status(417);
        assert!(kept.text().contains("built in"), "{}", kept.text());
    }
    // One that another doctype names is not deleted from under it.
    define(&administrator, &booking()).await.expect_status(200);
    let linked = json!([{"fieldname": "booking", "fieldtype": "Link", "options": "Lodge Booking"}]);
    define(&administrator, &definition("Lodge Bill", linked)).await.expect_status(200);
    let kept = administrator.delete(&format!("{DOCTYPE}/Lodge%20Booking")).send().await.expect_status(417);
    assert_eq!(kept.error().as_deref(), Some("LinkExistsError"));
    administrator.delete(&format!("{DOCTYPE}/Lodge%20Bill")).send().await.expect_status(202);
    administrator.delete(&format!("{DOCTYPE}/Lodge%20Booking")).send().await.expect_status(202);
}

async fn another_server_on_the_same_database_hears_of_it(backend: Backend) {
    // Processes of their own: what one of them did itself it does not hear of.
    let (database, mine, yours) = (Database::new(backend), TemporaryDirectory::new(), TemporaryDirectory::new());
    let app = Launch::new(database.url(), mine.path()).start().await;
    let other = Launch::new(database.url(), yours.path()).start().await;
    let administrator = app.existing_user("Administrator", ADMIN_PASSWORD).cookie().await;
    let elsewhere = other.existing_user("Administrator", ADMIN_PASSWORD).cookie().await;
    let collection = path("Lodge Booking", "");
    let becomes = async |status: u16| {
        let started = std::time::Instant::now();
        while elsewhere.get(&collection).send().await.status != status {
            assert!(started.elapsed() < std::time::Duration::from_secs(2), "still not {status}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    elsewhere.get(&collection).send().await.expect_status(404);
    define(&administrator, &booking()).await.expect_status(200);
    becomes(200).await;
    elsewhere.post(&collection).json(&json!({"guest": "Bo", "pets": 1})).send().await.expect_status(200);
    let mut wider = booking();
    wider["fields"].as_array_mut().expect("rows").push(json!({"fieldname": "pets", "fieldtype": "Check", "default": "1"}));
    redefine(&administrator, &wider).await.expect_status(200);
    let started = std::time::Instant::now();
    loop {
        let made = elsewhere.post(&collection).json(&json!({"guest": "Bo", "pets": 0})).send().await.expect_status(200).data();
        if made["pets"] == 0 {
            break;
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(2), "{made}");
    }
    let rows = administrator
        .get(&collection)
        .query(&[("fields", r#"["name"]"#), ("limit_page_length", "0")])
        .send()
        .await
        .expect_status(200)
        .data();
    for row in rows.as_array().expect("rows") {
        administrator.delete(&path("Lodge Booking", row["name"].as_str().expect("a name"))).send().await.expect_status(202);
    }
    administrator.delete(&format!("{DOCTYPE}/Lodge%20Booking")).send().await.expect_status(202);
    becomes(404).await;
}
