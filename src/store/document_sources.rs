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
    columns: &'static [Columns],
}

/// How fields are read, and the names of those that are read so, between spaces.
type Columns = (Expression, &'static str);

enum Expression {
    /// The column of the field's name.
    Column,
    /// The same, as a whole number: the column holds a truth value or a short number.
    Whole,
    /// The same on both databases.
    Same(&'static str),
    Each {
        sqlite: &'static str,
        postgres: &'static str,
    },
    /// The member of the field's name in the row's JSON.
    Text,
    /// That member, where it is 0, 1, true, false, a text of these, or missing.
    Flag,
    /// That member, where it is a whole number or a text of one; 0 where it is missing.
    Number,
}

use Expression::{Column, Each, Flag, Number, Same, Text, Whole};

/// A bare number in ORDER BY would mean a column by its position.
const ZERO: Expression = Same("CAST(0 AS INTEGER)");
const NO_TEXT: Expression = Same("CAST(NULL AS TEXT)");

/// Of a table that knows who made and changed a row, and when.
const STAMPED: Columns = (Column, "owner creation modified modified_by");
/// Of documents that are neither submitted nor rows of another.
const UNORDERED: Columns = (ZERO, "docstatus idx");

const SOURCES: &[Source] = &[
    Source {
        doctype: "User",
        table: "users",
        json: "",
        columns: &[
            STAMPED,
            UNORDERED,
            (
                Column,
                "name email first_name middle_name last_name full_name username language time_zone user_image phone \
                 mobile_no user_type restrict_ip last_login last_ip last_active",
            ),
            (Whole, "enabled"),
            (Same("COALESCE(d.login_after, 0)"), "login_after"),
            (Same("COALESCE(d.login_before, 0)"), "login_before"),
            (Same("(SELECT k.api_key FROM api_keys AS k WHERE k.user_name = d.name AND k.name = 'default')"), "api_key"),
        ],
    },
    Source {
        doctype: "Has Role",
        table: "user_roles",
        json: "",
        columns: &[
            STAMPED,
            (Same("d.id"), "name"),
            (Column, "idx role"),
            (ZERO, "docstatus"),
            (Same("d.user_name"), "parent"),
            (Same("CAST('roles' AS TEXT)"), "parentfield"),
            (Same("CAST('User' AS TEXT)"), "parenttype"),
        ],
    },
    Source {
        doctype: "Role",
        table: "roles",
        json: "",
        columns: &[
            STAMPED,
            UNORDERED,
            (Column, "name"),
            (Same("d.name"), "role_name"),
            (Whole, "disabled is_custom desk_access two_factor_auth"),
        ],
    },
    Source {
        doctype: "OAuth Client",
        table: "oauth_clients",
        json: "",
        columns: &[
            STAMPED,
            UNORDERED,
            (Same("d.client_id"), "name"),
            (
                Column,
                "client_id app_name scopes redirect_uris default_redirect_uri post_logout_redirect_uris jwks jwks_uri \
                 token_endpoint_auth_signing_alg id_token_alg client_uri logo_uri tos_uri policy_uri software_id \
                 software_version contacts",
            ),
            (Same("d.user_name"), "user"),
            (Whole, "skip_authorization verified legacy_no_pkce is_resource_server"),
            (
                Same("CASE WHEN d.grant_types LIKE '%authorization_code%' THEN 'Authorization Code' ELSE 'Client Credentials' END"),
                "grant_type",
            ),
            (Same("CAST('Code' AS TEXT)"), "response_type"),
            (
                Same(
                    "CASE d.token_endpoint_auth_method WHEN 'client_secret_basic' THEN 'Client Secret Basic' \
                     WHEN 'client_secret_post' THEN 'Client Secret Post' WHEN 'private_key_jwt' THEN 'Private Key JWT' \
                     WHEN 'none' THEN 'None' ELSE 'Client Secret' END",
                ),
                "token_endpoint_auth_method",
            ),
            (Same("(SELECT MAX(s.expires_at) FROM oauth_client_secrets AS s WHERE s.client_id = d.client_id)"), "old_secret_expires"),
        ],
    },
    Source {
        doctype: "OAuth Client Role",
        table: "oauth_client_roles",
        json: "",
        columns: &[
            STAMPED,
            (Same("d.id"), "name"),
            (Column, "idx role"),
            (ZERO, "docstatus"),
            (Same("d.client_id"), "parent"),
            (Same("CAST('allowed_roles' AS TEXT)"), "parentfield"),
            (Same("CAST('OAuth Client' AS TEXT)"), "parenttype"),
        ],
    },
    Source {
        doctype: "OAuth Resource",
        table: "oauth_resources",
        json: "",
        columns: &[STAMPED, UNORDERED, (Column, "name resource resource_name scopes introspecting_client")],
    },
    Source {
        doctype: "OAuth Bearer Token",
        table: "oauth_access_tokens",
        json: "",
        columns: &[
            UNORDERED,
            (Same("d.id"), "name"),
            (Same("d.user_name"), "owner modified_by user"),
            (Same("d.created"), "creation"),
            (Same("COALESCE(d.revoked_at, d.created)"), "modified"),
            (Same("d.client_id"), "client"),
            (Column, "scopes resource"),
            (Same("d.expires_at"), "expiration_time"),
            (
                Each {
                    sqlite: "CAST(ROUND((julianday(d.expires_at) - julianday(d.created)) * 86400) AS INTEGER)",
                    postgres: "CAST(ROUND(EXTRACT(EPOCH FROM (d.expires_at - d.created))) AS BIGINT)",
                },
                "expires_in",
            ),
            (
                // A token also ends with the grant it belongs to.
                Same(
                    "CASE WHEN d.revoked_at IS NULL AND NOT EXISTS (SELECT 1 FROM oauth_grants AS g WHERE g.id = d.grant_id \
                     AND g.revoked_at IS NOT NULL) THEN 'Active' ELSE 'Revoked' END",
                ),
                "status",
            ),
        ],
    },
    Source {
        doctype: "File",
        table: "files",
        json: "",
        columns: &[
            STAMPED,
            UNORDERED,
            (
                Column,
                "name file_name file_type file_size file_url folder attached_to_doctype attached_to_name \
                 attached_to_field content_hash",
            ),
            (ZERO, "uploaded_to_dropbox uploaded_to_google_drive"),
            (Whole, "is_private is_folder"),
            (Same("CASE WHEN d.name = 'Home' THEN 1 ELSE 0 END"), "is_home_folder"),
            (Same("CASE WHEN d.name = 'Home/Attachments' THEN 1 ELSE 0 END"), "is_attachments_folder"),
            (NO_TEXT, "thumbnail_url"),
            (Same("d.folder"), "old_parent"),
        ],
    },
    Source {
        doctype: "Activity Log",
        table: "audit_log",
        json: "",
        columns: &[
            UNORDERED,
            (Same("d.id"), "name"),
            (Same("COALESCE(d.user_name, 'Guest')"), "owner modified_by"),
            (Same("d.at"), "creation modified communication_date"),
            (
                // Frappe's sentence for what Frappe records too, the event and its detail for the rest.
                Same(
                    "CASE d.event WHEN 'login' THEN COALESCE((SELECT u.full_name FROM users AS u WHERE u.name = d.user_name), \
                     d.user_name, '') || ' logged in' WHEN 'login_failed' THEN 'Invalid login credentials' \
                     ELSE replace(d.event, '_', ' ') || COALESCE(': ' || d.detail, '') END",
                ),
                "subject",
            ),
            (Same("d.ip"), "ip_address"),
            (
                Same("CASE d.event WHEN 'login' THEN 'Login' WHEN 'login_failed' THEN 'Login' WHEN 'logout' THEN 'Logout' ELSE '' END"),
                "operation",
            ),
            (
                Same("CASE d.event WHEN 'login' THEN 'Success' WHEN 'login_failed' THEN 'Failed' WHEN 'logout' THEN 'Success' ELSE '' END"),
                "status",
            ),
            (Same("d.user_name"), "user"),
            (Same("(SELECT u.full_name FROM users AS u WHERE u.name = d.user_name)"), "full_name"),
        ],
    },
    Source {
        doctype: "Social Login Key",
        table: "social_login_keys",
        json: "",
        columns: &[
            STAMPED,
            UNORDERED,
            (Column, "name provider_name client_id redirect_url"),
            (Same("CAST(1 AS INTEGER)"), "enable_social_login"),
            (Same("CAST('Custom' AS TEXT)"), "social_login_provider"),
            (NO_TEXT, "base_url authorize_url access_token_url api_endpoint"),
        ],
    },
    Source {
        doctype: "DocType",
        table: "doctypes",
        json: "d.definition",
        columns: &[
            STAMPED,
            UNORDERED,
            (Column, "name module"),
            (Whole, "custom istable issingle is_submittable is_tree"),
            (
                Flag,
                "is_virtual editable_grid quick_entry track_changes track_seen track_views allow_rename allow_import \
                 allow_copy in_create read_only hide_toolbar show_name_in_global_search show_title_field_in_link \
                 translated_doctype email_append_to has_web_view index_web_pages_for_search beta",
            ),
            (
                Text,
                "autoname naming_rule title_field search_fields image_field sort_field sort_order nsm_parent_field \
                 description documentation document_type icon color default_view engine timeline_field sender_field \
                 subject_field website_search_field",
            ),
            (Number, "max_attachments"),
        ],
    },
    Source {
        doctype: "DocField",
        table: "doctype_fields",
        json: "d.item",
        columns: &[
            STAMPED,
            (Same("d.parent || '-field-' || CAST(d.idx AS TEXT)"), "name"),
            (Column, "parent"),
            (ZERO, "docstatus"),
            (Whole, "idx"),
            (
                Text,
                "label fieldname fieldtype options default description precision fetch_from depends_on \
                 mandatory_depends_on read_only_depends_on collapsible_depends_on link_filters width print_width \
                 max_height placeholder documentation_url oldfieldname oldfieldtype",
            ),
            (
                Flag,
                "reqd unique search_index in_list_view in_standard_filter in_global_search in_preview in_filter bold \
                 hidden read_only set_only_once no_copy allow_on_submit allow_in_quick_entry allow_bulk_edit \
                 ignore_user_permissions ignore_xss_filter non_negative is_virtual fetch_if_empty report_hide \
                 print_hide print_hide_if_no_value remember_last_selected_value translatable collapsible hide_border \
                 hide_days hide_seconds show_dashboard sort_options",
            ),
            (Number, "permlevel length columns"),
            (Same("CAST('fields' AS TEXT)"), "parentfield"),
            (Same("CAST('DocType' AS TEXT)"), "parenttype"),
        ],
    },
    Source {
        doctype: "DocPerm",
        table: "doctype_permissions",
        json: "d.item",
        columns: &[
            STAMPED,
            (Same("d.parent || '-permission-' || CAST(d.idx AS TEXT)"), "name"),
            (Column, "parent"),
            (ZERO, "docstatus"),
            (Whole, "idx"),
            (Text, "role"),
            (Flag, "if_owner select read write create delete submit cancel amend report export import share print email"),
            (Number, "permlevel"),
            (Same("CAST('permissions' AS TEXT)"), "parentfield"),
            (Same("CAST('DocType' AS TEXT)"), "parenttype"),
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
            let member = || dialect::json_text(conn, &called(alias, source.json), fieldname);
            match source.columns.iter().find(|(_, names)| names.split(' ').any(|name| name == fieldname)) {
                Some((Column, _)) => format!("{alias}.{fieldname}"),
                Some((Whole, _)) => format!("CAST({alias}.{fieldname} AS INTEGER)"),
                Some((Same(sql), _)) => called(alias, sql),
                Some((Each { sqlite, postgres }, _)) => called(alias, dialect::pick(conn, sqlite, postgres)),
                Some((Text, _)) => member(),
                Some((Flag, _)) => format!("CASE WHEN {} IN ('1', 'true') THEN 1 ELSE 0 END", member()),
                Some((Number, _)) => dialect::leading_number(conn, &member()),
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

    fn mapped(source: &Source) -> impl Iterator<Item = &'static str> {
        source.columns.iter().flat_map(|(_, names)| names.split(' '))
    }

    #[test]
    fn every_field_of_a_typed_doctype_is_mapped() {
        let registry = Registry::builtin();
        for doctype in registry.iter().filter(|doctype| doctype.rows == Rows::Typed) {
            let source = source(&doctype.name).unwrap_or_else(|| panic!("{} has no source", doctype.name));
            for (field, _) in doctype.columns() {
                let times = mapped(source).filter(|name| *name == field.fieldname).count();
                assert_eq!(times, 1, "{}.{} is mapped so often", doctype.name, field.fieldname);
            }
            for name in mapped(source) {
                assert!(doctype.column(name).is_some(), "{}.{name} is mapped but not defined", doctype.name);
            }
        }
    }
}
