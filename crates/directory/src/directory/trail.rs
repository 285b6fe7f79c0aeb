//! Store operations on the audit trail.

use async_trait::async_trait;

use crate::audit::{AuditEvent, EventFilter, RecordedEvent};
use crate::directory::Answer;
use crate::page::{Listing, Page};

/// The audit trail: read in order, and added to.
#[async_trait]
pub trait Trail: Send + Sync {
    /// Audit events, in the order asked for.
    async fn events(&self, filter: EventFilter, page: Page) -> Answer<Listing<RecordedEvent>>;

    /// Records something that happened outside the directory.
    async fn record(&self, event: AuditEvent) -> Answer<()>;
}
