//! Many documents of one doctype in one request (contract 6b). Each is a transaction of its own, so what fails
//! leaves the others alone and is reported by name.

use std::future::Future;

use serde_json::{Map, Value, json};

use super::arguments::{take_name, wrong};
use super::call::{Call, Reply};
use super::documents::{self, Document};
use super::exceptions::Exception;
use crate::auth::Caller;
use crate::error::AppError;
use crate::http::State;
use crate::resource::{self, Action};

/// Most documents of one request.
// Frappe: more than 20 are done by a background job whose id is answered with 202, here: up to 500 are done before the
// answer and more are refused, because an answer that says what was done is worth more than a job that cannot be asked.
const MAX_DOCUMENTS: usize = 500;

/// Changes documents: `docs`, each with its `name` and the fields that change.
///
/// # Errors
/// [`AppError::InvalidData`] for a list that is missing or too long, what opens the doctype at all, and faults.
pub async fn update(call: Call<'_>, doctype: String) -> Result<Reply, AppError> {
    let items = call.params.list("docs")?;
    if let Some(bare) = items.iter().find(|item| !item.is_object()) {
        return Err(wrong("docs", "dict", bare));
    }
    require_at_most(items.len())?;
    let (state, caller) = (call.state, call.identity.caller);
    require_open(state, &caller, &doctype, Action::Write).await?;
    let change = async |name: String, body: Document| documents::update(state, &caller, doctype.clone(), name, body).await.map(drop);
    each("updated", items, change).await
}

/// Deletes documents: `names`, or `docs` with their names.
///
/// # Errors
/// As [`update`].
pub async fn delete(call: Call<'_>, doctype: String) -> Result<Reply, AppError> {
    let items = call.params.list(if call.params.values.contains_key("names") { "names" } else { "docs" })?;
    require_at_most(items.len())?;
    let (state, caller) = (call.state, call.identity.caller);
    require_open(state, &caller, &doctype, Action::Delete).await?;
    each("deleted", items, async |name: String, _| documents::delete(state, &caller, doctype.clone(), name).await).await
}

/// An empty list is refused too to whoever may do this with no document.
async fn require_open(state: &State, caller: &Caller, doctype: &str, action: Action) -> Result<(), AppError> {
    let (caller, doctype) = (caller.clone(), doctype.to_owned());
    state.lookup(move |cx| resource::require_open(cx, &caller, &doctype, action)).await
}

/// Refuses more documents than one request may change one by one.
///
/// # Errors
/// [`AppError::Validation`] with both numbers.
pub fn require_at_most(count: usize) -> Result<(), AppError> {
    if count > MAX_DOCUMENTS {
        return Err(AppError::Validation(format!("{count} documents were sent; at most {MAX_DOCUMENTS} are accepted in one request")));
    }
    Ok(())
}

fn read_item(item: Value) -> Result<(String, Document), AppError> {
    let mut document = match item {
        Value::Object(document) => document,
        name @ (Value::String(_) | Value::Number(_)) => Map::from_iter([("name".to_owned(), name)]),
        other => return Err(wrong("docs", "dict", &other)),
    };
    Ok((take_name(&mut document, "name")?, document))
}

/// Does it to one after the other. A fault of ours ends it, because the rest would end the same.
async fn each<F: Future<Output = Result<(), AppError>>>(
    done_key: &str,
    items: Vec<Value>,
    change: impl Fn(String, Document) -> F,
) -> Result<Reply, AppError> {
    let items = items.into_iter().map(read_item).collect::<Result<Vec<_>, _>>()?;
    let total = items.len();
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for (name, body) in items {
        match change(name.clone(), body).await {
            Ok(()) => done.push(name),
            Err(error) if error.is_fault() => return Err(error),
            Err(error) => failed.push(json!({"name": name, "error": Exception::from(&error).told()})),
        }
    }
    let (successes, failures) = (done.len(), failed.len());
    let result = json!({done_key: done, "failed": failed, "total": total, "success_count": successes, "failure_count": failures});
    Ok(Reply::data(result.to_string()))
}
