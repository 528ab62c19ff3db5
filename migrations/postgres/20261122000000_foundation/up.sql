-- Who may act: users, roles, sessions, API keys.
CREATE TABLE users (
    name TEXT NOT NULL PRIMARY KEY,
    sub TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL,
    first_name TEXT NOT NULL,
    middle_name TEXT,
    last_name TEXT,
    full_name TEXT NOT NULL,
    username TEXT UNIQUE,
    enabled BOOLEAN NOT NULL,
    user_type TEXT NOT NULL,
    language TEXT,
    time_zone TEXT,
    user_image TEXT,
    mobile_no TEXT UNIQUE,
    phone TEXT,
    password_hash TEXT,
    restrict_ip TEXT,
    login_after INTEGER,
    login_before INTEGER,
    last_login TIMESTAMP,
    last_ip TEXT,
    last_active TIMESTAMP,
    owner TEXT NOT NULL,
    creation TIMESTAMP NOT NULL,
    modified TIMESTAMP NOT NULL,
    modified_by TEXT NOT NULL
);
CREATE INDEX users_by_modified ON users (modified);

CREATE TABLE roles (
    name TEXT NOT NULL PRIMARY KEY,
    disabled BOOLEAN NOT NULL,
    desk_access BOOLEAN NOT NULL,
    is_custom BOOLEAN NOT NULL,
    two_factor_auth BOOLEAN NOT NULL,
    owner TEXT NOT NULL,
    creation TIMESTAMP NOT NULL,
    modified TIMESTAMP NOT NULL,
    modified_by TEXT NOT NULL
);

CREATE TABLE user_roles (
    id TEXT NOT NULL PRIMARY KEY,
    user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    role TEXT NOT NULL REFERENCES roles (name),
    idx INTEGER NOT NULL,
    owner TEXT NOT NULL,
    creation TIMESTAMP NOT NULL,
    modified TIMESTAMP NOT NULL,
    modified_by TEXT NOT NULL,
    UNIQUE (user_name, role)
);
CREATE INDEX user_roles_by_role ON user_roles (role);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    sid_hash TEXT NOT NULL UNIQUE,
    user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    created TIMESTAMP NOT NULL,
    auth_time TIMESTAMP NOT NULL,
    last_seen TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    ip TEXT,
    user_agent TEXT,
    csrf_issued BOOLEAN NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_name);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    name TEXT NOT NULL,
    api_key TEXT NOT NULL UNIQUE,
    secret_hash TEXT NOT NULL,
    secret_kind TEXT NOT NULL,
    scopes TEXT,
    expires_at TIMESTAMP,
    ip_list TEXT,
    last_used_at TIMESTAMP,
    created TIMESTAMP NOT NULL,
    UNIQUE (user_name, name)
);

-- What apps registered and what users gave them.
CREATE TABLE oauth_clients (
    client_id TEXT NOT NULL PRIMARY KEY,
    app_name TEXT NOT NULL,
    user_name TEXT REFERENCES users (name),
    skip_authorization BOOLEAN NOT NULL,
    scopes TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    default_redirect_uri TEXT,
    grant_types TEXT NOT NULL,
    token_endpoint_auth_method TEXT NOT NULL,
    legacy_no_pkce BOOLEAN NOT NULL,
    is_resource_server BOOLEAN NOT NULL,
    id_token_alg TEXT NOT NULL,
    client_uri TEXT,
    logo_uri TEXT,
    tos_uri TEXT,
    policy_uri TEXT,
    software_id TEXT,
    software_version TEXT,
    contacts TEXT,
    owner TEXT NOT NULL,
    creation TIMESTAMP NOT NULL,
    modified TIMESTAMP NOT NULL,
    modified_by TEXT NOT NULL
);
CREATE INDEX oauth_clients_by_user ON oauth_clients (user_name);
CREATE INDEX oauth_clients_by_modified ON oauth_clients (modified);

CREATE TABLE oauth_client_secrets (
    id TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES oauth_clients (client_id) ON DELETE CASCADE,
    secret_hash TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    expires_at TIMESTAMP
);
CREATE INDEX oauth_client_secrets_by_client ON oauth_client_secrets (client_id);

CREATE TABLE oauth_client_roles (
    id TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES oauth_clients (client_id) ON DELETE CASCADE,
    role TEXT NOT NULL REFERENCES roles (name),
    idx INTEGER NOT NULL,
    owner TEXT NOT NULL,
    creation TIMESTAMP NOT NULL,
    modified TIMESTAMP NOT NULL,
    modified_by TEXT NOT NULL,
    UNIQUE (client_id, role)
);

