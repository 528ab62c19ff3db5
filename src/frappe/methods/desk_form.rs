//! `frappe.desk.form.*`: documents and definitions as Frappe's own forms load and save them.

use serde_json::{Value, json};

use crate::error::AppError;
use crate::frappe::arguments::take_name;
use crate::frappe::call::{Answer, Call, Reply};
use crate::frappe::documents::{self, Document};
use crate::resource::{self, SentName};

/// A document with its rows, as the only member of `docs`.
pub fn getdoc(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let (doctype, name) = (call.params.required("doctype")?, call.params.required("name")?);
        let document = documents::read(call.state, &call.identity.caller, doctype, name).await?;
        let info = json!({"doctype": document["doctype"], "name": document["name"]});
        Ok(docs(document).beside("docinfo", info))
    })
}

/// A doctype's definition and those of its child tables, as `docs`.
pub fn getdoctype(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let doctype = call.params.required("doctype")?;
        let caller = call.identity.caller.clone();
        let definitions = call.state.lookup(move |cx| resource::definitions(cx, &caller, &doctype)).await?;
        Ok(Reply::flat().beside("docs", definitions.into_iter().map(Value::Object).collect::<Vec<_>>()))
    })
}

/// Saves what a form holds: `doc`, and as `action` Save, Submit, Update or Cancel.
pub fn savedocs(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let mut doc = call.params.object("doc")?;
        let docstatus = match call.params.required("action")?.as_str() {
            "Save" => None,
            "Submit" | "Update" => Some(1),
            "Cancel" => Some(2),
            other => {
                let known = "Save, Submit, Update or Cancel";
                return Err(AppError::Validation(format!("action must be {known}, not {}", other.chars().take(140).collect::<String>())));
            }
        };
        let doctype = take_name(&mut doc, "doctype")?;
        let is_new = doc.shift_remove("__islocal").is_some_and(|flag| flag == 1 || flag == true);
        doc.retain(|key, _| !key.starts_with("__"));
        if let Some(docstatus) = docstatus {
            doc.insert("docstatus".into(), docstatus.into());
        }
        let caller = &call.identity.caller;
        let document = if is_new {
            documents::create(call.state, caller, doctype, doc, SentName::WhereAsked).await?
        } else {
            let name = take_name(&mut doc, "name")?;
            documents::update(call.state, caller, doctype, name, doc).await?
        };
        Ok(docs(document))
    })
}

/// Frappe leaves out what is null where documents are sent as such.
fn docs(document: Document) -> Reply {
    let secret = documents::shows_secret(&document);
    Reply::flat().beside("docs", vec![Value::Object(resource::strip_nulls(document))]).secret(secret)
}
