//! Tokens that an administrator revoked.

use narthex_directory::{AuditEvent, Revocation};
use rusqlite::{Connection, params};

use super::change;
use super::error::Outcome;
use super::list::collect;
use super::writer::Tx;
use narthex_tables::columns::integer;
use narthex_tables::revocations::{REVOCATION, revocation};

pub(super) fn revoke(tx: &mut Tx<'_>, revocation: &Revocation, event: AuditEvent) -> Outcome<()> {
    let (kind, value, issued_before_ms) = revocation.parts();
    tx.prepare_cached(
        "INSERT INTO revocations (issuer, kind, value, number, issued_before_ms, kept_until_ms) \
         VALUES (?1, ?2, ?3, (SELECT coalesce(max(r.number), 0) + 1 FROM revocations r), ?4, ?5) \
         ON CONFLICT (issuer, kind, value) DO UPDATE SET number = excluded.number, \
         issued_before_ms = max(issued_before_ms, excluded.issued_before_ms), \
         kept_until_ms = max(kept_until_ms, excluded.kept_until_ms)",
    )?
    .execute(params![
        revocation.issuer.as_str(),
        kind,
        value,
        issued_before_ms,
        revocation.kept_until_ms
    ])?;
    change::record(tx, event)?;
    tx.move_policy()
}

pub(super) fn list(connection: &Connection, after: u64, limit: usize) -> Outcome<Vec<(u64, Revocation)>> {
    let sql = format!("SELECT {REVOCATION} FROM revocations r WHERE r.number > ?1 ORDER BY r.number LIMIT ?2");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    collect(connection, &sql, [integer(after), limit], revocation)
}

/// The newest one stays: its number must not be given again.
pub(super) fn delete_expired(tx: &Tx<'_>, now_ms: i64) -> Outcome<()> {
    let sql =
        "DELETE FROM revocations WHERE kept_until_ms <= ?1 AND number < (SELECT max(r.number) FROM revocations r)";
    tx.prepare_cached(sql)?.execute([now_ms])?;
    Ok(())
}
