//! Lists: which rows, which fields, in which order (contract 6.1).

use serde_json::{Value, json};

use super::{CLIENT, ROLE, TODO, assert_forbidden, assert_missing, assert_refused, column, create, keys, list, messages, todo};
use crate::both_databases;
use crate::support::{Caller, TestApp};

both_databases!(
    a_list_shows_the_names_of_the_twenty_latest,
    limits_are_read_under_all_their_names,
    limits_that_are_no_numbers_are_refused,
    fields_are_chosen_in_every_spelling,
    fields_that_are_none_are_refused,
    an_order_is_kept_and_is_alike_on_every_database,
    orders_that_are_none_are_refused,
    parameters_that_are_not_there_yet_name_themselves,
    unknown_parameters_are_ignored,
    doctypes_that_cannot_be_listed_say_why,
);

async fn amina(app: &TestApp) -> Caller {
    app.user("amina@example.com").await.api_key().await
}

async fn a_list_shows_the_names_of_the_twenty_latest(app: TestApp) {
    let caller = amina(&app).await;
    assert_eq!(caller.get(TODO).send().await.expect_status(200).text(), r#"{"data":[]}"#);
    let mut names = Vec::new();
    for number in 0..23 {
        names.push(todo(&caller, &format!("item {number:02}")).await);
        app.advance(std::time::Duration::from_secs(1));
    }
    names.reverse();
    let expected: Vec<Value> = names.iter().take(20).map(|name| json!({ "name": name })).collect();
    let reply = caller.get(TODO).send().await.expect_status(200);
    assert_eq!((reply.header("content-type"), reply.json()), (Some("application/json"), json!({ "data": expected })));
    // A change makes a document the latest.
    caller.put(&super::path(TODO, &names[22])).json(&json!({ "status": "Closed" })).send().await.expect_status(200);
    assert_eq!(list(&caller, TODO, &[("limit", "1")]).await, json!([{ "name": names[22] }]));
}

async fn limits_are_read_under_all_their_names(app: TestApp) {
    let caller = amina(&app).await;
    for number in 0..25 {
        todo(&caller, &format!("item {number:02}")).await;
    }
    let all: Vec<Value> = (0..25).map(|number| json!(format!("item {number:02}"))).collect();
    for (parameters, expected) in [
        (&[][..], &all[..20]),
        (&[("limit_page_length", "2"), ("limit_start", "1")], &all[1..3]),
        (&[("limit", "3")], &all[..3]),
        (&[("limit", "3"), ("limit_page_length", "5")], &all[..5]),
        (&[("limit_page_length", "0")], &all[..]),
        (&[("limit", "0"), ("limit_start", "22")], &all[22..]),
        (&[("limit_start", "5")], &all[5..25]),
        (&[("limit_start", "25")], &[]),
        (&[("limit_start", "9223372036854775807"), ("limit", "9223372036854775807")], &[]),
        (&[("limit_page_length", ""), ("limit_start", " 23 ")], &all[23..]),
    ] {
        let mut ordered = vec![("order_by", "description")];
        ordered.extend_from_slice(parameters);
        assert_eq!(column(&caller, TODO, "description", &ordered).await, expected, "{parameters:?}");
    }
    // A JSON body replaces the query, also with numbers.
    let body = json!({ "fields": ["description"], "order_by": "description", "limit_start": 1, "limit_page_length": 1 });
    let rows = caller.get(TODO).query(&[("limit", "9")]).json(&body).send().await.expect_status(200).data();
    assert_eq!(rows, json!([{ "description": "item 01" }]));
}

async fn limits_that_are_no_numbers_are_refused(app: TestApp) {
    let caller = amina(&app).await;
    for name in ["limit_start", "limit_page_length", "limit"] {
        for value in ["-1", "x", "1.5", "1e3", "None", "99999999999999999999", "1; drop table x"] {
            let text = format!("{name} must be a whole number from 0 on, not \"{value}\"");
            assert_refused(&caller.get(TODO).query(&[(name, value)]).send().await, 417, "DataError", &text);
        }
    }
}

async fn fields_are_chosen_in_every_spelling(app: TestApp) {
    let caller = amina(&app).await;
    let name = todo(&caller, "water").await;
    for (fields, row) in [
        (r#"["name","description","status"]"#, json!({ "name": name, "description": "water", "status": "Open" })),
        (r#"["status","description"]"#, json!({ "status": "Open", "description": "water" })),
        ("description,status", json!({ "description": "water", "status": "Open" })),
        ("description", json!({ "description": "water" })),
        (r#"["description as text","docstatus"]"#, json!({ "text": "water", "docstatus": 0 })),
        (r#"["`tabToDo`.`description`","`status`"]"#, json!({ "description": "water", "status": "Open" })),
        (r#"["status","status"]"#, json!({ "status": "Open" })),
        // What is empty is null in a list, never left out.
        (r#"["sender","color"]"#, json!({ "sender": null, "color": null })),
        ("[]", json!({ "name": name })),
        ("", json!({ "name": name })),
    ] {
        let reply = caller.get(TODO).query(&[("fields", fields)]).send().await.expect_status(200);
        assert_eq!(reply.text(), json!({ "data": [row] }).to_string(), "{fields}");
    }
    let everything = list(&caller, TODO, &[("fields", r#"["*"]"#)]).await;
    let columns = "name owner creation modified modified_by docstatus idx status priority color date allocated_to description reference_type \
                   reference_name role assigned_by assigned_by_full_name sender assignment_rule";
    assert_eq!(keys(&everything[0]), columns.split_whitespace().collect::<Vec<_>>());
}

async fn fields_that_are_none_are_refused(app: TestApp) {
    let caller = amina(&app).await;
    todo(&caller, "water").await;
    for field in [
        "nosuch",
        "name; drop table x",
        "(select password_hash from users)",
        "count(name) as n",
        "name as \"x\" from users --",
        "description as a.b",
        "doctype",
        "`tabUser`.`name`x",
        "NAME",
        "",
    ] {
        let reply = caller.get(TODO).query(&[("fields", &json!([field]).to_string())]).send().await;
        let text = format!("Field not permitted in query: {field}");
        assert_refused(&reply, 417, "DataError", &text);
    }
    for (fields, text) in [
        (r#"["name""#, "fields is not JSON"),
        (r#"{"name":1}"#, "fields must be a list of names"),
        ("[7]", "fields must be a list of names, not of 7"),
        (r#"[{"COUNT":"name"}]"#, "an object in fields is not supported yet"),
        (r#"["allocated_to.full_name"]"#, "the field path allocated_to.full_name is not supported yet"),
    ] {
        let refused = caller.get(TODO).query(&[("fields", fields)]).send().await.expect_status(417);
        assert!(messages(&refused)[0].starts_with(text), "{fields}: {}", refused.text());
    }
    assert_eq!(list(&caller, TODO, &[]).await.as_array().map(Vec::len), Some(1));
}

async fn an_order_is_kept_and_is_alike_on_every_database(app: TestApp) {
    let caller = amina(&app).await;
    for (description, priority, sender) in [
        ("b", "High", json!(null)),
        ("B", "Low", json!("x")),
        ("a", "Low", json!("y")),
        ("Z", "High", json!(null)),
        ("ä", "Low", json!("X")),
    ] {
        create(&caller, TODO, json!({ "description": description, "priority": priority, "sender": sender })).await;
        app.advance(std::time::Duration::from_secs(1));
    }
    for (order, expected) in [
        ("description", "B Z a b ä"),
        ("description asc", "B Z a b ä"),
        ("description desc", "ä b a Z B"),
        ("`tabToDo`.`description` DESC", "ä b a Z B"),
        ("creation", "b B a Z ä"),
        ("creation desc", "ä Z a B b"),
        ("priority asc, description desc", "b Z ä a B"),
        ("priority desc,description", "B a ä Z b"),
        ("docstatus, creation", "b B a Z ä"),
        // What is missing sorts as the least.
        ("sender, description", "Z b ä B a"),
        ("sender desc, description desc", "a B ä b Z"),
        ("", "ä Z a B b"),
    ] {
        let found = column(&caller, TODO, "description", &[("order_by", order)]).await;
        let found: Vec<&str> = found.iter().filter_map(Value::as_str).collect();
        assert_eq!(found.join(" "), expected, "{order}");
    }
}

async fn orders_that_are_none_are_refused(app: TestApp) {
    let caller = amina(&app).await;
    for (order, field) in [
        ("nosuch desc", "nosuch"),
        ("name sideways", "name sideways"),
        ("name; drop table x", "name; drop table x"),
        ("(select 1)", "(select 1)"),
        ("1", "1"),
        ("description, rand()", "rand()"),
        ("name desc nulls last", "name desc nulls last"),
        ("description,", ""),
    ] {
        let reply = caller.get(TODO).query(&[("order_by", order)]).send().await;
        assert_refused(&reply, 417, "DataError", &format!("Field not permitted in query: {field}"));
    }
}

async fn parameters_that_are_not_there_yet_name_themselves(app: TestApp) {
    let caller = amina(&app).await;
    for (name, value) in [
        ("or_filters", r#"[["priority","=","High"]]"#),
        ("group_by", "priority"),
        ("parent", "User"),
        ("expand", r#"["role"]"#),
        ("debug", "1"),
    ] {
        let reply = caller.get(TODO).query(&[(name, value)]).send().await;
        assert_refused(&reply, 417, "ValidationError", &format!("the list parameter {name} is not supported yet"));
    }
    for value in ["0", "false", "False"] {
        let reply = caller.get(TODO).query(&[("as_dict", value)]).send().await;
        assert_refused(&reply, 417, "ValidationError", "the list parameter as_dict=0 is not supported yet");
    }
    // Asking for nothing is not asking.
    let nothing = [("or_filters", "[]"), ("group_by", ""), ("debug", "0"), ("expand", "[]"), ("as_dict", "1"), ("filters", "")];
    list(&caller, TODO, &nothing).await;
}

async fn unknown_parameters_are_ignored(app: TestApp) {
    let caller = amina(&app).await;
    let name = todo(&caller, "x").await;
    let parameters = [("banana", "1"), ("pluck", "name"), ("start", "7"), ("_", "1700000000"), ("limit", "1")];
    assert_eq!(list(&caller, TODO, &parameters).await, json!([{ "name": name }]));
    caller.get(&super::path(TODO, &name)).query(&[("banana", "1")]).send().await.expect_status(200);
}

async fn doctypes_that_cannot_be_listed_say_why(app: TestApp) {
    let caller = amina(&app).await;
    assert_missing(&app.anonymous().get("/api/resource/Nope").send().await, "DocType Nope not found");
    for (doctype, collection) in [("OAuth Client", CLIENT), ("Role", ROLE)] {
        let refused = caller.get(collection).send().await;
        let text = format!(
            "User <strong>amina@example.com</strong> does not have doctype access via role permission for document <strong>{doctype}</strong>"
        );
        assert_forbidden(&refused, &text);
        assert_eq!(refused.string("_error_message"), format!("No permission for {doctype}"));
    }
    // Rows of a child table are reached through their parents only, whoever asks.
    for child in ["Has%20Role", "OAuth%20Client%20Role"] {
        let refused =
            app.administrator().await.get(&format!("/api/resource/{child}")).query(&[("limit", "1")]).send().await.expect_status(403);
        assert_eq!(keys(&refused.json()), ["exception", "exc_type", "exc"]);
        assert_eq!(refused.string("exception"), "frappe.exceptions.PermissionError");
    }
}
