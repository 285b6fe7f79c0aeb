//! A new configuration and the organizations that it declares come into use at the same moment.
//!
//! The organizations are written to the directory, and then the configuration is swapped. A decision that saw the one without
//! the other is made again, so that every request is answered by the old state or by the new one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use narthex_directory::Versions;
use tokio::sync::Notify;

/// No switch is under way. No policy number gets there.
const NONE: u64 = u64::MAX;

/// The longest that a decision waits for a switch to end: the rest of a switch takes no time.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// The switch from one configuration to the next.
#[derive(Debug)]
pub(crate) struct Switch {
    /// The policy number before the organizations were written.
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
    /// Begins a switch, which ends when what this gives is dropped.
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
            // One that takes longer has met a directory that hangs: the decision stands as it is.
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
