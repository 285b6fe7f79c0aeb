-- Refused requests of the last hour, for every node to look up. An older program keeps none.
CREATE TABLE denials (
    request_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    facts TEXT COLLATE "C" NOT NULL
);
CREATE INDEX denials_time ON denials (at_ms, request_id);
