-- Roles by tag patterns: an organization may take none, and a grant says that a pattern gave it. An older program reads
-- such a grant as one by a tag that no organization lists, which gives nothing.
ALTER TABLE organizations ADD COLUMN tag_patterns INTEGER NOT NULL DEFAULT 1;
ALTER TABLE grants ADD COLUMN via TEXT CHECK (via IN ('pattern', 'each'));
DROP INDEX grants_open;
CREATE UNIQUE INDEX grants_open
    ON grants (user_id, coalesce(organization_id, team_id, ''), source, issuer, tag, coalesce(via, ''))
    WHERE revoked_at_ms IS NULL;
