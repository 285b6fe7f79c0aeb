//! Store operations on the audit trail, and on the denials of the last hour.

use async_trait::async_trait;
use narthex_names::{OrganizationId, UserId};

use crate::audit::{
    AuditEvent, AuditKey, By, ChainLink, Checkpoint, DayChanges, EventFilter, RecordedEvent, SealKey, SealedEvent,
};
use crate::denial::DenialRecord;
use crate::directory::Answer;
use crate::page::{Listing, Page};

/// The audit trail: read in order, and added to; and the hash chain over it.
///
/// Stores keep links and checkpoints and compute none: a link follows its event within a second, from one node at a time.
#[async_trait]
pub trait Trail: Send + Sync {
    /// Audit events, in the order asked for.
    async fn events(&self, filter: EventFilter, page: Page) -> Answer<Listing<RecordedEvent>>;

    /// Records something that happened outside the directory.
    async fn record(&self, event: AuditEvent) -> Answer<()>;

    /// The last link of the chain; `None` before the first.
    async fn chain_end(&self) -> Answer<Option<ChainLink>>;

    /// Links of the events after number `after`, in order, at most `limit`.
    async fn chain_links(&self, after: u64, limit: usize) -> Answer<Vec<ChainLink>>;

    /// Adds links to the chain, whose last link is of number `after` (0 for an empty chain), and with them a checkpoint.
    /// Returns `false`, and adds nothing, if the chain ends elsewhere: another node was quicker.
    async fn extend_chain(&self, after: u64, links: Vec<ChainLink>, checkpoint: Option<Checkpoint>) -> Answer<bool>;

    /// Checkpoints of the events after number `after`, in order, at most `limit`.
    async fn checkpoints(&self, after: u64, limit: usize) -> Answer<Vec<Checkpoint>>;

    /// The last checkpoint; `None` before the first.
    async fn last_checkpoint(&self) -> Answer<Option<Checkpoint>>;

    /// The keys of checkpoints, the newest first. None is ever dropped.
    async fn audit_keys(&self) -> Answer<Vec<AuditKey>>;

    /// Stores a key of checkpoints, unless there is one already: of several nodes that start at once, one does. Returns
    /// all keys, the newest first.
    async fn create_audit_key(&self, key: AuditKey, by: By) -> Answer<Vec<AuditKey>>;

    /// The keys of the seals of these users. A user who has none is left out.
    async fn seal_keys(&self, users: Vec<UserId>) -> Answer<Vec<SealKey>>;

    /// Stores keys of seals, each unless its user has one already. Returns the keys of these users.
    async fn create_seal_keys(&self, keys: Vec<SealKey>) -> Answer<Vec<SealKey>>;

    /// Stores the seals of events, each unless the event has seals already.
    ///
    /// SECURITY: an event is left out if its key is no longer that of its user. The user was erased meanwhile, and a seal
    /// with a key that stays would let a guess of an erased value be tested.
    async fn seal_events(&self, events: Vec<SealedEvent>) -> Answer<()>;

    /// Deletes the events up to that of a checkpoint, with their seals, links and checkpoints. The checkpoint is stored and
    /// its link stays, so that the chain goes on from there. Records the event, with the number of deleted ones as `events`. Returns that number; 0, and nothing is changed, if the
    /// chain has no such link or nothing stands before it. The newest event stays in any case: numbers are not given twice.
    async fn cut_trail(&self, cut: Checkpoint, event: AuditEvent) -> Answer<u64>;

    /// Deletes refusals ([`REFUSED`](crate::REFUSED)) from before a time, in milliseconds, that have a link; the oldest first, at
    /// most `limit`, and records the event as [`Trail::cut_trail`] does. Their links stay, and the events around them verify as before; checkpoints of them go. Returns how many.
    async fn delete_refusals(&self, before_ms: i64, limit: usize, event: AuditEvent) -> Answer<usize>;

    /// Number of roles in an organization that were granted or closed on each day from that of `from_ms` on, by day. Days
    /// without any are left out.
    async fn role_changes_per_day(&self, organization: OrganizationId, from_ms: i64) -> Answer<Vec<DayChanges>>;

    /// Keeps denials for an hour, and deletes those that are older than that at `now_ms`. One of a request id that is there
    /// is left out.
    async fn keep_denials(&self, denials: Vec<DenialRecord>, now_ms: i64) -> Answer<()>;

    /// The denial of a request, if it is kept and was refused within the hour before `now_ms`.
    async fn denial(&self, request_id: String, now_ms: i64) -> Answer<Option<DenialRecord>>;

    /// The denials of the hour before `now_ms`, the newest first.
    async fn denials(&self, now_ms: i64, page: Page) -> Answer<Listing<DenialRecord>>;
}
