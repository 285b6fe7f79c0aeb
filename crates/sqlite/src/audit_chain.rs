//! The hash chain, its checkpoints and their keys, and changes by day.

use narthex_directory::{AuditKey, By, ChainLink, Checkpoint, DAY_MS, DayChanges, OrganizationId, rules};
use rusqlite::{Connection, params};

use super::change;
use super::error::Outcome;
use super::list::collect;
use super::writer::Tx;
use narthex_tables::audit_chain::{self, AUDIT_KEY, CHECKPOINT, LINK};
use narthex_tables::columns::integer;

fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn end(connection: &Connection) -> Outcome<Option<ChainLink>> {
    let sql = format!("SELECT {LINK} FROM audit_links ORDER BY sequence DESC LIMIT 1");
    Ok(collect(connection, &sql, [], audit_chain::link)?.pop())
}

pub(super) fn links(connection: &Connection, after: u64, limit: usize) -> Outcome<Vec<ChainLink>> {
    let sql = format!("SELECT {LINK} FROM audit_links WHERE sequence > ?1 ORDER BY sequence LIMIT ?2");
    collect(connection, &sql, [integer(after), limit_of(limit)], audit_chain::link)
}

pub(super) fn extend(tx: &Tx<'_>, after: u64, links: &[ChainLink], checkpoint: Option<&Checkpoint>) -> Outcome<bool> {
    if end(tx)?.map_or(0, |link| link.sequence) != after {
        return Ok(false);
    }
    let mut statement = tx.prepare_cached("INSERT INTO audit_links (sequence, hash) VALUES (?1, ?2)")?;
    for link in links {
        statement.execute(params![integer(link.sequence), link.hash.0])?;
    }
    if let Some(checkpoint) = checkpoint {
        sign(tx, checkpoint)?;
    }
    Ok(true)
}

/// Writes a checkpoint.
pub(super) fn sign(tx: &Tx<'_>, checkpoint: &Checkpoint) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO audit_checkpoints (sequence, hash, at_ms, kid, signature) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    statement.execute(params![
        integer(checkpoint.sequence),
        checkpoint.hash.0,
        checkpoint.at_ms,
        checkpoint.kid,
        checkpoint.signature,
    ])?;
    Ok(())
}

pub(super) fn checkpoints(connection: &Connection, after: u64, limit: usize) -> Outcome<Vec<Checkpoint>> {
    let sql = format!("SELECT {CHECKPOINT} FROM audit_checkpoints WHERE sequence > ?1 ORDER BY sequence LIMIT ?2");
    let values = [integer(after), limit_of(limit)];
    collect(connection, &sql, values, audit_chain::checkpoint)
}

pub(super) fn last_checkpoint(connection: &Connection) -> Outcome<Option<Checkpoint>> {
    let sql = format!("SELECT {CHECKPOINT} FROM audit_checkpoints ORDER BY sequence DESC LIMIT 1");
    Ok(collect(connection, &sql, [], audit_chain::checkpoint)?.pop())
}

pub(super) fn keys(connection: &Connection) -> Outcome<Vec<AuditKey>> {
    let sql = format!("SELECT {AUDIT_KEY} FROM audit_keys ORDER BY created_at_ms DESC, kid DESC");
    collect(connection, &sql, [], audit_chain::audit_key)
}

pub(super) fn create_key(tx: &Tx<'_>, key: &AuditKey, by: &By) -> Outcome<Vec<AuditKey>> {
    if keys(tx)?.is_empty() {
        let mut statement = tx.prepare_cached(
            "INSERT INTO audit_keys (kid, private, public_jwk, created_at_ms) VALUES (?1, ?2, ?3, ?4)",
        )?;
        statement.execute(params![key.kid, key.private.0, key.public_jwk, key.created_at_ms])?;
        change::record(tx, rules::audit_key_event(&key.kid, by))?;
    }
    keys(tx)
}

pub(super) fn role_changes_per_day(
    connection: &Connection,
    organization: OrganizationId,
    from_ms: i64,
) -> Outcome<Vec<DayChanges>> {
    let sql = format!(
        "SELECT e.at_ms / {DAY_MS} AS day, count(*) FROM audit_events e WHERE e.organization_id = ?1 AND e.at_ms >= ?2 \
         AND e.action IN ('grant.opened', 'grant.closed') GROUP BY day ORDER BY day"
    );
    let values = params![organization.to_string(), from_ms];
    collect(connection, &sql, values, audit_chain::day_changes)
}
