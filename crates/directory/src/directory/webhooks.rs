//! Store operations on the progress of webhooks.

use async_trait::async_trait;

use crate::directory::Answer;
use crate::page::{Listing, Page};
use crate::webhook::{RecordedAttempt, Settlement, WaitingDelivery, WaitingState, WebhookProgress};

/// Progress of webhooks through the audit trail: of all nodes, one sends.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// Takes the lease of the sender until `until_ms`, or renews it. `false` while another holder has it.
    async fn lease_webhooks(&self, holder: String, now_ms: i64, until_ms: i64) -> Answer<bool>;

    /// Gives up the lease of the sender, so that another node need not wait for its end. `false` if `holder` does not have
    /// it.
    async fn release_webhooks(&self, holder: String) -> Answer<bool>;

    /// Progress of every webhook that has begun, by name.
    async fn webhook_progress(&self) -> Answer<Vec<WebhookProgress>>;

    /// Deliveries of a webhook in this state, by the number of the event.
    async fn waiting_deliveries(
        &self,
        webhook: String,
        state: WaitingState,
        page: Page,
    ) -> Answer<Listing<WaitingDelivery>>;

    /// Stores the result of some tries, and deletes what is older than it is kept. `false`, and nothing is stored, unless
    /// `holder` has the lease and the progress is at its version (or, at version 1, has not begun).
    async fn settle_webhook(&self, holder: String, settlement: Settlement) -> Answer<bool>;

    /// Sets a webhook back, or forward, so that the events after this one are sent next. Deliveries of later events that
    /// wait or were given up are dropped: the events come again.
    async fn replay_webhook(&self, webhook: String, after: u64) -> Answer<()>;

    /// Makes everything that waits due at `now_ms`, and with `dead` what was given up too. Returns the number of
    /// deliveries.
    async fn retry_webhook(&self, webhook: String, dead: bool, now_ms: i64) -> Answer<usize>;

    /// Attempts of a webhook, the newest first.
    async fn delivery_attempts(&self, webhook: String, page: Page) -> Answer<Listing<RecordedAttempt>>;

    /// Deletes progress, deliveries and attempts of a webhook. `false` if there is nothing.
    async fn forget_webhook(&self, webhook: String) -> Answer<bool>;
}
