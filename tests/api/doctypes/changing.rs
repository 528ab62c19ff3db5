//! What becomes of documents when their doctype changes.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};
use serde_json::{Value, json};

use super::{define, definition, document, read, redefine};
use crate::both_databases;
use crate::support::{Backend, Caller, Reply, TestApp};

both_databases!(
    new_fields_begin_with_their_defaults_and_removed_ones_keep_what_was_in_them,
    a_field_becomes_unique_only_when_its_values_are,
    types_change_where_no_value_is_lost,
    types_that_would_lose_values_change_only_while_there_are_none,
    what_a_doctype_is_cannot_change_under_its_documents,
    a_fieldname_cannot_change_its_letters_only,
    a_change_does_not_wait_for_a_table_that_others_hold,
    fields_that_keep_coming_and_going_are_refused_before_the_table_is_full,
);

fn text(fieldname: &str) -> Value {
    json!({"fieldname": fieldname, "label": fieldname, "fieldtype": "Data"})
}

fn field(fieldname: &str, fieldtype: &str) -> Value {
    json!({"fieldname": fieldname, "label": fieldname, "fieldtype": fieldtype})
}

#[track_caller]
fn refused(reply: Reply, reason: &str) {
    let reply = reply.expect_status(417);
    assert!(reply.text().contains(reason), "{reason}: {}", reply.text());
}

async fn given(app: &TestApp, fields: Value) -> Caller {
    let administrator = app.administrator().await;
    define(&administrator, &definition("Lodge Guest", fields)).await.expect_status(200);
    administrator
}

async fn change(administrator: &Caller, fields: Value) -> Reply {
    redefine(administrator, &definition("Lodge Guest", fields)).await
}

async fn guest(administrator: &Caller, name: &str) -> Value {
    read(administrator, "Lodge Guest", name).await
}

async fn new_fields_begin_with_their_defaults_and_removed_ones_keep_what_was_in_them(app: TestApp) {
    let administrator = given(&app, json!([text("nickname"), text("town")])).await;
    document(&administrator, "Lodge Guest", "g1", json!({"nickname": "Bo", "town": "Bern"})).await.expect_status(200);
    let fields = json!([
        text("nickname"),
        {"fieldname": "language", "fieldtype": "Data", "default": "en"},
        {"fieldname": "motto", "fieldtype": "Small Text", "default": "it's \\ 'here'"},
        {"fieldname": "nights", "fieldtype": "Int", "default": "3"},
        {"fieldname": "rate", "fieldtype": "Currency", "default": "12.5"},
        {"fieldname": "active", "fieldtype": "Check", "default": "1"},
        {"fieldname": "since", "fieldtype": "Date", "default": "2026-01-31"},
        {"fieldname": "seen", "fieldtype": "Datetime", "default": "Now"},
        {"fieldname": "wakes", "fieldtype": "Time", "default": "07:30"},
        {"fieldname": "host", "fieldtype": "Link", "options": "User", "default": "__user"},
        {"fieldname": "broken", "fieldtype": "Int", "default": "many"}
    ]);
    change(&administrator, fields.clone()).await.expect_status(200);
    let shown = guest(&administrator, "g1").await;
    for (fieldname, value) in [
        ("nickname", json!("Bo")),
        ("language", json!("en")),
        ("motto", json!("it's \\ 'here'")),
        ("nights", json!(3)),
        ("rate", json!(12.5)),
        ("active", json!(1)),
        ("since", json!("2026-01-31")),
        ("wakes", json!("7:30:00")),
        ("broken", json!(0)),
        // These differ from one document to the next, so those that are there already go without.
        ("seen", Value::Null),
        ("host", Value::Null),
        ("town", Value::Null),
    ] {
        assert_eq!(shown[fieldname], value, "{fieldname}");
    }
    // A later default is for later documents.
    let mut other = fields;
    other[1]["default"] = "fr".into();
    other.as_array_mut().expect("a list").push(text("town"));
    change(&administrator, other).await.expect_status(200);
    document(&administrator, "Lodge Guest", "g2", json!({})).await.expect_status(200);
    let (first, second) = (guest(&administrator, "g1").await, guest(&administrator, "g2").await);
    assert_eq!((&first["language"], &first["town"]), (&json!("en"), &json!("Bern")));
    assert_eq!((&second["language"], &second["host"]), (&json!("fr"), &json!("Administrator")));
}

