// The tables of `migrations/`, as diesel sees them. `tests/api/parity.rs` compares this file with both migrated databases.

diesel::table! {
    users (name) {
        name -> Text,
        sub -> Text,
        email -> Text,
        first_name -> Text,
        middle_name -> Nullable<Text>,
        last_name -> Nullable<Text>,
        full_name -> Text,
        username -> Nullable<Text>,
        enabled -> Bool,
        user_type -> Text,
        language -> Nullable<Text>,
        time_zone -> Nullable<Text>,
        user_image -> Nullable<Text>,
        mobile_no -> Nullable<Text>,
        phone -> Nullable<Text>,
        password_hash -> Nullable<Text>,
        restrict_ip -> Nullable<Text>,
        login_after -> Nullable<Integer>,
        login_before -> Nullable<Integer>,
        last_login -> Nullable<Timestamp>,
        last_ip -> Nullable<Text>,
        last_active -> Nullable<Timestamp>,
        owner -> Text,
        creation -> Timestamp,
        modified -> Timestamp,
        modified_by -> Text,
    }
}

diesel::table! {
    roles (name) {
        name -> Text,
        disabled -> Bool,
        desk_access -> Bool,
        is_custom -> Bool,
        two_factor_auth -> Bool,
        owner -> Text,
        creation -> Timestamp,
        modified -> Timestamp,
        modified_by -> Text,
    }
}

diesel::table! {
    user_roles (id) {
        id -> Text,
        user_name -> Text,
        role -> Text,
        idx -> Integer,
        owner -> Text,
        creation -> Timestamp,
        modified -> Timestamp,
        modified_by -> Text,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        sid_hash -> Text,
        user_name -> Text,
        created -> Timestamp,
        auth_time -> Timestamp,
        last_seen -> Timestamp,
        expires_at -> Timestamp,
        ip -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        csrf_issued -> Bool,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Text,
        user_name -> Text,
        name -> Text,
        api_key -> Text,
        secret_hash -> Text,
        secret_kind -> Text,
        scopes -> Nullable<Text>,
        expires_at -> Nullable<Timestamp>,
        ip_list -> Nullable<Text>,
        last_used_at -> Nullable<Timestamp>,
        created -> Timestamp,
    }
}

diesel::table! {
    oauth_clients (client_id) {
        client_id -> Text,
        app_name -> Text,
        user_name -> Nullable<Text>,
        skip_authorization -> Bool,
        scopes -> Text,
        redirect_uris -> Text,
        default_redirect_uri -> Nullable<Text>,
        grant_types -> Text,
        token_endpoint_auth_method -> Text,
        legacy_no_pkce -> Bool,
        is_resource_server -> Bool,
        id_token_alg -> Text,
        client_uri -> Nullable<Text>,
        logo_uri -> Nullable<Text>,
        tos_uri -> Nullable<Text>,
        policy_uri -> Nullable<Text>,
        software_id -> Nullable<Text>,
        software_version -> Nullable<Text>,
        contacts -> Nullable<Text>,
        owner -> Text,
        creation -> Timestamp,
        modified -> Timestamp,
        modified_by -> Text,
        post_logout_redirect_uris -> Text,
        verified -> Bool,
        jwks -> Nullable<Text>,
        jwks_uri -> Nullable<Text>,
        token_endpoint_auth_signing_alg -> Nullable<Text>,
    }
}

diesel::table! {
    oauth_client_documents (client_id) {
        client_id -> Text,
        fetched_at -> Timestamp,
        expires_at -> Timestamp,
        etag -> Nullable<Text>,
        last_modified -> Nullable<Text>,
    }
}

