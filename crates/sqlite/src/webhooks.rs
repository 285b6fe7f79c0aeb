//! `Webhooks` on `SQLite`.

use async_trait::async_trait;
use narthex_directory::{
    ATTEMPTS_KEPT, Answer, DEAD_LETTERS_KEPT_MS, Listing, Page, RecordedAttempt, Settlement, WaitingDelivery,
    WaitingState, WebhookProgress, Webhooks,
};
use rusqlite::{Connection, params};

use super::SqliteDirectory;
use super::error::Outcome;
use super::list::{Query, collect};
use super::writer::Tx;
use narthex_tables::columns::{ATTEMPT, PROGRESS, WAITING, integer};
use narthex_tables::rows::{self, Columns};

const LEASE: &str = "INSERT INTO webhook_sender (id, holder, until_ms) VALUES (0, ?1, ?3) ON CONFLICT (id) DO UPDATE SET \
     holder = excluded.holder, until_ms = excluded.until_ms \
     WHERE webhook_sender.holder = excluded.holder OR webhook_sender.until_ms <= ?2";
const RELEASE: &str = "DELETE FROM webhook_sender WHERE id = 0 AND holder = ?1";
const SAVE_PROGRESS: &str = "INSERT INTO webhook_progress \
     (webhook, cursor, failures, failing_since_ms, next_try_ms, last_success_ms, version) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (webhook) DO UPDATE SET \
     cursor = excluded.cursor, failures = excluded.failures, failing_since_ms = excluded.failing_since_ms, \
     next_try_ms = excluded.next_try_ms, last_success_ms = excluded.last_success_ms, version = excluded.version";
const SAVE_WAITING: &str = "INSERT INTO webhook_waiting \
     (webhook, sequence, object, attempts, taken_up_ms, next_try_ms, dead_at_ms) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (webhook, sequence) DO UPDATE SET \
     object = excluded.object, attempts = excluded.attempts, taken_up_ms = excluded.taken_up_ms, \
     next_try_ms = excluded.next_try_ms, dead_at_ms = excluded.dead_at_ms";
const SAVE_ATTEMPT: &str = "INSERT INTO webhook_attempts \
     (webhook, sequence, attempt, at_ms, took_ms, status, error, next_try_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const PRUNE_ATTEMPTS: &str = "DELETE FROM webhook_attempts WHERE webhook = ?1 AND number <= \
     (SELECT a.number FROM webhook_attempts a WHERE a.webhook = ?1 ORDER BY a.number DESC LIMIT 1 OFFSET ?2)";
const PRUNE_DEAD: &str = "DELETE FROM webhook_waiting WHERE webhook = ?1 AND dead_at_ms <= ?2";
const RETRY: &str = "UPDATE webhook_waiting SET next_try_ms = ?2, dead_at_ms = NULL, \
     attempts = CASE WHEN dead_at_ms IS NULL THEN attempts ELSE 0 END, \
     taken_up_ms = CASE WHEN dead_at_ms IS NULL THEN taken_up_ms ELSE ?2 END \
     WHERE webhook = ?1 AND (dead_at_ms IS NULL OR ?3)";

#[async_trait]
impl Webhooks for SqliteDirectory {
    async fn lease_webhooks(&self, holder: String, now_ms: i64, until_ms: i64) -> Answer<bool> {
        let work = move |tx: &mut Tx<'_>| {
            let rows = tx.prepare_cached(LEASE)?.execute(params![holder, now_ms, until_ms])?;
            Ok(rows > 0)
        };
        self.writer.write(work).await
    }

    async fn release_webhooks(&self, holder: String) -> Answer<bool> {
        let work = move |tx: &mut Tx<'_>| {
            let rows = tx.prepare_cached(RELEASE)?.execute([&holder])?;
            Ok(rows > 0)
        };
        self.writer.write(work).await
    }

    async fn webhook_progress(&self) -> Answer<Vec<WebhookProgress>> {
        let sql = format!("SELECT {PROGRESS} FROM webhook_progress p ORDER BY p.webhook");
        self.readers
            .read(move |connection| collect(connection, &sql, [], rows::webhook_progress))
            .await
    }

    async fn waiting_deliveries(
        &self,
        webhook: String,
        state: WaitingState,
        page: Page,
    ) -> Answer<Listing<WaitingDelivery>> {
        self.readers
            .read(move |connection| waiting(connection, webhook, state, &page))
            .await
    }

    async fn settle_webhook(&self, holder: String, settlement: Settlement) -> Answer<bool> {
        settlement.check()?;
        self.writer.write(move |tx| settle(tx, &holder, &settlement)).await
    }

    async fn replay_webhook(&self, webhook: String, after: u64) -> Answer<()> {
        self.writer.write(move |tx| replay(tx, &webhook, after)).await
    }

    async fn retry_webhook(&self, webhook: String, dead: bool, now_ms: i64) -> Answer<usize> {
        let work = move |tx: &mut Tx<'_>| {
            let sql = "UPDATE webhook_progress SET next_try_ms = ?2, version = version + 1 WHERE webhook = ?1";
            if tx.prepare_cached(sql)?.execute(params![webhook, now_ms])? == 0 {
                return Ok(0);
            }
            Ok(tx.prepare_cached(RETRY)?.execute(params![webhook, now_ms, dead])?)
        };
        self.writer.write(work).await
    }

    async fn delivery_attempts(&self, webhook: String, page: Page) -> Answer<Listing<RecordedAttempt>> {
        self.readers
            .read(move |connection| attempts(connection, webhook, &page))
            .await
    }

    async fn forget_webhook(&self, webhook: String) -> Answer<bool> {
        let work = move |tx: &mut Tx<'_>| {
            let sql = "DELETE FROM webhook_progress WHERE webhook = ?1";
            let is_there = tx.prepare_cached(sql)?.execute([&webhook])? > 0;
            tx.prepare_cached("DELETE FROM webhook_waiting WHERE webhook = ?1")?
                .execute([&webhook])?;
            tx.prepare_cached("DELETE FROM webhook_attempts WHERE webhook = ?1")?
                .execute([&webhook])?;
            Ok(is_there)
        };
        self.writer.write(work).await
    }
}

