//! Tokens that an administrator revoked.

use narthex_directory::{AuditEvent, Revocation};

use super::error::Outcome;
use super::list::collect;
use super::session::{Command, Session, Tx, Value};
use narthex_tables::columns::integer;
use narthex_tables::revocations::{REVOCATION, revocation};

/// Statement that deletes those that have expired. The newest one stays: its number must not be given again.
pub(super) const DELETE_EXPIRED: &str =
    "DELETE FROM revocations WHERE kept_until_ms <= $1 AND number < (SELECT max(r.number) FROM revocations r)";

/// INVARIANT: writers are in order, so a number that is seen is higher than all that were seen before.
pub(super) async fn revoke(tx: &mut Tx, revocation: &Revocation, event: AuditEvent) -> Outcome<()> {
    let (kind, value, issued_before_ms) = revocation.parts();
    tx.run(Command::new(
        "INSERT INTO revocations (issuer, kind, value, number, issued_before_ms, kept_until_ms) \
         VALUES ($1, $2, $3, (SELECT coalesce(max(r.number), 0) + 1 FROM revocations r), $4, $5) \
         ON CONFLICT (issuer, kind, value) DO UPDATE SET number = excluded.number, \
         issued_before_ms = greatest(revocations.issued_before_ms, excluded.issued_before_ms), \
         kept_until_ms = CASE WHEN revocations.kept_until_ms IS NULL OR excluded.kept_until_ms IS NULL THEN NULL \
         ELSE greatest(revocations.kept_until_ms, excluded.kept_until_ms) END",
        vec![
            Box::new(revocation.issuer.as_str()),
            Box::new(kind),
            Box::new(value),
            Box::new(issued_before_ms),
            Box::new(revocation.kept_until_ms),
        ],
    ))
    .await?;
    tx.record(event).await?;
    tx.move_counters(&[0]).await
}

pub(super) async fn list(session: &Session, after: u64, limit: usize) -> Outcome<Vec<(u64, Revocation)>> {
    let sql = format!("SELECT {REVOCATION} FROM revocations r WHERE r.number > $1 ORDER BY r.number LIMIT $2");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values: [Value<'_>; 2] = [Box::new(integer(after)), Box::new(limit)];
    collect(session, &sql, &values, revocation).await
}
