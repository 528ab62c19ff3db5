-- Every document that a search finds. A document that changes gets a new id, so the highest ids are the newest.
CREATE TABLE search_documents (
    id INTEGER NOT NULL PRIMARY KEY,
    doctype TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (doctype, name)
);

-- Their words, by the same id. The texts stay in the documents' own tables and are read from there, so nothing of them is
-- kept twice (contentless); where in a text a word stands is not kept (detail=none). The words come in cut and folded by
-- the program, the same for both databases, so all that is left to do is to part them at spaces (ascii).
CREATE VIRTUAL TABLE search_terms USING fts5(
    terms, content='', contentless_delete=1, detail=none, tokenize='ascii', prefix='2 3'
);

-- How far the documents of a doctype that were there before are searched. What is done goes on from `last_name`.
CREATE TABLE search_progress (
    doctype TEXT NOT NULL PRIMARY KEY,
    -- Which fields are searched; others mean that there is everything to do.
    fields TEXT NOT NULL,
    -- The last document that was looked at; NULL before the first.
    last_name TEXT,
    done BOOLEAN NOT NULL
);
