//! Submitting and cancelling by every method that can.

use serde_json::{Value, json};

use super::super::{assert_refused, define};
use super::{amina, post};
use crate::both_databases;
use crate::support::{Caller, TestApp};

both_databases!(
    a_document_is_submitted_and_cancelled,
    who_may_write_may_not_for_that_submit,
    a_form_is_submitted_updated_and_cancelled,
    a_documents_own_methods_submit_and_cancel_it,
);

/// Defines a doctype that everybody writes and System Managers submit.
async fn bills(administrator: &Caller) {
    let fields = json!([
        { "fieldname": "title", "label": "Title", "fieldtype": "Data", "reqd": 1 },
        { "fieldname": "note", "label": "Note", "fieldtype": "Data", "allow_on_submit": 1 },
    ]);
    let definition = json!({ "name": "Bill", "autoname": "BILL-.###", "is_submittable": 1, "fields": fields });
    define(administrator, definition, json!({ "role": "All", "read": 1, "write": 1, "create": 1 })).await;
}

async fn bill(caller: &Caller, title: &str) -> Value {
    let doc = json!({ "doc": { "doctype": "Bill", "title": title } });
    post(caller, "insert", &doc).send().await.expect_status(200).message()
}

async fn docstatus(caller: &Caller, name: &Value) -> Value {
    let path = format!("/api/resource/Bill/{}", name.as_str().expect("a name"));
    caller.get(&path).send().await.expect_status(200).data()["docstatus"].clone()
}

async fn a_document_is_submitted_and_cancelled(app: TestApp) {
    let administrator = app.administrator().await;
    bills(&administrator).await;
    let mut doc = bill(&administrator, "first").await;
    assert_eq!(doc["docstatus"], 0);
    let name = doc["name"].clone();
    let cancel = async || post(&administrator, "cancel", &json!({ "doctype": "Bill", "name": name })).send().await;
    assert_refused(&cancel().await, 417, "DocstatusTransitionError", "Cannot change docstatus from 0 (Draft) to 2 (Cancelled)");
    // What changed in it is saved along.
    doc["title"] = json!("changed");
    let submitted = post(&administrator, "submit", &json!({ "doc": doc })).send().await.expect_status(200).message();
    assert_eq!((&submitted["docstatus"], &submitted["title"]), (&json!(1), &json!("changed")));
    // What was read before that is out of date.
    let stale = post(&administrator, "submit", &json!({ "doc": doc })).send().await.expect_status(417);
    assert_eq!(stale.error().as_deref(), Some("TimestampMismatchError"));
    let delete = json!({ "doctype": "Bill", "name": name });
    post(&administrator, "delete", &delete).send().await.expect_status(417);
    let cancelled = cancel().await.expect_status(200).message();
    assert_eq!((&cancelled["docstatus"], &cancelled["name"]), (&json!(2), &name));
    assert_refused(&cancel().await, 417, "ValidationError", "Cannot edit cancelled document");
    post(&administrator, "delete", &delete).send().await.expect_status(200);
    // As the text of a form, too.
    let text = bill(&administrator, "second").await.to_string();
    let submitted = administrator.post("/api/method/frappe.client.submit").form(&[("doc", &text)]).send().await;
    assert_eq!(submitted.expect_status(200).message()["docstatus"], 1);
}

async fn who_may_write_may_not_for_that_submit(app: TestApp) {
    let administrator = app.administrator().await;
    bills(&administrator).await;
    let caller = amina(&app).await;
    let doc = bill(&caller, "hers").await;
    let (name, of) = (doc["name"].clone(), json!({ "doctype": "Bill", "name": doc["name"] }));
    post(&caller, "submit", &json!({ "doc": doc })).send().await.expect_status(403);
    assert_eq!(docstatus(&caller, &name).await, 0);
    post(&administrator, "submit", &json!({ "doc": doc })).send().await.expect_status(200);
    post(&caller, "cancel", &of).send().await.expect_status(403);
    assert_eq!(docstatus(&caller, &name).await, 1);
    let todo = super::todo(&caller, "x").await;
    let refused = post(&caller, "submit", &json!({ "doc": { "doctype": "ToDo", "name": todo } })).send().await;
    assert_refused(&refused, 403, "PermissionError", "Document Type is not submittable");
}

async fn a_form_is_submitted_updated_and_cancelled(app: TestApp) {
    let administrator = app.administrator().await;
    bills(&administrator).await;
    let path = "/api/method/frappe.desk.form.save.savedocs";
    let send = async |caller: &Caller, doc: &Value, action: &str| {
        caller.post(path).form(&[("doc", &doc.to_string()), ("action", action)]).send().await
    };
    let save = async |doc: &Value, action: &str| send(&administrator, doc, action).await.expect_status(200).json()["docs"][0].clone();
    let new = json!({ "doctype": "Bill", "name": "new-bill-1", "__islocal": 1, "title": "form" });
    let mut doc = save(&new, "Submit").await;
    assert_eq!((&doc["docstatus"], &doc["name"]), (&json!(1), &json!("BILL-001")));
    doc["note"] = json!("afterwards");
    doc = save(&doc, "Update").await;
    assert_eq!((&doc["docstatus"], &doc["note"]), (&json!(1), &json!("afterwards")));
    let mut changed = doc.clone();
    changed["title"] = json!("other");
    assert_eq!(send(&administrator, &changed, "Update").await.expect_status(417).error().as_deref(), Some("UpdateAfterSubmitError"));
    send(&amina(&app).await, &doc, "Cancel").await.expect_status(403);
    doc = save(&doc, "Cancel").await;
    assert_eq!(doc["docstatus"], 2);
    send(&administrator, &doc, "Submit").await.expect_status(417);
}

async fn a_documents_own_methods_submit_and_cancel_it(app: TestApp) {
    let administrator = app.administrator().await;
    bills(&administrator).await;
    let caller = amina(&app).await;
    let name = bill(&caller, "hers").await["name"].clone();
    let path = format!("/api/v2/document/Bill/{}/method", name.as_str().expect("a name"));
    caller.post(&format!("{path}/submit")).send().await.expect_status(403);
    let run = administrator.post(&format!("{path}/submit")).send().await.expect_status(200).json();
    assert_eq!((&run["data"]["docstatus"], &run["docs"][0]["docstatus"]), (&json!(1), &json!(1)));
    let form = [("dt", "Bill"), ("dn", name.as_str().expect("a name")), ("method", "cancel")];
    let run = administrator.post("/api/method/run_doc_method").form(&form).send().await.expect_status(200).json();
    assert_eq!(run["docs"][0]["docstatus"], 2);
    let other = bill(&caller, "second").await["name"].clone();
    let path = format!("/api/resource/Bill/{}", other.as_str().expect("a name"));
    administrator.post(&path).query(&[("run_method", "submit")]).send().await.expect_status(200);
    assert_eq!(docstatus(&caller, &other).await, 1);
}
