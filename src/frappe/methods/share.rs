//! `frappe.share.*`: sharing single documents.

use serde_json::Value;

use crate::cx::Cx;
use crate::error::AppError;
use crate::frappe::call::{Answer, Call, Reply};
use crate::http::params::Params;
use crate::resource::share::{self, Given, With};

/// Which document, and with whom.
struct Asked {
    doctype: String,
    name: String,
    with: With,
}

// Frappe: a share for nobody is one for the caller, here: refused, because whoever may share a document has it already.
fn read(params: &Params) -> Result<Asked, AppError> {
    let with = if params.flag("everyone")? { With::Everyone } else { With::User(params.required("user")?) };
    Ok(Asked { doctype: params.required("doctype")?, name: params.required("name")?, with })
}

/// Shares a document with a user or everyone, and returns the share.
pub fn add(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let asked = read(&call.params)?;
        let flag = |name: &str| call.params.flag(name);
        let given = Given { write: flag("write")?, submit: flag("submit")?, share: flag("share")? };
        let caller = call.identity.caller;
        let add = move |cx: &mut Cx| share::add(cx, &caller, &asked.doctype, &asked.name, &asked.with, given);
        call.state.write("share document", add).await.map(Reply::message)
    })
}

/// Gives or takes one right of a share; `permission_to` names it.
pub fn set_permission(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let asked = read(&call.params)?;
        let right = call.params.required("permission_to")?;
        let on = !call.params.values.contains_key("value") || call.params.flag("value")?;
        let caller = call.identity.caller;
        let set = move |cx: &mut Cx| share::set(cx, &caller, &asked.doctype, &asked.name, &asked.with, &right, on);
        let left = call.state.write("share document", set).await?;
        Ok(Reply::message(left.map_or(Value::Null, Value::Object)))
    })
}

/// Takes back what was shared with a user.
pub fn remove(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let asked = read(&call.params)?;
        let caller = call.identity.caller;
        let remove = move |cx: &mut Cx| share::remove(cx, &caller, &asked.doctype, &asked.name, &asked.with);
        call.state.write("unshare document", remove).await?;
        Ok(Reply::message(Value::Null))
    })
}

/// With whom a document is shared.
pub fn get_users(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let (doctype, name) = (call.params.required("doctype")?, call.params.required("name")?);
        let caller = call.identity.caller;
        let users = call.state.query(move |cx| share::list(cx, &caller, &doctype, &name)).await?;
        Ok(Reply::message(users.into_iter().map(Value::Object).collect::<Vec<_>>()))
    })
}
