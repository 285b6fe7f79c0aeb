//! `narthex connection reencrypt`

use anyhow::Context as _;
use narthex_gateway::reseal;
use serde_json::json;

use super::{Answer, Desk};
use crate::args::Common;

/// Encrypts the secrets of all connections with the current key.
pub(super) async fn reencrypt(common: &Common) -> anyhow::Result<Answer> {
    let desk = Desk::open(common)?;
    let keys = desk
        .sealing
        .as_deref()
        .context("there is no secret key; set `NARTHEX_SECRET_KEY` or `[secrets] key_file`")?;
    let count = reseal(&*desk.directory, keys, &desk.by())
        .await
        .context("while encrypting the secrets of connections again")?;
    desk.answer(&json!({ "reencrypted": count }), || match count {
        0 => "Every secret is encrypted with the current key already.\n".to_owned(),
        1 => "The secrets of 1 connection are encrypted with the current key now.\n".to_owned(),
        count => format!("The secrets of {count} connections are encrypted with the current key now.\n"),
    })
}
