//! The time now, for tests of the whole binary. Tests of the pure crates pass a number of their own.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "a test of the running binary shares the machine's clock with it; this is where it is read"
)]
pub fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// Seconds since the epoch.
pub fn now_seconds() -> i64 {
    now_ms().div_euclid(1000)
}
