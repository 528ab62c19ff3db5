//! Doctypes as data: definitions in Frappe's own form, imported from files and changed over the API.

mod api;
mod changing;
mod import;
mod indexes;

use serde_json::{Value, json};

use crate::support::{Caller, Reply};

const DOCTYPE: &str = "/api/resource/DocType";

/// The permissions that most definitions of these tests have.
fn permissions() -> Value {
    json!([
        {"role": "System Manager", "read": 1, "write": 1, "create": 1, "delete": 1, "report": 1, "export": 1, "share": 1, "print": 1, "email": 1},
        {"role": "All", "read": 1}
    ])
}

/// A definition with these fields, as little around them as can be.
fn definition(name: &str, fields: Value) -> Value {
    json!({"doctype": "DocType", "name": name, "module": "Lodge", "autoname": "prompt", "fields": fields, "permissions": permissions()})
}

/// Sends a definition as a new document.
async fn define(caller: &Caller, definition: &Value) -> Reply {
    caller.post(DOCTYPE).json(definition).send().await
}

/// Changes a definition.
async fn redefine(caller: &Caller, definition: &Value) -> Reply {
    let name = definition["name"].as_str().expect("a name");
    caller.put(&format!("{DOCTYPE}/{}", name.replace(' ', "%20"))).json(definition).send().await
}

/// Makes a document of a doctype that is named by whoever makes it.
async fn document(caller: &Caller, doctype: &str, name: &str, fields: Value) -> Reply {
    let mut body = fields;
    body["name"] = name.into();
    caller.post(&path(doctype, "")).json(&body).send().await
}

fn path(doctype: &str, name: &str) -> String {
    let collection = format!("/api/resource/{}", doctype.replace(' ', "%20"));
    if name.is_empty() { collection } else { format!("{collection}/{}", name.replace(' ', "%20")) }
}

/// A document as it is shown.
async fn read(caller: &Caller, doctype: &str, name: &str) -> Value {
    caller.get(&path(doctype, name)).send().await.expect_status(200).data()
}
