//! `frappe.client.*`: documents by parameters.

use serde_json::json;

use super::Answer::{Flat, Message, Nothing};
use super::What::{Documents, Fields, Filters, Flag, Json, Number, Text};
use super::common::{ATTACHED_NAME, ATTACHED_TO, DOC, DOCNAME, DOCTYPE, FILTERS, FOLDER, NAME, PARENT, PRIVATE, document, object};
use super::{Described, What, may, needs, row};

pub(super) static DESCRIBED: &[Described] = &[
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
            may("or_filters", Filters, "Conditions of which at least one holds as well."),
            may("order_by", Text, "A field, and `asc` or `desc`."),
            may("limit_start", Number, "Rows to skip; 0 by default."),
            may("limit_page_length", Number, "Most rows to answer with; 20 by default, 0 for all of them."),
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
];
