//! `narthex export`, `narthex import`

use std::path::PathBuf;

use clap::Args;

use super::{ConfigPath, Output};

/// `narthex export`
#[derive(Debug, Args)]
#[command(after_help = EXPORT_NOTES)]
pub(crate) struct ExportArgs {
    /// The file to write, or `-` for standard output. It is made for its owner alone, appears when it is complete, and
    /// never takes the place of another file.
    #[arg(long, short = 'o', value_name = "FILE", default_value = "narthex-export.ndjson")]
    pub(crate) output: PathBuf,
    /// Replace an earlier export of that name.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) manner: Manner,
}

/// `narthex import`
#[derive(Debug, Args)]
#[command(after_help = IMPORT_NOTES)]
pub(crate) struct ImportArgs {
    /// The file that `narthex export` wrote, or `-` for standard input.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) manner: Manner,
}

/// What both have.
#[derive(Debug, Args)]
pub(crate) struct Manner {
    /// Show no progress and no summary.
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

The file holds all that the store does: the private keys that sign assertions, the hashes of API
keys, connections with their encrypted secrets, everybody's names. Whoever has it can sign as this
installation. Keep it as you keep the store, and remove it when the move is done.

It shows one moment, and is made beside running servers. Stop them first if they are not to write
after that moment.";

const IMPORT_NOTES: &str = "\
Examples:
  narthex import narthex-export.ndjson --config new.toml
  age -d narthex-export.ndjson.age | narthex import - --config new.toml

`[store]` of the configuration names the new store. It is made where there is none, and must hold
nothing yet: import before the first `narthex serve` on it. Every line is checked, and what was
written is read again and compared with the digest of the file before it counts. A fault, Ctrl-C or
a crash leaves the store as it was.

Whoever wrote the file decides who may do what, and the digest does not tell who that was: import
only what you exported. The secrets of connections open with the same secret key as before.";
