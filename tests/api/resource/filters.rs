//! Filters: every spelling, every operator, and what is refused (contract 6.1).

use serde_json::{Value, json};

use super::{TODO, assert_refused, column, create, list, messages};
use crate::both_databases;
use crate::support::{Caller, TestApp};

both_databases!(
    all_spellings_mean_the_same,
    every_operator_compares_as_frappe_does,
    what_is_missing_counts_as_empty,
    patterns_match_literally_but_for_their_wildcards,
    times_are_compared_as_times,
    conditions_hold_together,
    unknown_fields_and_operators_are_refused,
    or_filters_hold_one_at_a_time,
    words_for_ranges_of_days_are_understood,
    filters_that_cannot_be_read_are_refused,
);

/// Someone with four documents.
async fn amina(app: &TestApp) -> Caller {
    let caller = app.user("amina@example.com").await.api_key().await;
    for (description, status, priority, date, sender) in [
        ("alpha", "Open", "High", "2026-01-01", json!(null)),
        ("beta", "Closed", "Low", "2026-02-01", json!("b@example.com")),
        ("gamma 50%", "Cancelled", "Medium", "2026-03-01", json!("c@example.com")),
        ("delta_x", "Open", "Medium", "2026-04-01", json!("")),
    ] {
        let fields = json!({ "description": description, "status": status, "priority": priority, "date": date, "sender": sender });
        create(&caller, TODO, fields).await;
    }
    caller
}

/// The first letters of the descriptions a filter finds, in alphabetical order.
async fn found(caller: &Caller, filters: &Value) -> String {
    let parameters = [("filters", &*filters.to_string()), ("order_by", "description")];
    column(caller, TODO, "description", &parameters).await.iter().filter_map(|text| text.as_str()?.chars().next()).collect()
}

async fn all_spellings_mean_the_same(app: TestApp) {
    let caller = amina(&app).await;
    for filters in [
        json!({ "status": "Open" }),
        json!({ "status": ["=", "Open"] }),
        json!([["status", "=", "Open"]]),
        json!([["ToDo", "status", "=", "Open"]]),
        json!([["ToDo", "status", "=", "Open", false]]),
        json!([["ToDo", "`tabToDo`.`status`", "=", "Open"]]),
        json!([{ "status": "Open" }]),
    ] {
        assert_eq!(found(&caller, &filters).await, "ad", "{filters}");
        // In a JSON body it need not be a text.
        let body = json!({ "filters": filters, "fields": ["description"], "order_by": "description" });
        let rows = caller.get(TODO).json(&body).send().await.expect_status(200).data();
        assert_eq!(rows, json!([{ "description": "alpha" }, { "description": "delta_x" }]), "{filters}");
    }
    for everything in [json!({}), json!([]), json!(null)] {
        assert_eq!(found(&caller, &everything).await, "abdg", "{everything}");
    }
}

async fn every_operator_compares_as_frappe_does(app: TestApp) {
    let caller = amina(&app).await;
    for (fieldname, operator, value, expected) in [
        ("status", "=", json!("Open"), "ad"),
        ("status", "", json!("Open"), "ad"),
        ("status", "!=", json!("Open"), "bg"),
        ("date", ">", json!("2026-02-01"), "dg"),
        ("date", "<", json!("2026-02-01"), "a"),
        ("date", ">=", json!("2026-02-01"), "bdg"),
        ("date", "<=", json!("2026-02-01"), "ab"),
        ("description", ">", json!("beta"), "dg"),
        ("description", "like", json!("%a"), "ab"),
        ("description", "LIKE", json!("ALPH%"), "a"),
        ("description", "not like", json!("%a"), "dg"),
        ("status", "in", json!(["Open", "Closed"]), "abd"),
        ("status", "in", json!("Open, Closed"), "abd"),
        ("status", "in", json!("Cancelled"), "g"),
        ("status", "not in", json!(["Open", "Closed"]), "g"),
        ("status", "Not In", json!("Open,Closed"), "g"),
        ("date", "in", json!(["2026-01-01", "2026-03-01"]), "ag"),
        ("date", "between", json!(["2026-02-01", "2026-03-01"]), "bg"),
        ("date", "between", json!(["2026-03-01", "2026-02-01"]), ""),
        ("sender", "is", json!("set"), "bg"),
        ("sender", "is", json!("not set"), "ad"),
        ("date", "is", json!("set"), "abdg"),
        ("docstatus", "=", json!(0), "abdg"),
        ("docstatus", "=", json!("0"), "abdg"),
        ("docstatus", ">", json!(0), ""),
        ("idx", "<=", json!("1"), "abdg"),
        ("owner", "=", json!("amina@example.com"), "abdg"),
        ("name", "!=", json!("x"), "abdg"),
        // Texts are compared letter by letter, on every database.
        ("status", "=", json!("open"), ""),
    ] {
        let filters = json!([[fieldname, operator, value]]);
        assert_eq!(found(&caller, &filters).await, expected, "{filters}");
        let filters = json!({ fieldname: [operator, value] });
        assert_eq!(found(&caller, &filters).await, expected, "{filters}");
    }
}

