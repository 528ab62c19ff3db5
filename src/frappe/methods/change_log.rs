//! `frappe.utils.change_log.*`.

use serde_json::json;

use crate::frappe::call::{Answer, Call, Reply};

/// The version of Frappe whose answers are recorded and kept.
const DIALECT: &str = "15.44.2";

/// What runs here, and which Frappe clients may take it for.
// Frappe: its installed apps, here: Ostiary under its own name, and under `frappe` the version whose dialect it
// speaks, because clients look there to learn what they may ask for.
pub fn get_versions(_: Call<'_>) -> Answer<'_> {
    Box::pin(async {
        Ok(Reply::message(json!({
            "frappe": {"title": "Frappe Framework", "description": "The dialect that this server speaks", "branch": "", "version": DIALECT},
            "ostiary": {"title": "Ostiary", "description": env!("CARGO_PKG_DESCRIPTION"), "branch": "", "version": env!("CARGO_PKG_VERSION")},
        })))
    })
}
