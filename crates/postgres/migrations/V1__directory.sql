-- The portable subset: ids are lower-case ULIDs in text, times are 64-bit milliseconds passed in, roles and kinds
-- are text with a CHECK, JSON is text. SQLite's twin of this file differs in STRICT, WITHOUT ROWID, BLOB, and in flags
-- that are 0 or 1. Keys that begin with the realm there end with it here: a planner that has no statistics yet takes
-- any index that begins with a column it is given, and all of a realm is too much to look through. Every text compares byte for byte (COLLATE "C"), whatever the database's own collation is.

CREATE TABLE users (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    realm TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C" NOT NULL,
    username TEXT COLLATE "C" NOT NULL,
    email TEXT COLLATE "C",
    name TEXT COLLATE "C",
    country TEXT COLLATE "C",
    timezone TEXT COLLATE "C",
    locale TEXT COLLATE "C",
    language TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'disabled')),
    context TEXT COLLATE "C" NOT NULL,
    tokens_not_before_ms BIGINT,
    last_seen_at_ms BIGINT,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_external_id ON users (external_id, realm);
CREATE UNIQUE INDEX users_username ON users (username, realm);
CREATE INDEX users_email ON users (email) WHERE email IS NOT NULL;

-- What is known of an issuer's tokens for a user: the newest iat, and the tags of the last token (JSON array).
CREATE TABLE user_issuers (
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    issuer TEXT COLLATE "C" NOT NULL,
    last_issued_at_ms BIGINT,
    tags TEXT COLLATE "C",
    PRIMARY KEY (user_id, issuer)
);

CREATE TABLE organizations (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    label TEXT COLLATE "C" NOT NULL,
    realm TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C",
    contact_name TEXT COLLATE "C",
    contact_email TEXT COLLATE "C",
    website TEXT COLLATE "C",
    timezone TEXT COLLATE "C",
    admin_tags TEXT COLLATE "C" NOT NULL,
    member_tags TEXT COLLATE "C" NOT NULL,
    executor_tags TEXT COLLATE "C" NOT NULL,
    membership TEXT COLLATE "C" NOT NULL CHECK (membership IN ('mixed', 'external_only')),
    status TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'suspended')),
    origin TEXT COLLATE "C" NOT NULL CHECK (origin IN ('api', 'claim', 'config')),
    has_logo BOOLEAN NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX organizations_name ON organizations (name);
CREATE UNIQUE INDEX organizations_external_id ON organizations (external_id, realm) WHERE external_id IS NOT NULL;
CREATE INDEX organizations_config ON organizations (id) WHERE origin = 'config';

-- The index from a tag to the organizations that list it, with the highest role they list it for. Written together
-- with the lists in organizations. `folded` is for near misses only and never decides a match.
CREATE TABLE organization_tags (
    realm TEXT COLLATE "C" NOT NULL,
    tag TEXT COLLATE "C" NOT NULL,
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('admin', 'member', 'executor')),
    folded TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tag, realm, organization_id)
);
CREATE INDEX organization_tags_folded ON organization_tags (folded, realm);
CREATE INDEX organization_tags_organization ON organization_tags (organization_id);

CREATE TABLE organization_logos (
    organization_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES organizations (id),
    bytes BYTEA NOT NULL
);

