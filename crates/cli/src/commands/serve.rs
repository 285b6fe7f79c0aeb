//! `narthex serve`: the gateway, until the process is told to stop.

use narthex_server::Logging;

use super::{Answer, print};
use crate::args::ServeArgs;

/// Starts a server, prints a link for its first administrator if there is none yet, and serves.
///
/// # Errors
///
/// Failure of the start, of a door, or of the last writes.
pub(super) async fn run(args: ServeArgs) -> anyhow::Result<Answer> {
    let path = args.config.path;
    let running = narthex_server::start(narthex_config::read(&path)?, Logging::Configured).await?;
    if let Some(link) = running.first_sign_in_link().await? {
        print(&format!(
            "No administrator yet. Open this link within 15 minutes to sign in to the console, once:\n\n  {link}\n\n"
        ))?;
    }
    running.until_stopped(Some(path)).await?;
    Ok(Answer::Yes)
}
