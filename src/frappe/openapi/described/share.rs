//! `frappe.share.*`: who else sees a document.

use serde_json::json;

use super::Answer::{Flat, Message, Nothing};
use super::What::{Flag, OneOf, Text};
use super::common::{DOCTYPE, NAME, document};
use super::{Described, Takes, may, needs, row};

pub(super) static DESCRIBED: &[Described] = &[
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
];

const WITH_USER: Takes = may("user", Text, "The user it is shared with, where that is not everyone.");

const WITH_EVERYONE: Takes = may("everyone", Flag, "Whether it is shared with everyone who is logged in.");
