//! What can be saved as a report, and by whom.

use serde_json::{Value, json};

use super::{REPORT, ask, given, refusal, save, someone, try_saving};
use crate::both_databases;
use crate::support::TestApp;

both_databases!(
    what_no_report_can_be_is_refused_when_it_is_saved,
    who_may_not_report_saves_no_report_and_learns_nothing,
    everybody_of_the_desk_saves_their_own_reports,
    a_standard_report_is_for_system_managers,
    a_token_that_does_not_reach_the_doctype_saves_no_report_about_it,
    rows_of_a_report_are_looked_at_too,
);

async fn what_no_report_can_be_is_refused_when_it_is_saved(app: TestApp) {
    let administrator = given(&app).await;
    let json = |said: Value| json!({ "json": said });
    for (fields, says) in [
        (json!({"report_type": "Query Report"}), "Report Type"),
        (json!({"ref_doctype": "Nosuch"}), "Nosuch"),
        (json!({"ref_doctype": "System Settings"}), "is one document"),
        (json!({"ref_doctype": "Lodge Extra"}), "rows of other documents"),
        (json(json!({"fields": "name"})), "fields must be a list"),
        (json(json!({"fields": ["nosuch"]})), "nosuch"),
        (json(json!({"fields": [["nosuch", "Lodge Booking"]]})), "nosuch"),
        (json(json!({"fields": [["name", "ToDo"]]})), "tabToDo"),
        (json(json!({"fields": ["count(name)"]})), "count(name)"),
        (json(json!({"fields": vec!["name"; 20_000]})), "more than 500 columns"),
        (json(json!({"fields": ["_aggregate_column"]})), "_aggregate_column"),
        (json(json!({"filters": [["nosuch", "=", 1]]})), "nosuch"),
        (json(json!({"filters": {"nights": ["resembles", 1]}})), "Operator"),
        (json(json!({"filters": "all"})), "filters"),
        (json(json!({"order_by": "nosuch desc"})), "nosuch"),
        (json(json!({"sort_by": "Lodge Booking.nosuch", "sort_order": "asc"})), "nosuch"),
        (json(json!({"group_by": {"group_by": "nosuch", "aggregate_function": "count"}})), "nosuch"),
        (json(json!({"group_by": {"group_by": "status", "aggregate_function": "median"}})), "aggregate_function"),
        (json(json!({"group_by": {"group_by": "status", "aggregate_function": "sum"}})), "aggregate_on"),
        (json(json!({"group_by": {"group_by": "status", "aggregate_function": "sum", "aggregate_on": "visitor"}})), "visitor"),
        (json!({"columns": [{"fieldname": "nosuch"}]}), "nosuch"),
        (json!({"filters": [{"fieldname": "nosuch"}]}), "nosuch"),
        (json!({"filters": [{"fieldname": "nosuch", "mandatory": 1}]}), "nosuch"),
        (json!({"filters": [{"fieldname": "status", "operator": "resembles"}]}), "resembles"),
        (json!({"filters": [{"fieldname": "arrival", "default": "some day"}]}), "arrival"),
    ] {
        let (status, text) = refusal(&try_saving(&administrator, "Bad", fields.clone()).await);
        assert!(status == 417 && text.contains(says), "{fields}: {status} {text}");
    }
    let broken = json!({"report_name": "Bad", "ref_doctype": "Lodge Booking", "json": "{"});
    assert_eq!(administrator.post(REPORT).json(&broken).send().await.status, 417);
    assert_eq!(administrator.get("/api/resource/Report/Bad").send().await.status, 404);
    let good = json!({"fields": ["name", "extras.item", "house.valley"], "filters": {"house.valley": ["like", "%a%"]}, "order_by": "nights", "unknown": 1});
    save(&administrator, "Good", json!({ "json": good, "filters": [{"fieldname": "arrival", "default": "2026-01-01"}] })).await;
    // A change is looked at as a new one is.
    let change = json!({"json": json!({"fields": ["nosuch"]}).to_string()});
    assert_eq!(administrator.put("/api/resource/Report/Good").json(&change).send().await.status, 417);
    ask(&administrator, "Good", &[]).await.expect_status(200);
}

