//! `Webhooks` in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use narthex_directory::{
    ATTEMPTS_KEPT, Answer, DEAD_LETTERS_KEPT_MS, Listing, Page, RecordedAttempt, Settlement, WaitingDelivery,
    WaitingState, WebhookProgress, Webhooks,
};

use super::MemoryDirectory;

/// Progress of webhooks, and the lease of the sender.
#[derive(Debug, Default)]
pub(super) struct WebhookTable {
    /// Holder of the lease, and its end in milliseconds.
    lease: Option<(String, i64)>,
    progress: BTreeMap<String, WebhookProgress>,
    waiting: BTreeMap<(String, u64), WaitingDelivery>,
    attempts: Vec<RecordedAttempt>,
    numbers: u64,
}

impl WebhookTable {
    fn is_held(&self, holder: &str, now_ms: i64) -> bool {
        let lease = self.lease.as_ref();
        lease.is_some_and(|(held, until_ms)| held == holder && *until_ms > now_ms)
    }

    /// Drops the oldest attempts and dead letters of a webhook that are no longer kept.
    fn prune(&mut self, webhook: &str, at_ms: i64) {
        let of_it = self.attempts.iter().filter(|kept| kept.attempt.webhook == webhook);
        let surplus = of_it.count().saturating_sub(ATTEMPTS_KEPT);
        let mut dropped = 0;
        self.attempts.retain(|kept| {
            let goes = kept.attempt.webhook == webhook && dropped < surplus;
            dropped += usize::from(goes);
            !goes
        });
        let until_ms = at_ms.saturating_sub(DEAD_LETTERS_KEPT_MS);
        let is_old = |delivery: &WaitingDelivery| delivery.dead_at_ms.is_some_and(|dead| dead <= until_ms);
        self.waiting
            .retain(|_, delivery| delivery.webhook != webhook || !is_old(delivery));
    }
}

#[async_trait]
impl Webhooks for MemoryDirectory {
    async fn lease_webhooks(&self, holder: String, now_ms: i64, until_ms: i64) -> Answer<bool> {
        let mut state = self.lock();
        let table = &mut state.webhooks;
        let lease = table.lease.as_ref();
        if lease.is_some_and(|(held, end_ms)| *held != holder && *end_ms > now_ms) {
            return Ok(false);
        }
        table.lease = Some((holder, until_ms));
        Ok(true)
    }

    async fn release_webhooks(&self, holder: String) -> Answer<bool> {
        let mut state = self.lock();
        let lease = &mut state.webhooks.lease;
        let is_held = lease.as_ref().is_some_and(|(held, _)| *held == holder);
        if is_held {
            *lease = None;
        }
        Ok(is_held)
    }

    async fn webhook_progress(&self) -> Answer<Vec<WebhookProgress>> {
        Ok(self.lock().webhooks.progress.values().cloned().collect())
    }

    async fn waiting_deliveries(
        &self,
        webhook: String,
        state: WaitingState,
        page: Page,
    ) -> Answer<Listing<WaitingDelivery>> {
        let after = page.after_number()?.and_then(|after| u64::try_from(after).ok());
        let state_of = self.lock();
        let found = state_of.webhooks.waiting.values().filter(|delivery| {
            delivery.webhook == webhook
                && delivery.dead_at_ms.is_some() == (state == WaitingState::Dead)
                && after.is_none_or(|after| delivery.sequence > after)
        });
        let items = found.take(page.limit() + 1).cloned().collect();
        Ok(Listing::cut(items, &page, |delivery: &WaitingDelivery| {
            delivery.sequence.to_string()
        }))
    }

    async fn settle_webhook(&self, holder: String, settlement: Settlement) -> Answer<bool> {
        settlement.check()?;
        let mut state = self.lock();
        let table = &mut state.webhooks;
        let mut progress = settlement.progress;
        let webhook = progress.webhook.clone();
        let version = table.progress.get(&webhook).map_or(1, |kept| kept.version);
        if !table.is_held(&holder, settlement.at_ms) || version != progress.version {
            return Ok(false);
        }
        progress.version += 1;
        table.progress.insert(webhook.clone(), progress);
        for sequence in settlement.delivered {
            table.waiting.remove(&(webhook.clone(), sequence));
        }
        for delivery in settlement.waiting {
            table.waiting.insert((webhook.clone(), delivery.sequence), delivery);
        }
        for attempt in settlement.attempts {
            table.numbers += 1;
            let number = table.numbers;
            table.attempts.push(RecordedAttempt { number, attempt });
        }
        table.prune(&webhook, settlement.at_ms);
        Ok(true)
    }

    async fn replay_webhook(&self, webhook: String, after: u64) -> Answer<()> {
        let mut state = self.lock();
        let table = &mut state.webhooks;
        let before = table.progress.get(&webhook);
        let progress = WebhookProgress {
            last_success_ms: before.and_then(|before| before.last_success_ms),
            version: before.map_or(1, |before| before.version) + 1,
            ..WebhookProgress::after(&webhook, after)
        };
        table
            .waiting
            .retain(|(of, sequence), _| *of != webhook || *sequence <= after);
        table.progress.insert(webhook, progress);
        Ok(())
    }

    async fn retry_webhook(&self, webhook: String, dead: bool, now_ms: i64) -> Answer<usize> {
        let mut state = self.lock();
        let table = &mut state.webhooks;
        let Some(progress) = table.progress.get_mut(&webhook) else {
            return Ok(0);
        };
        progress.next_try_ms = now_ms;
        progress.version += 1;
        let mut due = 0;
        for delivery in table.waiting.values_mut() {
            if delivery.webhook != webhook || (delivery.dead_at_ms.is_some() && !dead) {
                continue;
            }
            if delivery.dead_at_ms.take().is_some() {
                delivery.attempts = 0;
                delivery.taken_up_ms = now_ms;
            }
            delivery.next_try_ms = now_ms;
            due += 1;
        }
        Ok(due)
    }

    async fn delivery_attempts(&self, webhook: String, page: Page) -> Answer<Listing<RecordedAttempt>> {
        let before = page.after_number()?.and_then(|before| u64::try_from(before).ok());
        let state = self.lock();
        let found = state
            .webhooks
            .attempts
            .iter()
            .rev()
            .filter(|kept| kept.attempt.webhook == webhook && before.is_none_or(|before| kept.number < before));
        let items = found.take(page.limit() + 1).cloned().collect();
        Ok(Listing::cut(items, &page, |kept: &RecordedAttempt| {
            kept.number.to_string()
        }))
    }

    async fn forget_webhook(&self, webhook: String) -> Answer<bool> {
        let mut state = self.lock();
        let table = &mut state.webhooks;
        let is_there = table.progress.remove(&webhook).is_some();
        table.waiting.retain(|(of, _), _| *of != webhook);
        table.attempts.retain(|kept| kept.attempt.webhook != webhook);
        Ok(is_there)
    }
}
