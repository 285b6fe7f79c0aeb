//! Deletion of organizations on `SQLite`.

use narthex_directory::{
    ApiKeyId, By, Change, Deletion, DocumentAt, MachineKeyId, Organization, OrganizationContent, OrganizationId,
    OrganizationToDelete, RefusedTokens, Team, removed_organization, rules,
};
use rusqlite::{Connection, params};

use super::change::{self, one};
use super::error::Outcome;
use super::list::collect;
use super::lookup::organization_in;
use super::writer::Tx;
use super::{documents, erasure, keyring, machine_keys};
use narthex_tables::columns::{DOCUMENT, GRANT, TEAM, integer};
use narthex_tables::rows::{self, Columns};

/// Deletes everything of an organization but its record, its teams and its grants, and remembers its identity. Returns the
/// changes that delete these.
pub(super) fn delete(
    tx: &mut Tx<'_>,
    (organization, version): (OrganizationId, Option<u64>),
    deletion: &Deletion,
    by: &By,
) -> Outcome<Vec<Change>> {
    let before = organization_in(tx, organization)?;
    let identity = removed_organization(&before);
    let id = organization.to_string();
    let grants = format!(
        "SELECT {GRANT} FROM grants g WHERE g.organization_id = ?1 AND g.revoked_at_ms IS NULL \
         UNION ALL SELECT {GRANT} FROM grants g JOIN teams t ON t.id = g.team_id \
         WHERE t.organization_id = ?1 AND g.revoked_at_ms IS NULL ORDER BY 1"
    );
    let teams = format!("SELECT {TEAM} FROM teams t WHERE t.organization_id = ?1 ORDER BY t.id");
    let to_delete = OrganizationToDelete {
        organization: before,
        content: content(tx, organization)?,
        grants: collect(tx, &grants, [&id], rows::grant)?,
        teams: collect(tx, &teams, [&id], rows::team)?,
    };
    let changes = to_delete.changes(version, deletion, by.at_ms)?;
    if let Some(identity) = identity {
        let refused = RefusedTokens {
            issued_before_ms: by.at_ms,
            all: true,
        };
        erasure::remember(tx, &identity, refused, &deletion.new_key.0)?;
    }
    delete_documents(tx, &id, by)?;
    revoke_keys(tx, &id, by)?;
    Ok(changes)
}

fn delete_documents(tx: &mut Tx<'_>, organization: &str, by: &By) -> Outcome<()> {
    let sql = format!("SELECT {DOCUMENT} FROM documents d WHERE d.organization_id = ?1 ORDER BY d.kind, d.name");
    for document in collect(tx, &sql, [organization], rows::document)? {
        documents::delete(tx, document.kind, &document.name, DocumentAt::Any, by)?;
    }
    Ok(())
}

fn revoke_keys(tx: &mut Tx<'_>, organization: &str, by: &By) -> Outcome<()> {
    let sql = "SELECT k.id FROM machine_keys k WHERE k.organization_id = ?1 AND k.revoked_at_ms IS NULL ORDER BY k.id";
    let keys: Vec<MachineKeyId> = collect(tx, sql, [organization], |row| Columns::of(row, "machine key").parse())?;
    for key in keys {
        machine_keys::revoke(tx, key, by)?;
    }
    let sql = "SELECT k.id FROM api_keys k WHERE k.organization_id = ?1 AND k.revoked_at_ms IS NULL ORDER BY k.id";
    let keys: Vec<ApiKeyId> = collect(tx, sql, [organization], |row| Columns::of(row, "api key").parse())?;
    for key in keys {
        if let Some(key) = keyring::revoke_api_key(tx, key, by.at_ms)? {
            change::record(tx, rules::api_key_event("api_key.revoked", &key, by))?;
            tx.move_policy()?;
        }
    }
    Ok(())
}

/// Number of records that end with an organization.
pub(super) fn content(connection: &Connection, organization: OrganizationId) -> Outcome<OrganizationContent> {
    let sql = "SELECT (SELECT count(*) FROM (\
         SELECT g.user_id FROM grants g WHERE g.organization_id = ?1 AND g.revoked_at_ms IS NULL \
         UNION SELECT g.user_id FROM teams t JOIN grants g ON g.team_id = t.id \
         WHERE t.organization_id = ?1 AND g.revoked_at_ms IS NULL)), \
         (SELECT count(*) FROM teams t WHERE t.organization_id = ?1 AND t.deleted_at_ms IS NULL), \
         (SELECT count(*) FROM machine_keys k WHERE k.organization_id = ?1 AND k.revoked_at_ms IS NULL), \
         (SELECT count(*) FROM api_keys k WHERE k.organization_id = ?1 AND k.revoked_at_ms IS NULL), \
         (SELECT count(*) FROM documents d WHERE d.organization_id = ?1)";
    let counted = collect(connection, sql, [organization.to_string()], |row| {
        let mut columns = Columns::of(row, "count");
        Ok(OrganizationContent {
            members: columns.number()?,
            teams: columns.number()?,
            machine_keys: columns.number()?,
            api_keys: columns.number()?,
            documents: columns.number()?,
        })
    });
    Ok(counted?.pop().unwrap_or_default())
}

/// Empties the record of an organization. The row stays for its name, and for the grants that name it.
pub(super) fn delete_organization(tx: &Tx<'_>, before: &Organization, at_ms: i64) -> Outcome<()> {
    let id = before.id.to_string();
    let mut statement = tx.prepare_cached(
        "UPDATE organizations SET external_id = NULL, contact_name = NULL, contact_email = NULL, website = NULL, \
         timezone = NULL, admin_tags = '[]', member_tags = '[]', executor_tags = '[]', status = 'suspended', \
         has_logo = 0, updated_at_ms = ?3, deleted_at_ms = ?3, version = version + 1 WHERE id = ?1 AND version = ?2",
    )?;
    one(statement.execute(params![id, integer(before.version), at_ms])?)?;
    for sql in [
        "DELETE FROM organization_tags WHERE organization_id = ?1",
        "DELETE FROM organization_logos WHERE organization_id = ?1",
    ] {
        tx.prepare_cached(sql)?.execute([&id])?;
    }
    Ok(())
}

/// Marks a team as deleted. The row stays for the grants that name it.
pub(super) fn delete_team(tx: &Tx<'_>, before: &Team, at_ms: i64) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "UPDATE teams SET external_id = NULL, updated_at_ms = ?3, deleted_at_ms = ?3, version = version + 1 \
         WHERE id = ?1 AND version = ?2",
    )?;
    one(statement.execute(params![before.id.to_string(), integer(before.version), at_ms])?)
}
