//! One binary for everything that is tested from outside the crate.

#![expect(clippy::unwrap_used, reason = "tests may fail loudly")]

mod accounts;
mod room;
