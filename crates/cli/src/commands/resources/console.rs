//! `narthex console …`

use anyhow::Context as _;
use narthex_admin::ops::sessions::{self, LINKS_MAX};
use narthex_server::{link_address, system_user};

use super::{AdminContext, Answer};
use crate::args::ConsoleCommand;

/// Runs it.
pub(super) async fn run(command: ConsoleCommand) -> anyhow::Result<Answer> {
    let ConsoleCommand::Link { common } = command;
    let context = AdminContext::open(&common).await?;
    let keys = context.connections.sealing.as_deref().context(
        "sign-in needs a secret key, and there is none; make one with `openssl rand -base64 32 > secret.key`, name it with \
         `key_file = \"secret.key\"` in `[secrets]`, and restart the server",
    )?;
    let name = system_user::name();
    let secret = sessions::create_link(&*context.directory, keys, &name, LINKS_MAX, context.now_ms()).await?;
    let address = link_address(&context.console, &secret);
    context.answer(&serde_json::json!({ "link": address }), || {
        format!("Open this link within 15 minutes. It signs one browser in as a platform admin, once:\n\n  {address}\n")
    })
}
