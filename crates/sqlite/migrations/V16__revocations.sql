-- Tokens that an administrator revoked: one by its `jti` or its content, or all that an issuer issued before a time. Each row has the
-- highest number when it is written, by which nodes learn of it. An older program beside a newer one refuses none of them.
CREATE TABLE revocations (
    issuer TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('jti', 'content', 'issuer')),
    value TEXT NOT NULL,
    number INTEGER NOT NULL,
    issued_before_ms INTEGER,
    kept_until_ms INTEGER,
    PRIMARY KEY (issuer, kind, value)
) STRICT;
CREATE UNIQUE INDEX revocations_number ON revocations (number);

-- Refusals are kept for a shorter time than other events.
CREATE INDEX audit_events_refusals ON audit_events (sequence) WHERE action = 'request.refused';
