//! The keys to use now.

use std::sync::Arc;

use crate::error::VerifyError;
use crate::keys::KeySet;

/// The cause for which an issuer's keys could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysFault {
    /// The cause for clients: fixed text that names no host and no file, as the end of a sentence.
    pub told: &'static str,
    /// The cause for operators. It is shown in health reports and logs, so it holds no secret.
    pub why: Arc<str>,
}

/// The keys to use now: what an edge publishes to its request threads.
#[derive(Debug, Clone)]
pub struct KeySnapshot {
    pub(super) keys: Option<Arc<KeySet>>,
    pub(super) generation: u64,
    pub(super) epoch: u64,
    pub(super) usable_until_ms: i64,
    pub(super) retry_at_ms: i64,
    /// Of the last fetch, if it failed.
    pub(super) fault: Option<KeysFault>,
}

impl KeySnapshot {
    /// A set that does not change and does not age: shared secrets, one public key.
    pub fn fixed(keys: KeySet) -> Self {
        Self {
            keys: Some(Arc::new(keys)),
            generation: 0,
            epoch: 0,
            usable_until_ms: i64::MAX,
            retry_at_ms: i64::MAX,
            fault: None,
        }
    }

    /// The keys, or [`VerifyError::KeysUnavailable`] if there never were any or they have been stale for too long.
    pub fn keys(&self, now_ms: i64) -> Result<&Arc<KeySet>, VerifyError> {
        self.keys
            .as_ref()
            .filter(|_| now_ms < self.usable_until_ms)
            .ok_or_else(|| unavailable(self.fault.clone(), self.retry_at_ms, now_ms))
    }

    /// Moves whenever a key leaves the set. A cached decision remembers it, and dies when it moves.
    ///
    /// SECURITY: a key that leaves takes its cached answers along.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Time until which the keys may serve, if no fetch succeeds before. A cached decision ends with it at the latest.
    pub const fn usable_until_ms(&self) -> i64 {
        self.usable_until_ms
    }
}

pub(super) fn unavailable(fault: Option<KeysFault>, retry_at_ms: i64, now_ms: i64) -> VerifyError {
    let seconds = retry_at_ms.saturating_sub(now_ms).saturating_add(999) / 1000;
    VerifyError::KeysUnavailable {
        retry_after_seconds: u32::try_from(seconds.clamp(1, 3600)).unwrap_or(1),
        fault,
    }
}
