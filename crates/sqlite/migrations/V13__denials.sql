-- Refused requests of the last hour, for every node to look up. An older program keeps none.
CREATE TABLE denials (
    request_id TEXT NOT NULL PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    facts TEXT NOT NULL
) STRICT;
CREATE INDEX denials_time ON denials (at_ms, request_id);