async fn who_may_not_report_saves_no_report_and_learns_nothing(app: TestApp) {
    given(&app).await;
    let reader = someone(&app, "reader", &["Lodge Reader"]).await.api_key().await;
    // Of the desk, but without any right to bookings.
    let other = someone(&app, "other", &["Lodge Boss"]).await.api_key().await;
    let text = "You don't have permission to get a report on: Lodge Booking";
    for caller in [&reader, &other] {
        for fields in [json!({}), json!({"json": {"fields": ["nosuch"]}}), json!({"json": {"fields": ["ledger"]}})] {
            assert_eq!(refusal(&try_saving(caller, "Mine", fields).await), (403, text.to_owned()));
        }
    }
    // A field of a higher level is as good as none to filter by.
    let clerk = someone(&app, "clerk", &["Lodge Clerk"]).await.api_key().await;
    for field in ["ledger", "nosuch"] {
        let (status, said) = refusal(&try_saving(&clerk, "Mine", json!({"json": {"filters": {field: 1}}})).await);
        assert_eq!((status, said), (417, format!("Field not permitted in query: {field}")));
    }
}

async fn everybody_of_the_desk_saves_their_own_reports(app: TestApp) {
    given(&app).await;
    let clerk = someone(&app, "clerk", &["Lodge Clerk"]).await.api_key().await;
    let viewer = someone(&app, "viewer", &["Lodge Viewer"]).await.api_key().await;
    save(&clerk, "Hers", json!({})).await;
    ask(&viewer, "Hers", &[]).await.expect_status(200);
    let change = json!({"disabled": 1});
    viewer.put("/api/resource/Report/Hers").json(&change).send().await.expect_status(403);
    clerk.put("/api/resource/Report/Hers").json(&change).send().await.expect_status(200);
    clerk.delete("/api/resource/Report/Hers").send().await.expect_status(202);
}

async fn a_standard_report_is_for_system_managers(app: TestApp) {
    let administrator = given(&app).await;
    let clerk = someone(&app, "clerk", &["Lodge Clerk"]).await.api_key().await;
    let text = "Only a System Manager can save a standard report. Please rename and save.";
    assert_eq!(refusal(&try_saving(&clerk, "Std", json!({"is_standard": "Yes"})).await), (417, text.to_owned()));
    save(&administrator, "Std", json!({"is_standard": "Yes"})).await;
    let share = json!({"doctype": "Report", "name": "Std", "user": "clerk@example.com", "read": 1, "write": 1});
    administrator.post("/api/method/frappe.share.add").json(&share).send().await.expect_status(200);
    for change in [json!({"add_total_row": 1}), json!({"is_standard": "No"})] {
        assert_eq!(refusal(&clerk.put("/api/resource/Report/Std").json(&change).send().await), (417, text.to_owned()));
    }
    ask(&clerk, "Std", &[]).await.expect_status(200);
}

async fn a_token_that_does_not_reach_the_doctype_saves_no_report_about_it(app: TestApp) {
    given(&app).await;
    let clerk = someone(&app, "clerk", &["Lodge Clerk"]).await;
    let narrow = clerk.bearer(&app, "write:report").await;
    try_saving(&narrow, "Mine", json!({"json": {"fields": ["nosuch"]}})).await.expect_status(403);
    let enough = clerk.bearer(&app, "write:report read:lodge_booking read:doctype").await;
    save(&enough, "Mine", json!({})).await;
}

async fn rows_of_a_report_are_looked_at_too(app: TestApp) {
    let administrator = given(&app).await;
    save(&administrator, "Tables", json!({"columns": [{"fieldname": "name"}]})).await;
    let document = administrator.get("/api/resource/Report/Tables").send().await.expect_status(200).data();
    let row = format!("/api/resource/Report%20Column/{}", document["columns"][0]["name"].as_str().expect("a name"));
    assert_eq!(administrator.put(&row).json(&json!({"fieldname": "nosuch"})).send().await.status, 417);
    administrator.put(&row).json(&json!({"fieldname": "status"})).send().await.expect_status(200);
    let shown = super::answer(&administrator, "Tables", &[]).await;
    assert_eq!(shown["columns"][0]["fieldname"], "status");
}
