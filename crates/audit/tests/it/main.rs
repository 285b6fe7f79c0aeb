//! Exports and their verification, from outside.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod as_of;
mod store;
mod verification;
