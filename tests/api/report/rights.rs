//! Who is shown what by a report: nobody more than by a list, and only who may report.

use serde_json::{Value, json};

use super::{RUN, answer, ask, file, given, make_bookings, names, read, refusal, save, someone, values};
use crate::both_databases;
use crate::support::TestApp;

both_databases!(
    a_report_takes_the_right_to_report_and_a_file_the_right_to_export,
    a_guest_runs_no_report,
    a_report_takes_the_right_to_read_it,
    a_disabled_report_is_refused,
    columns_of_a_higher_level_are_left_out_and_nothing_else_goes_by_them,
    user_permissions_narrow_a_report,
    who_reports_on_their_own_sees_their_own,
    a_linked_doctype_is_shown_to_who_may_read_it,
    a_scope_reaches_the_report_and_all_that_it_is_about,
);

async fn a_report_takes_the_right_to_report_and_a_file_the_right_to_export(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    save(&administrator, "Plain", json!({})).await;
    let clerk = someone(&app, "clerk", &["Lodge Clerk"]).await.api_key().await;
    assert_eq!(values(&answer(&clerk, "Plain", &[]).await).len(), 5);
    assert_eq!(read(&file(&clerk, "Plain", &[]).await.expect_status(200)).len(), 6);
    let viewer = someone(&app, "viewer", &["Lodge Viewer"]).await.api_key().await;
    assert_eq!(values(&answer(&viewer, "Plain", &[]).await).len(), 5);
    let text = "You are not allowed to export Lodge Booking doctype";
    assert_eq!(refusal(&file(&viewer, "Plain", &[]).await), (403, text.to_owned()));
    let reader = someone(&app, "reader", &["Lodge Reader"]).await.api_key().await;
    assert_eq!(reader.get(super::BOOKING).send().await.expect_status(200).data().as_array().map(Vec::len), Some(5));
    let text = "You don't have permission to get a report on: Lodge Booking";
    for reply in [
        ask(&reader, "Plain", &[]).await,
        file(&reader, "Plain", &[]).await,
        reader.post(RUN).json(&json!({"report_name": "Plain"})).send().await,
    ] {
        assert_eq!(refusal(&reply), (403, text.to_owned()));
    }
    // A share opens documents, not reports.
    let share = json!({"doctype": "Lodge Booking", "name": "b1", "user": "reader@example.com", "read": 1});
    administrator.post("/api/method/frappe.share.add").json(&share).send().await.expect_status(200);
    ask(&reader, "Plain", &[]).await.expect_status(403);
}

async fn a_guest_runs_no_report(app: TestApp) {
    let administrator = given(&app).await;
    save(&administrator, "Plain", json!({})).await;
    for name in ["Plain", "Nosuch"] {
        ask(&app.anonymous(), name, &[]).await.expect_status(403);
        file(&app.anonymous(), name, &[]).await.expect_status(403);
    }
    app.anonymous().get(RUN).query(&[("report_name", "Plain")]).send().await.expect_status(403);
}

async fn a_report_takes_the_right_to_read_it(app: TestApp) {
    let administrator = given(&app).await;
    save(&administrator, "Plain", json!({})).await;
    // Who is not of the desk reads no reports, whatever they may report on.
    administrator.put("/api/resource/Role/Lodge%20Viewer").json(&json!({"desk_access": 0})).send().await.expect_status(200);
    let visitor = someone(&app, "visitor", &["Lodge Viewer"]).await.api_key().await;
    visitor.get("/api/resource/Report/Plain").send().await.expect_status(403);
    ask(&visitor, "Plain", &[]).await.expect_status(403);
    let share = json!({"doctype": "Report", "name": "Plain", "user": "visitor@example.com", "read": 1});
    administrator.post("/api/method/frappe.share.add").json(&share).send().await.expect_status(200);
    ask(&visitor, "Plain", &[]).await.expect_status(200);
}

