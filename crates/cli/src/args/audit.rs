//! `narthex audit …`

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use narthex_directory::ACTIONS;

use super::directory::{Common, ListPage};
use super::{ConfigPath, Output};

/// `narthex audit …`
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List events of the audit trail, the newest first.
    List {
        #[command(flatten)]
        filters: EventFilters,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// List who held which role at a time, with the tag or claim, the token, the actor and the reason.
    Roles {
        /// Time, such as `2026-03-01T12:00:00Z`. By default the current time.
        #[arg(long, value_name = "TIME")]
        as_of: Option<String>,
        /// Roles in this organization (name or id). Without `--organization` and `--team`: platform roles.
        #[arg(long, conflicts_with = "team")]
        organization: Option<String>,
        /// Roles in this team (id).
        #[arg(long)]
        team: Option<String>,
        /// Print a table for spreadsheets, with one line for each grant.
        #[arg(long, conflicts_with = "json")]
        csv: bool,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Export the audit trail, the oldest event first.
    Export(AuditExportArgs),
    /// Verify an exported file, without the store: that nothing in it was changed, removed, moved or added.
    Verify(AuditVerifyArgs),
}

/// Filters of events. An event must match all that are given.
#[derive(Debug, Clone, Args)]
pub(crate) struct EventFilters {
    /// Only events about this user: an id, or a username that only one user has.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Only events in this organization: its name or id.
    #[arg(long)]
    pub(crate) organization: Option<String>,
    /// Only events with this action, such as `grant.closed`.
    #[arg(long, value_parser = PossibleValuesParser::new(ACTIONS.iter().map(|(name, _)| *name)), hide_possible_values = true)]
    pub(crate) action: Option<String>,
    /// Only events by this actor: an issuer, an id, a system user as `alice (uid 1000)`, or a kind such as `api_key`.
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Only events with this text in their detail; ASCII letters in any case.
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// Only events at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only events before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}

/// `narthex audit export`
#[derive(Debug, Args)]
#[command(after_help = EXPORT_NOTES)]
pub(crate) struct AuditExportArgs {
    /// Format: `ndjson` is the one that can be verified.
    #[arg(long, default_value = "ndjson", value_parser = ["ndjson", "csv", "ocsf"])]
    pub(crate) format: String,
    /// File to write, or `-` for standard output. A file appears only when it is complete, and replaces none.
    #[arg(long, short = 'o', value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) filters: EventFilters,
    #[command(flatten)]
    pub(crate) config: ConfigPath,
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

const EXPORT_NOTES: &str = "\
Examples:
  narthex audit export --output audit.ndjson
  narthex audit export --format csv --action grant.closed --from 2026-03-01T00:00:00Z > march.csv

An export with a filter proves each of its events, and not that none was left out. It names people:
protect it as you protect the directory.";

const VERIFY_NOTES: &str = "\
Examples:
  narthex audit verify audit.ndjson
  curl -H \"Authorization: Bearer $KEY\" https://admin.example.com/api/v1/audit/keys > keys.json
  narthex audit verify audit.ndjson --key keys.json

Without `--key`, the signatures are checked against the keys in the file itself. That proves that the
file is whole and consistent, and not who wrote it. An export with a filter proves each of its
events, and not that none was left out.
Exit codes: 0 the file is as it was exported, 1 it is not, 2 an error in the command line or the key.";