CREATE TABLE social_login_keys (
    name TEXT NOT NULL PRIMARY KEY,
    provider_name TEXT NOT NULL,
    client_id TEXT NOT NULL REFERENCES oauth_clients (client_id) ON DELETE CASCADE,
    redirect_url TEXT NOT NULL,
    owner TEXT NOT NULL,
    creation TIMESTAMP NOT NULL,
    modified TIMESTAMP NOT NULL,
    modified_by TEXT NOT NULL
);
CREATE INDEX social_login_keys_by_client ON social_login_keys (client_id);

CREATE TABLE authorization_requests (
    id TEXT NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    parameters TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX authorization_requests_by_session ON authorization_requests (session_id);
CREATE INDEX authorization_requests_by_expiry ON authorization_requests (expires_at);

CREATE TABLE oauth_consents (
    user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES oauth_clients (client_id) ON DELETE CASCADE,
    scopes TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    modified TIMESTAMP NOT NULL,
    PRIMARY KEY (user_name, client_id)
);
CREATE INDEX oauth_consents_by_client ON oauth_consents (client_id);

CREATE TABLE oauth_grants (
    id TEXT NOT NULL PRIMARY KEY,
    user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES oauth_clients (client_id) ON DELETE CASCADE,
    scopes TEXT NOT NULL,
    auth_time TIMESTAMP NOT NULL,
    created TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP
);
CREATE INDEX oauth_grants_by_user ON oauth_grants (user_name);
CREATE INDEX oauth_grants_by_client ON oauth_grants (client_id);
CREATE INDEX oauth_grants_by_expiry ON oauth_grants (expires_at);

-- Codes and tokens name their client, user and grant without foreign keys: every token check joins
-- what it names anyway, so an orphan opens nothing, and each key would cost a lookup (and on Postgres
-- a row lock) in the statements that are run most. Their ids are ordered by time, which is what the
-- purge goes by in place of further indexes.
CREATE TABLE oauth_authorization_codes (
    id TEXT NOT NULL PRIMARY KEY,
    code_hash TEXT NOT NULL UNIQUE,
    client_id TEXT NOT NULL,
    user_name TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    redirect_uri_sent BOOLEAN NOT NULL,
    scopes TEXT NOT NULL,
    nonce TEXT,
    code_challenge TEXT,
    auth_time TIMESTAMP NOT NULL,
    created TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    state TEXT NOT NULL,
    spent_at TIMESTAMP,
    grant_id TEXT
);

CREATE TABLE oauth_access_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    grant_id TEXT,
    client_id TEXT NOT NULL,
    user_name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP
);
-- Tokens of client_credentials belong to no grant, through which all others are found.
CREATE INDEX oauth_access_tokens_without_grant ON oauth_access_tokens (client_id) WHERE grant_id IS NULL;

CREATE TABLE oauth_refresh_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    grant_id TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    spent_at TIMESTAMP,
    spent_scopes TEXT
);

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    activated_at TIMESTAMP,
    retired_at TIMESTAMP
);
-- One key signs and one waits, per algorithm, however many processes start at once.
CREATE UNIQUE INDEX signing_keys_in_use ON signing_keys (algorithm, state) WHERE state <> 'retired';

-- What other processes must hear: subjects whose cached credentials are no longer to be trusted.
CREATE TABLE credential_epochs (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    origin TEXT NOT NULL,
    at TIMESTAMP NOT NULL
);
CREATE INDEX credential_epochs_by_at ON credential_epochs (at);

CREATE TABLE audit_log (
    id TEXT NOT NULL PRIMARY KEY,
    at TIMESTAMP NOT NULL,
    event TEXT NOT NULL,
    user_name TEXT,
    client_id TEXT,
    ip TEXT,
    detail TEXT
);
CREATE INDEX audit_log_by_at ON audit_log (at);
CREATE INDEX audit_log_by_user ON audit_log (user_name);

-- Which document tables exist, and the meta each was last made from.
CREATE TABLE doctypes (
    name TEXT NOT NULL PRIMARY KEY,
    definition TEXT NOT NULL,
    modified TIMESTAMP NOT NULL
);

-- Facts about the installation, such as a check value of the seal key.
CREATE TABLE installation (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