async fn a_field_becomes_unique_only_when_its_values_are(app: TestApp) {
    let unique = json!([text("nickname"), {"fieldname": "card", "fieldtype": "Data", "unique": 1}]);
    let plain = json!([text("nickname"), text("card")]);
    let administrator = given(&app, plain.clone()).await;
    for (name, card) in [("a", "1"), ("b", "1"), ("c", "2"), ("d", ""), ("e", "")] {
        document(&administrator, "Lodge Guest", name, json!({"card": card})).await.expect_status(200);
    }
    refused(change(&administrator, unique.clone()).await, "card cannot be unique: these documents share values of it: a, b");
    let one = "/api/resource/Lodge%20Guest/b";
    administrator.put(one).json(&json!({"card": "3"})).send().await.expect_status(200);
    change(&administrator, unique).await.expect_status(200);
    let taken = document(&administrator, "Lodge Guest", "f", json!({"card": "3"})).await.expect_status(417);
    assert_eq!(taken.error().as_deref(), Some("UniqueValidationError"));
    document(&administrator, "Lodge Guest", "g", json!({"card": ""})).await.expect_status(200);
    change(&administrator, plain).await.expect_status(200);
    document(&administrator, "Lodge Guest", "f", json!({"card": "3"})).await.expect_status(200);
    // A number is never missing, so those that are there would all be 0.
    let counted = json!([text("nickname"), {"fieldname": "number", "fieldtype": "Int", "unique": 1}]);
    refused(change(&administrator, counted).await, "every document would get the same value");
}

