//! What a report shows: rows, columns, filters, groups, totals, pages.

use serde_json::{Value, json};

use super::{RUN, answer, ask, given, make_bookings, names, read, refusal, save, someone, values};
use crate::both_databases;
use crate::support::TestApp;

both_databases!(
    a_report_of_the_report_builder_shows_its_list,
    a_report_answers_the_same_on_all_its_paths,
    a_report_of_tables_has_its_own_labels_and_filters,
    a_report_without_columns_shows_what_lists_show,
    a_filter_that_must_be_set_is_asked_for,
    what_the_report_filters_by_always_holds,
    groups_count_sum_and_average,
    totals_are_those_of_all_rows,
    totals_count_every_row_of_a_table,
    a_long_report_is_turned_page_by_page,
    parameters_that_make_no_sense_are_refused,
);

async fn a_report_of_the_report_builder_shows_its_list(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    let definition = json!({
        "fields": [["name", "Lodge Booking"], ["visitor", "Lodge Booking"], "nights", "house.valley"],
        "filters": [["Lodge Booking", "status", "=", "Open", false]],
        "sort_by": "Lodge Booking.nights", "sort_order": "desc",
        "page_length": 20, "column_widths": {"visitor": 100}, "chart_args": {}
    });
    save(&administrator, "Open bookings", json!({ "json": definition })).await;
    let answer = answer(&administrator, "Open%20bookings", &[]).await;
    assert_eq!(
        answer["result"],
        json!([
            {"name": "b4", "visitor": "Dan", "nights": 5, "valley": null},
            {"name": "b3", "visitor": "Cleo", "nights": 3, "valley": "Barn valley"},
            {"name": "b1", "visitor": "Ada", "nights": 1, "valley": "Hut valley"}
        ])
    );
    assert_eq!(
        answer["columns"],
        json!([
            {"fieldname": "name", "label": "ID", "fieldtype": "Link", "options": "Lodge Booking", "width": null},
            {"fieldname": "visitor", "label": "Visitor", "fieldtype": "Data", "options": null, "width": null},
            {"fieldname": "nights", "label": "Nights", "fieldtype": "Int", "options": null, "width": null},
            {"fieldname": "valley", "label": "Valley", "fieldtype": "Data", "options": null, "width": null}
        ])
    );
    let order = json!({"fields": ["name"], "order_by": "`tabLodge Booking`.`status` asc, price desc"});
    save(&administrator, "By status", json!({ "json": order })).await;
    assert_eq!(names(&administrator, "By%20status", &[]).await, ["b5", "b2", "b4", "b3", "b1"]);
    let twice = json!({"fields": ["name"], "sort_by": "Lodge Booking.status", "sort_order": "desc", "sort_by_next": "Lodge Booking.name", "sort_order_next": "desc"});
    save(&administrator, "Twice sorted", json!({ "json": twice })).await;
    assert_eq!(names(&administrator, "Twice%20sorted", &[]).await, ["b4", "b3", "b1", "b5", "b2"]);
}

async fn a_report_answers_the_same_on_all_its_paths(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    save(&administrator, "R/1", json!({ "json": {"fields": ["name", "visitor"], "order_by": "name"} })).await;
    let members = |mut answer: Value| {
        assert!(answer["execution_time"].as_f64().is_some_and(|seconds| seconds >= 0.0), "{answer}");
        answer["execution_time"] = 0.into();
        answer
    };
    let expected = members(answer(&administrator, "R%2F1", &[]).await);
    let keys: Vec<&String> = expected.as_object().expect("an object").keys().collect();
    let frappes =
        ["result", "columns", "message", "chart", "report_summary", "skip_total_row", "status", "execution_time", "add_total_row"];
    assert_eq!(keys, [&frappes[..], &["has_next_page"]].concat());
    let (nothing, zero) = (Value::Null, json!(0));
    let said =
        ["message", "chart", "report_summary", "status", "skip_total_row", "add_total_row", "has_next_page"].map(|key| &expected[key]);
    assert_eq!(said, [&nothing, &nothing, &nothing, &nothing, &zero, &json!(false), &json!(false)]);
    for path in ["R/1", "R/1/", "R%2F1/"] {
        assert_eq!(members(answer(&administrator, path, &[]).await), expected, "{path}");
    }
    let versioned = administrator.get("/api/v1/report/R%2F1").send().await.expect_status(200).data();
    assert_eq!(members(versioned), expected);
    for request in [
        administrator.get(RUN).query(&[("report_name", "R/1")]),
        administrator.post(RUN).form(&[("report_name", "R/1"), ("filters", "{}"), ("ignore_prepared_report", "false")]),
        administrator.post(RUN).json(&json!({"report_name": "R/1", "filters": []})),
    ] {
        assert_eq!(members(request.send().await.expect_status(200).message()), expected);
    }
    for path in ["/api/report/R%2F1", RUN] {
        administrator.delete(path).send().await.expect_status(403);
    }
    administrator.post("/api/report/R%2F1").send().await.expect_status(403);
    administrator.get("/api/report/").send().await.expect_status(404);
}

