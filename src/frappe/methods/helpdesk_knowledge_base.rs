//! `helpdesk.api.knowledge_base.*` (contract 8.4).

use serde_json::{Value, json};

use crate::frappe::call::{Answer, Call, Reply};
use crate::resource::helpdesk;

/// An article, for guests too once it is published.
pub fn get_article(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let name = call.params.required("name")?;
        let caller = call.identity.caller.clone();
        let article = call.state.query(move |cx| helpdesk::article(cx, &caller, &name)).await?;
        let field = |name: &str| article.document.get(name).cloned().unwrap_or(Value::Null);
        let author =
            article.author.map_or_else(|| json!({}), |(name, email, image)| json!({ "name": name, "email": email, "image": image }));
        Ok(Reply::message(json!({
            "name": field("name"),
            "title": field("title"),
            "content": field("content"),
            "author": author,
            "creation": field("creation"),
            "status": field("status"),
            "published_on": field("published_on"),
            "modified": field("modified"),
            "category_name": article.category_name,
            "category_id": field("category"),
            // Frappe: what this user said of it, here: nobody can say anything of it yet.
            "feedback": 0,
        })))
    })
}