CREATE TABLE teams (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    realm TEXT COLLATE "C" NOT NULL,
    organization_id TEXT COLLATE "C" REFERENCES organizations (id),
    external_id TEXT COLLATE "C",
    name TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX teams_external_id ON teams (external_id, realm) WHERE external_id IS NOT NULL;
CREATE INDEX teams_organization ON teams (organization_id) WHERE organization_id IS NOT NULL;

-- A grant on neither an organization nor a team is on the platform. `issuer` and `tag` are '' where the source has
-- none, so that the unique index sees them.
CREATE TABLE grants (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    organization_id TEXT COLLATE "C" REFERENCES organizations (id),
    team_id TEXT COLLATE "C" REFERENCES teams (id),
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('admin', 'viewer', 'user', 'member', 'executor')),
    source TEXT COLLATE "C" NOT NULL CHECK (source IN ('manual', 'claim', 'tag')),
    issuer TEXT COLLATE "C" NOT NULL,
    tag TEXT COLLATE "C" NOT NULL,
    token_jti TEXT COLLATE "C",
    token_sha256 TEXT COLLATE "C",
    granted_at_ms BIGINT NOT NULL,
    asserted_at_ms BIGINT NOT NULL,
    lapses_at_ms BIGINT,
    revoked_at_ms BIGINT,
    why TEXT COLLATE "C",
    revoked_why TEXT COLLATE "C",
    CHECK (organization_id IS NULL OR team_id IS NULL)
);
-- At most one grant is open for a tag on a scope, for an issuer's claim on a scope, by hand on a scope.
CREATE UNIQUE INDEX grants_open
    ON grants (user_id, coalesce(organization_id, team_id, ''), source, issuer, tag) WHERE revoked_at_ms IS NULL;
CREATE INDEX grants_user ON grants (user_id, revoked_at_ms);
CREATE INDEX grants_organization ON grants (organization_id, user_id) WHERE organization_id IS NOT NULL;
CREATE INDEX grants_team ON grants (team_id, user_id) WHERE team_id IS NOT NULL;
CREATE INDEX grants_platform ON grants (user_id) WHERE organization_id IS NULL AND team_id IS NULL;
CREATE INDEX grants_lapse ON grants (lapses_at_ms, id) WHERE revoked_at_ms IS NULL AND lapses_at_ms IS NOT NULL;

CREATE TABLE audit_events (
    sequence BIGINT NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    actor_kind TEXT COLLATE "C" NOT NULL,
    actor_name TEXT COLLATE "C",
    token_jti TEXT COLLATE "C",
    token_sha256 TEXT COLLATE "C",
    action TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C",
    organization_id TEXT COLLATE "C",
    team_id TEXT COLLATE "C",
    detail TEXT COLLATE "C" NOT NULL
);
CREATE INDEX audit_events_user ON audit_events (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX audit_events_organization ON audit_events (organization_id) WHERE organization_id IS NOT NULL;

CREATE TABLE api_keys (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL,
    organization_id TEXT COLLATE "C" REFERENCES organizations (id),
    team_id TEXT COLLATE "C" REFERENCES teams (id),
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('admin', 'viewer', 'user', 'member', 'executor')),
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT,
    revoked_at_ms BIGINT,
    CHECK (organization_id IS NULL OR team_id IS NULL)
);
CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);

CREATE TABLE assertion_keys (
    kid TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    private BYTEA NOT NULL,
    public_jwk TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    signs_until_ms BIGINT NOT NULL,
    published_until_ms BIGINT NOT NULL
);

CREATE TABLE key_sets (
    issuer TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    source TEXT COLLATE "C" NOT NULL,
    body BYTEA NOT NULL,
    fetched_at_ms BIGINT NOT NULL
);

-- What the edges keep: issuers made at run time, connections, webhooks.
CREATE TABLE documents (
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('issuer', 'connection', 'webhook')),
    name TEXT COLLATE "C" NOT NULL,
    organization_id TEXT COLLATE "C" REFERENCES organizations (id),
    body TEXT COLLATE "C" NOT NULL,
    secret BYTEA,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);

CREATE TABLE seen_tags (
    realm TEXT COLLATE "C" NOT NULL,
    tag TEXT COLLATE "C" NOT NULL,
    first_seen_at_ms BIGINT NOT NULL,
    last_seen_at_ms BIGINT NOT NULL,
    PRIMARY KEY (realm, tag)
);

-- The numbers that other processes poll: 0 is policy, n + 1 is stripe n of the users.
CREATE TABLE change_counters (
    id BIGINT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO change_counters (id, version) VALUES (0, 0);
