//! One binary for everything that is tested from outside the crate.

mod keys;
