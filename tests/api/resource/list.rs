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
    groups_are_counted_and_sorted,
    rows_may_be_lists_of_values,
    links_lead_to_fields_that_the_caller_may_read,
    rows_of_child_tables_are_listed_through_their_parents,
    recorded_lists_are_answered_alike,
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
        "rand() as n",
        "sum(*)",
        "count(nosuch) as n",
        "count(name",
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
        (r#"[{"RAND":"name"}]"#, "fields must be names or objects like"),
        (r#"[{"COUNT":["name"]}]"#, "fields must be names or objects like"),
        (r#"["sum(description)"]"#, "sum takes numbers, and Description (description) is none"),
        (r#"["allocated_to.nosuch"]"#, "Field not permitted in query: allocated_to.nosuch"),
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

async fn groups_are_counted_and_sorted(app: TestApp) {
    let caller = amina(&app).await;
    for (description, priority, status) in
        [("a", "High", "Open"), ("b", "Low", "Open"), ("c", "High", "Closed"), ("d", "Medium", "Open"), ("e", "High", "Open")]
    {
        create(&caller, TODO, json!({ "description": description, "priority": priority, "status": status })).await;
    }
    for (parameters, expected) in [
        (
            vec![("fields", r#"["priority","count(name) as n"]"#), ("group_by", "priority")],
            json!([{ "priority": "High", "n": 3 }, { "priority": "Low", "n": 1 }, { "priority": "Medium", "n": 1 }]),
        ),
        (
            vec![("fields", r#"["priority",{"COUNT":"*","as":"n"}]"#), ("group_by", "priority"), ("order_by", "n desc, priority desc")],
            json!([{ "priority": "High", "n": 3 }, { "priority": "Medium", "n": 1 }, { "priority": "Low", "n": 1 }]),
        ),
        (
            vec![
                ("fields", r#"["COUNT(name)","max(description) as last"]"#),
                ("group_by", r#"["`tabToDo`.`status`"]"#),
                ("order_by", "count(*) asc"),
            ],
            json!([{ "COUNT(name)": 1, "last": "c" }, { "COUNT(name)": 4, "last": "e" }]),
        ),
        // A field that is neither grouped nor aggregated is the least of its group.
        (
            vec![("fields", r#"["status","description"]"#), ("group_by", "status"), ("order_by", "description desc")],
            json!([{ "status": "Closed", "description": "c" }, { "status": "Open", "description": "a" }]),
        ),
        (vec![("fields", r#"["count(distinct priority) as n","sum(docstatus) as s","avg(idx) as a","min(date) is_not"]"#)], json!(null)),
        (
            vec![("fields", r#"["count(distinct priority) as n","sum(docstatus) as s","avg(idx) as a","count(sender) as senders"]"#)],
            json!([{ "n": 3, "s": 0.0, "a": 0.0, "senders": 0 }]),
        ),
        (
            vec![("fields", r#"["count(name) as n","sum(idx) as s","max(description) as m"]"#), ("filters", r#"{"status":"Nothing"}"#)],
            json!([{ "n": 0, "s": null, "m": null }]),
        ),
        (
            vec![("fields", r#"["status"]"#), ("distinct", "1"), ("order_by", "status")],
            json!([{ "status": "Closed" }, { "status": "Open" }]),
        ),
    ] {
        let reply = caller.get(TODO).query(&parameters).send().await;
        if expected.is_null() {
            reply.expect_status(417);
        } else {
            assert_eq!(reply.expect_status(200).data(), expected, "{parameters:?}");
        }
    }
    for (name, value, text) in [
        ("group_by", "nosuch", "Field not permitted in query: nosuch"),
        ("group_by", "1", "Field not permitted in query: 1"),
        ("order_by", "count(name)", "Field not permitted in query: count(name)"),
    ] {
        assert_refused(&caller.get(TODO).query(&[(name, value)]).send().await, 417, "DataError", text);
    }
}

async fn rows_may_be_lists_of_values(app: TestApp) {
    let caller = amina(&app).await;
    let name = todo(&caller, "wa\"ter").await;
    for flag in ["0", "false", "False"] {
        let parameters = [("as_dict", flag), ("fields", r#"["name","description","sender","docstatus"]"#)];
        let reply = caller.get(TODO).query(&parameters).send().await.expect_status(200);
        assert_eq!(reply.text(), json!({ "data": [[name, "wa\"ter", null, 0]] }).to_string());
    }
    caller.get(TODO).query(&[("as_dict", "perhaps")]).send().await.expect_status(417);
}

async fn links_lead_to_fields_that_the_caller_may_read(app: TestApp) {
    let administrator = app.administrator().await;
    app.user("amina@example.com").await;
    for (description, to) in [("a", json!("amina@example.com")), ("b", json!(null)), ("c", json!("administrator"))] {
        let to = if to == "administrator" { json!("Administrator") } else { to };
        create(&administrator, TODO, json!({ "description": description, "allocated_to": to })).await;
    }
    let fields = r#"["description","allocated_to.email as mail","allocated_to.enabled"]"#;
    let rows = list(&administrator, TODO, &[("fields", fields), ("order_by", "description")]).await;
    assert_eq!(rows[0], json!({ "description": "a", "mail": "amina@example.com", "enabled": 1 }));
    assert_eq!(rows[1], json!({ "description": "b", "mail": null, "enabled": null }));
    for (filters, expected) in [
        (json!({ "allocated_to.email": "AMINA@example.com" }), json!(["a"])),
        (json!({ "allocated_to.enabled": 0 }), json!(["b"])),
        (json!({ "allocated_to.name": ["!=", "amina@example.com"] }), json!(["c"])),
        (json!({ "allocated_to.name": ["is", "not set"] }), json!(["b"])),
    ] {
        let found = column(&administrator, TODO, "description", &[("filters", &filters.to_string()), ("order_by", "description")]).await;
        assert_eq!(json!(found), expected, "{filters}");
    }
    let expanded =
        list(&administrator, TODO, &[("fields", r#"["allocated_to"]"#), ("expand", r#"["allocated_to"]"#), ("order_by", "description")])
            .await;
    assert_eq!(expanded[0]["allocated_to"]["name"], "amina@example.com");
    assert_eq!(expanded[1], json!({ "allocated_to": null }));
    let grouped = [("fields", r#"["allocated_to.name as who","count(name) as n"]"#), ("group_by", "allocated_to.name")];
    let expected = json!([{ "who": null, "n": 1 }, { "who": "Administrator", "n": 1 }, { "who": "amina@example.com", "n": 1 }]);
    assert_eq!(list(&administrator, TODO, &grouped).await, expected);
    // A caller who may not read the linked doctype learns nothing of it.
    let stranger = app.user("zoe@example.com").await.api_key().await;
    todo(&stranger, "mine").await;
    for parameters in [
        ("fields", r#"["role.disabled"]"#),
        ("filters", r#"{"role.disabled":0}"#),
        ("order_by", "role.disabled"),
        ("group_by", "role.disabled"),
    ] {
        stranger.get(TODO).query(&[parameters]).send().await.expect_status(403);
    }
    list(&stranger, TODO, &[("fields", r#"["role"]"#), ("expand", "role")]).await;
}

async fn rows_of_child_tables_are_listed_through_their_parents(app: TestApp) {
    let administrator = app.administrator().await;
    let amina = app.user_with_roles("amina@example.com", &["System Manager"]).await.api_key().await;
    let rows = "/api/resource/Has%20Role";
    let mine = [
        ("parent", "User"),
        ("filters", r#"{"parent":"amina@example.com"}"#),
        ("fields", r#"["role","parent","parenttype","parentfield"]"#),
    ];
    let expected = json!([{ "role": "System Manager", "parent": "amina@example.com", "parenttype": "User", "parentfield": "roles" }]);
    assert_eq!(list(&administrator, rows, &mine).await, expected);
    assert_eq!(list(&amina, rows, &mine).await, expected);
    // Through a doctype that has no such table, or that the caller may not read, there is no way.
    administrator.get(rows).query(&[("parent", "ToDo")]).send().await.expect_status(403);
    administrator.get(rows).query(&[("parent", "Nope")]).send().await.expect_status(404);
    let zoe = app.user("zoe@example.com").await.api_key().await;
    zoe.get(rows).query(&[("parent", "OAuth Client")]).send().await.expect_status(403);
    // A filter on rows finds their documents, once each.
    for filters in [json!([["Has Role", "role", "=", "System Manager"]]), json!({ "roles.role": ["like", "system%"] })] {
        let found = column(&administrator, super::USER, "name", &[("filters", &filters.to_string()), ("order_by", "name")]).await;
        assert!(found.contains(&json!("amina@example.com")) && !found.contains(&json!("zoe@example.com")), "{found:?}");
    }
    let filters = json!([["Has Role", "role", "is", "not set"], ["name", "like", "%@example.com"]]).to_string();
    assert_eq!(column(&administrator, super::USER, "name", &[("filters", &filters)]).await.last(), Some(&json!("zoe@example.com")));
}

/// Transcripts 246 to 266: what was asked, and the form of what Frappe answered.
async fn recorded_lists_are_answered_alike(app: TestApp) {
    let caller = amina(&app).await;
    for number in 0..37 {
        let priority = match number {
            0..10 => "High",
            10..20 => "Low",
            _ => "Medium",
        };
        create(&caller, TODO, json!({ "description": format!("item {number:02}"), "priority": priority })).await;
        app.advance(std::time::Duration::from_secs(1));
    }
    let recorded = |query: &str| format!("{TODO}{query}");
    let data = async |query: &str| caller.get(&recorded(query)).send().await.expect_status(200).data();
    assert_eq!(data("").await.as_array().map(Vec::len), Some(20));
    assert_eq!(data("?limit_page_length=2&limit_start=1").await.as_array().map(Vec::len), Some(2));
    let newest = data("?fields=%5B%22name%22%2C%22description%22%2C%22status%22%5D&limit=2&order_by=creation+desc").await;
    assert_eq!(keys(&newest[0]), ["name", "description", "status"]);
    assert_eq!((&newest[0]["description"], &newest[1]["description"]), (&json!("item 36"), &json!("item 35")));
    assert_eq!(data("?filters=%7B%22priority%22%3A%22High%22%7D&limit=2").await.as_array().map(Vec::len), Some(2));
    let found = data(
        "?filters=%5B%5B%22ToDo%22%2C%22description%22%2C%22like%22%2C%22%25item+0%25%22%5D%5D&limit=2&fields=%5B%22description%22%5D",
    )
    .await;
    assert_eq!(found, json!([{ "description": "item 09" }, { "description": "item 08" }]));
    let found = data("?or_filters=%5B%5B%22priority%22%2C%22%3D%22%2C%22High%22%5D%2C%5B%22priority%22%2C%22%3D%22%2C%22Low%22%5D%5D&limit=2&fields=%5B%22priority%22%5D").await;
    assert_eq!(found, json!([{ "priority": "Low" }, { "priority": "Low" }]));
    let grouped = "?fields=%5B%22priority%22%2C%22count%28name%29+as+n%22%5D&group_by=priority";
    let text = caller.get(&recorded(grouped)).send().await.expect_status(200).text();
    assert_eq!(text, r#"{"data":[{"priority":"High","n":10},{"priority":"Low","n":10},{"priority":"Medium","n":17}]}"#);
    // Frappe: 500, here: 417, because broken JSON and SQL in a field are no faults of the server.
    for refused in ["?filters=%5B%5Bname", "?fields=%5B%22name%3B+drop+table+x%22%5D"] {
        caller.get(&recorded(refused)).send().await.expect_status(417);
    }
    let reply = caller.get(&recorded("?filters=%7B%22nosuch%22%3A1%7D")).send().await;
    assert_refused(&reply, 417, "DataError", "Field not permitted in query: nosuch");
    assert_eq!(data("?banana=1&limit=1").await.as_array().map(Vec::len), Some(1));
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
