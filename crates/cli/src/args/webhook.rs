//! `narthex webhook …`

use clap::Subcommand;
use narthex_webhooks::SignatureScheme;

use super::directory::{Common, ListPage};

/// Command of `narthex webhook`.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// List webhooks.
    List {
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Show a webhook and how far it has come.
    Show {
        /// Name of the webhook.
        webhook: String,
        #[command(flatten)]
        common: Common,
    },
    /// Create a webhook and print its secret, which is never shown again, or its public key.
    Create {
        /// Name of the webhook: lower-case letters, digits and `-`.
        name: String,
        /// Address of the receiver.
        url: String,
        /// Action to send, such as `grant.opened` or `user.*`. Repeat it for several; by default all are sent.
        #[arg(long = "action", value_name = "ACTION")]
        actions: Vec<String>,
        /// Scheme of the signatures: `v1` with a shared secret, or `v1a` with an Ed25519 key pair.
        #[arg(long, value_name = "SCHEME", default_value = "v1")]
        signature: SignatureScheme,
        #[command(flatten)]
        common: Common,
    },
    /// Enable a webhook. It sends what it missed.
    Enable {
        /// Name of the webhook.
        webhook: String,
        #[command(flatten)]
        common: Common,
    },
    /// Disable a webhook. Its events wait.
    Disable {
        /// Name of the webhook.
        webhook: String,
        #[command(flatten)]
        common: Common,
    },
    /// Put another secret in use and print it, or another key pair and print its public key. The one before it signs too
    /// for a day.
    RotateSecret {
        /// Name of the webhook.
        webhook: String,
        /// Scheme of the signatures: `v1` or `v1a`. By default that of the secret before it.
        #[arg(long, value_name = "SCHEME")]
        signature: Option<SignatureScheme>,
        #[command(flatten)]
        common: Common,
    },
    /// List the tries of a webhook, the newest first.
    Attempts {
        /// Name of the webhook.
        webhook: String,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Try everything that waits now.
    Retry {
        /// Name of the webhook.
        webhook: String,
        /// Try what was given up, too.
        #[arg(long)]
        dead: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Send the events after one again.
    Replay {
        /// Name of the webhook.
        webhook: String,
        /// Number of an event of the audit trail; 0 for its begin.
        #[arg(long, value_name = "NUMBER")]
        after: u64,
        #[command(flatten)]
        common: Common,
    },
    /// Delete a webhook with its secret and what waits for it.
    Delete {
        /// Name of the webhook.
        webhook: String,
        #[command(flatten)]
        common: Common,
    },
}
