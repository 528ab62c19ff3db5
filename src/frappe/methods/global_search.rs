//! Full-text search: `/api/search` and `frappe.utils.global_search.search`.

use serde_json::{Map, Value, json};

use crate::error::AppError;
use crate::frappe::call::{Answer, Call, Reply};
use crate::http::params::Params;
use crate::search::{self, Found, Hit, SearchParams};

/// Results as Frappe's own search page reads them: under `content` every field that says something, `Label : text` each,
/// with ` ||| ` between.
pub fn search(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if !call.params.values.contains_key("text") {
            return Err(AppError::InvalidData("parameter text is required".into()));
        }
        let asked = SearchParams {
            text: call.params.text("text").unwrap_or_default(),
            doctype: doctype(&call.params),
            start: number(&call.params, "start")?,
            limit: number(&call.params, "limit")?,
        };
        let found = run(call, asked).await?;
        let shown = |hit: Hit| {
            let content: Vec<String> = hit.texts.iter().map(|(label, text)| format!("{label} : {text}")).collect();
            let mut row = common(&hit);
            row.insert("content".into(), content.join(" ||| ").into());
            Value::Object(row)
        };
        Ok(Reply::message(found.hits.into_iter().map(shown).collect::<Vec<_>>()))
    })
}

/// `GET /api/search?txt=&doctype=&limit=`: the results under `data`, each with the text around what was found, as HTML in
/// which only `<mark>` is markup; `truncated` where there were too many to rank all of them.
pub fn api_search(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let asked = SearchParams {
            text: call.params.required("txt")?,
            doctype: doctype(&call.params),
            start: number(&call.params, "start")?,
            limit: number(&call.params, "limit")?,
        };
        let found = run(call, asked).await?;
        let shown = |hit: &Hit| {
            let mut row = common(hit);
            row.insert("content".into(), hit.excerpt.clone().into());
            Value::Object(row)
        };
        let rows: Vec<Value> = found.hits.iter().map(shown).collect();
        Ok(Reply::data(Value::from(rows).to_string()).beside("truncated", found.truncated))
    })
}

async fn run(call: Call<'_>, asked: SearchParams) -> Result<Found, AppError> {
    let caller = call.identity.caller;
    call.state.query(move |cx| search::search(cx, &caller, &asked)).await
}

fn common(hit: &Hit) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("doctype".into(), hit.doctype.name.clone().into());
    row.insert("name".into(), hit.name.clone());
    row.insert("title".into(), hit.title.clone().into());
    row.insert("rank".into(), json!(hit.rank));
    row
}

fn doctype(params: &Params) -> Option<String> {
    params.text("doctype").map(|doctype| doctype.trim().to_owned()).filter(|doctype| !doctype.is_empty())
}

/// A whole number from 0 on; what was not sent is 0.
fn number(params: &Params, name: &str) -> Result<usize, AppError> {
    let number = params.number(name)?.unwrap_or_default();
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}
