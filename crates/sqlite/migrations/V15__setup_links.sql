-- One more kind of document: setup links. SQLite changes no check, so the table is made anew. An older program writes and reads no such
-- kind.
CREATE TABLE documents_new (
    kind TEXT NOT NULL CHECK (kind IN ('issuer', 'connection', 'webhook', 'setup_link')),
    name TEXT NOT NULL,
    organization_id TEXT REFERENCES organizations (id),
    body TEXT NOT NULL,
    secret BLOB,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT;
INSERT INTO documents_new (kind, name, organization_id, body, secret, created_at_ms, updated_at_ms, version)
    SELECT kind, name, organization_id, body, secret, created_at_ms, updated_at_ms, version FROM documents;
DROP TABLE documents;
ALTER TABLE documents_new RENAME TO documents;
