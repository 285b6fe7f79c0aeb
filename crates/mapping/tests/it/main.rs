//! The crate from outside: files of cases, laws, and what the compiler of mappings says.

mod cases;
mod compile;
mod laws;
mod preview;
mod support;
