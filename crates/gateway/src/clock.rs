//! The one place that reads the clock and the random source; everything else is told.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use narthex_directory::NewId;
use ulid::Ulid;

/// Milliseconds since the epoch, from the system or, in tests, from a hand.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn manual(now_ms: i64) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(now_ms))))
    }

    /// Now, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System => system_now_ms(),
            Source::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Moves a manual clock; the system's clock takes no orders.
    pub fn advance(&self, milliseconds: i64) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(milliseconds, Ordering::SeqCst);
        }
    }
}

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

/// The operating system's random source could not be read.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoEntropy;

/// Random bytes from the operating system.
///
/// # Errors
///
/// [`NoEntropy`] when the operating system has none to give; nothing secret may be made then.
#[expect(clippy::disallowed_methods, reason = "this is the one reader of the system's random source")]
pub fn random_bytes<const N: usize>() -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoEntropy)?;
    Ok(bytes)
}

/// Makes new ULIDs for one moment.
#[derive(Debug)]
pub struct NewIds {
    now_ms: u64,
}

impl NewIds {
    /// Ids whose time part is `now_ms`.
    pub fn at(now_ms: i64) -> Self {
        Self { now_ms: u64::try_from(now_ms).unwrap_or(0) }
    }

    /// A new lower-case ULID as text.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`], as [`random_bytes`].
    pub fn text(&self) -> Result<String, NoEntropy> {
        Ok(Ulid::from_parts(self.now_ms, u128::from_le_bytes(random_bytes()?)).to_string().to_ascii_lowercase())
    }
}
