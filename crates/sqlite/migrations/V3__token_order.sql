-- The newest time that an issuer's tokens for a user claimed, and what the token that counts said: a token of the same time
-- that says something else changes nothing. last_issued_at_ms is that token's place in the order, never ahead of the clock.
ALTER TABLE user_issuers ADD COLUMN newest_issued_at_ms INTEGER;
ALTER TABLE user_issuers ADD COLUMN said INTEGER;
