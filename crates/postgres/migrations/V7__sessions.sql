-- Sessions: signed-in browsers. What is sealed the engine sealed; the directory never looks inside.
CREATE TABLE sessions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('door', 'embedded', 'console')),
    hash BYTEA NOT NULL,
    issuer TEXT COLLATE "C",
    user_id TEXT COLLATE "C" REFERENCES users (id),
    subject TEXT COLLATE "C",
    sid TEXT COLLATE "C",
    credential TEXT COLLATE "C" NOT NULL CHECK (credential IN ('token', 'api_key', 'first_run_link')),
    sealed BYTEA NOT NULL,
    user_agent TEXT COLLATE "C",
    address TEXT COLLATE "C",
    created_at_ms BIGINT NOT NULL,
    last_seen_at_ms BIGINT NOT NULL,
    idle_ms BIGINT NOT NULL,
    ends_at_ms BIGINT NOT NULL,
    token_ends_at_ms BIGINT,
    version BIGINT NOT NULL,
    refresh_until_ms BIGINT,
    ended_at_ms BIGINT,
    end_reason TEXT COLLATE "C"
);
CREATE UNIQUE INDEX sessions_hash ON sessions (hash);
CREATE INDEX sessions_user ON sessions (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX sessions_sid ON sessions (sid, issuer, id) WHERE sid IS NOT NULL;
CREATE INDEX sessions_subject ON sessions (subject, issuer, id) WHERE subject IS NOT NULL;
-- The first of a session's ends.
CREATE INDEX sessions_lapse ON sessions ((least(
    ends_at_ms, last_seen_at_ms + idle_ms, coalesce(refresh_until_ms, ends_at_ms), coalesce(ended_at_ms, ends_at_ms)
)));

-- Values that are good for one use: they are deleted by it.
CREATE TABLE one_time_values (
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('sign_in_state', 'login_code', 'first_run_link', 'logout_token')),
    hash BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    PRIMARY KEY (kind, hash)
);
CREATE INDEX one_time_values_expiry ON one_time_values (expires_at_ms);

-- Tokens whose session the identity provider has ended: those of a claim's value that were issued before a time.
CREATE TABLE logout_marks (
    issuer TEXT COLLATE "C" NOT NULL,
    claim TEXT COLLATE "C" NOT NULL CHECK (claim IN ('sid', 'sub')),
    value TEXT COLLATE "C" NOT NULL,
    issued_before_ms BIGINT NOT NULL,
    kept_until_ms BIGINT NOT NULL,
    PRIMARY KEY (value, issuer, claim)
);
CREATE INDEX logout_marks_end ON logout_marks (kept_until_ms);
