//! `frappe.desk.reportview.*`: lists and counts as Frappe's own list pages ask for them.

use serde_json::{Map, Value, json};

use crate::error::AppError;
use crate::frappe::call::{Answer, Call, Reply};
use crate::http::params::Params;
use crate::resource::{self, ListParams};

/// A list as `{keys, values}`: the names of the columns once, each row as its values. A list without rows is `[]`.
pub fn get(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let rows: Vec<Map<String, Value>> = serde_json::from_str(&rows(call).await?).map_err(AppError::internal)?;
        let Some(first) = rows.first() else { return Ok(Reply::message(Vec::<Value>::new())) };
        let keys: Vec<String> = first.keys().cloned().collect();
        let values: Vec<Value> = rows.into_iter().map(|row| row.into_iter().map(|(_, value)| value).collect()).collect();
        Ok(Reply::message(json!({"keys": keys, "values": values, "user_info": {}})))
    })
}

/// The same list as objects.
pub fn get_list(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move { rows(call).await.map(Reply::message_text) })
}

/// How many rows such a list has without a limit.
pub fn get_count(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let doctype = call.params.required("doctype")?;
        let filters = call.params.values.get("filters").cloned();
        let caller = call.identity.caller;
        call.state.query(move |cx| resource::count(cx, &caller, &doctype, filters.as_ref())).await.map(Reply::message)
    })
}

async fn rows(call: Call<'_>) -> Result<String, AppError> {
    let doctype = call.params.required("doctype")?;
    let params = list_params(&call.params)?;
    let caller = call.identity.caller;
    call.state.query(move |cx| resource::list(cx, &caller, &doctype, &params)).await
}

/// The list's parameters under the names that they have elsewhere; rows are always objects here.
fn list_params(params: &Params) -> Result<ListParams, AppError> {
    let mut values = params.values.clone();
    values.shift_remove("as_dict");
    for (here, elsewhere) in [("start", "limit_start"), ("page_length", "limit_page_length")] {
        if let Some(value) = values.shift_remove(here) {
            values.insert(elsewhere.to_owned(), value);
        }
    }
    ListParams::parse(&values)
}
