CREATE TABLE oauth_consents_of_the_api (
    user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES oauth_clients (client_id) ON DELETE CASCADE,
    scopes TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    modified TIMESTAMP NOT NULL,
    PRIMARY KEY (user_name, client_id)
);
INSERT INTO oauth_consents_of_the_api (user_name, client_id, scopes, created, modified)
    SELECT user_name, client_id, scopes, created, modified FROM oauth_consents WHERE resource = '';
DROP TABLE oauth_consents;
ALTER TABLE oauth_consents_of_the_api RENAME TO oauth_consents;
CREATE INDEX oauth_consents_by_client ON oauth_consents (client_id);
DROP INDEX oauth_grants_by_resource;
-- Without the column a token for another resource would be one for the API.
DELETE FROM oauth_access_tokens WHERE resource IS NOT NULL;
DELETE FROM oauth_refresh_tokens WHERE spent_resource IS NOT NULL
    OR grant_id IN (SELECT id FROM oauth_grants WHERE resource IS NOT NULL);
DELETE FROM oauth_grants WHERE resource IS NOT NULL;
DELETE FROM oauth_authorization_codes WHERE resource IS NOT NULL;
ALTER TABLE oauth_refresh_tokens DROP COLUMN spent_resource;
ALTER TABLE oauth_access_tokens DROP COLUMN resource;
ALTER TABLE oauth_grants DROP COLUMN resource;
ALTER TABLE oauth_authorization_codes DROP COLUMN resource;
DROP TABLE oauth_resources;
