//! Refused requests that wait to be kept for an hour, so that every node can say why.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use narthex_directory::{AuditEvent, DenialRecord, StoreError, Trail};
use narthex_tally::RefusalSample;
use serde_json::{Map, Value};

/// Time between two turns of keeping.
pub(crate) const TURN: Duration = Duration::from_millis(250);

/// Largest number of denials that one turn keeps: 200 a second.
///
/// SECURITY: a flood of refusals costs the store no more than that. Those beyond it are in the log alone.
const DENIALS_PER_TURN: usize = 50;

/// Buffer of denials, bounded, and the sample of them that the audit trail records.
#[derive(Debug, Default)]
pub struct RecentDenials {
    waiting: Mutex<Vec<Noted>>,
    sample: Mutex<RefusalSample>,
}

/// Denial without its time, which it gets when it is kept.
#[derive(Debug)]
struct Noted {
    request_id: String,
    facts: Map<String, Value>,
}

impl RecentDenials {
    /// Notes a denial, if there is room. Its facts are put together only then.
    pub(crate) fn note(&self, request_id: &str, facts: impl FnOnce() -> Map<String, Value>) {
        if self.lock().len() >= DENIALS_PER_TURN {
            return;
        }
        let noted = Noted {
            request_id: request_id.to_owned(),
            facts: facts(),
        };
        let mut waiting = self.lock();
        if waiting.len() < DENIALS_PER_TURN {
            waiting.push(noted);
        }
    }

    /// Keeps the denials that wait. Those that the store does not take are not tried again.
    ///
    /// # Errors
    ///
    /// The directory cannot be written.
    pub async fn keep<T: Trail + ?Sized>(&self, trail: &T, now_ms: i64) -> Result<(), StoreError> {
        let noted = std::mem::take(&mut *self.lock());
        if noted.is_empty() {
            return Ok(());
        }
        let denials = noted.into_iter().map(|noted| DenialRecord {
            request_id: noted.request_id,
            at_ms: now_ms,
            facts: noted.facts,
        });
        let denials: Vec<DenialRecord> = denials.collect();
        let events = self.sampled(&denials, now_ms);
        trail.keep_denials(denials, now_ms).await?;
        for event in events {
            trail.record(event).await?;
        }
        Ok(())
    }

    fn sampled(&self, denials: &[DenialRecord], now_ms: i64) -> Vec<AuditEvent> {
        let mut sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        sample.take(denials, now_ms)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Noted>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use narthex_directory::Page;
    use narthex_memory::MemoryDirectory;

    use super::*;

    #[tokio::test]
    async fn sec_a_flood_of_refusals_costs_the_store_little() {
        let (denials, directory) = (RecentDenials::default(), MemoryDirectory::default());
        let mut made = 0;
        for number in 0..10_000 {
            denials.note(&format!("r-{number}"), || {
                made += 1;
                Map::new()
            });
        }
        assert_eq!(made, DENIALS_PER_TURN, "no facts are put together for what is left out");
        denials.keep(&directory, 1_000).await.unwrap();
        let kept = directory.denials(1_000, Page::first(200)).await.unwrap();
        assert_eq!(kept.items.len(), DENIALS_PER_TURN);
        denials.note("later", Map::new);
        denials.keep(&directory, 2_000).await.unwrap();
        assert_eq!(
            directory.denial("later".into(), 2_000).await.unwrap().unwrap().at_ms,
            2_000
        );
    }
}
