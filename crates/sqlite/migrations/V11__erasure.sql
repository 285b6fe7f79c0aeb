-- Identities that were removed, by a keyed hash: an older token must not bring them back. An older program does not look here,
-- and while one runs beside a newer one it may create such a user again.
CREATE TABLE removed_identities (
    kind TEXT NOT NULL CHECK (kind IN ('user', 'organization')),
    hash TEXT NOT NULL,
    issued_before_ms INTEGER NOT NULL,
    refuses_all INTEGER NOT NULL CHECK (refuses_all IN (0, 1)),
    PRIMARY KEY (kind, hash)
) STRICT, WITHOUT ROWID;

-- The key of those hashes, made by the first erasure.
CREATE TABLE erasure_keys (
    name TEXT NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL
) STRICT;

-- An organization or team that was deleted: the row stays for the grants that name it. An older program takes the organization for
-- a suspended one without tags.
ALTER TABLE organizations ADD COLUMN deleted_at_ms INTEGER;
ALTER TABLE teams ADD COLUMN deleted_at_ms INTEGER;
