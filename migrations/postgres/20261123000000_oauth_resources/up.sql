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

-- A consent is for one resource; the empty text stands for the API.
ALTER TABLE oauth_consents ADD COLUMN resource TEXT NOT NULL DEFAULT '';
ALTER TABLE oauth_consents ALTER COLUMN resource DROP DEFAULT;
ALTER TABLE oauth_consents DROP CONSTRAINT oauth_consents_pkey;
ALTER TABLE oauth_consents ADD PRIMARY KEY (user_name, client_id, resource);
CREATE INDEX oauth_consents_by_resource ON oauth_consents (resource);

-- Removing a resource ends what was granted for it; few grants are for one.
CREATE INDEX oauth_grants_by_resource ON oauth_grants (resource) WHERE resource IS NOT NULL;
