//! Number of times that tokens changed a user a moment ago.

/// Recent changes of a user by tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent {
    since_ms: i64,
    changes: u32,
}

impl Recent {
    /// No changes.
    pub const NONE: Self = Self {
        since_ms: 0,
        changes: 0,
    };
    /// Window in which changes are counted, in milliseconds.
    pub const WINDOW_MS: i64 = 60_000;

    /// Number of changes within the minute that is under way.
    pub fn within_minute(self, now_ms: i64) -> u32 {
        if (0..Self::WINDOW_MS).contains(&now_ms.saturating_sub(self.since_ms)) {
            self.changes
        } else {
            0
        }
    }

    /// Counts changes, and begins another minute with them if none is under way.
    pub fn count(&mut self, changes: u32, now_ms: i64) {
        let before = self.within_minute(now_ms);
        if before == 0 {
            self.since_ms = now_ms;
        }
        self.changes = before.saturating_add(changes);
    }
}
