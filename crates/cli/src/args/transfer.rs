//! `narthex export`, `narthex import`

use std::path::PathBuf;

use clap::Args;

use super::{ConfigPath, Output};

/// `narthex export`
#[derive(Debug, Args)]
#[command(after_help = EXPORT_NOTES)]
pub(crate) struct ExportArgs {
    /// File to write, or `-` for standard output. Only its owner may read it. It appears only when it is complete, and
    /// replaces no file unless `--force` is given.
    #[arg(long, short = 'o', value_name = "FILE", default_value = "narthex-export.ndjson")]
    pub(crate) output: PathBuf,
    /// Replace an earlier export of that name.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) options: TransferOptions,
}

/// `narthex import`
#[derive(Debug, Args)]
#[command(after_help = IMPORT_NOTES)]
pub(crate) struct ImportArgs {
    /// File that `narthex export` wrote, or `-` for standard input.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) options: TransferOptions,
}

/// Options of both commands.
#[derive(Debug, Args)]
pub(crate) struct TransferOptions {
    /// Show neither progress nor a summary.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) config: ConfigPath,
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXPORT_NOTES: &str = "\
Examples:
  narthex export --output narthex-export.ndjson
  narthex export --output - | age -r age1… > narthex-export.ndjson.age

The file holds everything in the store: the private keys that sign assertions, the hashes of API
keys, connections with their encrypted secrets, and the names of all users. An attacker who has it
can sign as this installation. Protect it as you protect the store, and delete it after the move.

An export is a snapshot of one moment and works beside running servers. Changes after that moment
are not in it; stop the servers first to prevent them.";

const IMPORT_NOTES: &str = "\
Examples:
  narthex import narthex-export.ndjson --config new.toml
  age -d narthex-export.ndjson.age | narthex import - --config new.toml

`[store]` of the configuration names the new store. It is created if it does not exist, and it must
be empty: import before you first run `narthex serve` on it. Every line is checked. Before the
import takes effect, the written data is read back and compared with the digest of the file. An
error, Ctrl-C or a crash leaves the store unchanged.

The author of the file decides who may do what, and the digest does not prove who the author is:
import only your own exports. The secrets of connections need the same secret key as before.";
