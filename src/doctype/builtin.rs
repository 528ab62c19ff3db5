//! The definitions that come with Ostiary, and the documents that a new site starts with.
//!
//! Written in Frappe's DocType JSON, one file each in `builtin/`. To add one: the file, and its
//! name in [`DEFINITIONS`]; the tests here say what does not resolve. Keys that begin with `ostiary_`
//! are ours: `meta` explains them.

use serde_json::{Map, Value};

/// Names and texts of the files of these names in `builtin/`.
macro_rules! definitions {
    ($($name:literal,)*) => { &[$((concat!($name, ".json"), include_str!(concat!("builtin/", $name, ".json")))),*] };
}

/// The embedded definitions: file name and text.
pub(super) const DEFINITIONS: &[(&str, &str)] = definitions![
    "activity_log",
    "address",
    "api_request_log",
    "assignment_rule",
    "assignment_rule_day",
    "assignment_rule_user",
    "comment",
    "contact",
    "contact_email",
    "contact_phone",
    "customer",
    "customer_group",
    "docfield",
    "docperm",
    "docshare",
    "doctype",
    "dynamic_link",
    "error_log",
    "file",
    "has_role",
    "hd_agent",
    "hd_agent_status",
    "hd_article",
    "hd_article_category",
    "hd_customer",
    "hd_holiday",
    "hd_saved_reply",
    "hd_saved_reply_team",
    "hd_service_day",
    "hd_service_holiday_list",
    "hd_service_level_agreement",
    "hd_service_level_priority",
    "hd_settings",
    "hd_team",
    "hd_team_member",
    "hd_ticket",
    "hd_ticket_feedback_option",
    "hd_ticket_priority",
    "hd_ticket_status",
    "hd_ticket_template",
    "hd_ticket_template_field",
    "hd_ticket_type",
    "item",
    "item_group",
    "lead",
    "note",
    "oauth_bearer_token",
    "oauth_client",
    "oauth_client_role",
    "oauth_resource",
    "oauth_settings",
    "report",
    "report_column",
    "report_filter",
    "role",
    "social_login_key",
    "system_settings",
    "tag",
    "tag_link",
    "territory",
    "todo",
    "uom",
    "user",
    "user_permission",
    "version",
];

/// The documents that a new site starts with, in the order in which they can be made; each names
/// its doctype under `doctype`. A site remembers how many of them it was given, so this list only
/// ever grows at its end.
pub fn records() -> Vec<Map<String, Value>> {
    serde_json::from_str(include_str!("builtin/records.json")).expect("embedded records are tested")
}

#[cfg(test)]
mod tests {
    use crate::doctype::{DocType, Field, FieldType, Naming, Registry};

    use super::*;

    /// What a definition says under a key that holds text.
    fn said(doctype: &DocType, key: &str) -> Option<String> {
        let definition: Value = serde_json::from_str(&doctype.definition).expect("a definition is JSON");
        definition[key].as_str().map(str::to_owned)
    }

    /// The doctype that a Link, Table or Dynamic Link leads to, when it does not lead to any document.
    fn missing_target(registry: &Registry, doctype: &DocType, field: &Field) -> Option<String> {
        let found = match field.fieldtype {
            FieldType::Link => registry.get(&field.options).is_some_and(|target| !target.is_child_table && !target.is_single),
            FieldType::Table | FieldType::TableMultiSelect => registry.get(&field.options).is_some_and(|target| target.is_child_table),
            FieldType::DynamicLink => {
                doctype.field(&field.options).is_some_and(|by| by.fieldtype == FieldType::Link && by.options == "DocType")
            }
            _ => true,
        };
        (!found).then(|| format!("{}.{} leads to {}", doctype.name, field.fieldname, field.options))
    }

    #[test]
    fn every_link_and_table_of_a_definition_resolves() {
        let registry = Registry::builtin();
        let fields = registry.iter().flat_map(|doctype| doctype.fields.iter().map(move |field| (doctype, field)));
        let missing: Vec<String> = fields.filter_map(|(doctype, field)| missing_target(&registry, doctype, field)).collect();
        assert!(missing.is_empty(), "{missing:#?}");
    }

    #[test]
    fn every_field_that_a_definition_names_is_one() {
        for doctype in Registry::builtin().iter() {
            let has = |name: &str| doctype.column(name).is_some();
            for key in ["title_field", "image_field", "nsm_parent_field"] {
                assert!(said(doctype, key).is_none_or(|name| has(&name)), "{} has no {key}", doctype.name);
            }
            for key in ["search_fields", "sort_field"] {
                let names = said(doctype, key).unwrap_or_default();
                for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                    assert!(has(name), "{} has no {name} for its {key}", doctype.name);
                }
            }
            if let Naming::Field(name) = &doctype.naming {
                assert!(doctype.field(name).is_some_and(|field| field.required), "{} may be without its name's {name}", doctype.name);
            }
            assert!(doctype.permissions.iter().all(|row| !row.role.is_empty()), "{} gives rights to nobody", doctype.name);
            let is_reached = doctype.is_child_table || doctype.permissions.iter().any(|row| row.role == "System Manager" && row.read);
            assert!(is_reached, "System Manager cannot read {}", doctype.name);
        }
    }

    #[test]
    fn what_is_fetched_is_a_field_of_the_linked_document() {
        let registry = Registry::builtin();
        for doctype in registry.iter() {
            for (field, fetch) in doctype.fields.iter().filter_map(|field| Some((field, field.fetch_from.as_ref()?))) {
                let link = doctype.field(&fetch.link).filter(|link| link.fieldtype == FieldType::Link);
                let source = link.and_then(|link| registry.get(&link.options)).and_then(|target| target.column(&fetch.source).map(|_| ()));
                assert!(source.is_some(), "{}.{} is fetched from nowhere", doctype.name, field.fieldname);
            }
        }
    }

    #[test]
    fn defaults_of_selects_are_among_their_options() {
        for doctype in Registry::builtin().iter() {
            for field in doctype.fields.iter().filter(|field| field.fieldtype == FieldType::Select) {
                let known = field.default.as_deref().is_none_or(|default| field.select_options().any(|option| option == default));
                assert!(known, "{}.{} cannot have its own default", doctype.name, field.fieldname);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_among_the_definitions() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctype/builtin")).expect("a folder");
        let mut files: Vec<String> = folder.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        files.retain(|file| file != "records.json");
        files.sort();
        let mut listed: Vec<&str> = DEFINITIONS.iter().map(|(file, _)| *file).collect();
        listed.sort_unstable();
        assert_eq!(files, listed);
        for (file, text) in DEFINITIONS {
            let doctype = DocType::parse(file, text, crate::doctype::Origin::Builtin).expect("a definition");
            assert_eq!(*file, format!("{}.json", doctype.name.to_lowercase().replace([' ', '-'], "_")));
        }
    }

    #[test]
    fn records_are_documents_of_known_doctypes() {
        let registry = Registry::builtin();
        for record in records() {
            let doctype = record["doctype"].as_str().and_then(|name| registry.get(name)).unwrap_or_else(|| panic!("{record:?}"));
            for key in record.keys().filter(|key| !matches!(key.as_str(), "doctype" | "name")) {
                assert!(doctype.field(key).is_some(), "{} has no {key}", doctype.name);
            }
            assert_eq!(record.contains_key("name"), doctype.naming == Naming::Prompt, "{record:?}");
        }
    }
}
