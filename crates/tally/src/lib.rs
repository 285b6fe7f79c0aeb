//! Counts of a node's decisions over time, and the sample of refusals that the audit trail records.
//!
//! **In:** decisions with their times. **Out:** buckets of counts ([`DecisionTally`]) and events ([`RefusalSample`]).
//!
//! This crate reads no clock and does no I/O. All that it keeps is bounded, whatever clients send.

mod decisions;
mod refusal_sample;

pub use decisions::{Bucket, Counted, DecisionTally, KEYS_MAX, Step, ToCount};
pub use refusal_sample::{EVENTS_PER_MINUTE, RefusalSample};
