//! `narthex token …`

mod decode;
mod verify;

use super::Answer;
use crate::args::TokenCommand;

/// Runs it.
pub(super) fn run(command: TokenCommand) -> anyhow::Result<Answer> {
    match command {
        TokenCommand::Verify(args) => verify::run(args),
        TokenCommand::Sign(_) => anyhow::bail!("this command is not wired yet"),
        TokenCommand::Decode(args) => decode::run(args),
    }
}
