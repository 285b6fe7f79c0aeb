-- Keys of organizations' programs for their routes. An older program has no table of that name, and refuses such a key as
-- a token that is damaged.
CREATE TABLE machine_keys (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('admin', 'member', 'executor')),
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER,
    last_used_at_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX machine_keys_hash ON machine_keys (hash);
CREATE INDEX machine_keys_organization ON machine_keys (organization_id, id);
