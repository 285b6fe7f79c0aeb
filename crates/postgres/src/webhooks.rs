//! `Webhooks` on PostgreSQL.

use async_trait::async_trait;
use narthex_directory::{
    ATTEMPTS_KEPT, Answer, DEAD_LETTERS_KEPT_MS, Listing, Page, RecordedAttempt, Settlement, WaitingDelivery,
    WaitingState, WebhookProgress, Webhooks,
};

use super::PostgresDirectory;
use super::error::Outcome;
use super::list::{Query, collect};
use super::rows::read_maybe;
use super::session::{Command, Session, Then, Tx};
use super::value::Typed;
use narthex_tables::columns::{ATTEMPT, PROGRESS, WAITING, integer};
use narthex_tables::rows::{self, Columns};

/// One statement finds the lease and takes it, so of many nodes one has it.
const LEASE: &str = "INSERT INTO webhook_sender (id, holder, until_ms) VALUES (0, $1, $3) ON CONFLICT (id) DO UPDATE SET \
     holder = excluded.holder, until_ms = excluded.until_ms \
     WHERE webhook_sender.holder = excluded.holder OR webhook_sender.until_ms <= $2 RETURNING 1";
const RELEASE: &str = "DELETE FROM webhook_sender WHERE id = 0 AND holder = $1 RETURNING 1";
const SAVE_PROGRESS: &str = "INSERT INTO webhook_progress \
     (webhook, cursor, failures, failing_since_ms, next_try_ms, last_success_ms, version) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (webhook) DO UPDATE SET \
     cursor = excluded.cursor, failures = excluded.failures, failing_since_ms = excluded.failing_since_ms, \
     next_try_ms = excluded.next_try_ms, last_success_ms = excluded.last_success_ms, version = excluded.version";
const SAVE_WAITING: &str = "INSERT INTO webhook_waiting \
     (webhook, sequence, object, attempts, taken_up_ms, next_try_ms, dead_at_ms) \
     SELECT $1, n.sequence, n.object, n.attempts, n.taken_up_ms, n.next_try_ms, n.dead_at_ms \
     FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) \
     AS n (sequence, object, attempts, taken_up_ms, next_try_ms, dead_at_ms) \
     ON CONFLICT (webhook, sequence) DO UPDATE SET \
     object = excluded.object, attempts = excluded.attempts, taken_up_ms = excluded.taken_up_ms, \
     next_try_ms = excluded.next_try_ms, dead_at_ms = excluded.dead_at_ms";
const SAVE_ATTEMPTS: &str = "INSERT INTO webhook_attempts \
     (webhook, sequence, attempt, at_ms, took_ms, status, error, next_try_ms) \
     SELECT $1, n.sequence, n.attempt, n.at_ms, n.took_ms, n.status, n.error, n.next_try_ms \
     FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[]) \
     WITH ORDINALITY AS n (sequence, attempt, at_ms, took_ms, status, error, next_try_ms, place) ORDER BY n.place";
const PRUNE_ATTEMPTS: &str = "DELETE FROM webhook_attempts WHERE webhook = $1 AND number <= \
     (SELECT a.number FROM webhook_attempts a WHERE a.webhook = $1 ORDER BY a.number DESC LIMIT 1 OFFSET $2)";
const PRUNE_DEAD: &str = "DELETE FROM webhook_waiting WHERE webhook = $1 AND dead_at_ms <= $2";
const RETRY: &str = "UPDATE webhook_waiting SET next_try_ms = $2, dead_at_ms = NULL, \
     attempts = CASE WHEN dead_at_ms IS NULL THEN attempts ELSE 0 END, \
     taken_up_ms = CASE WHEN dead_at_ms IS NULL THEN taken_up_ms ELSE $2 END \
     WHERE webhook = $1 AND (dead_at_ms IS NULL OR $3) RETURNING 1";

#[async_trait]
impl Webhooks for PostgresDirectory {
    async fn lease_webhooks(&self, holder: String, now_ms: i64, until_ms: i64) -> Answer<bool> {
        let values: [&dyn Typed; 3] = [&holder, &now_ms, &until_ms];
        Ok(self.session().await?.row(LEASE, &values).await?.is_some())
    }

