//! `narthex session …`

use clap::Subcommand;

use super::directory::{Common, ListPage};

/// Command of `narthex session`.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// List the browsers that are signed in.
    List {
        /// Only sessions of this user: its id or username.
        #[arg(long)]
        user: Option<String>,
        /// Only sessions in this place: at the doors, in frames of a portal, or at the console.
        #[arg(long, value_parser = ["door", "embedded", "console"])]
        kind: Option<String>,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// End a session: every node refuses its cookie within a second.
    End {
        /// Id of the session.
        session: String,
        #[command(flatten)]
        common: Common,
    },
}