async fn types_change_where_no_value_is_lost(app: TestApp) {
    let administrator = given(
        &app,
        json!([
            text("remark"),
            field("rooms", "Check"),
            {"fieldname": "nights", "fieldtype": "Int", "search_index": 1},
            field("kind", "Data"),
            field("beds", "Int"),
            field("length_of_stay", "Duration")
        ]),
    )
    .await;
    let first = json!({"remark": "short", "rooms": 1, "nights": 4, "kind": "day", "beds": 2});
    document(&administrator, "Lodge Guest", "a", first).await.expect_status(200);
    let wider = json!([
        field("remark", "Text Editor"),
        field("rooms", "Int"),
        {"fieldname": "nights", "fieldtype": "Float", "search_index": 1},
        {"fieldname": "kind", "fieldtype": "Select", "options": "\nday\nnight"},
        {"fieldname": "beds", "fieldtype": "Data", "unique": 1},
        field("length_of_stay", "Float")
    ]);
    change(&administrator, wider.clone()).await.expect_status(200);
    change(&administrator, wider).await.expect_status(200);
    let long = "x".repeat(500);
    let second = json!({"remark": long, "rooms": 7, "nights": 1.5, "kind": "night", "beds": "3"});
    document(&administrator, "Lodge Guest", "b", second).await.expect_status(200);
    let (a, b) = (guest(&administrator, "a").await, guest(&administrator, "b").await);
    assert_eq!(
        [&a["remark"], &a["rooms"], &a["nights"], &a["kind"], &a["beds"], &a["length_of_stay"]],
        [&json!("short"), &json!(1), &json!(4.0), &json!("day"), &json!("2"), &json!(0.0)]
    );
    assert_eq!([&b["rooms"], &b["nights"], &b["beds"]], [&json!(7), &json!(1.5), &json!("3")]);
    let found = administrator
        .get("/api/resource/Lodge%20Guest")
        .query(&[("filters", r#"[["nights", ">", "1.25"], ["length_of_stay", "=", 0]]"#), ("order_by", "nights desc")])
        .send()
        .await;
    assert_eq!(found.expect_status(200).data(), json!([{"name": "a"}, {"name": "b"}]));
}

async fn types_that_would_lose_values_change_only_while_there_are_none(app: TestApp) {
    let before =
        json!([text("remark"), field("nights", "Float"), field("day", "Date"), field("notes", "Small Text"), field("pin", "Data")]);
    let administrator = given(&app, before.clone()).await;
    let with = |at: usize, fieldtype: &str| {
        let mut fields = before.clone();
        fields[at]["fieldtype"] = fieldtype.into();
        fields
    };
    document(&administrator, "Lodge Guest", "a", json!({"remark": "x", "nights": 1.5, "day": "2026-03-01", "notes": "no JSON"}))
        .await
        .expect_status(200);
    for (at, fieldtype, reason) in [
        (0, "Int", "field remark was Data and cannot become Int: its values would be lost (in a)"),
        (1, "Int", "field nights was Float and cannot become Int"),
        (2, "Datetime", "field day was Date and cannot become Datetime"),
        (3, "JSON", "field notes was Small Text and cannot become JSON"),
        (4, "Password", "field pin cannot change to or from Password"),
    ] {
        refused(change(&administrator, with(at, fieldtype)).await, reason);
    }
    assert_eq!(guest(&administrator, "a").await["nights"], 1.5);
    let one = "/api/resource/Lodge%20Guest/a";
    administrator.put(one).json(&json!({"remark": "", "notes": "", "nights": 0, "day": null})).send().await.expect_status(200);
    for (at, fieldtype, shown) in [(0, "Int", json!(0)), (1, "Int", json!(0)), (2, "Datetime", Value::Null), (4, "Date", Value::Null)] {
        change(&administrator, with(at, fieldtype)).await.expect_status(200);
        assert_eq!(guest(&administrator, "a").await[before[at]["fieldname"].as_str().expect("a name")], shown, "{fieldtype}");
    }
    administrator.delete(one).send().await.expect_status(202);
    change(&administrator, with(4, "Password")).await.expect_status(200);
}

async fn what_a_doctype_is_cannot_change_under_its_documents(app: TestApp) {
    let administrator = given(&app, json!([text("nickname")])).await;
    document(&administrator, "Lodge Guest", "a", json!({})).await.expect_status(200);
    let with = |key: &str, value: Value| {
        let mut changed = definition("Lodge Guest", json!([text("nickname")]));
        changed[key] = value;
        changed
    };
    for (key, value, reason) in [
        ("autoname", json!("autoincrement"), "naming cannot change to or from autoincrement"),
        ("istable", json!(1), "istable cannot change"),
        ("issingle", json!(1), "issingle cannot change"),
    ] {
        refused(redefine(&administrator, &with(key, value)).await, reason);
    }
    // Other rules of naming are for later documents.
    redefine(&administrator, &with("autoname", json!("field:nickname"))).await.expect_status(200);
    assert_eq!(guest(&administrator, "a").await["name"], "a");
    administrator.delete("/api/resource/Lodge%20Guest/a").send().await.expect_status(202);
    redefine(&administrator, &with("istable", json!(1))).await.expect_status(200);
    administrator.get("/api/resource/Lodge%20Guest").send().await.expect_status(403);
}

async fn a_fieldname_cannot_change_its_letters_only(app: TestApp) {
    let administrator = given(&app, json!([text("nickname"), text("town")])).await;
    refused(change(&administrator, json!([text("Nickname"), text("town")])).await, "only in upper and lower case");
    // Nor when the field was gone in between: its column is still there.
    change(&administrator, json!([text("town")])).await.expect_status(200);
    refused(change(&administrator, json!([text("NickName"), text("town")])).await, "differs from the earlier field nickname");
    change(&administrator, json!([text("nickname"), text("town")])).await.expect_status(200);
}

/// Whoever waits for a table on Postgres keeps everybody after them from it too. On SQLite readers are in nobody's way.
async fn a_change_does_not_wait_for_a_table_that_others_hold(app: TestApp) {
    let administrator = given(&app, json!([text("nickname")])).await;
    let wider = json!([text("nickname"), text("town")]);
    if app.backend() == Backend::Postgres {
        let mut other = PgConnection::establish(app.database().url()).expect("the database answers");
        other.batch_execute("BEGIN; SELECT * FROM \"tabLodge Guest\"").expect("a reader");
        let started = Instant::now();
        change(&administrator, wider.clone()).await.expect_status(503);
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        // Nothing of it happened, and nobody is kept out.
        document(&administrator, "Lodge Guest", "a", json!({"town": "Bern"})).await.expect_status(200);
        other.batch_execute("COMMIT").expect("it ends");
    }
    change(&administrator, wider).await.expect_status(200);
    document(&administrator, "Lodge Guest", "b", json!({"town": "Bern"})).await.expect_status(200);
    assert_eq!(guest(&administrator, "b").await["town"], "Bern");
}

async fn fields_that_keep_coming_and_going_are_refused_before_the_table_is_full(app: TestApp) {
    let fields = |set: usize| (0..449).map(|at| field(&format!("s{set}_{at}"), "Int")).collect::<Vec<_>>();
    let administrator = given(&app, json!(fields(0))).await;
    document(&administrator, "Lodge Guest", "g", json!({"s0_7": 7})).await.expect_status(200);
    for set in 1..3 {
        change(&administrator, json!(fields(set))).await.expect_status(200);
    }
    refused(change(&administrator, json!(fields(3))).await, "at most 1500 are possible");
    assert_eq!(guest(&administrator, "g").await["s2_448"], 0);
    // What was there before may come back.
    change(&administrator, json!(fields(0))).await.expect_status(200);
    assert_eq!(guest(&administrator, "g").await["s0_7"], 7);
}
