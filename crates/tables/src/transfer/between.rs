//! Rules between the records of a file.

/// Rules between records: each a query that counts the records that break it, and the problem with those. The file's
/// own order, the keys and the CHECKs of the schema see to everything else.
pub const BETWEEN: &[(&str, &str)] = &[
    (
        "SELECT count(*) FROM teams t JOIN organizations o ON o.id = t.organization_id WHERE o.realm <> t.realm",
        "teams lie in an organization of another realm",
    ),
    (
        "SELECT count(*) FROM organizations o LEFT JOIN organization_logos l ON l.organization_id = o.id \
         WHERE (CASE WHEN o.has_logo THEN 1 ELSE 0 END) <> (CASE WHEN l.organization_id IS NULL THEN 0 ELSE 1 END)",
        "organizations say `has_logo` otherwise than there is a logo",
    ),
    (
        // Not on teams: a token may bring one, with its grants, into such an organization.
        "SELECT count(*) FROM grants g JOIN organizations o ON o.id = g.organization_id \
         WHERE o.membership = 'external_only' AND g.source = 'manual' AND g.revoked_at_ms IS NULL",
        "open manual grants are on an organization that takes none (`external_only`)",
    ),
];
