//! The hash chain, its checkpoints and their keys, and changes by day.

use narthex_directory::{AuditKey, By, ChainLink, Checkpoint, DAY_MS, DayChanges, OrganizationId, rules};

use super::error::Outcome;
use super::list::collect;
use super::session::{Command, Session, Tx, Value};
use narthex_tables::audit_chain::{self, AUDIT_KEY, CHECKPOINT, LINK};
use narthex_tables::columns::integer;

fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) async fn end(session: &Session) -> Outcome<Option<ChainLink>> {
    let sql = format!("SELECT {LINK} FROM audit_links ORDER BY sequence DESC LIMIT 1");
    Ok(collect(session, &sql, &[], audit_chain::link).await?.pop())
}

pub(super) async fn links(session: &Session, after: u64, limit: usize) -> Outcome<Vec<ChainLink>> {
    let sql = format!("SELECT {LINK} FROM audit_links WHERE sequence > $1 ORDER BY sequence LIMIT $2");
    let values: [Value<'_>; 2] = [Box::new(integer(after)), Box::new(limit_of(limit))];
    collect(session, &sql, &values, audit_chain::link).await
}

pub(super) async fn extend(
    tx: &mut Tx,
    after: u64,
    links: &[ChainLink],
    checkpoint: Option<&Checkpoint>,
) -> Outcome<bool> {
    if end(tx).await?.map_or(0, |link| link.sequence) != after {
        return Ok(false);
    }
    if !links.is_empty() {
        let sequences: Vec<i64> = links.iter().map(|link| integer(link.sequence)).collect();
        let hashes: Vec<Vec<u8>> = links.iter().map(|link| link.hash.0.to_vec()).collect();
        tx.run(Command::new(
            "INSERT INTO audit_links (sequence, hash) SELECT * FROM unnest($1::bigint[], $2::bytea[])",
            vec![Box::new(sequences), Box::new(hashes)],
        ))
        .await?;
    }
    if let Some(checkpoint) = checkpoint {
        sign(tx, checkpoint).await?;
    }
    Ok(true)
}

/// Writes a checkpoint.
pub(super) async fn sign(tx: &mut Tx, checkpoint: &Checkpoint) -> Outcome<()> {
    tx.run(Command::new(
        "INSERT INTO audit_checkpoints (sequence, hash, at_ms, kid, signature) VALUES ($1, $2, $3, $4, $5)",
        vec![
            Box::new(integer(checkpoint.sequence)),
            Box::new(checkpoint.hash.0.to_vec()),
            Box::new(checkpoint.at_ms),
            Box::new(checkpoint.kid.clone()),
            Box::new(checkpoint.signature.clone()),
        ],
    ))
    .await
}

pub(super) async fn checkpoints(session: &Session, after: u64, limit: usize) -> Outcome<Vec<Checkpoint>> {
    let sql = format!("SELECT {CHECKPOINT} FROM audit_checkpoints WHERE sequence > $1 ORDER BY sequence LIMIT $2");
    let values: [Value<'_>; 2] = [Box::new(integer(after)), Box::new(limit_of(limit))];
    collect(session, &sql, &values, audit_chain::checkpoint).await
}

pub(super) async fn last_checkpoint(session: &Session) -> Outcome<Option<Checkpoint>> {
    let sql = format!("SELECT {CHECKPOINT} FROM audit_checkpoints ORDER BY sequence DESC LIMIT 1");
    Ok(collect(session, &sql, &[], audit_chain::checkpoint).await?.pop())
}

pub(super) async fn keys(session: &Session) -> Outcome<Vec<AuditKey>> {
    let sql = format!("SELECT {AUDIT_KEY} FROM audit_keys ORDER BY created_at_ms DESC, kid DESC");
    collect(session, &sql, &[], audit_chain::audit_key).await
}

pub(super) async fn create_key(tx: &mut Tx, key: &AuditKey, by: &By) -> Outcome<Vec<AuditKey>> {
    if keys(tx).await?.is_empty() {
        tx.run(Command::new(
            "INSERT INTO audit_keys (kid, private, public_jwk, created_at_ms) VALUES ($1, $2, $3, $4)",
            vec![
                Box::new(key.kid.clone()),
                Box::new(key.private.0.clone()),
                Box::new(key.public_jwk.clone()),
                Box::new(key.created_at_ms),
            ],
        ))
        .await?;
        tx.record(rules::audit_key_event(&key.kid, by)).await?;
    }
    keys(tx).await
}

pub(super) async fn role_changes_per_day(
    session: &Session,
    organization: OrganizationId,
    from_ms: i64,
) -> Outcome<Vec<DayChanges>> {
    let sql = format!(
        "SELECT e.at_ms / {DAY_MS} AS day, count(*) FROM audit_events e WHERE e.organization_id = $1 AND e.at_ms >= $2 \
         AND e.action IN ('grant.opened', 'grant.closed') GROUP BY day ORDER BY day"
    );
    let values: [Value<'_>; 2] = [Box::new(organization.to_string()), Box::new(from_ms)];
    collect(session, &sql, &values, audit_chain::day_changes).await
}
