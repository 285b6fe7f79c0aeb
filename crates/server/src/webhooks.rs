//! The sender of webhooks, as part of a server.

use std::sync::Arc;
use std::time::Duration;

use narthex_config::Webhook;
use narthex_directory::{Document, DocumentKind, Page};
use narthex_engine::Engine;
use narthex_ops::webhooks::record::open_secrets;
use narthex_webhooks::{DeliveryObserver, SecretOpener, Sender, WebhookSecrets, WebhookSettings};

/// Time between two looks for the first webhook. Until there is one, no client and no lease are needed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Opens the secrets of webhooks with the keys in use, and counts what is sent.
#[derive(Debug)]
struct WebhookEdges(Arc<Engine>);

impl SecretOpener for WebhookEdges {
    fn open(&self, webhook: &Document, settings: &WebhookSettings) -> Result<WebhookSecrets, String> {
        let runtime = self.0.runtime.load();
        open_secrets(runtime.connections.sealing.as_deref(), webhook, settings)
    }
}

impl DeliveryObserver for WebhookEdges {
    fn tried(&self, webhook: &str, outcome: &'static str) {
        self.0.metrics.webhook_tried(webhook, outcome);
    }

    fn behind(&self, webhook: &str, events: u64) {
        self.0.metrics.webhook_behind(webhook, events);
    }
}

/// Sends webhooks until `stop` is done.
pub(super) async fn send(engine: Arc<Engine>, settings: Webhook, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    let sender = tokio::select! {
        () = &mut stop => return,
        sender = sender(engine, settings) => sender,
    };
    match sender {
        Ok(sender) => sender.run(stop).await,
        Err(error) => tracing::error!(%error, "no webhooks are sent"),
    }
}

/// Waits for the first webhook, and sets the sender up.
async fn sender(engine: Arc<Engine>, settings: Webhook) -> anyhow::Result<Sender> {
    loop {
        let page = Page::first(1);
        let first = engine.directory.documents(DocumentKind::Webhook, None, page).await;
        if first.is_ok_and(|found| !found.items.is_empty()) {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    // Reading the system's trust store takes milliseconds of file access.
    let client = move || narthex_webhooks::client(&settings.allow_private_hosts, settings.timeout);
    let client = tokio::task::spawn_blocking(client).await??;
    let (directory, clock) = (Arc::clone(&engine.directory), engine.clock.clone());
    let edges = Arc::new(WebhookEdges(engine));
    let secrets = Arc::clone(&edges) as Arc<dyn SecretOpener>;
    Ok(Sender::new(directory, clock, client, secrets, edges)?)
}
