//! The narthex binary: configuration, wiring, subcommands.

fn main() {}
