//! Throttle of log lines that a client, or a lasting fault, could otherwise write without end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Shortest time between two lines.
const PAUSE: Duration = Duration::from_secs(1);

/// A log line that is written once a second at most, with the number of suppressed lines since.
#[derive(Debug)]
pub struct LogThrottle {
    started: Instant,
    /// Earliest time of the next line, in milliseconds since the start.
    next_ms: AtomicU64,
    unsaid: AtomicU64,
}

impl Default for LogThrottle {
    fn default() -> Self {
        Self::new()
    }
}

impl LogThrottle {
    /// Creates a throttle that has suppressed nothing.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            next_ms: AtomicU64::new(0),
            unsaid: AtomicU64::new(0),
        }
    }

    /// Returns the number of suppressed lines since the last one, if a line may be written now; otherwise counts one
    /// more and returns `None`.
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
