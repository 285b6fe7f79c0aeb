//! The template language from outside.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod api;
mod cases;
mod examples;
mod limits;
mod masking;
mod properties;
mod reference;
mod vectors;
