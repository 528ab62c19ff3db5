DROP VIEW doctype_permissions;
DROP VIEW doctype_fields;
ALTER TABLE doctypes
    DROP COLUMN word, DROP COLUMN digest, DROP COLUMN layout, DROP COLUMN is_site, DROP COLUMN module, DROP COLUMN istable, DROP COLUMN issingle,
    DROP COLUMN is_submittable, DROP COLUMN is_tree, DROP COLUMN custom, DROP COLUMN owner, DROP COLUMN creation, DROP COLUMN modified_by;
