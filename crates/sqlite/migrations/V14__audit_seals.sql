-- What stands for the personal values of an event in the hash chain: an HMAC of each, by a key of the user. An older program writes
-- events and no seals; a newer one beside it adds them before it adds the link. One that erases a user leaves the key behind.
CREATE TABLE audit_seals (
    sequence INTEGER NOT NULL PRIMARY KEY,
    seals TEXT NOT NULL
) STRICT;

-- The keys of those seals, one for each user. An erasure deletes it.
CREATE TABLE seal_keys (
    user_id TEXT NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL
) STRICT;
