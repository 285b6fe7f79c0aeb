-- The hash chain over the audit events, computed after their commit. An older program writes events and no links; a newer one
-- beside it adds the links.
CREATE TABLE audit_links (
    sequence INTEGER NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL
) STRICT;

-- Signatures over single links, and with them over every event up to there.
CREATE TABLE audit_checkpoints (
    sequence INTEGER NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    kid TEXT NOT NULL,
    signature TEXT NOT NULL
) STRICT;

-- The keys of checkpoints, kept for ever.
CREATE TABLE audit_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    private BLOB NOT NULL,
    public_jwk TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;
