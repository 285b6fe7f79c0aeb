//! Freshness of what this node knows: another node may have changed the directory since the last contact.
//!
//! The directory is asked twice a second whether another process has changed anything. While it answers, a cached
//! answer rests on facts that were true within the last second. Once the directory is known to be unreachable, cached
//! answers are served for `offline_max`; then nothing can be decided. A process that was stopped or starved for a while
//! asks first: it does not know what it missed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use narthex_decision::Reason;
use narthex_directory::{StoreError, TokenSync};
use tokio::sync::Mutex;
use tokio::time::MissedTickBehavior;

use crate::respond::Refusal;
use narthex_clock::Clock;

/// Interval between two questions of the background task.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Upper limit of the age of the last answer before a request asks the directory again, in milliseconds.
///
/// SECURITY: this is the promised bound for changes made elsewhere, and it holds on a machine that is too busy to keep
/// time: either the directory was asked within this time, or it is asked now.
const HEARD_LATELY_MS: i64 = 1_000;
/// Time for which the directory counts as unreachable after it gave no answer, in milliseconds: longer than
/// [`ASK_WAIT`], so that the background task renews it before a request has to wait in vain.
const MISSED_LATELY_MS: i64 = 3_000;
/// Time to wait for an answer before the directory counts as unreachable.
const ASK_WAIT: Duration = Duration::from_secs(2);
/// Marks a gateway without its background task, in tests and tools: the directory is not asked regularly yet.
const NEVER_ASKED: i64 = i64::MAX;

/// Time of the last contact with the directory.
#[derive(Debug)]
pub struct DirectoryContact {
    offline_max_ms: i64,
    heard_at_ms: AtomicI64,
    missed_at_ms: AtomicI64,
    asking: Mutex<()>,
}

/// Answers that can be served now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Everything.
    Whole,
    /// Cached answers, for a limited time.
    Offline {
        /// The time left, in milliseconds.
        left_ms: i64,
    },
    /// Nothing.
    CutOff,
    /// Unknown: the directory has to be asked.
    Unknown,
}

impl DirectoryContact {
    /// Creates a state without any contact.
    pub(crate) fn new(offline_max: Duration) -> Self {
        Self {
            offline_max_ms: i64::try_from(offline_max.as_millis()).unwrap_or(i64::MAX),
            heard_at_ms: AtomicI64::new(NEVER_ASKED),
            missed_at_ms: AtomicI64::new(i64::MIN),
            asking: Mutex::default(),
        }
    }

    /// Asks the directory again and again, and reports failures. A slow answer is not abandoned: it arrives, or its
    /// connection ends.
    pub(crate) async fn keep_asking(&self, directory: &dyn TokenSync, clock: &Clock, failed: impl Fn(&StoreError)) {
        let mut turns = tokio::time::interval(ASK_EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let asking = self.ask(directory, clock);
            tokio::pin!(asking);
            loop {
                match tokio::time::timeout(ASK_WAIT, &mut asking).await {
                    Ok(Ok(())) => break,
                    Ok(Err(error)) => {
                        failed(&error);
                        break;
                    }
                    Err(_) => self.missed(clock.now_ms()),
                }
            }
        }
    }

    /// Asks the directory for changes by other processes.
    async fn ask(&self, directory: &dyn TokenSync, clock: &Clock) -> Result<(), StoreError> {
        // The answer describes the moment of the question, or a later one.
        let asked_at_ms = clock.now_ms();
        let mut answer = directory.poll_versions().await;
        if answer.is_err() {
            // A connection that ended while this process was stopped fails on use. The next one may be good.
            answer = directory.poll_versions().await;
        }
        match &answer {
            Ok(()) => self.heard_at_ms.store(asked_at_ms, Ordering::Relaxed),
            Err(_) => self.missed(clock.now_ms()),
        }
        answer
    }

    fn missed(&self, at_ms: i64) {
        // If there was no contact yet, nothing known can be stale, and the time begins to count now.
        let _ = self
            .heard_at_ms
            .compare_exchange(NEVER_ASKED, at_ms, Ordering::Relaxed, Ordering::Relaxed);
        self.missed_at_ms.store(at_ms, Ordering::Relaxed);
    }

    /// Returns what can be served at a moment.
    pub fn freshness(&self, now_ms: i64) -> Freshness {
        let heard_at_ms = self.heard_at_ms.load(Ordering::Relaxed);
        let age_ms = now_ms.saturating_sub(heard_at_ms);
        // SECURITY: a time in the future means that the clock was set back, and then the age is unknown.
        if heard_at_ms == NEVER_ASKED || age_ms.saturating_abs() <= HEARD_LATELY_MS {
            Freshness::Whole
        } else if age_ms > self.offline_max_ms {
            Freshness::CutOff
        } else if self.missed_lately(now_ms) && age_ms > 0 {
            Freshness::Offline {
                left_ms: self.offline_max_ms.saturating_sub(age_ms),
            }
        } else {
            Freshness::Unknown
        }
    }

