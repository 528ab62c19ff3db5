//! What one request may cost: time, memory, rows, joins, and numbers that have an end.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{TODO, assert_refused, create, list, path, todo};
use crate::both_databases;
use crate::support::{Caller, Setup, TestApp, define};

both_databases!(
    no_pattern_outlasts_the_deadline_of_a_list,
    a_field_is_shown_three_times_and_no_more,
    a_list_that_would_be_huge_is_refused_and_a_part_of_it_is_not,
    a_document_does_not_grow_without_end,
    sums_of_the_largest_numbers_are_numbers,
    fields_of_sixteen_links_and_tables_are_asked_for_at_once,
    a_minute_has_sixty_seconds,
    rows_of_many_documents_are_bounded_together,
    pages_for_people_show_what_was_asked_for,
);

const TOO_LARGE: &str = "this is too large for one request; ask for fewer rows or fields, or send less";

async fn manager(app: &TestApp) -> Caller {
    app.user_with_roles("manager@example.com", &["System Manager"]).await.cookie().await
}

async fn no_pattern_outlasts_the_deadline_of_a_list(setup: Setup) {
    let app = setup.configure(|config| config.database.query_deadline = 2).start().await;
    let amina = app.user("amina@example.com").await.api_key().await;
    todo(&amina, &"a".repeat(200_000)).await;
    // Each a little different, or a database would ask once for all.
    let condition = |begin: &str, at: usize| json!(["description", "like", format!("%{begin}b{at}%")]);
    let asked = |begin: &str| json!({"or_filters": (0..99).map(|at| condition(begin, at)).collect::<Vec<_>>()});
    // What is found at once on one database may take the other too long; none takes longer than it may.
    let began = Instant::now();
    let reply = amina.get(TODO).json(&asked(&"a".repeat(240))).send().await;
    assert!([200, 503].contains(&reply.status), "{}", reply.text());
    assert!(began.elapsed() < Duration::from_secs(8), "took {:?}", began.elapsed());
    // Gaps amid letters have to be tried place by place.
    let began = Instant::now();
    let reply = amina.get(TODO).json(&asked(&"aaaa_".repeat(48))).send().await.expect_status(503);
    assert_eq!(reply.error().as_deref(), Some("QueryTimeoutError"));
    assert!(began.elapsed() < Duration::from_secs(8), "took {:?}", began.elapsed());
    // Those that wait for their turn end at their own deadline too, alike.
    let began = Instant::now();
    let mut many = JoinSet::new();
    for _ in 0..24 {
        many.spawn(amina.get(TODO).json(&asked(&"aaaa_".repeat(48))).send());
    }
    for reply in many.join_all().await {
        assert_eq!((reply.status, reply.error().as_deref()), (503, Some("QueryTimeoutError")));
    }
    assert!(began.elapsed() < Duration::from_secs(12), "took {:?}", began.elapsed());
    let longest = json!([["description", "like", "a".repeat(251)]]).to_string();
    let reply = amina.get(TODO).query(&[("filters", &longest)]).send().await;
    assert_refused(&reply, 417, "DataError", "filter on description: a pattern has at most 250 characters");
}

