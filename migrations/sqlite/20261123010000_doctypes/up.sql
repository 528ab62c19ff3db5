-- Definitions are data: those of the site beside those that came with the program, each with what its table looks like.
CREATE TABLE doctypes_now (
    name TEXT NOT NULL PRIMARY KEY,
    definition TEXT NOT NULL,
    -- How a scope spells it.
    word TEXT NOT NULL UNIQUE,
    -- Of the definition and of how this program lays out tables; another one means that there is something to do.
    digest TEXT NOT NULL,
    -- Columns and indexes of the document table, as JSON; NULL where a program from before this migration made it.
    layout TEXT,
    -- Whether the site brought the definition.
    is_site BOOLEAN NOT NULL,
    -- What lists ask for; the rest is read from the definition.
    module TEXT NOT NULL,
    istable BOOLEAN NOT NULL,
    issingle BOOLEAN NOT NULL,
    is_submittable BOOLEAN NOT NULL,
    is_tree BOOLEAN NOT NULL,
    custom BOOLEAN NOT NULL,
    owner TEXT NOT NULL,
    creation TIMESTAMP NOT NULL,
    modified TIMESTAMP NOT NULL,
    modified_by TEXT NOT NULL
);
INSERT INTO doctypes_now
SELECT name, definition, lower(replace(replace(name, ' ', '_'), '-', '_')), '', NULL, 0, '', 0, 0, 0, 0, 0, 'Administrator', modified, modified, 'Administrator' FROM doctypes;
DROP TABLE doctypes;
ALTER TABLE doctypes_now RENAME TO doctypes;

-- The fields and permissions of all definitions, a row each.
CREATE VIEW doctype_fields AS
SELECT t.name AS parent, t.owner, t.creation, t.modified, t.modified_by, f.key + 1 AS idx, f.value AS item
  FROM doctypes AS t, json_each(t.definition, '$.fields') AS f;
CREATE VIEW doctype_permissions AS
SELECT t.name AS parent, t.owner, t.creation, t.modified, t.modified_by, p.key + 1 AS idx, p.value AS item
  FROM doctypes AS t, json_each(t.definition, '$.permissions') AS p;
