//! `narthex completions SHELL`

use clap::CommandFactory;

use super::{Answer, print};
use crate::args::Cli;

/// Prints the completion script.
pub(super) fn run(shell: clap_complete::Shell) -> anyhow::Result<Answer> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "narthex", &mut script);
    print(&String::from_utf8(script)?)?;
    Ok(Answer::Yes)
}
