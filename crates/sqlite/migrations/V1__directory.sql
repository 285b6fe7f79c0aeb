-- The portable subset: ids are lower-case ULIDs in text, times are 64-bit milliseconds passed in, roles and kinds
-- are text with a CHECK, JSON is text. PostgreSQL's twin of this file differs in STRICT, WITHOUT ROWID and BLOB.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    realm TEXT NOT NULL,
    external_id TEXT NOT NULL,
    username TEXT NOT NULL,
    email TEXT,
    name TEXT,
    country TEXT,
    timezone TEXT,
    locale TEXT,
    language TEXT,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    context TEXT NOT NULL,
    tokens_not_before_ms INTEGER,
    last_seen_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX users_external_id ON users (realm, external_id);
CREATE UNIQUE INDEX users_username ON users (realm, username);
CREATE INDEX users_email ON users (email) WHERE email IS NOT NULL;

-- What is known of an issuer's tokens for a user: the newest iat, and the tags of the last token (JSON array).
CREATE TABLE user_issuers (
    user_id TEXT NOT NULL REFERENCES users (id),
    issuer TEXT NOT NULL,
    last_issued_at_ms INTEGER,
    tags TEXT,
    PRIMARY KEY (user_id, issuer)
) STRICT, WITHOUT ROWID;

CREATE TABLE organizations (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    realm TEXT NOT NULL,
    external_id TEXT,
    contact_name TEXT,
    contact_email TEXT,
    website TEXT,
    timezone TEXT,
    admin_tags TEXT NOT NULL,
    member_tags TEXT NOT NULL,
    executor_tags TEXT NOT NULL,
    membership TEXT NOT NULL CHECK (membership IN ('mixed', 'external_only')),
    status TEXT NOT NULL CHECK (status IN ('active', 'suspended')),
    origin TEXT NOT NULL CHECK (origin IN ('api', 'claim', 'config')),
    has_logo INTEGER NOT NULL CHECK (has_logo IN (0, 1)),
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX organizations_name ON organizations (name);
CREATE UNIQUE INDEX organizations_external_id ON organizations (realm, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX organizations_config ON organizations (id) WHERE origin = 'config';

-- The index from a tag to the organizations that list it, with the highest role they list it for. Written together
-- with the lists in organizations. `folded` is for near misses only and never decides a match.
CREATE TABLE organization_tags (
    realm TEXT NOT NULL,
    tag TEXT NOT NULL,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    role TEXT NOT NULL CHECK (role IN ('admin', 'member', 'executor')),
    folded TEXT NOT NULL,
    PRIMARY KEY (realm, tag, organization_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX organization_tags_folded ON organization_tags (realm, folded);
CREATE INDEX organization_tags_organization ON organization_tags (organization_id);

CREATE TABLE organization_logos (
    organization_id TEXT NOT NULL PRIMARY KEY REFERENCES organizations (id),
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE teams (
    id TEXT NOT NULL PRIMARY KEY,
    realm TEXT NOT NULL,
    organization_id TEXT REFERENCES organizations (id),
    external_id TEXT,
    name TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX teams_external_id ON teams (realm, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX teams_organization ON teams (organization_id) WHERE organization_id IS NOT NULL;

-- A grant on neither an organization nor a team is on the platform. `issuer` and `tag` are '' where the source has
-- none, so that the unique index sees them.
CREATE TABLE grants (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    organization_id TEXT REFERENCES organizations (id),
    team_id TEXT REFERENCES teams (id),
    role TEXT NOT NULL CHECK (role IN ('admin', 'viewer', 'user', 'member', 'executor')),
    source TEXT NOT NULL CHECK (source IN ('manual', 'claim', 'tag')),
    issuer TEXT NOT NULL,
    tag TEXT NOT NULL,
    token_jti TEXT,
    token_sha256 TEXT,
    granted_at_ms INTEGER NOT NULL,
    asserted_at_ms INTEGER NOT NULL,
    lapses_at_ms INTEGER,
    revoked_at_ms INTEGER,
    why TEXT,
    revoked_why TEXT,
    CHECK (organization_id IS NULL OR team_id IS NULL)
) STRICT;
-- At most one grant is open for a tag on a scope, for an issuer's claim on a scope, by hand on a scope.
CREATE UNIQUE INDEX grants_open
    ON grants (user_id, coalesce(organization_id, team_id, ''), source, issuer, tag) WHERE revoked_at_ms IS NULL;
CREATE INDEX grants_user ON grants (user_id, revoked_at_ms);
CREATE INDEX grants_organization ON grants (organization_id, user_id) WHERE organization_id IS NOT NULL;
CREATE INDEX grants_team ON grants (team_id, user_id) WHERE team_id IS NOT NULL;
CREATE INDEX grants_platform ON grants (user_id) WHERE organization_id IS NULL AND team_id IS NULL;
CREATE INDEX grants_lapse ON grants (lapses_at_ms, id) WHERE revoked_at_ms IS NULL AND lapses_at_ms IS NOT NULL;

CREATE TABLE audit_events (
    sequence INTEGER NOT NULL PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_name TEXT,
    token_jti TEXT,
    token_sha256 TEXT,
    action TEXT NOT NULL,
    user_id TEXT,
    organization_id TEXT,
    team_id TEXT,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_events_user ON audit_events (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX audit_events_organization ON audit_events (organization_id) WHERE organization_id IS NOT NULL;

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    organization_id TEXT REFERENCES organizations (id),
    team_id TEXT REFERENCES teams (id),
    role TEXT NOT NULL CHECK (role IN ('admin', 'viewer', 'user', 'member', 'executor')),
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    revoked_at_ms INTEGER,
    CHECK (organization_id IS NULL OR team_id IS NULL)
) STRICT;
CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);

CREATE TABLE assertion_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    private BLOB NOT NULL,
    public_jwk TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    signs_until_ms INTEGER NOT NULL,
    published_until_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE key_sets (
    issuer TEXT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL,
    body BLOB NOT NULL,
    fetched_at_ms INTEGER NOT NULL
) STRICT;

-- What the edges keep: issuers made at run time, connections, webhooks.
CREATE TABLE documents (
    kind TEXT NOT NULL CHECK (kind IN ('issuer', 'connection', 'webhook')),
    name TEXT NOT NULL,
    organization_id TEXT REFERENCES organizations (id),
    body TEXT NOT NULL,
    secret BLOB,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT;

CREATE TABLE seen_tags (
    realm TEXT NOT NULL,
    tag TEXT NOT NULL,
    first_seen_at_ms INTEGER NOT NULL,
    last_seen_at_ms INTEGER NOT NULL,
    PRIMARY KEY (realm, tag)
) STRICT, WITHOUT ROWID;

-- The numbers that other processes poll: 0 is policy, n + 1 is stripe n of the users.
CREATE TABLE change_counters (
    id INTEGER NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT;
INSERT INTO change_counters (id, version) VALUES (0, 0);
