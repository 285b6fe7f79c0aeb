//! The narthex binary: configuration, wiring, subcommands.

mod args;
mod assemble;
mod commands;
mod config;
mod demo;
mod serve;

use std::process::ExitCode;

use clap::Parser;

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
