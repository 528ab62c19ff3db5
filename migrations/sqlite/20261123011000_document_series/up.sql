-- The last number given out for a prefix. Names that are numbers count by doctype, under an empty prefix.
CREATE TABLE document_series (
    doctype TEXT NOT NULL,
    prefix TEXT NOT NULL,
    current BIGINT NOT NULL,
    PRIMARY KEY (doctype, prefix)
);

-- What Password fields of documents hold, sealed. The length is all that is ever shown.
CREATE TABLE document_secrets (
    doctype TEXT NOT NULL,
    name TEXT NOT NULL,
    fieldname TEXT NOT NULL,
    sealed TEXT NOT NULL,
    length BIGINT NOT NULL,
    PRIMARY KEY (doctype, name, fieldname)
);
