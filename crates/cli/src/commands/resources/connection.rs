//! `narthex connection reencrypt`

use anyhow::Context as _;
use narthex_gateway::reseal;
use serde_json::json;

use super::{Answer, Desk};
use crate::args::Common;
use crate::commands::tell;

/// Encrypts the secrets of all connections with the current key.
pub(super) async fn reencrypt(common: &Common) -> anyhow::Result<Answer> {
    let desk = Desk::open(common).await?;
    let keys = desk
        .sealing
        .as_deref()
        .context("there is no secret key; set `NARTHEX_SECRET_KEY` or `[secrets] key_file`")?;
    let done = reseal(&*desk.directory, keys, &desk.by())
        .await
        .context("while encrypting the secrets of connections again")?;
    let failed: Vec<_> = done
        .failed
        .iter()
        .map(|(id, error)| json!({ "connection": id, "problem": error.to_string() }))
        .collect();
    for (id, error) in &done.failed {
        tell(&format!("connection {id}: {error}"));
    }
    desk.answer(&json!({ "reencrypted": done.sealed_again, "failed": failed }), || {
        told(done.sealed_again, done.failed.is_empty())
    })?;
    Ok(if done.failed.is_empty() {
        Answer::Yes
    } else {
        Answer::No
    })
}

fn told(count: usize, all: bool) -> String {
    let done = match count {
        0 if all => "Every secret is encrypted with the current key already.\n".to_owned(),
        1 => "The secrets of 1 connection are encrypted with the current key now.\n".to_owned(),
        count => format!("The secrets of {count} connections are encrypted with the current key now.\n"),
    };
    if all {
        done
    } else {
        done + "Keep the previous key until the connections above are mended or removed.\n"
    }
}
