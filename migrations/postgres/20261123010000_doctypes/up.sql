-- Definitions are data: those of the site beside those that came with the program, each with what its table looks like.
ALTER TABLE doctypes
    -- How a scope spells it.
    ADD COLUMN word TEXT,
    -- Of the definition and of how this program lays out tables; another one means that there is something to do.
    ADD COLUMN digest TEXT NOT NULL DEFAULT '',
    -- Columns and indexes of the document table, as JSON; NULL where a program from before this migration made it.
    ADD COLUMN layout TEXT,
    -- Whether the site brought the definition.
    ADD COLUMN is_site BOOLEAN NOT NULL DEFAULT FALSE,
    -- What lists ask for; the rest is read from the definition.
    ADD COLUMN module TEXT NOT NULL DEFAULT '',
    ADD COLUMN istable BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN issingle BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN is_submittable BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN is_tree BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN custom BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN owner TEXT NOT NULL DEFAULT 'Administrator',
    ADD COLUMN creation TIMESTAMP NOT NULL DEFAULT '0001-01-01 00:00:00',
    ADD COLUMN modified_by TEXT NOT NULL DEFAULT 'Administrator';
UPDATE doctypes SET creation = modified, word = lower(replace(replace(name, ' ', '_'), '-', '_'));
ALTER TABLE doctypes ALTER COLUMN word SET NOT NULL, ADD CONSTRAINT doctypes_word_key UNIQUE (word);

-- The fields and permissions of all definitions, a row each.
CREATE VIEW doctype_fields AS
SELECT t.name AS parent, t.owner, t.creation, t.modified, t.modified_by, f.idx, f.item
  FROM doctypes AS t, json_array_elements(t.definition::json -> 'fields') WITH ORDINALITY AS f (item, idx);
CREATE VIEW doctype_permissions AS
SELECT t.name AS parent, t.owner, t.creation, t.modified, t.modified_by, p.idx, p.item
  FROM doctypes AS t, json_array_elements(t.definition::json -> 'permissions') WITH ORDINALITY AS p (item, idx);
