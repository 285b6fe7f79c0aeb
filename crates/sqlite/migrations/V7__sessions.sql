-- Sessions: signed-in browsers. What is sealed the engine sealed; the directory never looks inside.
CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('door', 'embedded', 'console')),
    hash BLOB NOT NULL,
    issuer TEXT,
    user_id TEXT REFERENCES users (id),
    subject TEXT,
    sid TEXT,
    credential TEXT NOT NULL CHECK (credential IN ('token', 'api_key', 'first_run_link')),
    sealed BLOB NOT NULL,
    user_agent TEXT,
    address TEXT,
    created_at_ms INTEGER NOT NULL,
    last_seen_at_ms INTEGER NOT NULL,
    idle_ms INTEGER NOT NULL,
    ends_at_ms INTEGER NOT NULL,
    token_ends_at_ms INTEGER,
    version INTEGER NOT NULL,
    refresh_until_ms INTEGER,
    ended_at_ms INTEGER,
    end_reason TEXT
) STRICT;
CREATE UNIQUE INDEX sessions_hash ON sessions (hash);
CREATE INDEX sessions_user ON sessions (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX sessions_sid ON sessions (sid, issuer, id) WHERE sid IS NOT NULL;
CREATE INDEX sessions_subject ON sessions (subject, issuer, id) WHERE subject IS NOT NULL;
-- The first of a session's ends.
CREATE INDEX sessions_lapse ON sessions (min(
    ends_at_ms, last_seen_at_ms + idle_ms, coalesce(refresh_until_ms, ends_at_ms), coalesce(ended_at_ms, ends_at_ms)
));

-- Values that are good for one use: they are deleted by it.
CREATE TABLE one_time_values (
    kind TEXT NOT NULL CHECK (kind IN ('sign_in_state', 'login_code', 'first_run_link', 'logout_token')),
    hash BLOB NOT NULL,
    sealed BLOB NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, hash)
) STRICT;
CREATE INDEX one_time_values_expiry ON one_time_values (expires_at_ms);

-- Tokens whose session the identity provider has ended: those of a claim's value that were issued before a time.
CREATE TABLE logout_marks (
    issuer TEXT NOT NULL,
    claim TEXT NOT NULL CHECK (claim IN ('sid', 'sub')),
    value TEXT NOT NULL,
    issued_before_ms INTEGER NOT NULL,
    kept_until_ms INTEGER NOT NULL,
    PRIMARY KEY (issuer, claim, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX logout_marks_end ON logout_marks (kept_until_ms);
