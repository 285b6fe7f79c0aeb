-- Identities that were removed, by a keyed hash: an older token must not bring them back. An older program does not look here,
-- and while one runs beside a newer one it may create such a user again.
CREATE TABLE removed_identities (
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('user', 'organization')),
    hash TEXT COLLATE "C" NOT NULL,
    issued_before_ms BIGINT NOT NULL,
    refuses_all BOOLEAN NOT NULL,
    PRIMARY KEY (kind, hash)
);

-- The key of those hashes, made by the first erasure.
CREATE TABLE erasure_keys (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    secret BYTEA NOT NULL
);

-- An organization or team that was deleted: the row stays for the grants that name it. An older program takes the organization for
-- a suspended one without tags.
ALTER TABLE organizations ADD COLUMN deleted_at_ms BIGINT;
ALTER TABLE teams ADD COLUMN deleted_at_ms BIGINT;
