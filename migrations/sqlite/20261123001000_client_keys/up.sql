ALTER TABLE oauth_clients ADD COLUMN jwks TEXT;
ALTER TABLE oauth_clients ADD COLUMN jwks_uri TEXT;
ALTER TABLE oauth_clients ADD COLUMN token_endpoint_auth_signing_alg TEXT;

CREATE TABLE oauth_assertions (
    id TEXT NOT NULL PRIMARY KEY,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX oauth_assertions_by_expiry ON oauth_assertions (expires_at);

-- For the purge; few secrets ever end.
CREATE INDEX oauth_client_secrets_by_expiry ON oauth_client_secrets (expires_at) WHERE expires_at IS NOT NULL;
