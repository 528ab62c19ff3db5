//! What each row of the method table takes and answers: one row here for each there, by name. A test compares the two.

use serde_json::{Value, json};

use super::shapes::schema;

/// What is said about a method.
pub struct Described {
    /// Its name in the method table.
    pub path: &'static str,
    pub summary: &'static str,
    pub takes: &'static [Takes],
    pub answer: Answer,
    /// For an OAuth endpoint: its body is JSON, not a form.
    pub is_json: bool,
}

impl Described {
    const fn in_json(self) -> Self {
        Self { is_json: true, ..self }
    }
}

/// A parameter.
pub struct Takes {
    pub name: &'static str,
    pub what: What,
    pub required: bool,
    pub about: &'static str,
}

/// The kinds of parameters.
#[derive(Clone, Copy)]
pub enum What {
    Text,
    /// The name of a doctype.
    Doctype,
    /// A text; `0`, `false` and what else is empty counts as nothing.
    TextIfAny,
    Number,
    /// 0 or 1.
    Flag,
    OneOf(&'static [&'static str]),
    /// Conditions, as JSON.
    Filters,
    /// Names of fields: one, or a JSON list.
    Fields,
    /// A whole document, as JSON.
    Document,
    /// A JSON list of documents.
    Documents,
    /// A JSON list of objects, each of which is judged by itself.
    Objects,
    /// Any JSON.
    Json,
    /// The value of a field.
    Value,
    /// The bytes of a file, in a form of several parts.
    File,
}

/// The shapes of an answer.
#[derive(Clone, Copy)]
pub enum Answer {
    /// Under `message`.
    Message(fn() -> Value),
    /// An empty object.
    Nothing,
    /// At the top level.
    Flat(fn() -> Value),
    /// A page for people, or a redirect.
    Page,
}

const fn row(path: &'static str, summary: &'static str, takes: &'static [Takes], answer: Answer) -> Described {
    Described { path, summary, takes, answer, is_json: false }
}

const fn needs(name: &'static str, what: What, about: &'static str) -> Takes {
    Takes { name, what, required: true, about }
}

const fn may(name: &'static str, what: What, about: &'static str) -> Takes {
    Takes { name, what, required: false, about }
}

use Answer::{Flat, Message, Nothing, Page};
use What::{Documents, Fields, Filters, Flag, Json, Number, OneOf, Text};

/// What stands for a method without a row; a test keeps it from being needed.
pub static NOTHING: Described = row("", "", &[], Answer::Nothing);

