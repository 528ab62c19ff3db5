//! `frappe.client.insert` and the others that change documents.

use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::is_standard_field;
use crate::error::AppError;
use crate::frappe::arguments::{name_text, take_name, wrong};
use crate::frappe::bulk::require_at_most;
use crate::frappe::call::{Answer, Call, Reply};
use crate::frappe::documents::{self, Document};
use crate::frappe::envelope::exception_line;
use crate::frappe::exceptions::Exception;
use crate::http::State;
use crate::resource::{self, Action, Gathered};

/// Most documents of one `insert_many`, as in Frappe.
const MAX_INSERTS: usize = 200;
/// Most rows of their child tables together: all of them are one transaction, for which others wait.
const MAX_REQUEST_ROWS: usize = 10_000;

/// A document that is to be created, with its doctype taken out of it.
struct NewDocument {
    doctype: String,
    body: Document,
    gathered: Gathered,
}

/// Creates a document; for a child row the parent is changed and returned.
pub fn insert(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let caller = call.identity.caller;
        let new = prepare(call.state, &caller, call.params.object("doc")?).await?;
        call.state.write("insert document", move |cx| insert_one(cx, &caller, &new)).await.map(documents::message)
    })
}

/// Creates many documents, all or none, and returns their names.
pub fn insert_many(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let docs = call.params.list("docs")?;
        if docs.len() > MAX_INSERTS {
            return Err(AppError::Validation(format!("Only {MAX_INSERTS} inserts allowed in one request")));
        }
        let caller = call.identity.caller;
        let mut new = Vec::with_capacity(docs.len());
        for doc in docs {
            new.push(prepare(call.state, &caller, object("docs", doc)?).await?);
        }
        let insert = move |cx: &mut Cx| {
            if new.iter().map(|new| rows_of(cx, new)).sum::<usize>() > MAX_REQUEST_ROWS {
                return Err(AppError::Validation(format!("Only {MAX_REQUEST_ROWS} rows of child tables allowed in one request")));
            }
            let name = |new: &NewDocument| Ok(insert_one(cx, &caller, new)?.shift_remove("name").unwrap_or_default());
            new.iter().map(name).collect::<Result<Vec<Value>, AppError>>()
        };
        call.state.write("insert documents", insert).await.map(Reply::message)
    })
}

async fn prepare(state: &State, caller: &Caller, mut body: Document) -> Result<NewDocument, AppError> {
    let doctype = take_name(&mut body, "doctype")?;
    let gathered = documents::gather(state, caller, &doctype, None, Action::Create, &body).await?;
    Ok(NewDocument { doctype, body, gathered })
}

/// How many rows of child tables a document is sent with; a child row is one.
fn rows_of(cx: &Cx, new: &NewDocument) -> usize {
    let registry = cx.env.doctypes();
    let Some(doctype) = registry.find(&new.doctype) else { return 0 };
    let sent = doctype.tables().filter_map(|table| new.body.get(&table.fieldname)).map(|rows| match rows {
        Value::Array(rows) => rows.len(),
        Value::String(text) => serde_json::from_str::<Vec<IgnoredAny>>(text).map_or(0, |rows| rows.len()),
        _ => 0,
    });
    sent.sum::<usize>() + usize::from(doctype.is_child_table)
}

fn insert_one(cx: &mut Cx, caller: &Caller, new: &NewDocument) -> Result<Document, AppError> {
    if cx.env.doctypes().find(&new.doctype).is_some_and(|doctype| doctype.is_child_table) {
        resource::insert_row(cx, caller, &new.doctype, new.body.clone(), &new.gathered)
    } else {
        resource::create(cx, caller, &new.doctype, new.body.clone(), &new.gathered)
    }
}

/// Changes one field, or those of a JSON object in `fieldname`.
pub fn set_value(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let doctype = call.params.required("doctype")?;
        let name = call.params.required("name")?;
        let value = call.params.values.get("value").cloned().filter(|value| !value.is_null());
        let values = match (call.params.json("fieldname")?, value) {
            (None, _) => return Err(AppError::InvalidData("parameter fieldname is required".into())),
            (Some(Value::Object(values)), None) => values,
            (Some(Value::String(fieldname)), value) => Map::from_iter([(fieldname, value.unwrap_or_else(|| "".into()))]),
            (Some(other), _) => return Err(wrong("fieldname", "str", &other)),
        };
        // Frappe: only a single fieldname is looked at, here: those of an object too, because it is the same change.
        if values.keys().any(|fieldname| fieldname == "doctype" || is_standard_field(fieldname)) {
            return Err(AppError::Validation("Cannot edit standard fields".into()));
        }
        update(call.state, &call.identity.caller, doctype, name, values).await.map(documents::message)
    })
}

