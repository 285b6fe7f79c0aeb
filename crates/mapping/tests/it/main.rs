//! The crate from outside: files of cases, laws, and what the compiler of mappings says.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what the tests share fails loudly too")]

mod cases;
mod compile;
mod each;
mod laws;
mod preview;
mod rules;
mod support;