async fn a_report_of_tables_has_its_own_labels_and_filters(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    let tables = json!({
        "columns": [
            {"fieldname": "name", "label": "No."},
            {"fieldname": "visitor", "label": "Who", "width": 120},
            {"fieldname": "house", "fieldtype": "Data"},
            {"fieldname": "price", "label": "Euro", "fieldtype": "Float", "options": "EUR"}
        ],
        "filters": [
            {"fieldname": "status", "label": "Status", "default": "Open"},
            {"fieldname": "visitor", "label": "Visitor", "wildcard_filter": 1},
            {"fieldname": "nights", "label": "Nights", "operator": ">="},
            {"fieldname": "house", "label": "House", "operator": "in"}
        ],
        "json": {"order_by": "name asc"}
    });
    save(&administrator, "Tables", tables).await;
    let shown = answer(&administrator, "Tables", &[]).await;
    assert_eq!(
        shown["columns"],
        json!([
            {"fieldname": "name", "label": "No.", "fieldtype": "Link", "options": "Lodge Booking", "width": null},
            {"fieldname": "visitor", "label": "Who", "fieldtype": "Data", "options": null, "width": 120},
            {"fieldname": "house", "label": "House", "fieldtype": "Data", "options": null, "width": null},
            {"fieldname": "price", "label": "Euro", "fieldtype": "Float", "options": "EUR", "width": null}
        ])
    );
    assert_eq!(shown["result"][0], json!({"name": "b1", "visitor": "Ada", "house": "Hut", "price": 10.5}));
    for (filters, expected) in [
        (json!({}), &["b1", "b3", "b4"][..]),
        (json!({"status": "Closed"}), &["b2", "b5"]),
        (json!({"status": ["!=", "Open"]}), &["b2", "b5"]),
        (json!({"status": ""}), &["b1", "b2", "b3", "b4", "b5"]),
        (json!({"status": null, "nights": 4}), &["b4", "b5"]),
        (json!({"nights": ["<", 2]}), &["b1"]),
        (json!({"visitor": "e", "status": []}), &["b2", "b3", "b5"]),
        (json!({"house": ["Hut", "Barn"]}), &["b1", "b3"]),
        (json!({"house": "Hut,Barn", "nights": 2}), &["b3"]),
        // What is none of its filters narrows it further.
        (json!({"price": [">", 15], "discount": 30}), &["b3"]),
        (json!([["price", ">", 15], ["Lodge Booking", "price", "=", 40]]), &["b4"]),
    ] {
        assert_eq!(names(&administrator, "Tables", &[("filters", &filters.to_string())]).await, expected, "{filters}");
        let asked = json!({"report_name": "Tables", "filters": filters});
        let rows = administrator.post(RUN).json(&asked).send().await.expect_status(200).message()["result"].clone();
        assert_eq!(rows.as_array().map(Vec::len), Some(expected.len()), "{filters}");
    }
}

