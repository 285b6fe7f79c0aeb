-- One more kind of one-time value: uses of DPoP proofs. SQLite changes no check, so the table is made anew; what is in it lives for
-- minutes. An older program writes no such kind.
CREATE TABLE one_time_values_new (
    kind TEXT NOT NULL CHECK (kind IN ('sign_in_state', 'login_code', 'first_run_link', 'logout_token', 'dpop_proof')),
    hash BLOB NOT NULL,
    sealed BLOB NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, hash)
) STRICT;
INSERT INTO one_time_values_new (kind, hash, sealed, expires_at_ms)
    SELECT kind, hash, sealed, expires_at_ms FROM one_time_values;
DROP TABLE one_time_values;
ALTER TABLE one_time_values_new RENAME TO one_time_values;
CREATE INDEX one_time_values_expiry ON one_time_values (expires_at_ms);
