-- What stands for the personal values of an event in the hash chain: an HMAC of each, by a key of the user. An older program writes
-- events and no seals; a newer one beside it adds them before it adds the link. One that erases a user leaves the key behind.
CREATE TABLE audit_seals (
    sequence BIGINT NOT NULL PRIMARY KEY,
    seals TEXT COLLATE "C" NOT NULL
);

-- The keys of those seals, one for each user. An erasure deletes it.
CREATE TABLE seal_keys (
    user_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    secret BYTEA NOT NULL
);
