ALTER TABLE oauth_grants DROP COLUMN claims;
ALTER TABLE oauth_authorization_codes DROP COLUMN claims;