diesel::table! {
    oauth_client_secrets (id) {
        id -> Text,
        client_id -> Text,
        secret_hash -> Text,
        created -> Timestamp,
        expires_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    oauth_assertions (id) {
        id -> Text,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    oauth_client_roles (id) {
        id -> Text,
        client_id -> Text,
        role -> Text,
        idx -> Integer,
        owner -> Text,
        creation -> Timestamp,
        modified -> Timestamp,
        modified_by -> Text,
    }
}

diesel::table! {
    social_login_keys (name) {
        name -> Text,
        provider_name -> Text,
        client_id -> Text,
        redirect_url -> Text,
        owner -> Text,
        creation -> Timestamp,
        modified -> Timestamp,
        modified_by -> Text,
    }
}

diesel::table! {
    authorization_requests (id) {
        id -> Text,
        session_id -> Text,
        parameters -> Text,
        created -> Timestamp,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    oauth_consents (user_name, client_id, resource) {
        user_name -> Text,
        client_id -> Text,
        resource -> Text,
        scopes -> Text,
        created -> Timestamp,
        modified -> Timestamp,
    }
}

diesel::table! {
    oauth_grants (id) {
        id -> Text,
        user_name -> Text,
        client_id -> Text,
        scopes -> Text,
        auth_time -> Timestamp,
        created -> Timestamp,
        expires_at -> Timestamp,
        revoked_at -> Nullable<Timestamp>,
        resource -> Nullable<Text>,
        claims -> Nullable<Text>,
    }
}

diesel::table! {
    oauth_authorization_codes (id) {
        id -> Text,
        code_hash -> Text,
        client_id -> Text,
        user_name -> Text,
        redirect_uri -> Text,
        redirect_uri_sent -> Bool,
        scopes -> Text,
        nonce -> Nullable<Text>,
        code_challenge -> Nullable<Text>,
        auth_time -> Timestamp,
        created -> Timestamp,
        expires_at -> Timestamp,
        state -> Text,
        spent_at -> Nullable<Timestamp>,
        grant_id -> Nullable<Text>,
        resource -> Nullable<Text>,
        claims -> Nullable<Text>,
    }
}

diesel::table! {
    oauth_access_tokens (id) {
        id -> Text,
        token_hash -> Text,
        grant_id -> Nullable<Text>,
        client_id -> Text,
        user_name -> Text,
        scopes -> Text,
        created -> Timestamp,
        expires_at -> Timestamp,
        revoked_at -> Nullable<Timestamp>,
        resource -> Nullable<Text>,
    }
}

diesel::table! {
    oauth_refresh_tokens (id) {
        id -> Text,
        token_hash -> Text,
        grant_id -> Text,
        created -> Timestamp,
        expires_at -> Timestamp,
        spent_at -> Nullable<Timestamp>,
        spent_scopes -> Nullable<Text>,
        spent_resource -> Nullable<Text>,
    }
}

diesel::table! {
    oauth_resources (name) {
        name -> Text,
        resource -> Text,
        resource_name -> Text,
        scopes -> Text,
        introspecting_client -> Nullable<Text>,
        owner -> Text,
        creation -> Timestamp,
        modified -> Timestamp,
        modified_by -> Text,
    }
}

diesel::table! {
    signing_keys (kid) {
        kid -> Text,
        algorithm -> Text,
        state -> Text,
        sealed -> Text,
        created -> Timestamp,
        activated_at -> Nullable<Timestamp>,
        retired_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    credential_epochs (id) {
        id -> BigInt,
        subject -> Text,
        origin -> Text,
        at -> Timestamp,
    }
}

diesel::table! {
    audit_log (id) {
        id -> Text,
        at -> Timestamp,
        event -> Text,
        user_name -> Nullable<Text>,
        client_id -> Nullable<Text>,
        ip -> Nullable<Text>,
        detail -> Nullable<Text>,
    }
}

diesel::table! {
    doctypes (name) {
        name -> Text,
        definition -> Text,
        word -> Text,
        digest -> Text,
        layout -> Nullable<Text>,
        is_site -> Bool,
        module -> Text,
        istable -> Bool,
        issingle -> Bool,
        is_submittable -> Bool,
        is_tree -> Bool,
        custom -> Bool,
        owner -> Text,
        creation -> Timestamp,
        modified -> Timestamp,
        modified_by -> Text,
    }
}

diesel::table! {
    document_series (doctype, prefix) {
        doctype -> Text,
        prefix -> Text,
        current -> BigInt,
    }
}

diesel::table! {
    document_secrets (doctype, name, fieldname) {
        doctype -> Text,
        name -> Text,
        fieldname -> Text,
        sealed -> Text,
        length -> BigInt,
    }
}

diesel::table! {
    files (name) {
        name -> Text,
        file_name -> Text,
        is_private -> Bool,
        is_folder -> Bool,
        file_url -> Nullable<Text>,
        file_size -> BigInt,
        file_type -> Nullable<Text>,
        content_hash -> Nullable<Text>,
        folder -> Nullable<Text>,
        attached_to_doctype -> Nullable<Text>,
        attached_to_name -> Nullable<Text>,
        attached_to_field -> Nullable<Text>,
        owner -> Text,
        creation -> Timestamp,
        modified -> Timestamp,
        modified_by -> Text,
    }
}

diesel::table! {
    installation (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    search_documents (id) {
        id -> BigInt,
        doctype -> Text,
        name -> Text,
    }
}

diesel::table! {
    search_progress (doctype) {
        doctype -> Text,
        fields -> Text,
        last_name -> Nullable<Text>,
        done -> Bool,
    }
}

diesel::joinable!(oauth_client_documents -> oauth_clients (client_id));

diesel::allow_tables_to_appear_in_same_query!(
    users,
    roles,
    user_roles,
    sessions,
    api_keys,
    oauth_clients,
    oauth_client_documents,
    oauth_client_secrets,
    oauth_assertions,
    oauth_client_roles,
    social_login_keys,
    authorization_requests,
    oauth_consents,
    oauth_grants,
    oauth_authorization_codes,
    oauth_access_tokens,
    oauth_refresh_tokens,
    oauth_resources,
    signing_keys,
    credential_epochs,
    audit_log,
    doctypes,
    document_series,
    document_secrets,
    files,
    installation,
    search_documents,
    search_progress,
);
