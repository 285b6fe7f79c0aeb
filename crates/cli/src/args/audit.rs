//! `narthex audit …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Output;

/// `narthex audit …`
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Verify an exported file, without the store: that nothing in it was changed, removed, moved or added.
    Verify(AuditVerifyArgs),
}

/// `narthex audit verify`
#[derive(Debug, Args)]
#[command(after_help = VERIFY_NOTES)]
pub(crate) struct AuditVerifyArgs {
    /// Export in NDJSON, or `-` to read it from standard input.
    pub(crate) file: PathBuf,
    /// File with the key set of the installation that exported: `/api/v1/audit/keys`, from a source that you trust.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

const VERIFY_NOTES: &str = "\
Examples:
  narthex audit verify audit.ndjson
  curl -H \"Authorization: Bearer $KEY\" https://admin.example.com/api/v1/audit/keys > keys.json
  narthex audit verify audit.ndjson --key keys.json

Without `--key`, the signatures are checked against the keys in the file itself. That proves that the
file is whole and consistent, and not who wrote it. An export with a filter proves each of its
events, and not that none was left out.
Exit codes: 0 the file is as it was exported, 1 it is not, 2 an error in the command line or the key.";
