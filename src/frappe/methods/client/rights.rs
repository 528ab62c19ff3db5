//! `frappe.client.has_permission` and `get_doc_permissions`: both answer from what every door asks.

use serde_json::{Map, Value, json};

use crate::doctype::filter::shorten;
use crate::error::AppError;
use crate::frappe::call::{Answer, Call, Reply};
use crate::http::params::Params;
use crate::resource::{self, Action};

/// Whether the caller has a right to a document, `read` unless another is named.
pub fn has_permission(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let (doctype, name) = asked(&call.params)?;
        let word = call.params.text("perm_type").filter(|word| !word.is_empty()).unwrap_or_else(|| "read".into());
        let action = Action::from_text(&word).ok_or_else(|| AppError::Validation(format!("There is no permission {}", shorten(&word))))?;
        let caller = call.identity.caller;
        let has = call.state.query(move |cx| resource::has_permission(cx, &caller, &doctype, name.as_deref(), action)).await?;
        Ok(Reply::message(json!({"has_permission": has})))
    })
}

/// Which rights the caller has to a document: 0 or 1 for each.
pub fn get_doc_permissions(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let (doctype, name) = asked(&call.params)?;
        let caller = call.identity.caller;
        let rights = call.state.query(move |cx| resource::permissions_of(cx, &caller, &doctype, name.as_deref())).await?;
        let rights: Map<String, Value> =
            rights.into_iter().map(|(action, has)| (action.as_str().to_owned(), i32::from(has).into())).collect();
        Ok(Reply::message(json!({"permissions": rights})))
    })
}

fn asked(params: &Params) -> Result<(String, Option<String>), AppError> {
    Ok((params.required("doctype")?, params.text("docname").filter(|name| !name.is_empty())))
}
