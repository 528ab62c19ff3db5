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
    columns: &'static [(&'static str, Expression)],
}

enum Expression {
    /// The same on both databases.
    Same(&'static str),
    Each {
        sqlite: &'static str,
        postgres: &'static str,
    },
}

use Expression::{Each, Same};

/// A bare number in ORDER BY would mean a column by its position.
const ZERO: Expression = Same("CAST(0 AS INTEGER)");
const NO_TEXT: Expression = Same("CAST(NULL AS TEXT)");

const SOURCES: &[Source] = &[
    Source {
        doctype: "User",
        table: "users",
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
    match doctype.rows {
        Rows::OwnTable => format!("d.\"{fieldname}\""),
        Rows::Typed => {
            let mapped = source(&doctype.name).and_then(|source| source.columns.iter().find(|(name, _)| *name == fieldname));
            match mapped {
                Some((_, Same(sql))) => (*sql).to_owned(),
                Some((_, Each { sqlite, postgres })) => dialect::pick(conn, sqlite, postgres).to_owned(),
                None => "NULL".to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctype::Registry;

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
