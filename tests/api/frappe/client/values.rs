//! Values of singles, secrets, and new names.

use serde_json::{Value, json};

use super::super::{assert_refused, define};
use super::{amina, get, post};
use crate::both_databases;
use crate::support::{Caller, TestApp};

both_databases!(
    a_single_is_asked_for_a_value,
    a_single_is_closed_like_any_document,
    a_secret_is_given_to_system_managers_only,
    a_document_is_renamed_and_what_names_it_follows,
    documents_are_merged,
    a_rename_is_refused,
);

const SETTINGS: (&str, &str) = ("doctype", "System Settings");

async fn a_single_is_asked_for_a_value(app: TestApp) {
    let administrator = app.administrator().await;
    let one = get(&administrator, "get_single_value", &[SETTINGS, ("field", "date_format")]).send().await.expect_status(200);
    assert_eq!(one.text(), r#"{"message":"yyyy-mm-dd"}"#);
    let change = json!({ "doctype": "System Settings", "name": "System Settings", "fieldname": "app_name", "value": "Ours" });
    post(&administrator, "set_value", &change).send().await.expect_status(200);
    let both = json!({ "app_name": "Ours", "date_format": "yyyy-mm-dd" });
    // The Python client sends `null` where it has no filters.
    for filters in [&[][..], &[("filters", "null")], &[("filters", "System Settings")], &[("filters", "{}")]] {
        let query: Vec<_> =
            [SETTINGS, ("fieldname", r#"["app_name", "date_format"]"#)].into_iter().chain(filters.iter().copied()).collect();
        assert_eq!(get(&administrator, "get_value", &query).send().await.expect_status(200).message(), both, "{filters:?}");
    }
    let query = [SETTINGS, ("fieldname", "app_name"), ("as_dict", "0")];
    assert_eq!(get(&administrator, "get_value", &query).send().await.expect_status(200).message(), "Ours");
    assert_eq!(get(&administrator, "get", &[SETTINGS]).send().await.expect_status(200).message()["app_name"], "Ours");
    for request in [
        get(&administrator, "get_single_value", &[SETTINGS, ("field", "nosuch")]),
        get(&administrator, "get_value", &[SETTINGS, ("fieldname", "nosuch")]),
    ] {
        assert_refused(&request.send().await, 417, "DataError", "Field not permitted in query: nosuch");
    }
    let refused = get(&administrator, "get_single_value", &[("doctype", "ToDo"), ("field", "status")]).send().await;
    assert_refused(&refused, 417, "ValidationError", "ToDo is not a single");
}

async fn a_single_is_closed_like_any_document(app: TestApp) {
    let caller = amina(&app).await;
    for request in [
        get(&caller, "get_single_value", &[SETTINGS, ("field", "date_format")]),
        get(&caller, "get_value", &[SETTINGS, ("fieldname", "date_format")]),
    ] {
        assert_refused(&request.send().await, 403, "PermissionError", "No permission for System Settings");
    }
}

async fn a_secret_is_given_to_system_managers_only(app: TestApp) {
    let administrator = app.administrator().await;
    let fields = json!([
        { "fieldname": "title", "label": "Title", "fieldtype": "Data" },
        { "fieldname": "code", "label": "Code", "fieldtype": "Password" },
        { "fieldname": "password", "label": "Password", "fieldtype": "Password" },
    ]);
    let everybody = json!({ "role": "All", "read": 1, "write": 1, "create": 1 });
    define(&administrator, json!({ "name": "Gate", "autoname": "prompt", "fields": fields }), everybody).await;
    let body = json!({ "name": "North", "title": "North", "code": "open sesame" });
    let made = administrator.post("/api/resource/Gate").json(&body).send().await.expect_status(200);
    assert!(!made.text().contains("sesame"), "{}", made.text());
    let ask = |caller: &Caller, name: &str, fieldname: &str| {
        get(caller, "get_password", &[("doctype", "Gate"), ("name", name), ("fieldname", fieldname)])
    };
    let manager = app.user_with_roles("manager@example.com", &["System Manager"]).await;
    for caller in [administrator.clone(), manager.api_key().await] {
        let told = ask(&caller, "North", "code").send().await.expect_status(200);
        assert_eq!((told.message(), told.header("cache-control")), (json!("open sesame"), Some("no-store")));
    }
    // The field `password` unless another is named, and nothing where it is empty.
    let empty = get(&administrator, "get_password", &[("doctype", "Gate"), ("name", "North")]).send().await.expect_status(200);
    assert_eq!(empty.text(), "{}");
    let refused = ask(&amina(&app).await, "North", "code").send().await;
    assert_refused(&refused, 403, "PermissionError", "Only System Managers may read passwords");
    ask(&manager.bearer(&app, "all").await, "North", "code").send().await.expect_status(403);
    ask(&administrator, "nosuch", "code").send().await.expect_status(404);
    for fieldname in ["title", "nosuch"] {
        let refused = ask(&administrator, "North", fieldname).send().await;
        assert_refused(&refused, 417, "DataError", &format!("Field not permitted in query: {fieldname}"));
    }
    let of_user = [("doctype", "User"), ("name", "Administrator"), ("fieldname", "api_secret")];
    get(&administrator, "get_password", &of_user).send().await.expect_status(417);
}

/// Rooms, of which some may be renamed, and stays in them.
async fn rooms(administrator: &Caller) {
    let everybody = json!({ "role": "All", "read": 1 });
    let rooms = json!({ "name": "Room", "autoname": "prompt", "allow_rename": 1, "fields": [{ "fieldname": "title", "label": "Title", "fieldtype": "Data" }] });
    define(administrator, rooms, everybody.clone()).await;
    let fields = json!([{ "fieldname": "room", "label": "Room", "fieldtype": "Link", "options": "Room" }]);
    define(administrator, json!({ "name": "Stay", "autoname": "prompt", "fields": fields }), everybody).await;
    for name in ["Attic", "Cellar"] {
        administrator.post("/api/resource/Room").json(&json!({ "name": name, "title": name })).send().await.expect_status(200);
        let stay = json!({ "name": format!("In the {name}"), "room": name });
        administrator.post("/api/resource/Stay").json(&stay).send().await.expect_status(200);
    }
}

fn rename(caller: &Caller, old: &str, new: &str, merge: Value) -> crate::support::Request {
    post(caller, "rename_doc", &json!({ "doctype": "Room", "old_name": old, "new_name": new, "merge": merge }))
}

async fn room_of(administrator: &Caller, stay: &str) -> Value {
    administrator.get(&format!("/api/resource/Stay/{stay}")).send().await.expect_status(200).data()["room"].clone()
}

async fn a_document_is_renamed_and_what_names_it_follows(app: TestApp) {
    let administrator = app.administrator().await;
    rooms(&administrator).await;
    let renamed = rename(&administrator, "Attic", "Loft", json!(false)).send().await.expect_status(200);
    assert_eq!(renamed.text(), r#"{"message":"Loft"}"#);
    assert_eq!(administrator.get("/api/resource/Room/Loft").send().await.expect_status(200).data()["title"], "Attic");
    administrator.get("/api/resource/Room/Attic").send().await.expect_status(404);
    assert_eq!(room_of(&administrator, "In%20the%20Attic").await, "Loft");
    assert_eq!(room_of(&administrator, "In%20the%20Cellar").await, "Cellar");
}

async fn documents_are_merged(app: TestApp) {
    let administrator = app.administrator().await;
    rooms(&administrator).await;
    let form = [("doctype", "Room"), ("old_name", "Attic"), ("new_name", "Cellar"), ("merge", "1")];
    let merged = administrator.post("/api/method/frappe.client.rename_doc").form(&form).send().await.expect_status(200);
    assert_eq!(merged.message(), "Cellar");
    administrator.get("/api/resource/Room/Attic").send().await.expect_status(404);
    assert_eq!(room_of(&administrator, "In%20the%20Attic").await, "Cellar");
}

async fn a_rename_is_refused(app: TestApp) {
    let administrator = app.administrator().await;
    rooms(&administrator).await;
    let taken = "Another Room with name Cellar exists, select another name";
    assert_refused(&rename(&administrator, "Attic", "Cellar", json!(0)).send().await, 417, "ValidationError", taken);
    let missing = "Room Loft does not exist, select a new target to merge";
    assert_refused(&rename(&administrator, "Attic", "Loft", json!(1)).send().await, 417, "ValidationError", missing);
    rename(&administrator, "nosuch", "Loft", json!(0)).send().await.expect_status(404);
    rename(&amina(&app).await, "Attic", "Loft", json!(0)).send().await.expect_status(403);
    let stay = json!({ "doctype": "Stay", "old_name": "In the Attic", "new_name": "x" });
    let refused = post(&administrator, "rename_doc", &stay).send().await;
    assert_refused(&refused, 417, "ValidationError", "Stay not allowed to be renamed");
    assert_eq!(room_of(&administrator, "In%20the%20Attic").await, "Attic");
}
