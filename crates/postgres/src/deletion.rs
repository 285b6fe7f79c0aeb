//! Deletion of organizations on PostgreSQL.

use narthex_directory::{
    ApiKeyId, By, Change, Deletion, DocumentAt, Grant, MachineKeyId, Organization, OrganizationContent, OrganizationId,
    OrganizationToDelete, RefusedTokens, Team, removed_organization, rules,
};

use super::error::Outcome;
use super::list::collect;
use super::rows::read_maybe;
use super::session::{Command, Session, Tx, Value};
use super::{documents, erasure, keyring, machine_keys};
use narthex_tables::columns::{DOCUMENT, GRANT, TEAM, integer};
use narthex_tables::rows::{self, Columns};

/// Deletes everything of an organization but its record, its teams and its grants, and remembers its identity. Returns the
/// changes that delete these.
pub(super) async fn delete(
    tx: &mut Tx,
    (organization, version): (OrganizationId, Option<u64>),
    deletion: &Deletion,
    by: &By,
) -> Outcome<Vec<Change>> {
    let before = tx.organization_in(organization).await?;
    let identity = removed_organization(&before);
    let id: [Value<'_>; 1] = [Box::new(organization.to_string())];
    let teams = format!("SELECT {TEAM} FROM teams t WHERE t.organization_id = $1 ORDER BY t.id");
    let to_delete = OrganizationToDelete {
        organization: before,
        content: content(tx, organization).await?,
        grants: open_grants(tx, &id).await?,
        teams: collect(tx, &teams, &id, rows::team).await?,
    };
    let changes = to_delete.changes(version, deletion, by.at_ms)?;
    if let Some(identity) = identity {
        let refused = RefusedTokens {
            issued_before_ms: by.at_ms,
            all: true,
        };
        erasure::remember(tx, &identity, refused, &deletion.new_key).await?;
    }
    delete_documents(tx, &id, by).await?;
    revoke_keys(tx, &id, by).await?;
    Ok(changes)
}

/// The open grants on an organization and on its teams; see [`super::list::manual_grants`] for the form of the statement.
async fn open_grants(session: &Session, organization: &[Value<'_>]) -> Outcome<Vec<Grant>> {
    let sql = format!(
        "SELECT {GRANT} FROM grants g WHERE g.organization_id = $1 AND coalesce(g.revoked_at_ms, -1) = -1 \
         UNION ALL SELECT {GRANT} FROM teams t CROSS JOIN LATERAL (SELECT * FROM grants x WHERE x.team_id = t.id \
         AND coalesce(x.revoked_at_ms, -1) = -1 OFFSET 0) g WHERE t.organization_id = $1 ORDER BY 1"
    );
    collect(session, &sql, organization, rows::grant).await
}

async fn delete_documents(tx: &mut Tx, organization: &[Value<'_>], by: &By) -> Outcome<()> {
    let sql = format!("SELECT {DOCUMENT} FROM documents d WHERE d.organization_id = $1 ORDER BY d.kind, d.name");
    for document in collect(tx, &sql, organization, rows::document).await? {
        documents::delete_document(tx, document.kind, &document.name, DocumentAt::Any, by).await?;
    }
    Ok(())
}

async fn revoke_keys(tx: &mut Tx, organization: &[Value<'_>], by: &By) -> Outcome<()> {
    let sql = "SELECT k.id FROM machine_keys k WHERE k.organization_id = $1 AND k.revoked_at_ms IS NULL ORDER BY k.id";
    let read = |row: &dyn rows::Row| Columns::of(row, "machine key").parse::<MachineKeyId>();
    for key in collect(tx, sql, organization, read).await? {
        machine_keys::revoke(tx, key, by).await?;
    }
    let sql = "SELECT k.id FROM api_keys k WHERE k.organization_id = $1 AND k.revoked_at_ms IS NULL ORDER BY k.id";
    let read = |row: &dyn rows::Row| Columns::of(row, "api key").parse::<ApiKeyId>();
    for key in collect(tx, sql, organization, read).await? {
        if let Some(key) = keyring::revoke_api_key(tx, key, by.at_ms).await? {
            tx.record(rules::api_key_event("api_key.revoked", &key, by)).await?;
            tx.move_counters(&[0]).await?;
        }
    }
    Ok(())
}

/// Number of records that end with an organization.
pub(super) async fn content(session: &Session, organization: OrganizationId) -> Outcome<OrganizationContent> {
    let sql = "SELECT (SELECT count(*) FROM (\
         SELECT g.user_id FROM grants g WHERE g.organization_id = $1 AND coalesce(g.revoked_at_ms, -1) = -1 \
         UNION SELECT g.user_id FROM teams t CROSS JOIN LATERAL (SELECT * FROM grants x WHERE x.team_id = t.id \
         AND coalesce(x.revoked_at_ms, -1) = -1 OFFSET 0) g WHERE t.organization_id = $1) u), \
         (SELECT count(*) FROM teams t WHERE t.organization_id = $1 AND t.deleted_at_ms IS NULL), \
         (SELECT count(*) FROM machine_keys k WHERE k.organization_id = $1 AND k.revoked_at_ms IS NULL), \
         (SELECT count(*) FROM api_keys k WHERE k.organization_id = $1 AND k.revoked_at_ms IS NULL), \
         (SELECT count(*) FROM documents d WHERE d.organization_id = $1)";
    let found = session.row(sql, &[&organization.to_string()]).await?;
    let counted = read_maybe(found.as_ref(), |row| {
        let mut columns = Columns::of(row, "count");
        Ok(OrganizationContent {
            members: columns.number()?,
            teams: columns.number()?,
            machine_keys: columns.number()?,
            api_keys: columns.number()?,
            documents: columns.number()?,
        })
    })?;
    Ok(counted.unwrap_or_default())
}

/// Empties the record of an organization. The row stays for its name, and for the grants that name it.
pub(super) fn delete_organization(before: &Organization, at_ms: i64) -> [Command<'static>; 3] {
    let id = before.id.to_string();
    [
        Command::new(
            "UPDATE organizations SET external_id = NULL, contact_name = NULL, contact_email = NULL, website = NULL, \
             timezone = NULL, admin_tags = '[]', member_tags = '[]', executor_tags = '[]', status = 'suspended', \
             has_logo = false, updated_at_ms = $3, deleted_at_ms = $3, version = version + 1 \
             WHERE id = $1 AND version = $2",
            vec![Box::new(id.clone()), Box::new(integer(before.version)), Box::new(at_ms)],
        )
        .exactly(1),
        Command::new(
            "DELETE FROM organization_tags WHERE organization_id = $1",
            vec![Box::new(id.clone())],
        ),
        Command::new(
            "DELETE FROM organization_logos WHERE organization_id = $1",
            vec![Box::new(id)],
        ),
    ]
}

/// Marks a team as deleted. The row stays for the grants that name it.
pub(super) fn delete_team(before: &Team, at_ms: i64) -> Command<'static> {
    Command::new(
        "UPDATE teams SET external_id = NULL, updated_at_ms = $3, deleted_at_ms = $3, version = version + 1 \
         WHERE id = $1 AND version = $2",
        vec![
            Box::new(before.id.to_string()),
            Box::new(integer(before.version)),
            Box::new(at_ms),
        ],
    )
    .exactly(1)
}
