//! The narthex binary: configuration, wiring, subcommands.

mod config;

fn main() {}
