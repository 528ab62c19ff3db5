//! Many documents in one request (contract 6b).

use serde_json::{Value, json};

use super::{TODO, amina, error, keys, path, todo};
use crate::both_databases;
use crate::support::{Caller, TestApp};

both_databases!(
    what_fails_leaves_the_others_alone,
    more_than_twenty_are_done_and_more_than_five_hundred_refused,
    a_list_that_is_none_is_refused,
    a_doctype_that_is_closed_is_closed_in_bulk_too,
);

fn bulk(caller: &Caller, what: &str, body: &Value) -> crate::support::Request {
    caller.post(&format!("{TODO}/bulk_{what}")).json(body)
}

async fn what_fails_leaves_the_others_alone(app: TestApp) {
    let caller = amina(&app).await;
    let (first, second) = (todo(&caller, "1").await, todo(&caller, "2").await);
    let foreign = todo(&app.administrator().await, "the administrator's").await;
    let docs = json!({ "docs": [
        { "name": first, "status": "Closed" },
        { "name": "nosuch", "status": "Closed" },
        { "name": second, "status": "Banana" },
        { "name": foreign, "status": "Closed" },
    ]});
    let result = bulk(&caller, "update", &docs).send().await.expect_status(200).data();
    assert_eq!(keys(&result), ["updated", "failed", "total", "success_count", "failure_count"]);
    assert_eq!(result["updated"], json!([first]));
    assert_eq!((&result["total"], &result["success_count"], &result["failure_count"]), (&json!(4), &json!(1), &json!(3)));
    assert_eq!(result["failed"][0], json!({ "name": "nosuch", "error": "ToDo nosuch not found" }));
    assert_eq!(result["failed"][1]["name"], second.as_str());
    assert!(result["failed"][1]["error"].as_str().is_some_and(|text| text.contains("Banana")), "{result}");
    assert!(result["failed"][2]["error"].as_str().is_some_and(|text| text.contains("does not have access")), "{result}");
    assert_eq!(caller.get(&path(&first)).send().await.data()["status"], "Closed");
    let result = bulk(&caller, "delete", &json!({ "names": [first, "nosuch", foreign] })).send().await.expect_status(200).data();
    assert_eq!((&result["deleted"], &result["failure_count"]), (&json!([first]), &json!(2)));
    // Names come as documents too, and as the text of a form.
    let form = [("docs", json!([{ "name": second }]).to_string())];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let result = caller.post(&format!("{TODO}/bulk_delete")).form(&form).send().await.expect_status(200).data();
    assert_eq!(result["deleted"], json!([second]));
    assert_eq!(app.administrator().await.get(&path(&foreign)).send().await.expect_status(200).data()["status"], "Open");
}

async fn more_than_twenty_are_done_and_more_than_five_hundred_refused(app: TestApp) {
    let caller = amina(&app).await;
    let mut names = Vec::new();
    for number in 0..21 {
        names.push(todo(&caller, &number.to_string()).await);
    }
    let result = bulk(&caller, "delete", &json!({ "names": names })).send().await.expect_status(200).data();
    assert_eq!((&result["success_count"], &result["failure_count"]), (&json!(21), &json!(0)));
    let too_many: Vec<String> = (0..501).map(|number| number.to_string()).collect();
    let refused = error(&bulk(&caller, "delete", &json!({ "names": too_many })).send().await, 417, "ValidationError");
    assert_eq!(refused["message"], "501 documents were sent; at most 500 are accepted in one request");
}

async fn a_list_that_is_none_is_refused(app: TestApp) {
    let caller = amina(&app).await;
    let refused = error(&bulk(&caller, "update", &json!({})).send().await, 417, "DataError");
    assert_eq!(refused["message"], "parameter docs is required");
    for body in [json!({ "docs": "x" }), json!({ "docs": {} }), json!({ "docs": [[]] })] {
        error(&bulk(&caller, "update", &body).send().await, 417, "FrappeTypeError");
    }
    error(&bulk(&caller, "delete", &json!({ "names": 1 })).send().await, 417, "FrappeTypeError");
    error(&bulk(&caller, "update", &json!({ "docs": [{ "status": "Open" }] })).send().await, 417, "DataError");
    error(&bulk(&caller, "update", &json!({ "docs": "[{" })).send().await, 417, "DataError");
    // A name alone says nothing about what is to change.
    let name = todo(&caller, "x").await;
    let refused = error(&bulk(&caller, "update", &json!({ "docs": [name] })).send().await, 417, "FrappeTypeError");
    assert_eq!(refused["message"], "Argument 'docs' should be of type 'dict' but got 'str' instead.");
    error(&bulk(&caller, "update", &json!({ "names": [name] })).send().await, 417, "DataError");
    // Nothing was to be done, and nothing was.
    assert_eq!(bulk(&caller, "update", &json!({ "docs": [] })).send().await.expect_status(200).data()["total"], 0);
}

async fn a_doctype_that_is_closed_is_closed_in_bulk_too(app: TestApp) {
    let caller = amina(&app).await;
    let refused = caller.post("/api/v2/document/Role/bulk_delete").json(&json!({ "names": ["System Manager"] })).send().await;
    error(&refused, 403, "PermissionError");
    let reader = app.user("boris@example.com").await.bearer(&app, "read:todo").await;
    let refused = bulk(&reader, "delete", &json!({ "names": ["x"] })).send().await;
    error(&refused, 403, "PermissionError");
    assert_eq!(refused.json()["messages"][0]["message"], "The access token lacks the scope <strong>write:todo</strong>");
}
