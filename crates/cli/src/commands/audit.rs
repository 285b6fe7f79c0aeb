//! `narthex audit verify`. The other commands on the audit trail need the store.

mod verify;

use super::Answer;
use crate::args::AuditVerifyArgs;

/// Runs it.
pub(super) fn verify(args: &AuditVerifyArgs) -> anyhow::Result<Answer> {
    verify::run(args)
}