    fn missed_lately(&self, now_ms: i64) -> bool {
        let missed_at_ms = self.missed_at_ms.load(Ordering::Relaxed);
        now_ms.saturating_sub(missed_at_ms).saturating_abs() <= MISSED_LATELY_MS
    }

    /// Makes sure that cached answers may be served.
    ///
    /// # Errors
    ///
    /// `store.unavailable` if the directory has been unreachable for too long.
    pub async fn ensure(&self, directory: &dyn TokenSync, clock: &Clock, now_ms: i64) -> Result<(), Refusal> {
        match self.freshness(now_ms) {
            Freshness::Whole | Freshness::Offline { .. } => Ok(()),
            // SECURITY: changes by other processes (a revoked role, a disabled user) must be known before a cached
            // answer is served again.
            Freshness::CutOff | Freshness::Unknown => Box::pin(self.ask_first(directory, clock)).await,
        }
    }

    /// Tests whether the directory was asked after this moment, and answered.
    fn heard_since(&self, moment_ms: i64, now_ms: i64) -> bool {
        (moment_ms..=now_ms).contains(&self.heard_at_ms.load(Ordering::Relaxed))
    }

    async fn ask_first(&self, directory: &dyn TokenSync, clock: &Clock) -> Result<(), Refusal> {
        let arrived_ms = clock.now_ms();
        let turn = self.asking.lock().await;
        let now_ms = clock.now_ms();
        // Another task may have asked while this one waited; and not every request asks an unreachable directory.
        if !self.heard_since(arrived_ms, now_ms)
            && self.freshness(now_ms) != Freshness::Whole
            && !self.missed_lately(now_ms)
            && tokio::time::timeout(ASK_WAIT, self.ask(directory, clock))
                .await
                .is_err()
        {
            self.missed(clock.now_ms());
        }
        drop(turn);
        let now_ms = clock.now_ms();
        // An answer to a question asked after the request came is fresh enough, however long it took.
        if self.heard_since(arrived_ms, now_ms) {
            return Ok(());
        }
        match self.freshness(now_ms) {
            Freshness::Whole | Freshness::Offline { .. } => Ok(()),
            Freshness::CutOff | Freshness::Unknown => Err(Refusal::new(Reason::StoreUnavailable)),
        }
    }
}

#[cfg(test)]
mod tests {
    use narthex_memory::MemoryDirectory;

    use super::*;

    const OFFLINE_MAX: Duration = Duration::from_mins(5);

    #[test]
    fn what_can_be_served_is_a_table() {
        let contact = DirectoryContact::new(OFFLINE_MAX);
        assert_eq!(
            contact.freshness(1_000_000),
            Freshness::Whole,
            "nobody asks regularly yet"
        );
        contact.heard_at_ms.store(0, Ordering::Relaxed);
        assert_eq!(contact.freshness(1_000), Freshness::Whole);
        assert_eq!(
            contact.freshness(1_001),
            Freshness::Unknown,
            "stopped, or starved: ask first"
        );
        assert_eq!(contact.freshness(-1_001), Freshness::Unknown, "the clock was set back");
        contact.missed(4_000);
        assert_eq!(contact.freshness(1_000), Freshness::Whole);
        assert_eq!(contact.freshness(-1_001), Freshness::Unknown);
        assert_eq!(contact.freshness(5_000), Freshness::Offline { left_ms: 295_000 });
        assert_eq!(contact.freshness(7_001), Freshness::Unknown);
        contact.missed(300_000);
        assert_eq!(contact.freshness(300_000), Freshness::Offline { left_ms: 0 });
        assert_eq!(contact.freshness(300_001), Freshness::CutOff);
    }

    /// A node that was stopped does not answer from its cache before it has asked.
    #[tokio::test]
    async fn whoever_was_stopped_asks_first() {
        let (directory, clock) = (MemoryDirectory::default(), Clock::manual(1_000_000));
        let contact = DirectoryContact::new(OFFLINE_MAX);
        contact.ask(&directory, &clock).await.unwrap();
        clock.advance(1_000_000);
        assert_eq!(contact.freshness(clock.now_ms()), Freshness::CutOff);
        contact.ensure(&directory, &clock, clock.now_ms()).await.unwrap();
        assert_eq!(contact.freshness(clock.now_ms()), Freshness::Whole);
    }

    #[tokio::test]
    async fn after_too_long_nothing_is_decided() {
        let (directory, clock) = (MemoryDirectory::default(), Clock::manual(1_000_000));
        let contact = DirectoryContact::new(OFFLINE_MAX);
        contact.ask(&directory, &clock).await.unwrap();
        clock.advance(299_000);
        contact.missed(clock.now_ms());
        contact.ensure(&directory, &clock, clock.now_ms()).await.unwrap();
        clock.advance(2_000);
        contact.missed(clock.now_ms());
        let refusal = contact.ensure(&directory, &clock, clock.now_ms()).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::StoreUnavailable);
        // The directory is back.
        clock.advance(MISSED_LATELY_MS + 1);
        contact.ensure(&directory, &clock, clock.now_ms()).await.unwrap();
    }
}
