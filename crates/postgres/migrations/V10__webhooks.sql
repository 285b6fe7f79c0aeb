-- Progress of webhooks through the audit trail, which is their outbox. The webhooks themselves are documents.
CREATE TABLE webhook_progress (
    webhook TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    cursor BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    failing_since_ms BIGINT,
    next_try_ms BIGINT NOT NULL,
    last_success_ms BIGINT,
    version BIGINT NOT NULL
);

-- Events that were taken up and are not delivered: they wait, or were given up.
CREATE TABLE webhook_waiting (
    webhook TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    attempts BIGINT NOT NULL,
    taken_up_ms BIGINT NOT NULL,
    next_try_ms BIGINT NOT NULL,
    dead_at_ms BIGINT,
    PRIMARY KEY (webhook, sequence)
);

-- Tries, the last ones of each webhook.
CREATE TABLE webhook_attempts (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    took_ms BIGINT NOT NULL,
    status BIGINT,
    error TEXT COLLATE "C",
    next_try_ms BIGINT
);
CREATE INDEX webhook_attempts_webhook ON webhook_attempts (webhook, number);

-- Of all nodes, the one that sends, and until when.
CREATE TABLE webhook_sender (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 0),
    holder TEXT COLLATE "C" NOT NULL,
    until_ms BIGINT NOT NULL
);
