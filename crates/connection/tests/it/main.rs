//! Connections from outside.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod cases;
mod limits;
mod properties;
mod reference;
mod security;
mod seed;
mod support;