async fn a_report_without_columns_shows_what_lists_show(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    save(&administrator, "Plain", json!({})).await;
    let shown = answer(&administrator, "Plain", &[("filters", r#"{"name": "b2"}"#)]).await;
    assert_eq!(shown["result"], json!([{"name": "b2", "visitor": "Ben", "status": "Closed"}]));
    assert_eq!(shown["columns"][2]["options"], "Open\nClosed");
}

async fn a_filter_that_must_be_set_is_asked_for(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    let tables = json!({"filters": [{"fieldname": "house", "label": "Which house", "mandatory": 1}]});
    save(&administrator, "Of a house", tables).await;
    for filters in ["", "{}", r#"{"house": ""}"#, r#"{"house": null}"#, r#"[["house", "=", "Hut"]]"#] {
        let (status, text) = refusal(&ask(&administrator, "Of%20a%20house", &[("filters", filters)]).await);
        assert!(status == 417 && text.contains("Which house (house)"), "{filters}: {status} {text}");
    }
    let mut found = names(&administrator, "Of%20a%20house", &[("filters", r#"{"house": "Hut"}"#)]).await;
    found.sort();
    assert_eq!(found, ["b1", "b2"]);
}

async fn what_the_report_filters_by_always_holds(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    save(&administrator, "Open", json!({ "json": {"filters": {"status": "Open", "nights": [">", 1]}} })).await;
    for filters in [r#"{"status": "Closed"}"#, r#"{"nights": 1}"#, r#"[["status", "=", "Closed"]]"#] {
        assert_eq!(names(&administrator, "Open", &[("filters", filters)]).await, Vec::<String>::new(), "{filters}");
    }
    assert_eq!(names(&administrator, "Open", &[("filters", r#"{"nights": 3}"#)]).await, ["b3"]);
}

async fn groups_count_sum_and_average(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    for (name, function, label, expected) in [
        ("Counted", "count", "Count", json!([["Open", 3], ["Closed", 2]])),
        ("Summed", "sum", "Sum of Price", json!([["Open", 80.5], ["Closed", 70.0]])),
        ("Averaged", "avg", "Average of Nights", json!([["Closed", 3.5], ["Open", 3.0]])),
    ] {
        let on = if function == "avg" { "nights" } else { "`tabLodge Booking`.`price`" };
        let group = json!({"group_by": "`tabLodge Booking`.`status`", "aggregate_function": function, "aggregate_on": on});
        save(&administrator, name, json!({ "json": {"group_by": group, "order_by": "`tabLodge Booking`.`modified` desc"} })).await;
        let shown = answer(&administrator, name, &[]).await;
        assert_eq!(Value::from(values(&shown)), expected, "{name}");
        assert_eq!((&shown["columns"][1]["fieldname"], &shown["columns"][1]["label"]), (&json!("_aggregate_column"), &json!(label)));
        assert_eq!(read(&super::file(&administrator, name, &[]).await.expect_status(200)).len(), 3, "{name}");
    }
    let fields = json!([["_aggregate_column", "Lodge Booking"], ["status", "Lodge Booking"]]);
    let group = json!({"group_by": "status", "aggregate_function": "count"});
    save(&administrator, "Other order", json!({ "json": {"fields": fields, "group_by": group} })).await;
    assert_eq!(values(&answer(&administrator, "Other%20order", &[]).await), [json!([3, "Open"]), json!([2, "Closed"])]);
}

async fn totals_are_those_of_all_rows(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    let columns = json!([["name", "Lodge Booking"], "nights", "price", "discount", "arrival", "status"]);
    save(&administrator, "Sums", json!({ "add_total_row": 1, "json": {"fields": columns, "order_by": "name"} })).await;
    let total = json!(["Total", 16, 150.5, 32.0, "", ""]);
    let all = answer(&administrator, "Sums", &[]).await;
    assert_eq!((values(&all).len(), values(&all).last(), &all["add_total_row"]), (6, Some(&total), &json!(true)));
    // Of all of them, whichever page is shown.
    let page = answer(&administrator, "Sums", &[("limit", "2"), ("limit_start", "1")]).await;
    assert_eq!((values(&page).len(), values(&page).last(), &page["has_next_page"]), (3, Some(&total), &json!(true)));
    let some = answer(&administrator, "Sums", &[("filters", r#"{"status": "Open"}"#)]).await;
    assert_eq!(values(&some).last(), Some(&json!(["Total", 9, 80.5, 30.0, "", ""])));
    let none = answer(&administrator, "Sums", &[("filters", r#"{"status": "Open", "nights": 99}"#)]).await;
    assert_eq!(none["result"], json!([]));
    // In groups, of what was worked out of them.
    let group = json!({"group_by": "nights", "aggregate_function": "sum", "aggregate_on": "price"});
    save(&administrator, "Sums in groups", json!({ "json": {"add_totals_row": 1, "group_by": group} })).await;
    assert_eq!(values(&answer(&administrator, "Sums%20in%20groups", &[]).await).last(), Some(&json!(["", 150.5])));
    let counted = json!({"group_by": "status", "aggregate_function": "count"});
    save(&administrator, "Counts", json!({ "json": {"add_totals_row": true, "group_by": counted} })).await;
    assert_eq!(values(&answer(&administrator, "Counts", &[]).await).last(), Some(&json!(["Total", 5])));
    // A file has the rows alone.
    assert_eq!(read(&super::file(&administrator, "Sums", &[]).await.expect_status(200)).len(), 6);
}

async fn totals_count_every_row_of_a_table(app: TestApp) {
    let administrator = given(&app).await;
    for (name, price, quantities) in [("b1", 10, vec![1, 2]), ("b2", 5, vec![4]), ("b3", 1, vec![])] {
        let extras: Vec<Value> = quantities.into_iter().map(|quantity| json!({"item": "towel", "quantity": quantity})).collect();
        let booking = json!({"name": name, "price": price, "extras": extras});
        administrator.post(super::BOOKING).json(&booking).send().await.expect_status(200);
    }
    let columns = json!([["name", "Lodge Booking"], ["price", "Lodge Booking"], ["quantity", "Lodge Extra"], ["name", "Lodge Extra"]]);
    save(&administrator, "Extras", json!({ "add_total_row": 1, "json": {"fields": columns, "order_by": "name"} })).await;
    let shown = answer(&administrator, "Extras", &[]).await;
    assert_eq!(shown["columns"][3]["fieldname"], "name_2");
    let rows: Vec<Value> = values(&shown).iter().map(|row| json!([row[0], row[1], row[2]])).collect();
    let expected =
        [json!(["b1", 10.0, 1]), json!(["b1", 10.0, 2]), json!(["b2", 5.0, 4]), json!(["b3", 1.0, null]), json!(["Total", 26.0, 7])];
    assert_eq!(rows, expected);
    // Rows are made by what is sorted by too.
    let sorted = json!({"fields": ["price"], "order_by": "extras.quantity desc"});
    save(&administrator, "By quantity", json!({ "add_total_row": 1, "json": sorted })).await;
    let shown = answer(&administrator, "By%20quantity", &[]).await;
    let sum: f64 = values(&shown)[..4].iter().filter_map(|row| row[0].as_f64()).sum();
    assert_eq!(values(&shown)[4][0].as_f64(), Some(sum));
}

async fn a_long_report_is_turned_page_by_page(app: TestApp) {
    let administrator = given(&app).await;
    super::files::many(&administrator, 0..1_050, |number| json!({ "nights": number })).await;
    save(&administrator, "Long", json!({ "json": {"fields": ["name", "nights"], "order_by": "nights"} })).await;
    let first = answer(&administrator, "Long", &[]).await;
    assert_eq!((values(&first).len(), &first["has_next_page"], &first["result"][999]["nights"]), (1_000, &json!(true), &json!(999)));
    for limit in ["0", "5000"] {
        assert_eq!(values(&answer(&administrator, "Long", &[("limit", limit)]).await).len(), 1_000, "{limit}");
    }
    let last = answer(&administrator, "Long", &[("limit_start", "1000")]).await;
    assert_eq!((values(&last).len(), &last["has_next_page"], &last["result"][0]["nights"]), (50, &json!(false), &json!(1000)));
    assert_eq!(values(&answer(&administrator, "Long", &[("limit", "3"), ("limit_start", "7")]).await).len(), 3);
}

async fn parameters_that_make_no_sense_are_refused(app: TestApp) {
    let administrator = given(&app).await;
    save(&administrator, "Plain", json!({})).await;
    for (query, status) in [
        (vec![("limit", "-1")], 417),
        (vec![("limit_start", "many")], 417),
        (vec![("filters", "[")], 417),
        (vec![("filters", "Open")], 417),
        (vec![("filters", r#"{"nosuch": 1}"#)], 417),
        (vec![("filters", r#"{"nights": ["resembles", 1]}"#)], 417),
        (vec![("filters", r#"{"arrival": "some day"}"#)], 417),
        (vec![("format", "xlsx")], 417),
        (vec![("format", "JSON")], 200),
    ] {
        assert_eq!(ask(&administrator, "Plain", &query).await.status, status, "{query:?}");
    }
    administrator.get(RUN).send().await.expect_status(417);
    let (status, _) = refusal(&ask(&someone(&app, "amina", &["Lodge Clerk"]).await.api_key().await, "Nosuch", &[]).await);
    assert_eq!(status, 404);
}
