//! The numbers of the key cache.

/// The numbers of the key cache. The defaults are the product's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// Lifetime of a set when the answer does not say.
    pub lifetime_ms_default: i64,
    /// Least lifetime, whatever the answer says.
    pub lifetime_ms_min: i64,
    /// Greatest lifetime, whatever the answer says.
    pub lifetime_ms_max: i64,
    /// At which part of its lifetime a set is fetched anew. Give each issuer a slightly different number (75 to 85), so
    /// that nodes and issuers do not all fetch at once.
    pub refresh_ahead_percent: u8,
    /// Least time between two fetches that tokens forced, and between a failed fetch and the next. A key that a fresh set
    /// did not have is remembered as unknown no longer than this.
    pub cooldown_ms: i64,
    /// Pause after the first failed fetch while no keys are held. It doubles with each further failure, up to the cooldown.
    pub first_retry_ms: i64,
    /// Largest number of unknown keys that are remembered.
    pub unknown_max: usize,
    /// Time that known keys serve on as stale, past their lifetime, while the issuer cannot be reached.
    pub stale_ms_max: i64,
    /// Time after which a fetch that was never reported counts as failed.
    pub fetch_ms_max: i64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            lifetime_ms_default: 10 * 60_000,
            lifetime_ms_min: 30_000,
            lifetime_ms_max: 24 * 60 * 60_000,
            refresh_ahead_percent: 80,
            cooldown_ms: 30_000,
            first_retry_ms: 1_000,
            unknown_max: 1024,
            stale_ms_max: 60 * 60_000,
            fetch_ms_max: 60_000,
        }
    }
}

impl CacheSettings {
    /// Pause after the `failures`th failed fetch in a row, the first being 1.
    pub(super) fn pause_ms(&self, failures: u32, held: bool) -> i64 {
        if held {
            return self.cooldown_ms;
        }
        let doubled = 2_i64.saturating_pow(failures.saturating_sub(1));
        self.first_retry_ms.saturating_mul(doubled).min(self.cooldown_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_keys_the_pause_doubles_up_to_the_cooldown() {
        let settings = CacheSettings::default();
        let pauses: Vec<i64> = [1, 2, 3, 4, 5, 6, 62, 63, 64, 65, u32::MAX]
            .map(|failures| settings.pause_ms(failures, false))
            .into();
        assert_eq!(pauses[..6], [1_000, 2_000, 4_000, 8_000, 16_000, 30_000]);
        assert!(pauses[6..].iter().all(|pause| *pause == 30_000), "{pauses:?}");
        assert_eq!(settings.pause_ms(1, true), 30_000);
    }
}