async fn what_is_missing_counts_as_empty(app: TestApp) {
    let caller = amina(&app).await;
    for (operator, value, expected) in [
        ("=", json!(""), "ad"),
        ("=", json!(null), "ad"),
        ("!=", json!("b@example.com"), "adg"),
        ("!=", json!(""), "bg"),
        ("<", json!("b"), "ad"),
        (">", json!(""), "bg"),
        ("in", json!(["", "b@example.com"]), "abd"),
        ("in", json!([]), "ad"),
        ("not in", json!(["b@example.com"]), "adg"),
        ("not in", json!([""]), "bg"),
        ("like", json!("%"), "abdg"),
        ("not like", json!("b%"), "adg"),
        ("between", json!(["a", "z"]), "bg"),
    ] {
        let filters = json!([["sender", operator, value]]);
        assert_eq!(found(&caller, &filters).await, expected, "{filters}");
    }
}

async fn patterns_match_literally_but_for_their_wildcards(app: TestApp) {
    let caller = amina(&app).await;
    for (pattern, expected) in [
        ("beta", "b"),
        ("bet", ""),
        ("_eta", "b"),
        ("%50%", "g"),
        (r"%50\%", "g"),
        (r"%5\%", ""),
        (r"delta\_x", "d"),
        (r"delt\_\_x", ""),
        ("%A", "ab"),
        ("", ""),
        (r"%\", ""),
        ("'; drop table users; --", ""),
        ("[ab]%", ""),
        ("*", ""),
    ] {
        let filters = json!([["description", "like", pattern]]);
        assert_eq!(found(&caller, &filters).await, expected, "{filters}");
    }
}

async fn times_are_compared_as_times(app: TestApp) {
    let caller = amina(&app).await;
    let creation = column(&caller, TODO, "creation", &[("filters", r#"{"description":"alpha"}"#)]).await[0].clone();
    let day = &creation.as_str().expect("a time")[..10];
    for (operator, value, expected) in [
        ("=", creation.clone(), "a"),
        (">=", creation.clone(), "abdg"),
        ("<=", creation.clone(), "a"),
        (">", json!("2020-01-01"), "abdg"),
        ("<", json!("2020-01-01 00:00"), ""),
        // A day as the upper end lasts until its end.
        ("between", json!([day, day]), "abdg"),
        ("between", json!(["2020-01-01", "2020-12-31 23:59:59"]), ""),
        ("like", json!(format!("{day}%")), "abdg"),
    ] {
        let filters = json!([["creation", operator, value]]);
        assert_eq!(found(&caller, &filters).await, expected, "{filters}");
    }
}

async fn conditions_hold_together(app: TestApp) {
    let caller = amina(&app).await;
    for (filters, expected) in [
        (json!({ "status": "Open", "priority": "Medium" }), "d"),
        (json!([["status", "=", "Open"], ["ToDo", "priority", "=", "High"]]), "a"),
        (json!([["date", ">", "2026-01-15"], ["date", "<", "2026-03-15"]]), "bg"),
        (json!([["status", "=", "Open"], ["status", "=", "Closed"]]), ""),
    ] {
        assert_eq!(found(&caller, &filters).await, expected, "{filters}");
    }
}

async fn unknown_fields_and_operators_are_refused(app: TestApp) {
    let caller = amina(&app).await;
    for fieldname in ["nosuch", "status; drop table x", "1=1 or status", "doctype", "`tabUser`.name", "STATUS", ""] {
        for filters in [json!({ fieldname: 1 }), json!([[fieldname, "=", 1]]), json!([["ToDo", fieldname, "=", 1]])] {
            let reply = caller.get(TODO).query(&[("filters", &filters.to_string())]).send().await;
            assert_refused(&reply, 417, "DataError", &format!("Field not permitted in query: {fieldname}"));
        }
    }
    let known = "=, !=, &gt;, &lt;, &gt;=, &lt;=, like, not like, in, not in, is, between, timespan, previous, next, ancestors of, \
                 descendants of, not ancestors of, not descendants of, descendants of (inclusive)";
    for operator in ["resembles", "==", "= 1 or", "or", "exists"] {
        let filters = json!([["status", operator, "Open"]]).to_string();
        let reply = caller.get(TODO).query(&[("filters", &filters)]).send().await;
        assert_refused(&reply, 417, "ValidationError", &format!("Operator must be one of {known}; not \"{operator}\""));
    }
    assert_eq!(list(&caller, TODO, &[]).await.as_array().map(Vec::len), Some(4));
}

async fn or_filters_hold_one_at_a_time(app: TestApp) {
    let caller = amina(&app).await;
    for (or_filters, filters, expected) in [
        (json!([["status", "=", "Open"], ["priority", "=", "Low"]]), json!(null), "abd"),
        (json!({ "status": "Closed", "sender": ["is", "not set"] }), json!(null), "abd"),
        (json!([["ToDo", "status", "=", "Open"], { "priority": "Low" }]), json!({ "date": [">", "2026-01-15"] }), "bd"),
        (json!([]), json!({ "status": "Open" }), "ad"),
        (json!([["status", "=", "Nothing"]]), json!(null), ""),
    ] {
        let (or_filters, filters) = (or_filters.to_string(), filters.to_string());
        let parameters = [("or_filters", or_filters.as_str()), ("filters", &filters), ("order_by", "description")];
        let found = column(&caller, TODO, "description", &parameters).await;
        let found: String = found.iter().filter_map(|text| text.as_str()?.chars().next()).collect();
        assert_eq!(found, expected, "{or_filters} {filters}");
    }
    let refused = caller.get(TODO).query(&[("or_filters", "[[status")]).send().await.expect_status(417);
    assert!(messages(&refused)[0].starts_with("or_filters is not JSON"));
}

async fn words_for_ranges_of_days_are_understood(app: TestApp) {
    let caller = amina(&app).await;
    for (fieldname, operator, value, expected) in [
        ("creation", "timespan", "today", "abdg"),
        ("creation", "timespan", "This Year", "abdg"),
        ("creation", "Timespan", "last 7 days", "abdg"),
        ("creation", "timespan", "yesterday", ""),
        ("creation", "next", "1 week", ""),
        ("creation", "previous", "6 months", ""),
        ("date", "timespan", "tomorrow", ""),
    ] {
        let filters = json!([[fieldname, operator, value]]);
        assert_eq!(found(&caller, &filters).await, expected, "{filters}");
    }
    for (fieldname, operator, value, text) in [
        ("creation", "timespan", "sometimes", "Filter on Created On: `timespan` takes words such as \"last month\""),
        (
            "creation",
            "previous",
            "2 days",
            "Filter on Created On: `previous` takes \"1 week\", \"1 month\", \"3 months\", \"6 months\" or \"1 year\"",
        ),
        ("status", "timespan", "today", "Filter on Status: `timespan` takes a Date or a Datetime"),
        ("status", "descendants of", "Open", "Filter on Status: it names no node of a tree"),
        ("status", "regex", "O.*", "The operator regex is not offered; use like, with % for any letters"),
    ] {
        let filters = json!([[fieldname, operator, value]]).to_string();
        assert_refused(&caller.get(TODO).query(&[("filters", &filters)]).send().await, 417, "ValidationError", text);
    }
    let filters = json!([["User", "name", "=", "x"]]).to_string();
    let refused = caller.get(TODO).query(&[("filters", &filters)]).send().await;
    assert_refused(&refused, 417, "DataError", "a filter on User: it is no child table of ToDo");
}

async fn filters_that_cannot_be_read_are_refused(app: TestApp) {
    let caller = amina(&app).await;
    for (filters, text) in [
        ("[[name", "filters is not JSON"),
        ("nonsense", "filters is not JSON"),
        ("7", "filters must be a JSON object or a list of lists"),
        (r#"["status","=","Open"]"#, "a filter must be [field, operator, value]"),
        (r#"[["status"]]"#, "a filter must be [field, operator, value]"),
        (r#"[[["status"],"=","Open"]]"#, "a filter must be [field, operator, value]"),
        (r#"{"status":["="]}"#, "filter on status must be a value or [operator, value]"),
        (r#"{"status":{"a":1}}"#, "Value for Status (status) cannot be a list or an object"),
        (r#"[["date","=","someday"]]"#, "Due Date (date) must be a date"),
        (r#"[["docstatus","=","x"]]"#, "Document Status (docstatus) must be a whole number"),
        (r#"[["creation",">","x"]]"#, "Created On (creation) must be a date and time"),
        (r#"[["date","between",["2026-01-01"]]]"#, "Filter on Due Date: `between` takes a list of two values"),
        (r#"[["date","between","2026-01-01"]]"#, "Filter on Due Date: `between` takes a list of two values"),
        (r#"[["sender","is","there"]]"#, "Filter on Sender: `is` takes \"set\" or \"not set\""),
        (r#"[["sender","like",["x"]]]"#, "filter on sender: `like` takes a text"),
        (r#"[["status","in",[["Open"]]]]"#, "Value for Status (status) cannot be a list or an object"),
        (r#"[["sender","=","a\u0000b"]]"#, "sender contains a NUL character"),
    ] {
        let refused = caller.get(TODO).query(&[("filters", filters)]).send().await.expect_status(417);
        assert!(messages(&refused)[0].starts_with(text), "{filters}: {}", refused.text());
    }
}
