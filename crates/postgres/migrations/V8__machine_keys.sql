-- Keys of organizations' programs for their routes. An older program has no table of that name, and refuses such a key as
-- a token that is damaged.
CREATE TABLE machine_keys (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    name TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL,
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('admin', 'member', 'executor')),
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    revoked_at_ms BIGINT,
    last_used_at_ms BIGINT
);
CREATE UNIQUE INDEX machine_keys_hash ON machine_keys (hash);
CREATE INDEX machine_keys_organization ON machine_keys (organization_id, id);