    async fn release_webhooks(&self, holder: String) -> Answer<bool> {
        let values: [&dyn Typed; 1] = [&holder];
        Ok(self.session().await?.row(RELEASE, &values).await?.is_some())
    }

    async fn webhook_progress(&self) -> Answer<Vec<WebhookProgress>> {
        let sql = format!("SELECT {PROGRESS} FROM webhook_progress p ORDER BY p.webhook");
        Ok(collect(&self.session().await?, &sql, &[], rows::webhook_progress).await?)
    }

    async fn waiting_deliveries(
        &self,
        webhook: String,
        state: WaitingState,
        page: Page,
    ) -> Answer<Listing<WaitingDelivery>> {
        Ok(waiting(&self.session().await?, webhook, state, &page).await?)
    }

    async fn settle_webhook(&self, holder: String, settlement: Settlement) -> Answer<bool> {
        settlement.check()?;
        let mut tx = self.begin().await?;
        if !may_settle(&tx, &holder, &settlement).await? {
            return Ok(false);
        }
        tx.run_all(&settle(&settlement), Then::Commit).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(true)
    }

    async fn replay_webhook(&self, webhook: String, after: u64) -> Answer<()> {
        let mut tx = self.begin().await?;
        let sql = format!("SELECT {PROGRESS} FROM webhook_progress p WHERE p.webhook = $1");
        let found = tx.row(&sql, &[&webhook]).await?;
        let before = read_maybe(found.as_ref(), rows::webhook_progress)?;
        let progress = WebhookProgress {
            last_success_ms: before.as_ref().and_then(|before| before.last_success_ms),
            version: before.map_or(1, |before| before.version).saturating_add(1),
            ..WebhookProgress::after(&webhook, after)
        };
        let dropped = Command::new(
            "DELETE FROM webhook_waiting WHERE webhook = $1 AND sequence > $2",
            vec![Box::new(webhook), Box::new(integer(after))],
        );
        tx.run_all(&[dropped, save_progress(&progress)], Then::Commit).await?;
        Ok(tx.commit(&self.shared.versions).await?)
    }

    async fn retry_webhook(&self, webhook: String, dead: bool, now_ms: i64) -> Answer<usize> {
        let tx = self.begin().await?;
        let sql = "UPDATE webhook_progress SET next_try_ms = $2, version = version + 1 WHERE webhook = $1 RETURNING 1";
        if tx.row(sql, &[&webhook, &now_ms]).await?.is_none() {
            return Ok(0);
        }
        let due = tx.rows(RETRY, &[&webhook, &now_ms, &dead]).await?.len();
        tx.commit(&self.shared.versions).await?;
        Ok(due)
    }

    async fn delivery_attempts(&self, webhook: String, page: Page) -> Answer<Listing<RecordedAttempt>> {
        Ok(attempts(&self.session().await?, webhook, &page).await?)
    }

    async fn forget_webhook(&self, webhook: String) -> Answer<bool> {
        let mut tx = self.begin().await?;
        let sql = "DELETE FROM webhook_progress WHERE webhook = $1 RETURNING 1";
        let is_there = tx.row(sql, &[&webhook]).await?.is_some();
        let rest = [
            "DELETE FROM webhook_waiting WHERE webhook = $1",
            "DELETE FROM webhook_attempts WHERE webhook = $1",
        ];
        let rest = rest.map(|sql| Command::new(sql, vec![Box::new(webhook.clone())]));
        tx.run_all(&rest, Then::Commit).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(is_there)
    }
}

async fn waiting(
    session: &Session,
    webhook: String,
    state: WaitingState,
    page: &Page,
) -> Outcome<Listing<WaitingDelivery>> {
    let mut query = Query::new(&format!("SELECT {WAITING} FROM webhook_waiting w"));
    query.text("w.webhook = ?", Some(webhook));
    let is_dead = i64::from(state == WaitingState::Dead);
    query.number("(w.dead_at_ms IS NOT NULL)::int::bigint = ?", Some(is_dead));
    query.number("w.sequence > ?", page.after_number()?);
    let items = query.list(session, "w.sequence", page, rows::waiting_delivery).await?;
    Ok(Listing::cut(items, page, |delivery: &WaitingDelivery| {
        delivery.sequence.to_string()
    }))
}

