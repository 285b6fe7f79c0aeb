//! The sender of webhooks, as part of a server.

use std::sync::Arc;
use std::time::Duration;

use narthex_admin::ops::webhooks::record::open_secrets;
use narthex_config::Webhook;
use narthex_directory::{Document, DocumentKind, Page};
use narthex_engine::Engine;
use narthex_fetch::outbound::{AllowedHosts, OutboundLimits, PlainHttp, Policy, PostClient};
use narthex_fetch::ssrf_guard::{Guard, Loopback};
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

/// Sends webhooks until it is dropped.
pub(super) async fn send(engine: Arc<Engine>, settings: Webhook) {
    loop {
        let first = engine
            .directory
            .documents(DocumentKind::Webhook, None, Page::first(1))
            .await;
        if first.is_ok_and(|found| !found.items.is_empty()) {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let policy = policy(&settings);
    // Reading the system's trust store takes milliseconds of file access.
    let client = tokio::task::spawn_blocking(|| PostClient::new(policy)).await;
    let client = match client {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => {
            tracing::error!(%error, "no webhooks are sent: the client cannot be set up");
            return;
        }
        Err(_) => return,
    };
    let (directory, clock) = (Arc::clone(&engine.directory), engine.clock.clone());
    let edges = Arc::new(WebhookEdges(engine));
    match Sender::new(
        directory,
        clock,
        client,
        Arc::clone(&edges) as Arc<dyn SecretOpener>,
        edges,
    ) {
        Ok(sender) => sender.run().await,
        Err(error) => tracing::error!(%error, "no webhooks are sent"),
    }
}

fn policy(settings: &Webhook) -> Policy {
    let hosts = settings.allow_private_hosts.iter().map(String::as_str);
    Policy {
        hosts: AllowedHosts::Any,
        guard: Guard::new(hosts, Loopback::Refused),
        plain_http: PlainHttp::LoopbackOnly,
        limits: OutboundLimits {
            total: settings.timeout,
            ..OutboundLimits::default()
        },
    }
}
