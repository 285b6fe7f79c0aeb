-- The hash chain over the audit events, computed after their commit. An older program writes events and no links; a newer one
-- beside it adds the links.
CREATE TABLE audit_links (
    sequence BIGINT NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL
);

-- Signatures over single links, and with them over every event up to there.
CREATE TABLE audit_checkpoints (
    sequence BIGINT NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL,
    at_ms BIGINT NOT NULL,
    kid TEXT COLLATE "C" NOT NULL,
    signature TEXT COLLATE "C" NOT NULL
);

-- The keys of checkpoints, kept for ever.
CREATE TABLE audit_keys (
    kid TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    private BYTEA NOT NULL,
    public_jwk TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL
);
