//! Doctypes of a test's own.

use serde_json::{Value, json};

use super::Caller;

/// The rights that [`all_rights`] gives.
const RIGHTS: [&str; 10] = ["read", "write", "create", "delete", "submit", "cancel", "amend", "report", "export", "share"];

/// A row of permissions in which a role has all rights to documents.
pub fn all_rights(role: &str) -> Value {
    let mut row = json!({ "role": role });
    for right in RIGHTS {
        row[right] = json!(1);
    }
    row
}

/// A field of a definition, whose label is its name.
pub fn field(fieldname: &str, fieldtype: &str, options: &str) -> Value {
    json!({ "fieldname": fieldname, "label": fieldname, "fieldtype": fieldtype, "options": options })
}

/// Defines a doctype. Where it does not say whose its documents are, System Managers have all rights to them.
#[track_caller]
pub fn define(administrator: &Caller, mut definition: Value) -> impl Future<Output = ()> + use<> {
    if definition["module"].is_null() {
        definition["module"] = json!("Lodge");
    }
    if definition["permissions"].is_null() && definition["istable"].is_null() {
        definition["permissions"] = json!([all_rights("System Manager")]);
    }
    let asked = administrator.post("/api/resource/DocType").json(&definition).send();
    async move {
        asked.await.expect_status(200);
    }
}
