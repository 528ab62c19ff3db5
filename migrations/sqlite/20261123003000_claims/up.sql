ALTER TABLE oauth_authorization_codes ADD COLUMN claims TEXT;
ALTER TABLE oauth_grants ADD COLUMN claims TEXT;
