//! `narthex manual FOLDER`: the manual pages, one for each command.

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::{Answer, print};
use crate::args::{Cli, ManualArgs};

/// Writes the pages.
pub(super) fn run(args: &ManualArgs) -> anyhow::Result<Answer> {
    let folder = args.folder.display();
    clap_mangen::generate_to(Cli::command(), &args.folder)
        .with_context(|| format!("while writing manual pages to `{folder}`; make the folder first"))?;
    print(&format!("wrote the manual pages to {folder}\n"))?;
    Ok(Answer::Yes)
}