async fn attempts(session: &Session, webhook: String, page: &Page) -> Outcome<Listing<RecordedAttempt>> {
    let mut query = Query::new(&format!("SELECT {ATTEMPT} FROM webhook_attempts a"));
    query.text("a.webhook = ?", Some(webhook));
    query.number("a.number < ?", page.after_number()?);
    let items = query
        .list(session, "a.number DESC", page, rows::recorded_attempt)
        .await?;
    Ok(Listing::cut(items, page, |kept: &RecordedAttempt| {
        kept.number.to_string()
    }))
}

/// Tests whether the holder has the lease, and the progress is at the version that the tries began with.
async fn may_settle(tx: &Tx, holder: &str, settlement: &Settlement) -> Outcome<bool> {
    let sql = "SELECT 1 FROM webhook_sender WHERE id = 0 AND holder = $1 AND until_ms > $2";
    if tx.row(sql, &[&holder, &settlement.at_ms]).await?.is_none() {
        return Ok(false);
    }
    let progress = &settlement.progress;
    let sql = "SELECT p.version FROM webhook_progress p WHERE p.webhook = $1";
    let found = tx.row(sql, &[&progress.webhook]).await?;
    let version = read_maybe(found.as_ref(), |row| Columns::of(row, "progress").number())?;
    Ok(version.unwrap_or(1) == progress.version)
}

fn save_progress(progress: &WebhookProgress) -> Command<'static> {
    Command::new(
        SAVE_PROGRESS,
        vec![
            Box::new(progress.webhook.clone()),
            Box::new(integer(progress.cursor)),
            Box::new(i64::from(progress.failures)),
            Box::new(progress.failing_since_ms),
            Box::new(progress.next_try_ms),
            Box::new(progress.last_success_ms),
            Box::new(integer(progress.version)),
        ],
    )
}

/// The statements that store a settlement, and delete what is older than it is kept.
fn settle(settlement: &Settlement) -> Vec<Command<'static>> {
    let webhook = || Box::new(settlement.progress.webhook.clone());
    let next = WebhookProgress {
        version: settlement.progress.version.saturating_add(1),
        ..settlement.progress.clone()
    };
    let (waiting, attempts) = (&settlement.waiting, &settlement.attempts);
    let delivered: Vec<i64> = settlement.delivered.iter().map(|sequence| integer(*sequence)).collect();
    let kept = i64::try_from(ATTEMPTS_KEPT).unwrap_or(i64::MAX);
    let until_ms = settlement.at_ms.saturating_sub(DEAD_LETTERS_KEPT_MS);
    vec![
        save_progress(&next),
        Command::new(
            "DELETE FROM webhook_waiting WHERE webhook = $1 AND sequence = ANY($2)",
            vec![webhook(), Box::new(delivered)],
        ),
        Command::new(
            SAVE_WAITING,
            vec![
                webhook(),
                Box::new(column(waiting, |delivery| integer(delivery.sequence))),
                Box::new(column(waiting, |delivery| delivery.object.clone())),
                Box::new(column(waiting, |delivery| i64::from(delivery.attempts))),
                Box::new(column(waiting, |delivery| delivery.taken_up_ms)),
                Box::new(column(waiting, |delivery| delivery.next_try_ms)),
                Box::new(column(waiting, |delivery| delivery.dead_at_ms)),
            ],
        ),
        Command::new(
            SAVE_ATTEMPTS,
            vec![
                webhook(),
                Box::new(column(attempts, |attempt| integer(attempt.sequence))),
                Box::new(column(attempts, |attempt| i64::from(attempt.attempt))),
                Box::new(column(attempts, |attempt| attempt.at_ms)),
                Box::new(column(attempts, |attempt| attempt.took_ms)),
                Box::new(column(attempts, |attempt| attempt.status.map(i64::from))),
                Box::new(column(attempts, |attempt| attempt.error.clone())),
                Box::new(column(attempts, |attempt| attempt.next_try_ms)),
            ],
        ),
        Command::new(PRUNE_ATTEMPTS, vec![webhook(), Box::new(kept)]),
        Command::new(PRUNE_DEAD, vec![webhook(), Box::new(until_ms)]),
    ]
}

/// One value of each record.
fn column<T, V>(records: &[T], value: impl Fn(&T) -> V) -> Vec<V> {
    records.iter().map(value).collect()
}
