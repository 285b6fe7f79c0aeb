//! Refused requests of the last hour.

use narthex_directory::{DENIALS_KEPT_MS, DenialRecord, Listing, Page, StoreError, denial_cursor};
use rusqlite::{Connection, params};

use super::error::Outcome;
use super::list::collect;
use super::writer::Tx;
use narthex_tables::columns::object_to_json;
use narthex_tables::denials::{DENIAL, denial};

pub(super) fn keep(tx: &Tx<'_>, denials: &[DenialRecord], now_ms: i64) -> Outcome<()> {
    tx.prepare_cached("DELETE FROM denials WHERE at_ms <= ?1")?
        .execute([now_ms.saturating_sub(DENIALS_KEPT_MS)])?;
    let mut statement = tx.prepare_cached(
        "INSERT INTO denials (request_id, at_ms, facts) VALUES (?1, ?2, ?3) ON CONFLICT (request_id) DO NOTHING",
    )?;
    for denial in denials {
        statement.execute(params![denial.request_id, denial.at_ms, object_to_json(&denial.facts)])?;
    }
    Ok(())
}

pub(super) fn of_request(connection: &Connection, request_id: &str, now_ms: i64) -> Outcome<Option<DenialRecord>> {
    let sql = format!("SELECT {DENIAL} FROM denials d WHERE d.request_id = ?1 AND d.at_ms > ?2");
    let values = params![request_id, now_ms.saturating_sub(DENIALS_KEPT_MS)];
    Ok(collect(connection, &sql, values, denial)?.pop())
}

pub(super) fn list(connection: &Connection, now_ms: i64, page: &Page) -> Outcome<Listing<DenialRecord>> {
    let sql = format!(
        "SELECT {DENIAL} FROM denials d WHERE d.at_ms > ?1 AND (d.at_ms, d.request_id) < (?2, ?3) \
         ORDER BY d.at_ms DESC, d.request_id DESC LIMIT ?4"
    );
    let (before_ms, before): (i64, String) = match page.after_pair()? {
        Some((at_ms, request_id)) => (at_ms.parse().map_err(|_| StoreError::Cursor)?, request_id),
        None => (i64::MAX, String::new()),
    };
    let limit = i64::try_from(page.limit() + 1).unwrap_or(i64::MAX);
    let values = params![now_ms.saturating_sub(DENIALS_KEPT_MS), before_ms, before, limit];
    Ok(Listing::cut(
        collect(connection, &sql, values, denial)?,
        page,
        denial_cursor,
    ))
}
