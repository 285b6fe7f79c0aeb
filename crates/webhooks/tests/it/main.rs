//! The sender over the directory in memory, with receivers on loopback.

#![expect(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt as _;
use narthex_clock::Clock;
use narthex_directory::{
    Actor, AuditEvent, By, Directory, Document, DocumentAt, DocumentKind, Documents as _, NewDocument, Page,
    Trail as _, WaitingState, Webhooks as _,
};
use narthex_memory::MemoryDirectory;
use narthex_testkit::server::{Server, full};
use narthex_webhooks::{
    DeliveryObserver, SecretOpener, Sender, SignatureScheme, SigningKey, WebhookSecrets, WebhookSettings, client,
};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

#[derive(Debug)]
struct OneSecret;

impl SecretOpener for OneSecret {
    fn open(&self, _webhook: &Document, _settings: &WebhookSettings) -> Result<WebhookSecrets, String> {
        let key = SigningKey::from_random(SignatureScheme::V1a, [7; 32]).unwrap();
        Ok(WebhookSecrets::new(&key))
    }
}

#[derive(Default)]
struct Counted {
    delivered: AtomicUsize,
    failed: AtomicUsize,
}

impl DeliveryObserver for Counted {
    fn tried(&self, _webhook: &str, outcome: &'static str) {
        let counter = if outcome == "delivered" {
            &self.delivered
        } else {
            &self.failed
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }

    fn behind(&self, _webhook: &str, _events: u64) {}
}

fn by() -> By {
    By {
        actor: Actor::System,
        at_ms: Clock::system().now_ms(),
    }
}

/// A directory with a webhook.
async fn directory(url: &str, actions: &[&str]) -> Arc<MemoryDirectory> {
    let directory = Arc::new(MemoryDirectory::default());
    let settings = WebhookSettings {
        url: url.to_owned(),
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        enabled: true,
        disabled_because: None,
        signature: SignatureScheme::V1a,
        public_key: None,
    };
    let webhook = NewDocument {
        kind: DocumentKind::Webhook,
        name: "crm".to_owned(),
        organization: None,
        body: settings.body(),
        secret: None,
    };
    directory
        .save_document(webhook, DocumentAt::Absent, by())
        .await
        .unwrap();
    directory
}

fn sender(directory: &Arc<MemoryDirectory>, counted: &Arc<Counted>) -> Sender {
    let directory = Arc::clone(directory) as Arc<dyn Directory>;
    let client = client(&["127.0.0.1".to_owned()], Duration::from_secs(30)).unwrap();
    let counted = Arc::clone(counted) as Arc<dyn DeliveryObserver>;
    Sender::new(directory, Clock::system(), client, Arc::new(OneSecret), counted).unwrap()
}

async fn record(directory: &MemoryDirectory, action: &str, count: usize) {
    for number in 0..count {
        let mut event = AuditEvent::new(action, Actor::System, Clock::system().now_ms());
        event.detail.insert("number".to_owned(), number.into());
        directory.record(event).await.unwrap();
    }
}

/// A receiver that keeps the bodies it gets, and answers with a status.
fn receiver(status: u16) -> (Server, Arc<Mutex<Vec<Value>>>) {
    slow_receiver(status, Duration::ZERO)
}

/// A receiver that takes its time to answer.
fn slow_receiver(status: u16, time: Duration) -> (Server, Arc<Mutex<Vec<Value>>>) {
    let bodies: Arc<Mutex<Vec<Value>>> = Arc::default();
    let kept = Arc::clone(&bodies);
    let server = Server::start(move |request| {
        let kept = Arc::clone(&kept);
        Box::pin(async move {
            let body = request.into_body().collect().await?.to_bytes();
            kept.lock().unwrap().push(serde_json::from_slice(&body)?);
            sleep(time).await;
            Ok(Response::builder().status(status).body(full(Bytes::new()))?)
        })
    });
    (server.unwrap(), bodies)
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Of two senders over one directory, one sends: each event arrives once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_one_sends() {
    let (server, bodies) = receiver(200);
    let directory = directory(&server.url(), &["session.created"]).await;
    let counted = Arc::new(Counted::default());
    let nodes = [(); 2].map(|()| tokio::spawn(sender(&directory, &counted).run(pending())));
    for _ in 0..5 {
        record(&directory, "session.created", 100).await;
        record(&directory, "session.ended", 30).await;
        sleep(Duration::from_millis(300)).await;
    }
    until("500 events arrive", async || bodies.lock().unwrap().len() >= 500).await;
    sleep(Duration::from_secs(2)).await;
    for node in nodes {
        node.abort();
    }
    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies.len(), 500);
    let sequences: Vec<u64> = bodies
        .iter()
        .map(|body| body["data"]["sequence"].as_u64().unwrap())
        .collect();
    assert!(sequences.is_sorted(), "they are about one object");
    assert!(bodies.iter().all(|body| body["type"] == "session.created"));
    assert_eq!(counted.delivered.load(Ordering::SeqCst), 500);
    assert_eq!(counted.failed.load(Ordering::SeqCst), 0);
}

/// A receiver that takes nothing is tried again and again with one event, and the rest stays in the audit trail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_receiver_is_tried_with_one_event() {
    let (server, bodies) = receiver(500);
    let directory = directory(&server.url(), &[]).await;
    let counted = Arc::new(Counted::default());
    let node = tokio::spawn(sender(&directory, &counted).run(pending()));
    record(&directory, "session.created", 50).await;
    until("a try", async || !bodies.lock().unwrap().is_empty()).await;
    sleep(Duration::from_secs(4)).await;
    node.abort();
    let tries = bodies.lock().unwrap().len();
    assert!((1..=4).contains(&tries), "{tries}");
    let progress = directory.webhook_progress().await.unwrap();
    assert!(progress[0].failures >= 1 && progress[0].failing_since_ms.is_some());
    let waiting = directory.waiting_deliveries("crm".to_owned(), WaitingState::Waiting, Page::first(200));
    let waiting = waiting.await.unwrap().items;
    assert!(!waiting.is_empty() && waiting.len() <= 50, "{}", waiting.len());
    assert!(waiting.is_sorted_by_key(|delivery| delivery.sequence));
}

