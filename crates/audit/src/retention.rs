//! Deletion of events that are too old, with a checkpoint at the cut.

use narthex_directory::{
    Actor, AuditEvent, Cursor, DAY_MS, EventFilter, EventOrder, Page, RecordedEvent, StoreError, Trail,
};

use crate::keeper::ChainKeeper;
use crate::record::time_text;

/// Largest number of events that one transaction deletes, so that the writer is not held up.
const EVENTS_PER_TURN: u64 = 2_000;
/// The same as refusals are counted.
const REFUSALS_PER_TURN: usize = 1_000;

/// Times for which events stay, in milliseconds; `None` for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Time for which any event stays.
    pub events_ms: Option<i64>,
    /// Time for which a refused request stays.
    pub refusals_ms: Option<i64>,
}

impl Retention {
    /// Deletes the events that are too old, whole days of them: the beginning of the trail, up to a new checkpoint, and refusals
    /// wherever they stand. Only events with a link go. Returns how many went. Several nodes may be at it.
    ///
    /// # Errors
    ///
    /// [`StoreError`], after which the next call goes on.
    pub async fn apply(self, trail: &dyn Trail, keeper: &ChainKeeper, now_ms: i64) -> Result<u64, StoreError> {
        let mut deleted = 0;
        if let Some(before_ms) = self.events_ms.and_then(|kept_ms| day_before(kept_ms, now_ms)) {
            deleted += cut(trail, keeper, before_ms, now_ms).await?;
        }
        if let Some(before_ms) = self.refusals_ms.and_then(|kept_ms| day_before(kept_ms, now_ms)) {
            let mut event = AuditEvent::new("audit.refusals_deleted", Actor::System, now_ms);
            event.detail.insert("before".to_owned(), time_text(before_ms).into());
            loop {
                let count = trail
                    .delete_refusals(before_ms, REFUSALS_PER_TURN, event.clone())
                    .await?;
                deleted += count as u64;
                if count < REFUSALS_PER_TURN {
                    break;
                }
            }
        }
        Ok(deleted)
    }
}

/// Returns the beginning of the day, in UTC, from which events stay: so they are deleted once a day.
fn day_before(kept_ms: i64, now_ms: i64) -> Option<i64> {
    let day = now_ms.checked_sub(kept_ms)?.div_euclid(DAY_MS);
    day.checked_mul(DAY_MS)
}

/// Deletes the beginning of the trail, up to the last event before a time that has none before it that stays.
async fn cut(trail: &dyn Trail, keeper: &ChainKeeper, before_ms: i64, now_ms: i64) -> Result<u64, StoreError> {
    let kept = first(trail, Some(before_ms)).await?;
    let end = trail.chain_end().await?.map_or(0, |end| end.sequence);
    let until = kept.map_or(end, |kept| kept.sequence.saturating_sub(1)).min(end);
    let mut deleted = 0;
    loop {
        let Some(oldest) = first(trail, None).await?.filter(|oldest| oldest.sequence <= until) else {
            return Ok(deleted);
        };
        let cut = until.min(oldest.sequence.saturating_add(EVENTS_PER_TURN));
        let links = trail.chain_links(cut.saturating_sub(1), 1).await?;
        let Some(link) = links.first().filter(|link| link.sequence == cut) else {
            return Ok(deleted);
        };
        let mut event = AuditEvent::new("audit.cut", Actor::System, now_ms);
        event.detail.insert("until".to_owned(), cut.into());
        match trail.cut_trail(keeper.key().checkpoint(*link, now_ms), event).await? {
            // Another node was quicker.
            0 => return Ok(deleted),
            events => deleted += events,
        }
    }
}

/// The oldest event, or the oldest from a time on.
async fn first(trail: &dyn Trail, from_ms: Option<i64>) -> Result<Option<RecordedEvent>, StoreError> {
    let filter = EventFilter {
        from_ms,
        order: EventOrder::OldestFirst,
        ..EventFilter::default()
    };
    let page = Page::after(Cursor::new("0".to_owned()), 1);
    Ok(trail.events(filter, page).await?.items.into_iter().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_go_by_whole_days() {
        assert_eq!(day_before(DAY_MS, 10 * DAY_MS), Some(9 * DAY_MS));
        assert_eq!(day_before(DAY_MS, 10 * DAY_MS + 5), Some(9 * DAY_MS));
        assert_eq!(day_before(DAY_MS, 10 * DAY_MS - 1), Some(8 * DAY_MS));
        assert_eq!(day_before(i64::MAX, -5), None);
    }
}
