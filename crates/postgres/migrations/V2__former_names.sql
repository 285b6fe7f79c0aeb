-- Names that organizations had. An application may still keep what it has under such a name, so no token gets an
-- organization of that name; a person may choose it.
CREATE TABLE former_organization_names (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY
);
