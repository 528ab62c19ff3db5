//! `frappe.desk.search.*`.

use serde_json::{Map, Value};

use crate::error::AppError;
use crate::frappe::call::{Answer, Call, Reply};
use crate::resource::{self, Suggestion, Typed};

/// Suggestions that are made unless a number is asked for, as in Frappe.
const PAGE_LENGTH: u64 = 10;
/// Most suggestions.
const MAX_PAGE_LENGTH: u64 = 1000;

/// Suggestions for a Link field: `[{value, description, label}]`.
pub fn search_link(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let text = |name: &str| call.params.text(name).filter(|text| !text.is_empty());
        if let Some(query) = text("query") {
            return Err(AppError::Unsupported(format!("the search query {query}")));
        }
        let typed = Typed {
            doctype: call.params.required("doctype")?,
            text: text("txt").unwrap_or_default().trim().to_owned(),
            filters: call.params.json("filters")?.filter(|filters| *filters != ""),
            field: text("searchfield"),
            limit: call.params.number("page_length")?.unwrap_or(PAGE_LENGTH).min(MAX_PAGE_LENGTH),
        };
        let caller = call.identity.caller;
        let found = call.state.query(move |cx| resource::suggest(cx, &caller, &typed)).await?;
        Ok(Reply::message(found.into_iter().map(shown).collect::<Vec<Value>>()))
    })
}

fn shown(found: Suggestion) -> Value {
    let mut row = Map::from_iter([("value".to_owned(), found.name), ("description".to_owned(), found.description.into())]);
    if let Some(title) = found.title {
        row.insert("label".into(), title.into());
    }
    Value::Object(row)
}
