//! Who is calling, and what belongs to no other family.

use serde_json::json;

use super::Answer::{Flat, Message};
use super::What::{Json, Number, Text};
use super::common::{ATTACHED_NAME, ATTACHED_TO, FOLDER, PRIVATE, docs, document, object, pong, text};
use super::{Described, What, may, needs, row};

pub(super) static DESCRIBED: &[Described] = &[
    row("frappe.auth.get_logged_user", "Who is calling", &[], Message(text)),
    row(
        "frappe.core.doctype.user.user.generate_keys",
        "Make an API key; one made before stops working",
        &[needs("user", Text, "Whose key it is.")],
        Message(|| object(&["api_key", "api_secret"])),
    ),
    row("frappe.ping", "Whether the server answers", &[], Message(pong)),
    row("frappe.sessions.get_csrf_token", "The CSRF token of this session", &[], Message(text)),
    row(
        "frappe.utils.change_log.get_versions",
        "What runs here, and which version",
        &[],
        Message(|| json!({ "type": "object", "required": ["frappe", "ostiary"] })),
    ),
    row(
        "frappe.utils.global_search.search",
        "Search the texts of documents",
        &[
            needs("text", Json, "What is looked for."),
            may("doctype", Json, "The doctype that is searched; all of them if it is left out."),
            may("start", Number, "Results to skip; 0 by default."),
            may("limit", Number, "Most results to answer with; 20 by default, no more than 100."),
        ],
        Message(|| json!({ "type": "array", "items": { "type": "object", "required": ["doctype", "name", "content"] } })),
    ),
    row(
        "login",
        "Start a session",
        &[needs("usr", Text, "The user's name."), needs("pwd", Text, "The password.")],
        Flat(|| object(&["message", "home_page", "full_name"])),
    ),
    row("logout", "End this session", &[], Flat(|| object(&["message", "home_page", "full_name"]))),
    row("ping", "Whether the server answers", &[], Message(pong)),
    row(
        "run_doc_method",
        "Run a method of a document",
        &[
            needs("method", Text, "The method's name."),
            may("dt", What::Doctype, "The document's doctype."),
            may("dn", Text, "Its name."),
            may("docs", What::Document, "The document itself, instead of both."),
        ],
        Flat(docs),
    ),
    row(
        "upload_file",
        "Keep a file",
        &[
            may("file", What::File, "Its content."),
            may("file_url", Text, "Where it is, instead of the content."),
            PRIVATE,
            FOLDER,
            ATTACHED_TO,
            ATTACHED_NAME,
            may("fieldname", Text, "The field of it that shows the file."),
        ],
        Message(document),
    ),
];
