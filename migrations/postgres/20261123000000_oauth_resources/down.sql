DELETE FROM oauth_consents WHERE resource <> '';
DROP INDEX oauth_consents_by_resource;
ALTER TABLE oauth_consents DROP CONSTRAINT oauth_consents_pkey;
ALTER TABLE oauth_consents DROP COLUMN resource;
ALTER TABLE oauth_consents ADD PRIMARY KEY (user_name, client_id);
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