/// A sender that runs until the channel is used.
fn until_told(sender: Sender) -> (oneshot::Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = oneshot::channel();
    let run = sender.run(async move {
        let _ = stopped.await;
    });
    (stop, tokio::spawn(run))
}

/// A lease lasts for fifteen seconds. A node that stops gives it up, and does not leave the others waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_hands_over_at_once() {
    let (server, bodies) = receiver(200);
    let directory = directory(&server.url(), &["session.created"]).await;
    let counted = Arc::new(Counted::default());
    let (stop, first) = until_told(sender(&directory, &counted));
    record(&directory, "session.created", 3).await;
    until("the first node sends", async || bodies.lock().unwrap().len() == 3).await;
    let second = tokio::spawn(sender(&directory, &counted).run(pending()));
    stop.send(()).unwrap();
    first.await.unwrap();
    record(&directory, "session.created", 3).await;
    let begun = Instant::now();
    until("the second node sends", async || bodies.lock().unwrap().len() == 6).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    second.abort();
}

/// What is under way when a node stops is finished and counted; the rest is for the next node. Nothing comes twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_try_under_way_is_finished_before_the_hand_over() {
    let (server, bodies) = slow_receiver(200, Duration::from_millis(700));
    let directory = directory(&server.url(), &["session.created"]).await;
    let counted = Arc::new(Counted::default());
    record(&directory, "session.created", 4).await;
    let (stop, first) = until_told(sender(&directory, &counted));
    until("a try is under way", async || !bodies.lock().unwrap().is_empty()).await;
    stop.send(()).unwrap();
    first.await.unwrap();
    let sent = bodies.lock().unwrap().len();
    assert!(sent < 4, "it went on");
    assert_eq!(counted.delivered.load(Ordering::SeqCst), sent, "each try was counted");
    let second = tokio::spawn(sender(&directory, &counted).run(pending()));
    until("the rest arrives", async || bodies.lock().unwrap().len() >= 4).await;
    second.abort();
    let bodies = bodies.lock().unwrap();
    let sequences: Vec<&Value> = bodies.iter().map(|body| &body["data"]["sequence"]).collect();
    assert_eq!(sequences.len(), 4);
    assert!(
        sequences.is_sorted_by_key(|sequence| sequence.as_u64()),
        "{sequences:?}"
    );
}

/// A webhook that an administrator disables sends nothing more within seconds, although much waits and its receiver is slow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_a_disabled_webhook_sends_no_more() {
    let (server, bodies) = slow_receiver(200, Duration::from_millis(300));
    let directory = directory(&server.url(), &["session.created"]).await;
    record(&directory, "session.created", 80).await;
    let node = tokio::spawn(sender(&directory, &Arc::default()).run(pending()));
    until("it sends", async || !bodies.lock().unwrap().is_empty()).await;
    let found = directory.document(DocumentKind::Webhook, "crm".to_owned()).await;
    let found = found.unwrap().unwrap();
    let settings = WebhookSettings {
        enabled: false,
        ..WebhookSettings::read(&found.body).unwrap()
    };
    let disabled = NewDocument {
        kind: DocumentKind::Webhook,
        name: "crm".to_owned(),
        organization: None,
        body: settings.body(),
        secret: None,
    };
    directory.save_document(disabled, DocumentAt::Any, by()).await.unwrap();
    sleep(Duration::from_secs(7)).await;
    let sent = bodies.lock().unwrap().len();
    assert!((1..40).contains(&sent), "{sent}");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(bodies.lock().unwrap().len(), sent);
    // What was not sent waits for the webhook to be enabled again.
    let waiting = directory.waiting_deliveries("crm".to_owned(), WaitingState::Waiting, Page::first(200));
    assert_eq!(waiting.await.unwrap().items.len(), 80 - sent);
    node.abort();
}
