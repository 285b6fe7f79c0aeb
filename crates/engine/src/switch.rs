//! The switch to a new configuration: it comes into use at the same moment as the organizations that it declares.
//!
//! The organizations are written to the directory, and then the configuration is swapped. A decision that saw one
//! without the other is made again, so that every request is answered by the old state or by the new one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use narthex_directory::Versions;
use tokio::sync::Notify;

/// Marks that no switch is under way. No policy number gets this high.
const NONE: u64 = u64::MAX;

/// Upper limit of the time that a decision waits for a switch to end: the rest of a switch takes no time.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// The switch from one configuration to the next.
#[derive(Debug)]
pub(crate) struct Switch {
    /// Policy number before the organizations were written.
    from_policy: AtomicU64,
    ended: Notify,
}

impl Default for Switch {
    fn default() -> Self {
        Self {
            from_policy: AtomicU64::new(NONE),
            ended: Notify::new(),
        }
    }
}

impl Switch {
    /// Begins a switch, which ends when the returned value is dropped.
    pub(crate) fn begin(&self, versions: &Versions) -> Switching<'_> {
        self.from_policy.store(versions.policy(), Ordering::SeqCst);
        Switching(self)
    }

    /// Waits until the organizations that can be read belong to the configuration in use.
    pub(crate) async fn settled(&self, versions: &Versions) {
        let ended = self.ended.notified();
        tokio::pin!(ended);
        // From here on no end is missed.
        ended.as_mut().enable();
        let from_policy = self.from_policy.load(Ordering::SeqCst);
        if from_policy != NONE && from_policy != versions.policy() {
            // A longer wait means that the directory hangs: the decision stands as it is.
            let _ = tokio::time::timeout(WAIT_MAX, ended).await;
        }
    }

    /// Tests whether a switch is under way.
    pub(crate) fn is_under_way(&self) -> bool {
        self.from_policy.load(Ordering::SeqCst) != NONE
    }
}

/// A switch under way.
#[derive(Debug)]
pub(crate) struct Switching<'s>(&'s Switch);

impl Drop for Switching<'_> {
    fn drop(&mut self) {
        self.0.from_policy.store(NONE, Ordering::SeqCst);
        self.0.ended.notify_waiters();
    }
}
