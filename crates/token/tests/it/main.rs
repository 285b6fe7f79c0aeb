//! The crate from outside: tokens made by others, known attacks, the rules as tables, the key cache through time.

mod attacks;
mod cache;
mod explain;
mod key_sets;
mod minting;
mod policies;
mod rules;
mod support;
mod vectors;
