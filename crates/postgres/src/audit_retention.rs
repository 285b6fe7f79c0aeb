//! Deletion of audit events that are too old.

use narthex_directory::{AuditEvent, Checkpoint, REFUSED};

use super::audit_chain;
use super::error::Outcome;
use super::list::collect;
use super::session::{Command, Tx, Value};
use narthex_tables::columns::integer;
use narthex_tables::rows::Columns;

pub(super) async fn cut(tx: &mut Tx, cut: &Checkpoint, mut event: AuditEvent) -> Outcome<u64> {
    let until = integer(cut.sequence);
    let sql = "SELECT count(*) FROM audit_events e WHERE e.sequence <= $1 \
               AND EXISTS (SELECT 1 FROM audit_links l WHERE l.sequence = $1 AND l.hash = $2)";
    let values: [Value<'_>; 2] = [Box::new(until), Box::new(cut.hash.0.to_vec())];
    let counted = collect(tx, sql, &values, |row| Columns::of(row, "number of events").number()).await?;
    let events = counted.into_iter().next().unwrap_or(0);
    if events == 0 {
        return Ok(0);
    }
    // INVARIANT: this event is the newest, so that the number after the last is not given again.
    event.detail.insert("events".to_owned(), events.into());
    tx.record(event).await?;
    for sql in [
        "DELETE FROM audit_events WHERE sequence <= $1",
        "DELETE FROM audit_seals WHERE sequence <= $1",
        "DELETE FROM audit_links WHERE sequence < $1",
        "DELETE FROM audit_checkpoints WHERE sequence <= $1",
    ] {
        tx.run(Command::new(sql, vec![Box::new(until)])).await?;
    }
    audit_chain::sign(tx, cut).await?;
    Ok(events)
}

pub(super) async fn delete_refusals(
    tx: &mut Tx,
    before_ms: i64,
    limit: usize,
    mut event: AuditEvent,
) -> Outcome<usize> {
    let sql = format!(
        "SELECT e.sequence FROM audit_events e WHERE e.action = '{REFUSED}' AND e.at_ms < $1 \
         AND e.sequence <= (SELECT coalesce(max(l.sequence), 0) FROM audit_links l) ORDER BY e.sequence LIMIT $2"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values: [Value<'_>; 2] = [Box::new(before_ms), Box::new(limit)];
    let old = collect(tx, &sql, &values, |row| Columns::of(row, "audit event").number()).await?;
    if old.is_empty() {
        return Ok(0);
    }
    // INVARIANT: this event is the newest, so that the number after the last is not given again.
    event.detail.insert("events".to_owned(), old.len().into());
    tx.record(event).await?;
    let sequences: Vec<i64> = old.iter().map(|sequence| integer(*sequence)).collect();
    for sql in [
        "DELETE FROM audit_events WHERE sequence = ANY($1::bigint[])",
        "DELETE FROM audit_seals WHERE sequence = ANY($1::bigint[])",
        "DELETE FROM audit_checkpoints WHERE sequence = ANY($1::bigint[])",
    ] {
        tx.run(Command::new(sql, vec![Box::new(sequences.clone())])).await?;
    }
    Ok(old.len())
}
