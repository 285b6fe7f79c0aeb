//! Clock and random source of the system. This is the only place that reads them; other crates get values from it.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use narthex_directory::NewId;

/// Clock in milliseconds since the epoch: the system's or, in tests, one that is set by hand.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Returns the system's clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// Creates a clock that stands still until [`Clock::advance`] moves it.
    pub fn manual(now_ms: i64) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(now_ms))))
    }

    /// Returns the time, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System => system_now_ms(),
            Source::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Moves a manual clock; it does not move the system's clock.
    pub fn advance(&self, milliseconds: i64) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(milliseconds, Ordering::SeqCst);
        }
    }
}

/// Detector of a clock that was set back, by comparison with a second clock that never is.
#[derive(Debug, Default)]
pub struct SetBack {
    /// Largest difference between the two clocks so far, in milliseconds.
    ahead_ms: Option<i64>,
}

impl SetBack {
    /// Tests whether the clock (`now_ms`) has been set back by more than a second since the last call, given the time
    /// that passed by the other clock (`passed`). Many small steps add up.
    pub fn since(&mut self, now_ms: i64, passed: Duration) -> bool {
        let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        let ahead_ms = now_ms.saturating_sub(passed_ms);
        let earlier_ms = self.ahead_ms.unwrap_or(ahead_ms);
        let set_back = ahead_ms < earlier_ms.saturating_sub(SET_BACK_MS);
        self.ahead_ms = Some(if set_back { ahead_ms } else { ahead_ms.max(earlier_ms) });
        set_back
    }
}

/// Smallest step back that counts as set back, in milliseconds.
const SET_BACK_MS: i64 = 1_000;

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::System => "Clock::system",
            Source::Manual(_) => "Clock::manual",
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one reader of the system's clock")]
fn system_now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Error: the operating system's random source could not be read.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoEntropy;

/// Returns random bytes from the operating system.
///
/// # Errors
///
/// [`NoEntropy`] if the operating system has none to give; then nothing secret may be made.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one reader of the system's random source"
)]
pub fn random_bytes<const N: usize>() -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoEntropy)?;
    Ok(bytes)
}

/// Fills a buffer with random bytes from the operating system, for templates: `random`, `uuid`, `shuffle`, boundaries.
///
/// If the system gives none, the buffer is filled with zeros. Nothing secret is made with this: a caller that needs
/// secrets uses [`random_bytes`], which fails.
pub fn fill_random(buffer: &mut [u8]) {
    for chunk in buffer.chunks_mut(32) {
        let bytes = random_bytes::<32>().unwrap_or_default();
        chunk.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    }
}

/// Source of randomness for new ids.
///
/// INVARIANT: made by [`NewIds::new`], which fails if the operating system gives no randomness; the rest of a batch is
/// counted on from that random beginning, so ids of one batch never repeat.
#[derive(Debug)]
pub struct NewIds {
    next: u128,
}

impl NewIds {
    /// Creates a source for the ids of one batch.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`], as [`random_bytes`].
    pub fn new() -> Result<Self, NoEntropy> {
        Ok(Self {
            next: u128::from_le_bytes(random_bytes()?),
        })
    }
}

impl NewId for NewIds {
    fn random_bits(&mut self) -> u128 {
        // An id has 80 of these bits. An odd step visits all of them before one repeats. Two batches of the same
        // millisecond collide if one begins within the other: with a thousand ids in each, once in about 2^69 times.
        self.next = self.next.wrapping_add(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        self.next
    }
}

/// Request ids: a random prefix for the process, then a counter. Unique among nodes and restarts, not secret.
#[derive(Debug)]
pub struct RequestIds {
    process: String,
    given: AtomicU64,
}

impl RequestIds {
    /// Creates a source with a new random prefix.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`], as [`random_bytes`].
    pub fn new() -> Result<Self, NoEntropy> {
        let mut process = String::with_capacity(10);
        for byte in random_bytes::<5>()? {
            // Writing to a string cannot fail.
            let _ = write!(process, "{byte:02x}");
        }
        Ok(Self {
            process,
            given: AtomicU64::new(0),
        })
    }

    /// Returns the next id, such as `a1b2c3d4e5-2f`.
    pub fn next(&self) -> String {
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        // The exact capacity, so that it becomes a header's value without a copy.
        let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1) as usize;
        let mut id = String::with_capacity(self.process.len() + 1 + digits);
        // Writing to a string cannot fail.
        let _ = write!(id, "{}-{number:x}", self.process);
        id
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_clock_that_was_set_back_is_found_out_once() {
        let mut set_back = SetBack::default();
        let mut at = |now_ms: i64, passed_ms: u64| set_back.since(now_ms, Duration::from_millis(passed_ms));
        assert!(!at(1_000_000, 0));
        assert!(!at(1_000_500, 500));
        assert!(!at(1_000_300, 1_000), "700 ms");
        assert!(at(1_000_100, 1_200), "and 400 ms more");
        assert!(!at(1_000_600, 1_700), "told already");
        assert!(!at(9_000_000, 2_000), "set forward");
        assert!(at(1_001_000, 2_100), "and back again");
    }

    #[test]
    fn no_two_requests_have_the_same_number() {
        let ids = RequestIds::new().unwrap();
        let all: HashSet<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..1_000).map(|_| ids.next()).collect::<Vec<_>>()))
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(all.len(), 4_000);
    }
}
