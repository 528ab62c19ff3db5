ALTER TABLE oauth_clients ADD COLUMN jwks TEXT;
ALTER TABLE oauth_clients ADD COLUMN jwks_uri TEXT;
ALTER TABLE oauth_clients ADD COLUMN token_endpoint_auth_signing_alg TEXT;

CREATE TABLE oauth_assertions (
    id TEXT NOT NULL PRIMARY KEY,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX oauth_assertions_by_expiry ON oauth_assertions (expires_at);
