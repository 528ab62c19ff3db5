-- Clients that describe themselves at their own client id. The key is looked at when the transaction ends, so that
-- this row can be made first: of two requests that bring the same client, one inserts it.
CREATE TABLE oauth_client_documents (
    client_id TEXT NOT NULL PRIMARY KEY REFERENCES oauth_clients (client_id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    fetched_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    etag TEXT,
    last_modified TEXT
);
CREATE INDEX oauth_client_documents_by_fetch ON oauth_client_documents (fetched_at);