/// Saves a document that the client has, or creates it when it has no name.
// Frappe: fields that are not in the document are emptied, here: they stay, because half a document is more often one
// that was read with fewer rights than one that is to lose the rest.
pub fn save(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let mut doc = call.params.object("doc")?;
        let has_name = doc.get("name").is_some_and(|name| !name.is_null() && name != "");
        let document = if has_name {
            let doctype = take_name(&mut doc, "doctype")?;
            let name = take_name(&mut doc, "name")?;
            update(call.state, &call.identity.caller, doctype, name, doc).await?
        } else {
            let caller = call.identity.caller;
            let new = prepare(call.state, &caller, doc).await?;
            call.state.write("insert document", move |cx| insert_one(cx, &caller, &new)).await?
        };
        Ok(documents::message(document))
    })
}

/// Submits a document, saving what the client changed in it.
pub fn submit(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let mut doc = call.params.object("doc")?;
        let doctype = take_name(&mut doc, "doctype")?;
        let name = take_name(&mut doc, "name")?;
        doc.insert("docstatus".into(), 1.into());
        documents::update(call.state, &call.identity.caller, doctype, name, doc).await.map(documents::message)
    })
}

/// Cancels a submitted document.
pub fn cancel(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let (doctype, name) = (call.params.required("doctype")?, call.params.required("name")?);
        let body = Map::from_iter([("docstatus".to_owned(), 2.into())]);
        documents::update(call.state, &call.identity.caller, doctype, name, body).await.map(documents::message)
    })
}

/// Deletes a document, or a row of one.
pub fn delete(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let (doctype, name) = (call.params.required("doctype")?, call.params.required("name")?);
        documents::delete(call.state, &call.identity.caller, doctype, name).await?;
        Ok(Reply::message(Value::Null))
    })
}

/// Changes many documents, each by itself: `docs` with `doctype`, `docname` and the fields that change. What fails is
/// told and leaves the others alone.
pub fn bulk_update(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let docs = call.params.list("docs")?;
        require_at_most(docs.len())?;
        let docs = docs.into_iter().map(|doc| object("docs", doc)).collect::<Result<Vec<_>, _>>()?;
        let mut failed = Vec::new();
        for doc in docs {
            match update_sent(call.state, &call.identity.caller, doc.clone()).await {
                Ok(_) => {}
                Err(error) if error.is_fault() => return Err(error),
                Err(error) => failed.push(json!({"doc": doc, "exc": exception_line(&Exception::from(&error))})),
            }
        }
        Ok(Reply::message(json!({"failed_docs": failed})))
    })
}

async fn update_sent(state: &State, caller: &Caller, mut doc: Document) -> Result<Document, AppError> {
    let doctype = take_name(&mut doc, "doctype")?;
    let name = take_name(&mut doc, "docname")?;
    doc.shift_remove("flags");
    update(state, caller, doctype, name, doc).await
}

/// Changes a document. Whoever changes a row gets the document that has it, as in Frappe.
async fn update(state: &State, caller: &Caller, doctype: String, name: String, body: Document) -> Result<Document, AppError> {
    let changed = documents::update(state, caller, doctype, name, body).await?;
    match (changed.get("parenttype").and_then(Value::as_str), changed.get("parent")) {
        (Some(parenttype), Some(parent)) => documents::read(state, caller, parenttype.to_owned(), name_text("parent", parent)?).await,
        _ => Ok(changed),
    }
}

/// Renames a document, or with `merge` makes it part of the one that has the new name, and returns the new name.
pub fn rename_doc(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let doctype = call.params.required("doctype")?;
        let name = |argument: &str| {
            if let Some(value) = call.params.values.get(argument).filter(|value| !value.is_null()) {
                name_text(argument, value)?;
            }
            call.params.required(argument)
        };
        let (old, new) = (name("old_name")?, name("new_name")?);
        let merge = call.params.flag("merge")?;
        let caller = call.identity.caller;
        let rename = move |cx: &mut Cx| resource::rename(cx, &caller, &doctype, &old, &new, merge);
        call.state.write("rename document", rename).await.map(Reply::message)
    })
}

fn object(argument: &str, value: Value) -> Result<Document, AppError> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(wrong(argument, "dict", &other)),
    }
}
