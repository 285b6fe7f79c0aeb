-- Where an SQLite file has what user_issuers knows of tokens between two writes there, many in a row: [user, issuer, order,
-- newest, said]. A PostgreSQL node writes to user_issuers at once, where the other nodes look; the table is empty there.
CREATE TABLE token_marks (
    batch INTEGER NOT NULL PRIMARY KEY,
    marks TEXT NOT NULL
) STRICT;