async fn a_field_is_shown_three_times_and_no_more(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    todo(&amina, "milk").await;
    let rows = list(&amina, TODO, &[("fields", r#"["description", "description as b", "description as c", "status"]"#)]).await;
    assert_eq!(rows, json!([{"description": "milk", "b": "milk", "c": "milk", "status": "Open"}]));
    let rows =
        list(&amina, TODO, &[("fields", r#"["count(name) as a", "count(name) as b", "count(name) as c", "count(name) as d"]"#)]).await;
    assert_eq!(rows, json!([{"a": 1, "b": 1, "c": 1, "d": 1}]));
    for fourth in ["description as d", "min(description) as d", "`tabToDo`.`description` as d"] {
        let fields = json!(["description", "description as b", "max(description) as c", fourth]).to_string();
        let reply = amina.get(TODO).query(&[("fields", &fields)]).send().await;
        assert_refused(&reply, 417, "DataError", "fields has description more than 3 times");
    }
}

async fn a_list_that_would_be_huge_is_refused_and_a_part_of_it_is_not(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    for letter in ["a", "b", "c", "d", "e"] {
        todo(&amina, &letter.repeat(7_000_000)).await;
    }
    let everything = json!(["description"]).to_string();
    let all = [("fields", everything.as_str()), ("limit_page_length", "0")];
    assert_refused(&amina.get(TODO).query(&all).send().await, 417, "DataError", TOO_LARGE);
    let copies = json!(["description", "description as b", "description as c"]).to_string();
    let two = [("fields", copies.as_str()), ("limit_page_length", "2")];
    assert_refused(&amina.get(TODO).query(&two).send().await, 417, "DataError", TOO_LARGE);
    // The connection is as good as before.
    let four = list(&amina, TODO, &[("fields", &everything), ("limit_page_length", "4")]).await;
    assert_eq!(four.as_array().map(Vec::len), Some(4));
    assert_eq!(list(&amina, TODO, &[("limit_page_length", "0")]).await.as_array().map(Vec::len), Some(5));
}

async fn a_document_does_not_grow_without_end(app: TestApp) {
    let manager = manager(&app).await;
    let fields = json!([{"fieldname": "one", "fieldtype": "Long Text"}, {"fieldname": "two", "fieldtype": "Long Text"}]);
    define(&manager, json!({"name": "Bound Text", "autoname": "prompt", "fields": fields})).await;
    let collection = "/api/resource/Bound%20Text";
    create(&manager, collection, json!({"name": "t", "one": "x".repeat(20_000_000)})).await;
    let more = manager.put(&path(collection, "t")).json(&json!({"two": "y".repeat(20_000_000)})).send().await;
    assert_refused(&more, 417, "DataError", "a document has at most 32 MB of text, its rows included");
    manager.put(&path(collection, "t")).json(&json!({"one": "", "two": "y"})).send().await.expect_status(200);
}

async fn sums_of_the_largest_numbers_are_numbers(app: TestApp) {
    let manager = manager(&app).await;
    let fields = json!([{"fieldname": "cost", "fieldtype": "Currency"}, {"fieldname": "time", "fieldtype": "Duration"}]);
    define(&manager, json!({"name": "Bound Number", "autoname": "prompt", "fields": fields})).await;
    let collection = "/api/resource/Bound%20Number";
    for (name, cost) in [("a", json!(999_999_999_999.5)), ("b", json!("999999999999.5")), ("c", json!(-1))] {
        create(&manager, collection, json!({"name": name, "cost": cost, "time": 999_999_999_999_i64})).await;
    }
    for (fieldname, label, number) in
        [("cost", "cost", json!(1.7e308)), ("cost", "cost", json!(-1e12)), ("time", "time", json!("1000000000000"))]
    {
        let reply = manager.post(collection).json(&json!({"name": "d", fieldname: number})).send().await;
        assert_refused(&reply, 417, "ValidationError", &format!("Value for {label} must lie between -1e12 and 1e12"));
    }
    let rows = list(&manager, collection, &[("fields", r#"["sum(cost) as s", "avg(cost) as a", "sum(time) as t"]"#)]).await;
    assert_eq!(rows, json!([{"s": 1_999_999_999_998.0, "a": 666_666_666_666.0, "t": 2_999_999_999_997.0}]));
    let asked = json!({"doctype": "Bound Number", "fieldname": "sum(cost)"});
    let one = manager.post("/api/method/frappe.client.get_value").json(&asked).send().await.expect_status(200).message();
    assert_eq!(one, json!({"sum(cost)": 1_999_999_999_998.0}));
}

async fn fields_of_sixteen_links_and_tables_are_asked_for_at_once(app: TestApp) {
    const TOO_MANY: &str = "fields of more than 16 links and tables; ask for them in several lists";
    let manager = manager(&app).await;
    let links = (0..16).map(|at| json!({"fieldname": format!("l{at}"), "fieldtype": "Link", "options": "ToDo"}));
    let table = json!({"fieldname": "rows", "fieldtype": "Table", "options": "Bound Path Row"});
    let row = json!([{"fieldname": "note", "fieldtype": "Data"}]);
    define(&manager, json!({"name": "Bound Path Row", "istable": 1, "fields": row})).await;
    define(&manager, json!({"name": "Bound Path", "autoname": "prompt", "fields": links.chain([table]).collect::<Vec<_>>()})).await;
    let milk = todo(&manager, "milk").await;
    let document: serde_json::Map<String, Value> = (0..16).map(|at| (format!("l{at}"), json!(milk))).collect();
    let mut document = Value::Object(document);
    document["name"] = "p".into();
    document["rows"] = json!([{"note": "x"}]);
    let collection = "/api/resource/Bound%20Path";
    create(&manager, collection, document).await;

    let shown: Vec<String> = (0..16).map(|at| format!("l{at}.description as d{at}")).collect();
    let row = list(&manager, collection, &[("fields", &json!(shown).to_string())]).await;
    assert_eq!((&row[0]["d0"], &row[0]["d15"]), (&json!("milk"), &json!("milk")));
    let conditions: Vec<Value> = (0..16).map(|at| json!([format!("l{at}.description"), "=", "milk"])).collect();
    assert_eq!(list(&manager, collection, &[("filters", &json!(conditions).to_string())]).await, json!([{"name": "p"}]));

    let with_rows = json!([shown.clone(), vec!["rows.note".to_owned()]].concat()).to_string();
    let reply = manager.get(collection).query(&[("fields", &with_rows)]).send().await;
    assert_refused(&reply, 417, "DataError", TOO_MANY);
    // Filters and fields count together.
    let filters = json!([["rows.note", "=", "x"]]).to_string();
    let reply = manager.get(collection).query(&[("fields", &json!(shown).to_string()), ("filters", &filters)]).send().await;
    assert_refused(&reply, 417, "DataError", TOO_MANY);
    assert_eq!(list(&manager, collection, &[("filters", &filters)]).await, json!([{"name": "p"}]));

    // A row of many documents is no larger than one of three.
    manager.put(&path(TODO, &milk)).json(&json!({"description": "milk".repeat(1_800_000)})).send().await.expect_status(200);
    let reply = manager.get(collection).query(&[("fields", &json!(shown).to_string())]).send().await;
    assert_refused(&reply, 417, "DataError", TOO_LARGE);
    let reply = manager.get(collection).query(&[("fields", &json!(shown[..4]).to_string())]).send().await.expect_status(200);
    assert_eq!(reply.data()[0]["d3"].as_str().map(str::len), Some(7_200_000));
}

async fn a_minute_has_sixty_seconds(app: TestApp) {
    let manager = manager(&app).await;
    let fields = json!([{"fieldname": "at", "fieldtype": "Datetime"}, {"fieldname": "clock", "fieldtype": "Time"}]);
    define(&manager, json!({"name": "Bound Time", "autoname": "prompt", "fields": fields})).await;
    let collection = "/api/resource/Bound%20Time";
    for (fieldname, text, expected) in [
        ("at", "2030-01-01 23:59:60", "a date and time as YYYY-MM-DD HH:MM:SS"),
        ("at", "2030-01-01T23:59:60Z", "a date and time as YYYY-MM-DD HH:MM:SS"),
        ("clock", "23:59:60", "a time of day as HH:MM:SS"),
    ] {
        let reply = manager.post(collection).json(&json!({"name": "t", fieldname: text})).send().await;
        assert_refused(&reply, 417, "ValidationError", &format!("{fieldname} ({fieldname}) must be {expected}, not \"{text}\""));
    }
    create(&manager, collection, json!({"name": "t", "at": "2030-01-01 23:59:59.999999", "clock": "23:59:59"})).await;
    let later = list(&manager, collection, &[("filters", r#"[["at", ">=", "2030-01-02"]]"#)]).await;
    assert_eq!(later, json!([]));
}

async fn rows_of_many_documents_are_bounded_together(app: TestApp) {
    let manager = manager(&app).await;
    define(&manager, json!({"name": "Bound Row", "istable": 1, "fields": [{"fieldname": "note", "fieldtype": "Data"}]})).await;
    let tables = (0..11).map(|at| json!({"fieldname": format!("t{at}"), "fieldtype": "Table", "options": "Bound Row"}));
    define(&manager, json!({"name": "Bound Rows", "autoname": "prompt", "fields": tables.collect::<Vec<_>>()})).await;
    let rows = json!(vec![json!({}); 1000]);
    let document = |name: usize| json!({"doctype": "Bound Rows", "name": format!("d{name}"), "t0": rows});
    let insert = async |number: usize| {
        let docs: Vec<Value> = (0..number).map(document).collect();
        manager.post("/api/method/frappe.client.insert_many").json(&json!({"docs": docs})).send().await
    };
    let reply = insert(11).await;
    assert_refused(&reply, 417, "ValidationError", "Only 10000 rows of child tables allowed in one request");
    assert_eq!(list(&manager, "/api/resource/Bound%20Rows", &[]).await, json!([]));
    insert(2).await.expect_status(200);
    // A row is one, however many its document has.
    let row = json!({"doctype": "Bound Row", "parent": "d0", "parenttype": "Bound Rows", "parentfield": "t1"});
    manager.post("/api/method/frappe.client.insert_many").json(&json!({"docs": vec![row; 20]})).send().await.expect_status(200);
    // Nor does it count what whoever sends the rows may see of them.
    let blind = json!({"role": "All", "create": 1});
    let blindly = json!({"name": "Bound Blind", "permissions": [blind], "fields": [{"fieldname": "t0", "fieldtype": "Table", "options": "Bound Row"}]});
    define(&manager, blindly).await;
    let amina = app.user("amina@example.com").await.api_key().await;
    let docs = json!({"docs": vec![json!({"doctype": "Bound Blind", "t0": rows}); 11]});
    let reply = amina.post("/api/method/frappe.client.insert_many").json(&docs).send().await;
    assert_refused(&reply, 417, "ValidationError", "Only 10000 rows of child tables allowed in one request");

    let mut one = json!({"name": "all"});
    for at in 0..11 {
        one[format!("t{at}")] = rows.clone();
    }
    let reply = manager.post("/api/resource/Bound%20Rows").json(&one).send().await;
    assert_refused(&reply, 417, "DataError", "a document has at most 10000 rows in all of its tables");
}

async fn pages_for_people_show_what_was_asked_for(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let page = amina.get("/api/resource/%3Cscript%3E&amp;").header("Accept", "text/html").send().await.expect_status(404).text();
    assert!(page.contains("DocType &#60;script&#62;&#38;amp; not found"), "{page}");
}
