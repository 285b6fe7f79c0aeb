//! The narthex binary: arguments and subcommands.

mod args;
mod commands;
mod demo;

use std::process::ExitCode;

use clap::Parser;

/// A decision makes many small pieces and frees them, on whichever thread goes on with it. jemalloc gives out again what
/// was freed last, which is still near the processor, and gives back to the system what is not used.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

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
