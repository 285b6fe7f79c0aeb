//! `Webhooks` of a view: those of the directory beneath. Declarations change nothing about them.

use async_trait::async_trait;
use narthex_directory::{
    Answer, Listing, Page, RecordedAttempt, Settlement, WaitingDelivery, WaitingState, WebhookProgress, Webhooks,
};

use super::DeclaredView;

#[async_trait]
impl Webhooks for DeclaredView {
    async fn lease_webhooks(&self, holder: String, now_ms: i64, until_ms: i64) -> Answer<bool> {
        self.inner.lease_webhooks(holder, now_ms, until_ms).await
    }

    async fn release_webhooks(&self, holder: String) -> Answer<bool> {
        self.inner.release_webhooks(holder).await
    }

    async fn webhook_progress(&self) -> Answer<Vec<WebhookProgress>> {
        self.inner.webhook_progress().await
    }

    async fn waiting_deliveries(
        &self,
        webhook: String,
        state: WaitingState,
        page: Page,
    ) -> Answer<Listing<WaitingDelivery>> {
        self.inner.waiting_deliveries(webhook, state, page).await
    }

    async fn settle_webhook(&self, holder: String, settlement: Settlement) -> Answer<bool> {
        self.inner.settle_webhook(holder, settlement).await
    }

    async fn replay_webhook(&self, webhook: String, after: u64) -> Answer<()> {
        self.inner.replay_webhook(webhook, after).await
    }

    async fn retry_webhook(&self, webhook: String, dead: bool, now_ms: i64) -> Answer<usize> {
        self.inner.retry_webhook(webhook, dead, now_ms).await
    }

    async fn delivery_attempts(&self, webhook: String, page: Page) -> Answer<Listing<RecordedAttempt>> {
        self.inner.delivery_attempts(webhook, page).await
    }

    async fn forget_webhook(&self, webhook: String) -> Answer<bool> {
        self.inner.forget_webhook(webhook).await
    }
}
