-- One more kind of document: setup links. An older program writes and reads no such kind.
ALTER TABLE documents DROP CONSTRAINT documents_kind_check;
ALTER TABLE documents ADD CONSTRAINT documents_kind_check
    CHECK (kind IN ('issuer', 'connection', 'webhook', 'setup_link'));