async fn a_disabled_report_is_refused(app: TestApp) {
    let administrator = given(&app).await;
    save(&administrator, "Old", json!({"disabled": 1})).await;
    for reply in [ask(&administrator, "Old", &[]).await, file(&administrator, "Old", &[]).await] {
        assert_eq!(refusal(&reply), (417, "Report Old is disabled".to_owned()));
    }
    // Whether it is disabled is for those who might run it.
    let reader = someone(&app, "reader", &["Lodge Reader"]).await.api_key().await;
    ask(&reader, "Old", &[]).await.expect_status(403);
    administrator.put("/api/resource/Report/Old").json(&json!({"disabled": 0})).send().await.expect_status(200);
    ask(&administrator, "Old", &[]).await.expect_status(200);
}

async fn columns_of_a_higher_level_are_left_out_and_nothing_else_goes_by_them(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    let columns = json!({"fields": ["name", "ledger", "visitor"], "order_by": "name"});
    save(&administrator, "Books", json!({ "add_total_row": 1, "json": columns })).await;
    let boss = someone(&app, "boss", &["Lodge Clerk", "Lodge Boss"]).await.api_key().await;
    let clerk = someone(&app, "clerk", &["Lodge Clerk"]).await.api_key().await;
    let shown = answer(&boss, "Books", &[]).await;
    assert_eq!(
        (&shown["result"][1], values(&shown).last()),
        (&json!({"name": "b2", "ledger": 2.0, "visitor": "Ben"}), Some(&json!(["Total", 15.0, ""])))
    );
    let shown = answer(&clerk, "Books", &[]).await;
    assert_eq!((&shown["result"][1], values(&shown).last()), (&json!({"name": "b2", "visitor": "Ben"}), Some(&json!(["Total", ""]))));
    assert_eq!(shown["columns"].as_array().map(Vec::len), Some(2));
    assert_eq!(read(&file(&clerk, "Books", &[]).await.expect_status(200))[2], ["b2", "Ben"]);
    assert_eq!(read(&file(&boss, "Books", &[]).await.expect_status(200))[2], ["b2", "2.0", "Ben"]);
    for (name, said) in [
        ("Filtered", json!({"filters": [["ledger", ">", 3]]})),
        ("Sorted", json!({"order_by": "ledger desc"})),
        ("Grouped", json!({"group_by": {"group_by": "ledger", "aggregate_function": "count"}})),
        ("Summed", json!({"group_by": {"group_by": "status", "aggregate_function": "sum", "aggregate_on": "ledger"}})),
    ] {
        save(&administrator, name, json!({ "json": said })).await;
        ask(&boss, name, &[]).await.expect_status(200);
        for reply in [ask(&clerk, name, &[]).await, file(&clerk, name, &[]).await] {
            let (status, text) = refusal(&reply);
            assert!(status == 417 && text.contains("ledger"), "{name}: {status} {text}");
        }
    }
    save(&administrator, "Asked", json!({"filters": [{"fieldname": "ledger", "label": "Ledger"}]})).await;
    ask(&clerk, "Asked", &[]).await.expect_status(200);
    ask(&clerk, "Asked", &[("filters", r#"{"ledger": 3}"#)]).await.expect_status(417);
}

async fn user_permissions_narrow_a_report(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    let clerk = someone(&app, "clerk", &["Lodge Clerk"]).await.api_key().await;
    let columns = json!({"fields": ["name", "price", "house"], "order_by": "name", "filters": [["house", "is", "set"]]});
    save(&administrator, "Houses", json!({ "add_total_row": 1, "json": columns })).await;
    assert_eq!(values(&answer(&clerk, "Houses", &[]).await).last(), Some(&json!(["Total", 60.5, ""])));
    let permission = json!({"user": "clerk@example.com", "allow": "Lodge House", "for_value": "Hut"});
    administrator.post("/api/resource/User%20Permission").json(&permission).send().await.expect_status(200);
    let expected = [json!(["b1", 10.5, "Hut"]), json!(["b2", 20.0, "Hut"]), json!(["Total", 30.5, ""])];
    assert_eq!(values(&answer(&clerk, "Houses", &[]).await), expected);
    assert_eq!(read(&file(&clerk, "Houses", &[]).await.expect_status(200)).len(), 3);
}

async fn who_reports_on_their_own_sees_their_own(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    save(&administrator, "Plain", json!({})).await;
    let owner = someone(&app, "owner", &["Lodge Owner"]).await.api_key().await;
    owner.post(super::BOOKING).json(&json!({"name": "mine", "visitor": "Olga"})).send().await.expect_status(200);
    assert_eq!(names(&owner, "Plain", &[]).await, ["mine"]);
    assert_eq!(read(&file(&owner, "Plain", &[]).await.expect_status(200))[1..], [["mine", "Olga", "Open"]]);
    // Who reads all, but reports on their own.
    let both = someone(&app, "both", &["Lodge Owner", "Lodge Reader"]).await.api_key().await;
    both.post(super::BOOKING).json(&json!({"name": "theirs"})).send().await.expect_status(200);
    assert_eq!(both.get(super::BOOKING).send().await.expect_status(200).data().as_array().map(Vec::len), Some(7));
    assert_eq!(names(&both, "Plain", &[]).await, ["theirs"]);
}

async fn a_linked_doctype_is_shown_to_who_may_read_it(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    save(&administrator, "Valleys", json!({ "json": {"fields": ["name", "house.valley"], "order_by": "name"} })).await;
    let clerk = someone(&app, "clerk", &["Lodge Clerk"]).await.api_key().await;
    assert_eq!(answer(&clerk, "Valleys", &[]).await["result"][0], json!({"name": "b1", "valley": "Hut valley"}));
    let viewer = someone(&app, "viewer", &["Lodge Viewer"]).await.api_key().await;
    ask(&viewer, "Valleys", &[]).await.expect_status(403);
    // Of houses that a User Permission hides nothing is shown.
    let permission = json!({"user": "clerk@example.com", "allow": "Lodge House", "for_value": "Barn"});
    administrator.post("/api/resource/User%20Permission").json(&permission).send().await.expect_status(200);
    let seen: Vec<Value> = values(&answer(&clerk, "Valleys", &[]).await);
    assert!(!seen.is_empty() && seen.iter().all(|row| row[1] != "Hut valley"), "{seen:?}");
}

async fn a_scope_reaches_the_report_and_all_that_it_is_about(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    save(&administrator, "Plain", json!({})).await;
    save(&administrator, "Valleys", json!({ "json": {"fields": ["name", "house.valley"]} })).await;
    let clerk = someone(&app, "clerk", &["Lodge Clerk"]).await;
    for (scope, plain, valleys) in [
        ("read:report read:lodge_booking read:lodge_house", 200, 200),
        ("read:report read:lodge_booking", 200, 403),
        ("read:lodge_booking read:lodge_house", 403, 403),
        ("read:report", 403, 403),
        ("openid", 403, 403),
        ("method:frappe.desk.query_report.run", 403, 403),
        ("read", 200, 200),
        ("all", 200, 200),
    ] {
        let token = clerk.bearer(&app, scope).await;
        assert_eq!(ask(&token, "Plain", &[]).await.status, plain, "{scope}");
        assert_eq!(ask(&token, "Valleys", &[]).await.status, valleys, "{scope}");
        assert_eq!(file(&token, "Plain", &[]).await.status, plain, "{scope}");
        assert_eq!(token.get(RUN).query(&[("report_name", "Plain")]).send().await.status, plain, "{scope}");
    }
    let narrow = clerk.bearer(&app, "read:report").await;
    let refused = ask(&narrow, "Plain", &[]).await;
    assert!(refused.header("www-authenticate").is_some_and(|challenge| challenge.contains("read:lodge_booking")), "{:?}", refused.headers);
}
