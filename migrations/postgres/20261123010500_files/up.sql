-- Files and their folders. The content of a file is on disk under its hash; rows with the same hash share it.
CREATE TABLE files (
    name TEXT NOT NULL PRIMARY KEY,
    file_name TEXT NOT NULL,
    is_private BOOLEAN NOT NULL,
    is_folder BOOLEAN NOT NULL,
    file_url TEXT,
    file_size BIGINT NOT NULL,
    file_type TEXT,
    content_hash TEXT,
    folder TEXT REFERENCES files (name),
    attached_to_doctype TEXT,
    attached_to_name TEXT,
    attached_to_field TEXT,
    owner TEXT NOT NULL,
    creation TIMESTAMP NOT NULL,
    modified TIMESTAMP NOT NULL,
    modified_by TEXT NOT NULL
);
-- Not unique: a document may point to the file of another one.
CREATE INDEX files_by_url ON files (file_url);
CREATE INDEX files_by_content ON files (content_hash);
CREATE INDEX files_by_document ON files (attached_to_doctype, attached_to_name);
CREATE INDEX files_by_folder ON files (folder);
CREATE INDEX files_by_owner ON files (owner, modified);

INSERT INTO files (name, file_name, is_private, is_folder, file_size, folder, owner, creation, modified, modified_by) VALUES
    ('Home', 'Home', FALSE, TRUE, 0, NULL, 'Administrator', '2026-11-23 00:00:00', '2026-11-23 00:00:00', 'Administrator'),
    ('Home/Attachments', 'Attachments', FALSE, TRUE, 0, 'Home', 'Administrator', '2026-11-23 00:00:00', '2026-11-23 00:00:00', 'Administrator');
