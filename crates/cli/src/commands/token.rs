//! `narthex token …`

mod decode;
mod sign;
mod verify;

use super::Answer;
use crate::args::TokenCommand;

/// Runs it.
pub(super) fn run(command: TokenCommand) -> anyhow::Result<Answer> {
    match command {
        TokenCommand::Verify(args) => verify::run(args),
        TokenCommand::Sign(args) => sign::run(args),
        TokenCommand::Decode(args) => decode::run(args),
    }
}
