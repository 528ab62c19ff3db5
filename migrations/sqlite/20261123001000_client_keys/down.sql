DROP INDEX oauth_client_secrets_by_expiry;
-- The program from before cannot read them, and they could not authenticate there.
DELETE FROM oauth_clients WHERE token_endpoint_auth_method = 'private_key_jwt';
DROP TABLE oauth_assertions;
ALTER TABLE oauth_clients DROP COLUMN token_endpoint_auth_signing_alg;
ALTER TABLE oauth_clients DROP COLUMN jwks_uri;
ALTER TABLE oauth_clients DROP COLUMN jwks;
