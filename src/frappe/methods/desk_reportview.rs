//! `frappe.desk.reportview.*`: lists and counts as Frappe's own list pages ask for them.

use serde_json::Value;

use crate::error::AppError;
use crate::frappe::call::{Answer, Call, Reply};
use crate::http::params::Params;
use crate::resource::{self, ListParams, Page};

/// A list as `{keys, values}`: the names of the columns once, each row as its values. A list without rows is `[]`.
pub fn get(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let page = page(call, true).await?;
        if page.rows.is_empty() {
            return Ok(Reply::message(Vec::<Value>::new()));
        }
        let (keys, values) = (Value::from(page.keys.clone()), page.to_json());
        Ok(Reply::message_text(format!(r#"{{"keys":{keys},"values":{values},"user_info":{{}}}}"#)))
    })
}

/// The same list as objects.
pub fn get_list(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move { page(call, false).await.map(|page| Reply::message_text(page.to_json())) })
}

/// How many documents such a list finds without a limit.
pub fn get_count(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let doctype = call.params.required("doctype")?;
        let params = list_params(&call.params)?;
        let caller = call.identity.caller;
        call.state.query(move |cx| resource::count_listed(cx, &caller, &doctype, &params)).await.map(Reply::message)
    })
}

async fn page(call: Call<'_>, as_arrays: bool) -> Result<Page, AppError> {
    let doctype = call.params.required("doctype")?;
    let params = ListParams { as_arrays, ..list_params(&call.params)? };
    let caller = call.identity.caller;
    call.state.query(move |cx| resource::list_page(cx, &caller, &doctype, &params)).await
}

/// The list's parameters under the names that they have elsewhere; the method says how rows look.
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
