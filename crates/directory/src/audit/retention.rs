//! Deletion of events that are too old.

use super::{AuditEvent, By};

/// Action of a refused request, the one kind of event that is kept for a shorter time than the others.
pub const REFUSED: &str = "request.refused";

/// Returns the event that records a cut of the trail: its beginning was deleted, up to number `until`.
pub fn trail_cut_event(until: u64, events: u64, by: &By) -> AuditEvent {
    let mut event = AuditEvent::new("audit.cut", by.actor.clone(), by.at_ms);
    event.detail.insert("until".to_owned(), until.into());
    event.detail.insert("events".to_owned(), events.into());
    event
}

/// Returns the event that records that refusals were deleted, those with these numbers among them.
pub fn refusals_deleted_event(sequences: &[u64], by: &By) -> AuditEvent {
    let mut event = AuditEvent::new("audit.refusals_deleted", by.actor.clone(), by.at_ms);
    event
        .detail
        .insert("first".to_owned(), sequences.first().copied().into());
    event.detail.insert("last".to_owned(), sequences.last().copied().into());
    event.detail.insert("events".to_owned(), sequences.len().into());
    event
}
