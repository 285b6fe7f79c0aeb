//! Exports and their verification, from outside.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod store;
mod verification;
