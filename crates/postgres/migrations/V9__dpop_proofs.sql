-- One more kind of one-time value: uses of DPoP proofs. An older program writes no such kind.
ALTER TABLE one_time_values DROP CONSTRAINT one_time_values_kind_check;
ALTER TABLE one_time_values ADD CONSTRAINT one_time_values_kind_check
    CHECK (kind IN ('sign_in_state', 'login_code', 'first_run_link', 'logout_token', 'dpop_proof'));
