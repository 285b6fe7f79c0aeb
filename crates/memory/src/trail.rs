//! `Trail` in memory.

use async_trait::async_trait;

use super::MemoryDirectory;
use narthex_directory::By;
use narthex_directory::rules;
use narthex_directory::{Answer, Trail};
use narthex_directory::{AuditEvent, EventFilter, RecordedEvent};
use narthex_directory::{AuditKey, ChainLink, Checkpoint};
use narthex_directory::{Listing, Page};

#[async_trait]
impl Trail for MemoryDirectory {
    async fn events(&self, filter: EventFilter, page: Page) -> Answer<Listing<RecordedEvent>> {
        self.lock().events(&filter, &page)
    }

    async fn record(&self, event: AuditEvent) -> Answer<()> {
        self.lock().record(event);
        Ok(())
    }

    async fn chain_end(&self) -> Answer<Option<ChainLink>> {
        Ok(self.lock().chain.last().copied())
    }

    async fn chain_links(&self, after: u64, limit: usize) -> Answer<Vec<ChainLink>> {
        let state = self.lock();
        let links = state.chain.iter().filter(|link| link.sequence > after);
        Ok(links.take(limit).copied().collect())
    }

    async fn extend_chain(&self, after: u64, links: Vec<ChainLink>, checkpoint: Option<Checkpoint>) -> Answer<bool> {
        let mut state = self.lock();
        if state.chain.last().map_or(0, |link| link.sequence) != after {
            return Ok(false);
        }
        state.chain.extend(links);
        state.checkpoints.extend(checkpoint);
        Ok(true)
    }

    async fn checkpoints(&self, after: u64, limit: usize) -> Answer<Vec<Checkpoint>> {
        let state = self.lock();
        let checkpoints = state.checkpoints.iter();
        let found = checkpoints.filter(|checkpoint| checkpoint.sequence > after);
        Ok(found.take(limit).cloned().collect())
    }

    async fn last_checkpoint(&self) -> Answer<Option<Checkpoint>> {
        Ok(self.lock().checkpoints.last().cloned())
    }

    async fn audit_keys(&self) -> Answer<Vec<AuditKey>> {
        Ok(self.lock().audit_keys.clone())
    }

    async fn create_audit_key(&self, key: AuditKey, by: By) -> Answer<Vec<AuditKey>> {
        let mut state = self.lock();
        if state.audit_keys.is_empty() {
            state.record(rules::audit_key_event(&key.kid, &by));
            state.audit_keys.push(key);
        }
        Ok(state.audit_keys.clone())
    }
}
