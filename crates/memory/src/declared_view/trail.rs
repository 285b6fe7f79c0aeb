//! `Trail` of a directory as a configuration declares it: that of the directory beneath.

use async_trait::async_trait;
use narthex_directory::{
    Answer, AuditEvent, AuditKey, By, ChainLink, Checkpoint, DayChanges, DenialRecord, EventFilter, Listing,
    OrganizationId, Page, RecordedEvent, SealKey, SealedEvent, Trail, UserId,
};

use super::DeclaredView;

#[async_trait]
impl Trail for DeclaredView {
    async fn events(&self, filter: EventFilter, page: Page) -> Answer<Listing<RecordedEvent>> {
        self.inner.events(filter, page).await
    }

    async fn record(&self, event: AuditEvent) -> Answer<()> {
        self.inner.record(event).await
    }

    async fn chain_end(&self) -> Answer<Option<ChainLink>> {
        self.inner.chain_end().await
    }

    async fn chain_links(&self, after: u64, limit: usize) -> Answer<Vec<ChainLink>> {
        self.inner.chain_links(after, limit).await
    }

    async fn extend_chain(&self, after: u64, links: Vec<ChainLink>, checkpoint: Option<Checkpoint>) -> Answer<bool> {
        self.inner.extend_chain(after, links, checkpoint).await
    }

    async fn checkpoints(&self, after: u64, limit: usize) -> Answer<Vec<Checkpoint>> {
        self.inner.checkpoints(after, limit).await
    }

    async fn last_checkpoint(&self) -> Answer<Option<Checkpoint>> {
        self.inner.last_checkpoint().await
    }

    async fn audit_keys(&self) -> Answer<Vec<AuditKey>> {
        self.inner.audit_keys().await
    }

    async fn create_audit_key(&self, key: AuditKey, by: By) -> Answer<Vec<AuditKey>> {
        self.inner.create_audit_key(key, by).await
    }

    async fn seal_keys(&self, users: Vec<UserId>) -> Answer<Vec<SealKey>> {
        self.inner.seal_keys(users).await
    }

    async fn create_seal_keys(&self, keys: Vec<SealKey>) -> Answer<Vec<SealKey>> {
        self.inner.create_seal_keys(keys).await
    }

    async fn seal_events(&self, events: Vec<SealedEvent>) -> Answer<()> {
        self.inner.seal_events(events).await
    }

    async fn cut_trail(&self, cut: Checkpoint, event: AuditEvent) -> Answer<u64> {
        self.inner.cut_trail(cut, event).await
    }

    async fn delete_refusals(&self, before_ms: i64, limit: usize, event: AuditEvent) -> Answer<usize> {
        self.inner.delete_refusals(before_ms, limit, event).await
    }

    async fn role_changes_per_day(&self, organization: OrganizationId, from_ms: i64) -> Answer<Vec<DayChanges>> {
        self.inner.role_changes_per_day(organization, from_ms).await
    }

    async fn keep_denials(&self, denials: Vec<DenialRecord>, now_ms: i64) -> Answer<()> {
        self.inner.keep_denials(denials, now_ms).await
    }

    async fn denial(&self, request_id: String, now_ms: i64) -> Answer<Option<DenialRecord>> {
        self.inner.denial(request_id, now_ms).await
    }

    async fn denials(&self, now_ms: i64, page: Page) -> Answer<Listing<DenialRecord>> {
        self.inner.denials(now_ms, page).await
    }
}
