//! `helpdesk.api.*`.

use serde_json::json;

use super::Answer::Message;
use super::What::Text;
use super::common::object;
use super::{Described, needs, row};

pub(super) static DESCRIBED: &[Described] = &[
    row("helpdesk.api.auth.get_user", "Who is calling, for a helpdesk", &[], Message(|| object(&["user_id", "user_name", "time_zone"]))),
    row(
        "helpdesk.api.knowledge_base.get_article",
        "An article of the knowledge base; a published one for everybody",
        &[needs("name", Text, "Its name.")],
        Message(|| json!({ "type": "object", "required": ["name", "title", "author", "feedback"] })),
    ),
];
