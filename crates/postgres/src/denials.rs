//! Refused requests of the last hour.

use narthex_directory::{DENIALS_KEPT_MS, DenialRecord, Listing, Page, StoreError, denial_cursor};

use super::error::Outcome;
use super::list::collect;
use super::session::{Session, Value};
use super::value::Typed;
use narthex_tables::columns::object_to_json;
use narthex_tables::denials::{DENIAL, denial};

/// Writes rows that nothing else depends on: they need no place in the order of writers.
pub(super) async fn keep(session: &Session, denials: &[DenialRecord], now_ms: i64) -> Outcome<()> {
    let old = now_ms.saturating_sub(DENIALS_KEPT_MS);
    let ids: Vec<String> = denials.iter().map(|denial| denial.request_id.clone()).collect();
    let times: Vec<i64> = denials.iter().map(|denial| denial.at_ms).collect();
    let facts: Vec<String> = denials.iter().map(|denial| object_to_json(&denial.facts)).collect();
    let sql = "WITH old AS (DELETE FROM denials WHERE at_ms <= $4) \
               INSERT INTO denials (request_id, at_ms, facts) SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[]) \
               ON CONFLICT (request_id) DO NOTHING";
    let values: [&dyn Typed; 4] = [&ids, &times, &facts, &old];
    session.rows(sql, &values).await?;
    Ok(())
}

pub(super) async fn of_request(session: &Session, request_id: String, now_ms: i64) -> Outcome<Option<DenialRecord>> {
    let sql = format!("SELECT {DENIAL} FROM denials d WHERE d.request_id = $1 AND d.at_ms > $2");
    let after = now_ms.saturating_sub(DENIALS_KEPT_MS);
    // PostgreSQL has no such text, and refuses to be asked for it.
    if request_id.contains('\0') {
        return Ok(None);
    }
    let values: [Value<'_>; 2] = [Box::new(request_id), Box::new(after)];
    Ok(collect(session, &sql, &values, denial).await?.pop())
}

pub(super) async fn list(session: &Session, now_ms: i64, page: &Page) -> Outcome<Listing<DenialRecord>> {
    let sql = format!(
        "SELECT {DENIAL} FROM denials d WHERE d.at_ms > $1 AND (d.at_ms, d.request_id) < ($2, $3) \
         ORDER BY d.at_ms DESC, d.request_id DESC LIMIT $4"
    );
    let (before_ms, before): (i64, String) = match page.after_pair()? {
        Some((_, request_id)) if request_id.contains('\0') => return Err(StoreError::Cursor.into()),
        Some((at_ms, request_id)) => (at_ms.parse().map_err(|_| StoreError::Cursor)?, request_id),
        None => (i64::MAX, String::new()),
    };
    let limit = i64::try_from(page.limit() + 1).unwrap_or(i64::MAX);
    let values: [Value<'_>; 4] = [
        Box::new(now_ms.saturating_sub(DENIALS_KEPT_MS)),
        Box::new(before_ms),
        Box::new(before),
        Box::new(limit),
    ];
    let items = collect(session, &sql, &values, denial).await?;
    Ok(Listing::cut(items, page, denial_cursor))
}
