//! Uses that are not written yet: buffers that every store keeps beside its tables.
//!
//! A request that changes nothing writes nothing. What it says about the use of a token or a session waits here for the next
//! batch.

mod buffer;
mod session_uses;

pub use buffer::{Noted, UsageBuffer};
pub use session_uses::SessionUses;
