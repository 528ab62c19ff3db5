-- What tokens can be for besides this server's own API (RFC 8707). Where a token, grant or code names no
-- resource, it is for the API.
CREATE TABLE oauth_resources (
    name TEXT NOT NULL PRIMARY KEY,
    resource TEXT NOT NULL UNIQUE,
    resource_name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    introspecting_client TEXT REFERENCES oauth_clients (client_id) ON DELETE SET NULL,
    owner TEXT NOT NULL,
    creation TIMESTAMP NOT NULL,
    modified TIMESTAMP NOT NULL,
    modified_by TEXT NOT NULL
);

ALTER TABLE oauth_authorization_codes ADD COLUMN resource TEXT;
ALTER TABLE oauth_grants ADD COLUMN resource TEXT;
ALTER TABLE oauth_access_tokens ADD COLUMN resource TEXT;
ALTER TABLE oauth_refresh_tokens ADD COLUMN spent_resource TEXT;

-- A consent is for one resource; the empty text stands for the API. SQLite cannot change a primary key.
CREATE TABLE oauth_consents_by_resource (
    user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES oauth_clients (client_id) ON DELETE CASCADE,
    resource TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    modified TIMESTAMP NOT NULL,
    PRIMARY KEY (user_name, client_id, resource)
);
INSERT INTO oauth_consents_by_resource (user_name, client_id, resource, scopes, created, modified)
    SELECT user_name, client_id, '', scopes, created, modified FROM oauth_consents;
DROP TABLE oauth_consents;
ALTER TABLE oauth_consents_by_resource RENAME TO oauth_consents;
CREATE INDEX oauth_consents_by_client ON oauth_consents (client_id);
CREATE INDEX oauth_consents_by_resource ON oauth_consents (resource);

-- Removing a resource ends what was granted for it; few grants are for one.
CREATE INDEX oauth_grants_by_resource ON oauth_grants (resource) WHERE resource IS NOT NULL;
