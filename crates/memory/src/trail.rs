//! `Trail` in memory.

use async_trait::async_trait;

use super::MemoryDirectory;
use narthex_directory::{Answer, Trail};
use narthex_directory::{AuditEvent, EventFilter, RecordedEvent};
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
}
