//! Deletion of audit events that are too old.

use narthex_directory::{AuditEvent, Checkpoint, REFUSED};
use rusqlite::params;

use super::audit_chain;
use super::change;
use super::error::Outcome;
use super::list::collect;
use super::writer::Tx;
use narthex_tables::columns::integer;
use narthex_tables::rows::Columns;

pub(super) fn cut(tx: &Tx<'_>, cut: &Checkpoint, mut event: AuditEvent) -> Outcome<u64> {
    let until = integer(cut.sequence);
    let is_link = tx
        .prepare_cached("SELECT 1 FROM audit_links WHERE sequence = ?1 AND hash = ?2")?
        .exists(params![until, cut.hash.0])?;
    let events: i64 = tx
        .prepare_cached("SELECT count(*) FROM audit_events WHERE sequence <= ?1")?
        .query_row([until], |row| row.get(0))?;
    if !is_link || events == 0 {
        return Ok(0);
    }
    // INVARIANT: this event is the newest, so that the number after the last is not given again.
    event.detail.insert("events".to_owned(), events.into());
    change::record(tx, event)?;
    for sql in [
        "DELETE FROM audit_events WHERE sequence <= ?1",
        "DELETE FROM audit_seals WHERE sequence <= ?1",
        "DELETE FROM audit_links WHERE sequence < ?1",
        "DELETE FROM audit_checkpoints WHERE sequence <= ?1",
    ] {
        tx.prepare_cached(sql)?.execute([until])?;
    }
    audit_chain::sign(tx, cut)?;
    Ok(events.unsigned_abs())
}

pub(super) fn delete_refusals(tx: &Tx<'_>, before_ms: i64, limit: usize, mut event: AuditEvent) -> Outcome<usize> {
    let sql = format!(
        "SELECT e.sequence FROM audit_events e WHERE e.action = '{REFUSED}' AND e.at_ms < ?1 \
         AND e.sequence <= (SELECT coalesce(max(l.sequence), 0) FROM audit_links l) ORDER BY e.sequence LIMIT ?2"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let old = collect(tx, &sql, [before_ms, limit], |row| {
        Columns::of(row, "audit event").number()
    })?;
    if old.is_empty() {
        return Ok(0);
    }
    // INVARIANT: this event is the newest, so that the number after the last is not given again.
    event.detail.insert("events".to_owned(), old.len().into());
    change::record(tx, event)?;
    for sql in [
        "DELETE FROM audit_events WHERE sequence = ?1",
        "DELETE FROM audit_seals WHERE sequence = ?1",
        "DELETE FROM audit_checkpoints WHERE sequence = ?1",
    ] {
        let mut statement = tx.prepare_cached(sql)?;
        for sequence in &old {
            statement.execute([integer(*sequence)])?;
        }
    }
    Ok(old.len())
}
