//! Lines of the log that a client, or a fault that lasts, could otherwise write without end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long at least from one line to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// Something that is said once a second at the most, with how often it was left unsaid since.
#[derive(Debug)]
pub struct LogThrottle {
    started: Instant,
    /// The earliest time of the next line, in milliseconds from the beginning.
    next_ms: AtomicU64,
    unsaid: AtomicU64,
}

impl LogThrottle {
    /// Nothing said yet.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            next_ms: AtomicU64::new(0),
            unsaid: AtomicU64::new(0),
        }
    }

    /// Whether it may be said now: how often it was left unsaid since the last time, or `None` to leave it unsaid too.
    pub fn due(&self) -> Option<u64> {
        self.due_at(self.started.elapsed())
    }

    fn due_at(&self, at: Duration) -> Option<u64> {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let claim = |next_ms| (ms(at) >= next_ms).then(|| ms(at + PAUSE));
        let claimed = self.next_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim);
        if claimed.is_err() {
            self.unsaid.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.unsaid.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_that_counts_the_others() {
        let seldom = LogThrottle::new();
        let at = |ms| seldom.due_at(Duration::from_millis(ms));
        assert_eq!([at(0), at(1), at(999)], [Some(0), None, None]);
        assert_eq!([at(1000), at(1500), at(5000)], [Some(2), None, Some(1)]);
    }
}