fn waiting(
    connection: &Connection,
    webhook: String,
    state: WaitingState,
    page: &Page,
) -> Outcome<Listing<WaitingDelivery>> {
    let mut query = Query::new(&format!("SELECT {WAITING} FROM webhook_waiting w"));
    query.and("w.webhook = ?", Some(webhook));
    let is_dead = i64::from(state == WaitingState::Dead);
    query.and("(w.dead_at_ms IS NOT NULL) = ?", Some(is_dead));
    query.and("w.sequence > ?", page.after_number()?);
    let items = query.list(connection, "w.sequence", page, rows::waiting_delivery)?;
    Ok(Listing::cut(items, page, |delivery: &WaitingDelivery| {
        delivery.sequence.to_string()
    }))
}

fn attempts(connection: &Connection, webhook: String, page: &Page) -> Outcome<Listing<RecordedAttempt>> {
    let mut query = Query::new(&format!("SELECT {ATTEMPT} FROM webhook_attempts a"));
    query.and("a.webhook = ?", Some(webhook));
    query.and("a.number < ?", page.after_number()?);
    let items = query.list(connection, "a.number DESC", page, rows::recorded_attempt)?;
    Ok(Listing::cut(items, page, |kept: &RecordedAttempt| {
        kept.number.to_string()
    }))
}

/// The version of the progress of a webhook; 1 if it has not begun.
fn version(tx: &Tx<'_>, webhook: &str) -> Outcome<u64> {
    let sql = "SELECT p.version FROM webhook_progress p WHERE p.webhook = ?1";
    let found = collect(tx, sql, [webhook], |row| Columns::of(row, "progress").number())?;
    Ok(found.first().copied().unwrap_or(1))
}

fn save_progress(tx: &Tx<'_>, progress: &WebhookProgress) -> Outcome<()> {
    tx.prepare_cached(SAVE_PROGRESS)?.execute(params![
        progress.webhook,
        integer(progress.cursor),
        progress.failures,
        progress.failing_since_ms,
        progress.next_try_ms,
        progress.last_success_ms,
        integer(progress.version),
    ])?;
    Ok(())
}

fn settle(tx: &mut Tx<'_>, holder: &str, settlement: &Settlement) -> Outcome<bool> {
    let progress = &settlement.progress;
    let webhook = progress.webhook.as_str();
    let is_held = tx
        .prepare_cached("SELECT 1 FROM webhook_sender WHERE id = 0 AND holder = ?1 AND until_ms > ?2")?
        .exists(params![holder, settlement.at_ms])?;
    if !is_held || version(tx, webhook)? != progress.version {
        return Ok(false);
    }
    let next = WebhookProgress {
        version: progress.version.saturating_add(1),
        ..progress.clone()
    };
    save_progress(tx, &next)?;
    for sequence in &settlement.delivered {
        tx.prepare_cached("DELETE FROM webhook_waiting WHERE webhook = ?1 AND sequence = ?2")?
            .execute(params![webhook, integer(*sequence)])?;
    }
    for delivery in &settlement.waiting {
        tx.prepare_cached(SAVE_WAITING)?.execute(params![
            webhook,
            integer(delivery.sequence),
            delivery.object,
            delivery.attempts,
            delivery.taken_up_ms,
            delivery.next_try_ms,
            delivery.dead_at_ms,
        ])?;
    }
    for attempt in &settlement.attempts {
        tx.prepare_cached(SAVE_ATTEMPT)?.execute(params![
            webhook,
            integer(attempt.sequence),
            attempt.attempt,
            attempt.at_ms,
            attempt.took_ms,
            attempt.status,
            attempt.error,
            attempt.next_try_ms,
        ])?;
    }
    let kept = i64::try_from(ATTEMPTS_KEPT).unwrap_or(i64::MAX);
    tx.prepare_cached(PRUNE_ATTEMPTS)?.execute(params![webhook, kept])?;
    let until_ms = settlement.at_ms.saturating_sub(DEAD_LETTERS_KEPT_MS);
    tx.prepare_cached(PRUNE_DEAD)?.execute(params![webhook, until_ms])?;
    Ok(true)
}

fn replay(tx: &mut Tx<'_>, webhook: &str, after: u64) -> Outcome<()> {
    let sql = format!("SELECT {PROGRESS} FROM webhook_progress p WHERE p.webhook = ?1");
    let before = collect(tx, &sql, [webhook], rows::webhook_progress)?.pop();
    let progress = WebhookProgress {
        last_success_ms: before.as_ref().and_then(|before| before.last_success_ms),
        version: before.map_or(1, |before| before.version).saturating_add(1),
        ..WebhookProgress::after(webhook, after)
    };
    tx.prepare_cached("DELETE FROM webhook_waiting WHERE webhook = ?1 AND sequence > ?2")?
        .execute(params![webhook, integer(after)])?;
    save_progress(tx, &progress)
}
