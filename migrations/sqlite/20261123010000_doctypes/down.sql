DROP VIEW doctype_permissions;
DROP VIEW doctype_fields;
CREATE TABLE doctypes_before (
    name TEXT NOT NULL PRIMARY KEY,
    definition TEXT NOT NULL,
    modified TIMESTAMP NOT NULL
);
INSERT INTO doctypes_before SELECT name, definition, modified FROM doctypes;
DROP TABLE doctypes;
ALTER TABLE doctypes_before RENAME TO doctypes;
