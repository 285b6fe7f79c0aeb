-- Progress of webhooks through the audit trail, which is their outbox. The webhooks themselves are documents.
CREATE TABLE webhook_progress (
    webhook TEXT NOT NULL PRIMARY KEY,
    cursor INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    failing_since_ms INTEGER,
    next_try_ms INTEGER NOT NULL,
    last_success_ms INTEGER,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Events that were taken up and are not delivered: they wait, or were given up.
CREATE TABLE webhook_waiting (
    webhook TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    object TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    taken_up_ms INTEGER NOT NULL,
    next_try_ms INTEGER NOT NULL,
    dead_at_ms INTEGER,
    PRIMARY KEY (webhook, sequence)
) STRICT, WITHOUT ROWID;

-- Tries, the last ones of each webhook.
CREATE TABLE webhook_attempts (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    webhook TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    took_ms INTEGER NOT NULL,
    status INTEGER,
    error TEXT,
    next_try_ms INTEGER
) STRICT;
CREATE INDEX webhook_attempts_webhook ON webhook_attempts (webhook, number);

-- Of all nodes, the one that sends, and until when.
CREATE TABLE webhook_sender (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 0),
    holder TEXT NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT;
