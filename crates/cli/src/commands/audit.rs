//! `narthex audit …`

mod verify;

use super::Answer;
use crate::args::AuditCommand;

/// Runs it.
pub(super) fn run(command: AuditCommand) -> anyhow::Result<Answer> {
    match command {
        AuditCommand::Verify(args) => verify::run(&args),
    }
}
