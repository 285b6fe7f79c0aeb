//! The narthex binary: configuration, wiring, subcommands.

mod args;
mod assemble;
mod commands;
mod config;
mod demo;
mod serve;

use std::process::ExitCode;

use clap::Parser;

/// A decision makes many small pieces and frees them on another thread than the one that made them; the system's
/// allocator spends a sixth of a decision on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A command line that cannot be understood ends here with exit code 2.
    let cli = args::Cli::parse();
    match commands::run(cli.command) {
        Ok(answer) => answer.into(),
        Err(error) => {
            commands::complain(&error);
            commands::Answer::of_error(&error).into()
        }
    }
}
