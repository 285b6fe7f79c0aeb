-- Tokens that an administrator revoked: one by its `jti` or its content, or all that an issuer issued before a time. Each row has the
-- highest number when it is written, by which nodes learn of it. An older program beside a newer one refuses none of them.
CREATE TABLE revocations (
    issuer TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('jti', 'content', 'issuer')),
    value TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    issued_before_ms BIGINT,
    kept_until_ms BIGINT,
    PRIMARY KEY (issuer, kind, value)
);
CREATE UNIQUE INDEX revocations_number ON revocations (number);

-- Refusals are kept for a shorter time than other events.
CREATE INDEX audit_events_refusals ON audit_events (sequence) WHERE action = 'request.refused';