/// One row a method, sorted as the method table is.
pub static DESCRIBED: &[Described] = &[
    row("frappe.auth.get_logged_user", "Who is calling", &[], Message(text)),
    row(
        "frappe.client.attach_file",
        "Keep a file whose content comes as a parameter",
        &[
            needs("filename", Json, "Its name."),
            needs("filedata", Text, "Its content: text, or base64."),
            may("decode_base64", Flag, "Whether the content is base64."),
            PRIVATE,
            FOLDER,
            ATTACHED_TO,
            ATTACHED_NAME,
            may("docfield", Text, "The field of it that shows the file."),
        ],
        Message(document),
    ),
    row(
        "frappe.client.bulk_update",
        "Change documents, each by itself",
        &[needs("docs", What::Objects, "Each with `doctype`, `docname` and the fields that change.")],
        Message(|| json!({ "type": "object", "required": ["failed_docs"], "properties": { "failed_docs": { "type": "array" } } })),
    ),
    row("frappe.client.cancel", "Cancel a submitted document", &[DOCTYPE, NAME], Message(document)),
    row("frappe.client.delete", "Delete a document", &[DOCTYPE, NAME], Nothing),
    row(
        "frappe.client.get",
        "Read a document by name, or the first that filters find",
        &[DOCTYPE, may("name", Text, "Its name."), FILTERS, PARENT],
        Message(document),
    ),
    row("frappe.client.get_count", "Count documents", &[DOCTYPE, FILTERS], Message(|| json!({ "type": "integer", "minimum": 0 }))),
    row(
        "frappe.client.get_doc_permissions",
        "Your rights to a document, or to a doctype",
        &[DOCTYPE, DOCNAME],
        Message(|| {
            let rights = json!({ "type": "object", "additionalProperties": { "enum": [0, 1] } });
            json!({ "type": "object", "required": ["permissions"], "properties": { "permissions": rights } })
        }),
    ),
    row(
        "frappe.client.get_list",
        "List documents",
        &[
            DOCTYPE,
            may("fields", Fields, "Names of fields; default `[\"name\"]`."),
            FILTERS,
            may("or_filters", Filters, "Conditions of which one holds besides."),
            may("order_by", Text, "A field, and `asc` or `desc`."),
            may("limit_start", Number, "Rows to leave out; default 0."),
            may("limit_page_length", Number, "Rows at most; default 20, 0 for all."),
            PARENT,
        ],
        Message(|| json!({ "type": "array" })),
    ),
    row(
        "frappe.client.get_password",
        "A secret that a document keeps; for System Managers",
        &[DOCTYPE, NAME, may("fieldname", Text, "The field's name; default `password`.")],
        Flat(|| json!({ "type": "object" })),
    ),
    row(
        "frappe.client.get_single_value",
        "A field of a doctype that has one document",
        &[DOCTYPE, needs("field", Text, "The field's name.")],
        Flat(|| json!({ "type": "object" })),
    ),
    row("frappe.client.get_time_zone", "The site's time zone", &[], Message(|| object(&["time_zone"]))),
    row(
        "frappe.client.get_value",
        "Fields of the first document that filters find",
        &[
            DOCTYPE,
            needs("fieldname", Fields, "Names of fields."),
            FILTERS,
            may("as_dict", Flag, "Whether an object is answered; default 1."),
            PARENT,
        ],
        Flat(|| json!({ "type": "object" })),
    ),
    row(
        "frappe.client.has_permission",
        "Whether you have a right to a document, or to a doctype",
        &[DOCTYPE, DOCNAME, may("perm_type", Text, "The right, such as `write`; default `read`.")],
        Message(|| json!({ "type": "object", "required": ["has_permission"], "properties": { "has_permission": { "type": "boolean" } } })),
    ),
    row("frappe.client.insert", "Create a document", &[DOC], Message(document)),
    row(
        "frappe.client.insert_many",
        "Create documents, all or none",
        &[needs("docs", Documents, "At most 200.")],
        Message(|| json!({ "type": "array", "items": { "type": ["string", "integer"] } })),
    ),
    row(
        "frappe.client.rename_doc",
        "Give a document another name",
        &[
            DOCTYPE,
            needs("old_name", Text, "Its name until now."),
            needs("new_name", Text, "Its name from now on."),
            may("merge", Flag, "Whether it may become one with a document that has that name."),
        ],
        Message(|| json!({ "type": ["string", "integer"] })),
    ),
    row("frappe.client.save", "Save a document, or create it when it has no name", &[DOC], Message(document)),
    row(
        "frappe.client.set_value",
        "Change a field",
        &[DOCTYPE, NAME, needs("fieldname", Json, "A field's name, or an object of values."), may("value", What::Value, "The new value.")],
        Message(document),
    ),
    row("frappe.client.submit", "Submit a document", &[DOC], Message(document)),
    row(
        "frappe.client.validate_link",
        "Whether a document exists that you may read",
        &[DOCTYPE, needs("docname", Text, "Its name."), may("fields", Fields, "Names of fields to answer with.")],
        Message(|| json!({ "type": "object" })),
    ),
    row(
        "frappe.core.doctype.user.user.generate_keys",
        "Make an API key; one made before stops working",
        &[needs("user", Text, "Whose key it is.")],
        Message(|| object(&["api_key", "api_secret"])),
    ),
    row("frappe.desk.form.load.getdoc", "Read a document for a form", &[DOCTYPE, NAME], Flat(docs)),
    row("frappe.desk.form.load.getdoctype", "A doctype's definition, and those of its tables", &[DOCTYPE], Flat(docs)),
    row(
        "frappe.desk.form.save.savedocs",
        "Save a form",
        &[DOC, needs("action", OneOf(&["Save", "Submit", "Update", "Cancel"]), "What to do with it.")],
        Flat(docs),
    ),
    row(
        "frappe.desk.reportview.get",
        "List documents, names of fields and values apart",
        VIEW,
        Message(|| json!({ "type": ["object", "array"] })),
    ),
    row("frappe.desk.reportview.get_count", "Count documents", &[DOCTYPE, FILTERS], Message(|| json!({ "type": "integer", "minimum": 0 }))),
    row("frappe.desk.reportview.get_list", "List documents", VIEW, Message(|| json!({ "type": "array" }))),
    row(
        "frappe.desk.search.search_link",
        "Documents to choose from, by part of their name or title",
        &[
            DOCTYPE,
            may("txt", Json, "What is looked for."),
            FILTERS,
            may("searchfield", Json, "The field that is looked at besides."),
            may("page_length", Number, "How many at most; default 10."),
        ],
        Message(|| {
            let texts = json!({ "value": { "type": ["string", "integer"] }, "description": { "type": "string" } });
            json!({ "type": "array", "items": { "type": "object", "required": ["value", "description"], "properties": texts } })
        }),
    ),
    row(
        "frappe.integrations.doctype.oauth_client.oauth_client.rotate_secret",
        "Replace an OAuth client's secret",
        &[needs("client_id", Text, "Which client."), may("keep_old", Text, "How long the old one is accepted, such as `7d`.")],
        Message(|| object(&["client_id", "client_secret"])),
    ),
    row("frappe.integrations.oauth2.approve", "Answer the question of authorize", AUTHORIZATION, Page),
    row("frappe.integrations.oauth2.authorize", "Begin a login for an app (RFC 6749 section 4.1.1)", AUTHORIZATION, Page),
    row(
        "frappe.integrations.oauth2.end_session",
        "Log out for an app (OpenID Connect RP-Initiated Logout)",
        &[
            may("id_token_hint", Text, "An ID token of the app."),
            may("client_id", Text, "The app."),
            may("post_logout_redirect_uri", Text, "Where to go then."),
            may("state", Text, "Comes back unchanged."),
        ],
        Page,
    ),
    row(
        "frappe.integrations.oauth2.get_token",
        "Get an access token (RFC 6749 section 3.2)",
        &[
            needs("grant_type", OneOf(&["authorization_code", "refresh_token", "client_credentials"]), "What it is got for."),
            may("code", Text, "The code that authorize gave."),
            may("redirect_uri", Text, "Where the code was sent."),
            may("code_verifier", Text, "The PKCE verifier (RFC 7636)."),
            may("refresh_token", Text, "The refresh token."),
            may("scope", Text, "Words separated by spaces."),
            may("client_id", Text, "Which client."),
            may("client_secret", Text, "Its secret, where it authenticates so."),
        ],
        Flat(|| object(&["access_token", "token_type"])),
    ),
    row(
        "frappe.integrations.oauth2.introspect_token",
        "What a token is (RFC 7662)",
        TOKEN,
        Flat(|| json!({ "type": "object", "required": ["active"], "properties": { "active": { "type": "boolean" } } })),
    ),
    row(
        "frappe.integrations.oauth2.jwks",
        "The keys that sign ID tokens (RFC 7517)",
        &[],
        Flat(
            || json!({ "type": "object", "required": ["keys"], "properties": { "keys": { "type": "array", "items": { "type": "object" } } } }),
        ),
    ),
    row(
        "frappe.integrations.oauth2.openid_configuration",
        "What this authorization server offers (OpenID Connect Discovery)",
        &[],
        Flat(|| object(&["issuer", "authorization_endpoint", "token_endpoint"])),
    ),
    row(
        "frappe.integrations.oauth2.openid_profile",
        "Claims about the user (OpenID Connect Core section 5.3)",
        &[],
        Flat(|| object(&["sub"])),
    ),
    row("frappe.integrations.oauth2.register_client", "Register an app (RFC 7591)", REGISTRATION, Flat(|| object(&["client_id"])))
        .in_json(),
    row("frappe.integrations.oauth2.revoke_token", "Revoke a token (RFC 7009)", TOKEN, Answer::Nothing),
    row("frappe.ping", "Whether the server answers", &[], Message(pong)),
    row("frappe.sessions.get_csrf_token", "The CSRF token of this session", &[], Message(text)),
    row(
        "frappe.share.add",
        "Share a document with a user or everyone",
        &[
            DOCTYPE,
            NAME,
            WITH_USER,
            WITH_EVERYONE,
            may("write", Flag, "Whether they may change it."),
            may("submit", Flag, "Whether they may submit it."),
            may("share", Flag, "Whether they may share it in turn."),
        ],
        Message(document),
    ),
    row(
        "frappe.share.get_users",
        "With whom a document is shared",
        &[DOCTYPE, NAME],
        Message(|| json!({ "type": "array", "items": { "type": "object" } })),
    ),
    row("frappe.share.remove", "Take back what was shared", &[DOCTYPE, NAME, WITH_USER, WITH_EVERYONE], Nothing),
    row(
        "frappe.share.set_permission",
        "Give or take one right of a share",
        &[
            DOCTYPE,
            NAME,
            WITH_USER,
            WITH_EVERYONE,
            needs("permission_to", OneOf(&["read", "write", "submit", "share"]), "The right."),
            may("value", Flag, "Whether they have it from now on; default 1."),
        ],
        // The share, or nothing where none is left.
        Flat(|| json!({ "type": "object" })),
    ),
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
            may("start", Number, "Results to leave out; default 0."),
            may("limit", Number, "Results at most; default 20."),
        ],
        Message(|| json!({ "type": "array", "items": { "type": "object", "required": ["doctype", "name", "content"] } })),
    ),
    row("helpdesk.api.auth.get_user", "Who is calling, for a helpdesk", &[], Message(|| object(&["user_id", "user_name", "time_zone"]))),
    row(
        "helpdesk.api.knowledge_base.get_article",
        "An article of the knowledge base; a published one for everybody",
        &[needs("name", Text, "Its name.")],
        Message(|| json!({ "type": "object", "required": ["name", "title", "author", "feedback"] })),
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

const PRIVATE: Takes = may("is_private", Flag, "Whether only who may read what it is attached to sees it.");
const FOLDER: Takes = may("folder", Text, "The folder it is kept in.");
const ATTACHED_TO: Takes = may("doctype", Text, "The doctype of the document that it is attached to.");
const ATTACHED_NAME: Takes = may("docname", Text, "The name of that document.");
const VIEW: &[Takes] = &[
    DOCTYPE,
    may("fields", Fields, "Names of fields."),
    FILTERS,
    may("order_by", Text, "A field, and `asc` or `desc`."),
    may("start", Number, "Rows to leave out; default 0."),
    may("page_length", Number, "Rows at most; default 20."),
];

const DOCTYPE: Takes = needs("doctype", What::Doctype, "The name of a doctype.");
const NAME: Takes = needs("name", Text, "The document's name.");
const DOCNAME: Takes = may("docname", Text, "The document's name.");
const WITH_USER: Takes = may("user", Text, "The user it is shared with, where that is not everyone.");
const WITH_EVERYONE: Takes = may("everyone", Flag, "Whether it is shared with everyone who is logged in.");
const DOC: Takes = needs("doc", What::Document, "The document.");
const FILTERS: Takes = may("filters", Filters, "Conditions that all hold.");
const PARENT: Takes = may("parent", What::TextIfAny, "The doctype whose rows are asked for, where they are a table's.");

const AUTHORIZATION: &[Takes] = &[
    may("client_id", Text, "Which app."),
    may("redirect_uri", Text, "Where the answer is sent."),
    may("response_type", Text, "`code`."),
    may("scope", Text, "Words separated by spaces."),
    may("state", Text, "Comes back unchanged."),
    may("code_challenge", Text, "The PKCE challenge (RFC 7636)."),
    may("code_challenge_method", Text, "`S256`."),
    may("nonce", Text, "Comes back in the ID token."),
    may("prompt", Text, "`none`, `login` or `consent`."),
];

const TOKEN: &[Takes] = &[
    needs("token", Text, "The token."),
    may("token_type_hint", Text, "`access_token` or `refresh_token`."),
    may("client_id", Text, "Which client."),
    may("client_secret", Text, "Its secret, where it authenticates so."),
];

const REGISTRATION: &[Takes] = &[
    needs("redirect_uris", What::Json, "Where codes may be sent: a list."),
    may("client_name", Text, "What users are shown."),
    may("token_endpoint_auth_method", Text, "How it authenticates."),
    may("grant_types", What::Json, "Which grants it uses: a list."),
    may("scope", Text, "Words separated by spaces."),
];

fn text() -> Value {
    json!({ "type": "string" })
}

fn document() -> Value {
    schema("Document")
}

fn docs() -> Value {
    json!({ "type": "object", "required": ["docs"], "properties": { "docs": { "type": "array", "items": { "type": "object" } } } })
}

fn pong() -> Value {
    json!({ "const": "pong" })
}

/// An object with these texts in it.
fn object(members: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> = members.iter().map(|member| ((*member).to_owned(), text())).collect();
    json!({ "type": "object", "required": members, "properties": properties })
}

/// The row of a method.
pub fn find(path: &str) -> Option<&'static Described> {
    DESCRIBED.binary_search_by(|row| row.path.cmp(path)).ok().map(|index| &DESCRIBED[index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frappe::registry::METHODS;

    #[test]
    fn every_method_has_its_row_and_every_row_its_method() {
        let methods: Vec<&str> = METHODS.iter().map(|method| method.path).collect();
        let described: Vec<&str> = DESCRIBED.iter().map(|row| row.path).collect();
        assert_eq!(described, methods, "add the row of a new method here too");
    }

    #[test]
    fn every_row_says_what_it_is_for() {
        for row in DESCRIBED {
            assert!(!row.summary.is_empty() && row.takes.iter().all(|takes| !takes.about.is_empty()), "{}", row.path);
        }
    }
}
