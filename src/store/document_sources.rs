//! Where the fields of a doctype are: in a table of its own, or in typed tables through the maps below.
//!
//! To show a typed table as a doctype, add its [`Source`]; a test checks that every field of the
//! definition is mapped.

use super::{Conn, dialect};
use crate::doctype::{DocType, Rows};

/// The typed table behind a doctype. Rows are called `d` in every expression.
struct Source {
    doctype: &'static str,
    table: &'static str,
    /// The column that holds a row's JSON, where some fields are read from it.
    json: &'static str,
    columns: &'static [(&'static str, Expression)],
}

enum Expression {
    /// The same on both databases.
    Same(&'static str),
    Each {
        sqlite: &'static str,
        postgres: &'static str,
    },
    /// A member of the row's JSON.
    Text(&'static str),
    /// A member that is 0, 1, true, false, a text of these, or missing.
    Flag(&'static str),
    /// A member that is a whole number or a text of one; 0 where it is missing.
    Number(&'static str),
}

use Expression::{Each, Flag, Number, Same, Text};

/// A bare number in ORDER BY would mean a column by its position.
const ZERO: Expression = Same("CAST(0 AS INTEGER)");
const NO_TEXT: Expression = Same("CAST(NULL AS TEXT)");

const SOURCES: &[Source] = &[
    Source {
        doctype: "User",
        table: "users",
        json: "",
        columns: &[
            ("name", Same("d.name")),
            ("owner", Same("d.owner")),
            ("creation", Same("d.creation")),
            ("modified", Same("d.modified")),
            ("modified_by", Same("d.modified_by")),
            ("docstatus", ZERO),
            ("idx", ZERO),
            ("enabled", Same("CAST(d.enabled AS INTEGER)")),
            ("email", Same("d.email")),
            ("first_name", Same("d.first_name")),
            ("middle_name", Same("d.middle_name")),
            ("last_name", Same("d.last_name")),
            ("full_name", Same("d.full_name")),
            ("username", Same("d.username")),
            ("language", Same("d.language")),
            ("time_zone", Same("d.time_zone")),
            ("user_image", Same("d.user_image")),
            ("phone", Same("d.phone")),
            ("mobile_no", Same("d.mobile_no")),
            ("user_type", Same("d.user_type")),
            ("login_after", Same("COALESCE(d.login_after, 0)")),
            ("login_before", Same("COALESCE(d.login_before, 0)")),
            ("restrict_ip", Same("d.restrict_ip")),
            ("last_login", Same("d.last_login")),
            ("last_ip", Same("d.last_ip")),
            ("last_active", Same("d.last_active")),
            ("api_key", Same("(SELECT k.api_key FROM api_keys AS k WHERE k.user_name = d.name AND k.name = 'default')")),
        ],
    },
    Source {
        doctype: "Has Role",
        table: "user_roles",
        json: "",
        columns: &[
            ("name", Same("d.id")),
            ("owner", Same("d.owner")),
            ("creation", Same("d.creation")),
            ("modified", Same("d.modified")),
            ("modified_by", Same("d.modified_by")),
            ("docstatus", ZERO),
            ("idx", Same("d.idx")),
            ("role", Same("d.role")),
            ("parent", Same("d.user_name")),
            ("parentfield", Same("CAST('roles' AS TEXT)")),
            ("parenttype", Same("CAST('User' AS TEXT)")),
        ],
    },
    Source {
        doctype: "Role",
        table: "roles",
        json: "",
        columns: &[
            ("name", Same("d.name")),
            ("owner", Same("d.owner")),
            ("creation", Same("d.creation")),
            ("modified", Same("d.modified")),
            ("modified_by", Same("d.modified_by")),
            ("docstatus", ZERO),
            ("idx", ZERO),
            ("role_name", Same("d.name")),
            ("disabled", Same("CAST(d.disabled AS INTEGER)")),
            ("is_custom", Same("CAST(d.is_custom AS INTEGER)")),
            ("desk_access", Same("CAST(d.desk_access AS INTEGER)")),
            ("two_factor_auth", Same("CAST(d.two_factor_auth AS INTEGER)")),
        ],
    },
    Source {
        doctype: "OAuth Client",
        table: "oauth_clients",
        json: "",
        columns: &[
            ("name", Same("d.client_id")),
            ("owner", Same("d.owner")),
            ("creation", Same("d.creation")),
            ("modified", Same("d.modified")),
            ("modified_by", Same("d.modified_by")),
            ("docstatus", ZERO),
            ("idx", ZERO),
            ("client_id", Same("d.client_id")),
            ("app_name", Same("d.app_name")),
            ("user", Same("d.user_name")),
            ("skip_authorization", Same("CAST(d.skip_authorization AS INTEGER)")),
            ("verified", Same("CAST(d.verified AS INTEGER)")),
            ("scopes", Same("d.scopes")),
            ("redirect_uris", Same("d.redirect_uris")),
            ("default_redirect_uri", Same("d.default_redirect_uri")),
            ("post_logout_redirect_uris", Same("d.post_logout_redirect_uris")),
            (
                "grant_type",
                Same("CASE WHEN d.grant_types LIKE '%authorization_code%' THEN 'Authorization Code' ELSE 'Client Credentials' END"),
            ),
            ("response_type", Same("CAST('Code' AS TEXT)")),
            (
                "token_endpoint_auth_method",
                Same(
                    "CASE d.token_endpoint_auth_method WHEN 'client_secret_basic' THEN 'Client Secret Basic' \
                     WHEN 'client_secret_post' THEN 'Client Secret Post' WHEN 'private_key_jwt' THEN 'Private Key JWT' \
                     WHEN 'none' THEN 'None' ELSE 'Client Secret' END",
                ),
            ),
            ("jwks", Same("d.jwks")),
            ("jwks_uri", Same("d.jwks_uri")),
            ("token_endpoint_auth_signing_alg", Same("d.token_endpoint_auth_signing_alg")),
            ("old_secret_expires", Same("(SELECT MAX(s.expires_at) FROM oauth_client_secrets AS s WHERE s.client_id = d.client_id)")),
            ("legacy_no_pkce", Same("CAST(d.legacy_no_pkce AS INTEGER)")),
            ("is_resource_server", Same("CAST(d.is_resource_server AS INTEGER)")),
            ("id_token_alg", Same("d.id_token_alg")),
            ("client_uri", Same("d.client_uri")),
            ("logo_uri", Same("d.logo_uri")),
            ("tos_uri", Same("d.tos_uri")),
            ("policy_uri", Same("d.policy_uri")),
            ("software_id", Same("d.software_id")),
            ("software_version", Same("d.software_version")),
            ("contacts", Same("d.contacts")),
        ],
    },
    Source {
        doctype: "OAuth Client Role",
        table: "oauth_client_roles",
        json: "",
        columns: &[
            ("name", Same("d.id")),
            ("owner", Same("d.owner")),
            ("creation", Same("d.creation")),
            ("modified", Same("d.modified")),
            ("modified_by", Same("d.modified_by")),
            ("docstatus", ZERO),
            ("idx", Same("d.idx")),
            ("role", Same("d.role")),
            ("parent", Same("d.client_id")),
            ("parentfield", Same("CAST('allowed_roles' AS TEXT)")),
            ("parenttype", Same("CAST('OAuth Client' AS TEXT)")),
        ],
    },
    Source {
        doctype: "OAuth Resource",
        table: "oauth_resources",
        json: "",
        columns: &[
            ("name", Same("d.name")),
            ("owner", Same("d.owner")),
            ("creation", Same("d.creation")),
            ("modified", Same("d.modified")),
            ("modified_by", Same("d.modified_by")),
            ("docstatus", ZERO),
            ("idx", ZERO),
            ("resource", Same("d.resource")),
            ("resource_name", Same("d.resource_name")),
            ("scopes", Same("d.scopes")),
            ("introspecting_client", Same("d.introspecting_client")),
        ],
    },
    Source {
        doctype: "OAuth Bearer Token",
        table: "oauth_access_tokens",
        json: "",
        columns: &[
            ("name", Same("d.id")),
            ("owner", Same("d.user_name")),
            ("creation", Same("d.created")),
            ("modified", Same("COALESCE(d.revoked_at, d.created)")),
            ("modified_by", Same("d.user_name")),
            ("docstatus", ZERO),
            ("idx", ZERO),
            ("client", Same("d.client_id")),
            ("user", Same("d.user_name")),
            ("scopes", Same("d.scopes")),
            ("resource", Same("d.resource")),
            ("expiration_time", Same("d.expires_at")),
            (
                "expires_in",
                Each {
                    sqlite: "CAST(ROUND((julianday(d.expires_at) - julianday(d.created)) * 86400) AS INTEGER)",
                    postgres: "CAST(ROUND(EXTRACT(EPOCH FROM (d.expires_at - d.created))) AS BIGINT)",
                },
            ),
            (
                "status",
                // A token also ends with the grant it belongs to.
                Same(
                    "CASE WHEN d.revoked_at IS NULL AND NOT EXISTS (SELECT 1 FROM oauth_grants AS g WHERE g.id = d.grant_id \
                     AND g.revoked_at IS NOT NULL) THEN 'Active' ELSE 'Revoked' END",
                ),
            ),
        ],
    },
    Source {
        doctype: "File",
        table: "files",
        json: "",
        columns: &[
            ("name", Same("d.name")),
            ("owner", Same("d.owner")),
            ("creation", Same("d.creation")),
            ("modified", Same("d.modified")),
            ("modified_by", Same("d.modified_by")),
            ("docstatus", ZERO),
            ("idx", ZERO),
            ("file_name", Same("d.file_name")),
            ("is_private", Same("CAST(d.is_private AS INTEGER)")),
            ("file_type", Same("d.file_type")),
            ("is_home_folder", Same("CASE WHEN d.name = 'Home' THEN 1 ELSE 0 END")),
            ("is_attachments_folder", Same("CASE WHEN d.name = 'Home/Attachments' THEN 1 ELSE 0 END")),
            ("file_size", Same("d.file_size")),
            ("file_url", Same("d.file_url")),
            ("thumbnail_url", NO_TEXT),
            ("folder", Same("d.folder")),
            ("is_folder", Same("CAST(d.is_folder AS INTEGER)")),
            ("attached_to_doctype", Same("d.attached_to_doctype")),
            ("attached_to_name", Same("d.attached_to_name")),
            ("attached_to_field", Same("d.attached_to_field")),
            ("old_parent", Same("d.folder")),
            ("content_hash", Same("d.content_hash")),
            ("uploaded_to_dropbox", ZERO),
            ("uploaded_to_google_drive", ZERO),
        ],
    },
    Source {
        doctype: "Activity Log",
        table: "audit_log",
        json: "",
        columns: &[
            ("name", Same("d.id")),
            ("owner", Same("COALESCE(d.user_name, 'Guest')")),
            ("creation", Same("d.at")),
            ("modified", Same("d.at")),
            ("modified_by", Same("COALESCE(d.user_name, 'Guest')")),
            ("docstatus", ZERO),
            ("idx", ZERO),
            (
                "subject",
                // Frappe's sentence for what Frappe records too, the event and its detail for the rest.
                Same(
                    "CASE d.event WHEN 'login' THEN COALESCE((SELECT u.full_name FROM users AS u WHERE u.name = d.user_name), \
                     d.user_name, '') || ' logged in' WHEN 'login_failed' THEN 'Invalid login credentials' \
                     ELSE replace(d.event, '_', ' ') || COALESCE(': ' || d.detail, '') END",
                ),
            ),
            ("communication_date", Same("d.at")),
            ("ip_address", Same("d.ip")),
            (
                "operation",
                Same("CASE d.event WHEN 'login' THEN 'Login' WHEN 'login_failed' THEN 'Login' WHEN 'logout' THEN 'Logout' ELSE '' END"),
            ),
            (
                "status",
                Same("CASE d.event WHEN 'login' THEN 'Success' WHEN 'login_failed' THEN 'Failed' WHEN 'logout' THEN 'Success' ELSE '' END"),
            ),
            ("user", Same("d.user_name")),
            ("full_name", Same("(SELECT u.full_name FROM users AS u WHERE u.name = d.user_name)")),
        ],
    },
    Source {
        doctype: "Social Login Key",
        table: "social_login_keys",
        json: "",
        columns: &[
            ("name", Same("d.name")),
            ("owner", Same("d.owner")),
            ("creation", Same("d.creation")),
            ("modified", Same("d.modified")),
            ("modified_by", Same("d.modified_by")),
            ("docstatus", ZERO),
            ("idx", ZERO),
            ("enable_social_login", Same("CAST(1 AS INTEGER)")),
            ("social_login_provider", Same("CAST('Custom' AS TEXT)")),
            ("provider_name", Same("d.provider_name")),
            ("client_id", Same("d.client_id")),
            ("base_url", NO_TEXT),
            ("authorize_url", NO_TEXT),
            ("access_token_url", NO_TEXT),
            ("redirect_url", Same("d.redirect_url")),
            ("api_endpoint", NO_TEXT),
        ],
    },
    Source {
        doctype: "DocType",
        table: "doctypes",
        json: "d.definition",
        columns: &[
            ("name", Same("d.name")),
            ("owner", Same("d.owner")),
            ("creation", Same("d.creation")),
            ("modified", Same("d.modified")),
            ("modified_by", Same("d.modified_by")),
            ("docstatus", ZERO),
            ("idx", ZERO),
            ("module", Same("d.module")),
            ("custom", Same("CAST(d.custom AS INTEGER)")),
            ("istable", Same("CAST(d.istable AS INTEGER)")),
            ("issingle", Same("CAST(d.issingle AS INTEGER)")),
            ("is_submittable", Same("CAST(d.is_submittable AS INTEGER)")),
            ("is_tree", Same("CAST(d.is_tree AS INTEGER)")),
            ("is_virtual", Flag("is_virtual")),
            ("editable_grid", Flag("editable_grid")),
            ("quick_entry", Flag("quick_entry")),
            ("track_changes", Flag("track_changes")),
            ("track_seen", Flag("track_seen")),
            ("track_views", Flag("track_views")),
            ("allow_rename", Flag("allow_rename")),
            ("allow_import", Flag("allow_import")),
            ("allow_copy", Flag("allow_copy")),
            ("in_create", Flag("in_create")),
            ("read_only", Flag("read_only")),
            ("hide_toolbar", Flag("hide_toolbar")),
            ("show_name_in_global_search", Flag("show_name_in_global_search")),
            ("show_title_field_in_link", Flag("show_title_field_in_link")),
            ("translated_doctype", Flag("translated_doctype")),
            ("email_append_to", Flag("email_append_to")),
            ("has_web_view", Flag("has_web_view")),
            ("index_web_pages_for_search", Flag("index_web_pages_for_search")),
            ("beta", Flag("beta")),
            ("autoname", Text("autoname")),
            ("naming_rule", Text("naming_rule")),
            ("title_field", Text("title_field")),
            ("search_fields", Text("search_fields")),
            ("image_field", Text("image_field")),
            ("sort_field", Text("sort_field")),
            ("sort_order", Text("sort_order")),
            ("nsm_parent_field", Text("nsm_parent_field")),
            ("description", Text("description")),
            ("documentation", Text("documentation")),
            ("document_type", Text("document_type")),
            ("icon", Text("icon")),
            ("color", Text("color")),
            ("default_view", Text("default_view")),
            ("engine", Text("engine")),
            ("timeline_field", Text("timeline_field")),
            ("sender_field", Text("sender_field")),
            ("subject_field", Text("subject_field")),
            ("website_search_field", Text("website_search_field")),
            ("max_attachments", Number("max_attachments")),
        ],
    },
    Source {
        doctype: "DocField",
        table: "doctype_fields",
        json: "d.item",
        columns: &[
            ("name", Same("d.parent || '-field-' || CAST(d.idx AS TEXT)")),
            ("owner", Same("d.owner")),
            ("creation", Same("d.creation")),
            ("modified", Same("d.modified")),
            ("modified_by", Same("d.modified_by")),
            ("docstatus", ZERO),
            ("idx", Same("CAST(d.idx AS INTEGER)")),
            ("label", Text("label")),
            ("fieldname", Text("fieldname")),
            ("fieldtype", Text("fieldtype")),
            ("options", Text("options")),
            ("default", Text("default")),
            ("description", Text("description")),
            ("reqd", Flag("reqd")),
            ("unique", Flag("unique")),
            ("search_index", Flag("search_index")),
            ("in_list_view", Flag("in_list_view")),
            ("in_standard_filter", Flag("in_standard_filter")),
            ("in_global_search", Flag("in_global_search")),
            ("in_preview", Flag("in_preview")),
            ("in_filter", Flag("in_filter")),
            ("bold", Flag("bold")),
            ("hidden", Flag("hidden")),
            ("read_only", Flag("read_only")),
            ("set_only_once", Flag("set_only_once")),
            ("no_copy", Flag("no_copy")),
            ("allow_on_submit", Flag("allow_on_submit")),
            ("allow_in_quick_entry", Flag("allow_in_quick_entry")),
            ("allow_bulk_edit", Flag("allow_bulk_edit")),
            ("ignore_user_permissions", Flag("ignore_user_permissions")),
            ("ignore_xss_filter", Flag("ignore_xss_filter")),
            ("non_negative", Flag("non_negative")),
            ("is_virtual", Flag("is_virtual")),
            ("fetch_if_empty", Flag("fetch_if_empty")),
            ("report_hide", Flag("report_hide")),
            ("print_hide", Flag("print_hide")),
            ("print_hide_if_no_value", Flag("print_hide_if_no_value")),
            ("remember_last_selected_value", Flag("remember_last_selected_value")),
            ("translatable", Flag("translatable")),
            ("collapsible", Flag("collapsible")),
            ("hide_border", Flag("hide_border")),
            ("hide_days", Flag("hide_days")),
            ("hide_seconds", Flag("hide_seconds")),
            ("show_dashboard", Flag("show_dashboard")),
            ("sort_options", Flag("sort_options")),
            ("permlevel", Number("permlevel")),
            ("length", Number("length")),
            ("columns", Number("columns")),
            ("precision", Text("precision")),
            ("fetch_from", Text("fetch_from")),
            ("depends_on", Text("depends_on")),
            ("mandatory_depends_on", Text("mandatory_depends_on")),
            ("read_only_depends_on", Text("read_only_depends_on")),
            ("collapsible_depends_on", Text("collapsible_depends_on")),
            ("link_filters", Text("link_filters")),
            ("width", Text("width")),
            ("print_width", Text("print_width")),
            ("max_height", Text("max_height")),
            ("placeholder", Text("placeholder")),
            ("documentation_url", Text("documentation_url")),
            ("oldfieldname", Text("oldfieldname")),
            ("oldfieldtype", Text("oldfieldtype")),
            ("parent", Same("d.parent")),
            ("parentfield", Same("CAST('fields' AS TEXT)")),
            ("parenttype", Same("CAST('DocType' AS TEXT)")),
        ],
    },
    Source {
        doctype: "DocPerm",
        table: "doctype_permissions",
        json: "d.item",
        columns: &[
            ("name", Same("d.parent || '-permission-' || CAST(d.idx AS TEXT)")),
            ("owner", Same("d.owner")),
            ("creation", Same("d.creation")),
            ("modified", Same("d.modified")),
            ("modified_by", Same("d.modified_by")),
            ("docstatus", ZERO),
            ("idx", Same("CAST(d.idx AS INTEGER)")),
            ("role", Text("role")),
            ("if_owner", Flag("if_owner")),
            ("permlevel", Number("permlevel")),
            ("select", Flag("select")),
            ("read", Flag("read")),
            ("write", Flag("write")),
            ("create", Flag("create")),
            ("delete", Flag("delete")),
            ("submit", Flag("submit")),
            ("cancel", Flag("cancel")),
            ("amend", Flag("amend")),
            ("report", Flag("report")),
            ("export", Flag("export")),
            ("import", Flag("import")),
            ("share", Flag("share")),
            ("print", Flag("print")),
            ("email", Flag("email")),
            ("parent", Same("d.parent")),
            ("parentfield", Same("CAST('permissions' AS TEXT)")),
            ("parenttype", Same("CAST('DocType' AS TEXT)")),
        ],
    },
];

fn source(doctype: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|source| source.doctype == doctype)
}

/// The quoted table of a doctype.
pub(super) fn table(doctype: &DocType) -> String {
    match doctype.rows {
        Rows::OwnTable => format!("\"tab{}\"", doctype.name),
        Rows::Typed => source(&doctype.name).map_or_else(String::new, |source| source.table.to_owned()),
    }
}

/// The expression of a field, on rows called `d`. A typed field without one is missing.
pub(super) fn expression(conn: &Conn, doctype: &DocType, fieldname: &str) -> String {
    expression_of(conn, "d", doctype, fieldname)
}

/// The expression of a field, on rows called `alias`.
pub(super) fn expression_of(conn: &Conn, alias: &str, doctype: &DocType, fieldname: &str) -> String {
    match doctype.rows {
        Rows::OwnTable => format!("{alias}.\"{fieldname}\""),
        Rows::Typed => {
            let Some(source) = source(&doctype.name) else { return "NULL".to_owned() };
            let mapped = source.columns.iter().find(|(name, _)| *name == fieldname);
            let member = |key: &str| dialect::json_text(conn, &called(alias, source.json), key);
            match mapped {
                Some((_, Same(sql))) => called(alias, sql),
                Some((_, Each { sqlite, postgres })) => called(alias, dialect::pick(conn, sqlite, postgres)),
                Some((_, Text(key))) => member(key),
                Some((_, Flag(key))) => format!("CASE WHEN {} IN ('1', 'true') THEN 1 ELSE 0 END", member(key)),
                Some((_, Number(key))) => dialect::leading_number(conn, &member(key)),
                None => "NULL".to_owned(),
            }
        }
    }
}

/// An expression on rows `d` as one on rows called `alias`.
fn called(alias: &str, sql: &str) -> String {
    if alias == "d" {
        return sql.to_owned();
    }
    let mut renamed = String::with_capacity(sql.len() + 8);
    for (index, part) in sql.split("d.").enumerate() {
        if index > 0 {
            let inside_a_word = renamed.ends_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
            renamed.push_str(if inside_a_word { "d" } else { alias });
            renamed.push('.');
        }
        renamed.push_str(part);
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctype::Registry;

    #[test]
    fn only_the_rows_themselves_are_renamed() {
        assert_eq!(called("l0", "COALESCE(d.login_after, 0)"), "COALESCE(l0.login_after, 0)");
        assert_eq!(
            called("l0", "(SELECT 1 FROM grants AS gd WHERE gd.id = d.grant_id)"),
            "(SELECT 1 FROM grants AS gd WHERE gd.id = l0.grant_id)"
        );
    }

    #[test]
    fn every_field_of_a_typed_doctype_is_mapped() {
        let registry = Registry::builtin();
        for doctype in registry.iter().filter(|doctype| doctype.rows == Rows::Typed) {
            let source = source(&doctype.name).unwrap_or_else(|| panic!("{} has no source", doctype.name));
            for (field, _) in doctype.columns() {
                assert!(source.columns.iter().any(|(name, _)| *name == field.fieldname), "{}.{}", doctype.name, field.fieldname);
            }
            for (name, _) in source.columns {
                assert!(doctype.column(name).is_some(), "{}.{name} is mapped but not defined", doctype.name);
            }
        }
    }
}
