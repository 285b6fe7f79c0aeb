//! The sender: of all nodes, the one with the lease looks for webhooks with something to send, and runs their rounds.

mod run;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use narthex_clock::{Clock, NoEntropy, random_bytes};
use narthex_directory::{
    Directory, Document, DocumentKind, EventFilter, EventOrder, Page, Settlement, StoreError, WebhookProgress,
};
use narthex_fetch::outbound::PostClient;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::settings::{WebhookSecrets, WebhookSettings};
use run::{Next, Run};

/// Time between two looks for something to send.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Time for which the lease is taken, in milliseconds.
const LEASE_MS: i64 = 15_000;
/// Time before the end of the lease at which it is renewed, in milliseconds.
const RENEW_MS: i64 = 10_000;
/// Time for which tries under way may go on when the sender stops.
const END_WITHIN: Duration = Duration::from_secs(5);
/// Number of webhooks that are sent at once, and of those among them whose receivers take nothing: these wait for
/// timeouts, and must not keep the others waiting.
const AT_ONCE: usize = 64;
const FAILING_AT_ONCE: usize = 32;
/// Number of pages in which the event of a webhook's creation is looked for.
const PAGES_MAX: usize = 20;

/// Opens the sealed secrets of webhooks.
pub trait SecretOpener: std::fmt::Debug + Send + Sync {
    /// Returns the secrets of a webhook.
    ///
    /// # Errors
    ///
    /// A sentence for the delivery log: the secret cannot be opened.
    fn open(&self, webhook: &Document, settings: &WebhookSettings) -> Result<WebhookSecrets, String>;
}

/// Observer of deliveries, for metrics.
pub trait DeliveryObserver: Send + Sync {
    /// Takes one try; `outcome` is `delivered`, `failed` or `given_up`.
    fn tried(&self, webhook: &str, outcome: &'static str);

    /// Takes the number of events that a webhook has not taken up yet.
    fn behind(&self, webhook: &str, events: u64);
}

/// Everything that a round needs, shared by all of them.
struct Shared {
    directory: Arc<dyn Directory>,
    clock: Clock,
    client: PostClient,
    secrets: Arc<dyn SecretOpener>,
    observer: Arc<dyn DeliveryObserver>,
    /// Name of this process as the holder of the lease.
    holder: String,
    /// True once the sender stops: no further try begins.
    stopping: AtomicBool,
}

/// Sender of webhooks.
pub struct Sender {
    shared: Arc<Shared>,
    healthy: Arc<Semaphore>,
    failing: Arc<Semaphore>,
    /// End of the lease, in milliseconds.
    leased_until_ms: i64,
    /// Time when each webhook has something to do next, as the last round found it.
    next: HashMap<String, Next>,
    runs: JoinSet<(String, Next)>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender")
            .field("holder", &self.shared.holder)
            .field("leased_until_ms", &self.leased_until_ms)
            .finish_non_exhaustive()
    }
}

impl Sender {
    /// Creates a sender over a directory.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`]: it has no name.
    pub fn new(
        directory: Arc<dyn Directory>,
        clock: Clock,
        client: PostClient,
        secrets: Arc<dyn SecretOpener>,
        observer: Arc<dyn DeliveryObserver>,
    ) -> Result<Self, NoEntropy> {
        let name = u128::from_be_bytes(random_bytes()?);
        Ok(Self {
            shared: Arc::new(Shared {
                directory,
                clock,
                client,
                secrets,
                observer,
                holder: format!("{name:032x}"),
                stopping: AtomicBool::new(false),
            }),
            healthy: Arc::new(Semaphore::new(AT_ONCE)),
            failing: Arc::new(Semaphore::new(FAILING_AT_ONCE)),
            leased_until_ms: 0,
            next: HashMap::new(),
            runs: JoinSet::new(),
        })
    }

    /// Sends until `stop` is done. Then it begins no further try, waits up to five seconds for those under way, and gives up
    /// the lease, so that another node sends at once.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                _ = looks.tick() => {}
            }
            if let Err(error) = self.look().await {
                tracing::warn!(event = "background_failed", task = "sending webhooks", %error, "it will be tried again");
            }
        }
        self.end().await;
    }

    /// Waits for what is under way, and gives up the lease.
    async fn end(mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        let ended = async { while self.runs.join_next().await.is_some() {} };
        if tokio::time::timeout(END_WITHIN, ended).await.is_err() {
            // Tries that are cut off count for nothing: whichever node sends next makes them again, with the same ids.
            self.runs.shutdown().await;
        }
        if self.leased_until_ms == 0 {
            return;
        }
        let holder = self.shared.holder.clone();
        if let Err(error) = self.shared.directory.release_webhooks(holder).await {
            tracing::warn!(event = "lease_kept", %error, "another node sends webhooks when the lease has ended");
        }
    }

    /// Begins a round for each webhook that has something to do.
    async fn look(&mut self) -> Result<(), StoreError> {
        while let Some(ended) = self.runs.try_join_next() {
            match ended {
                Ok((webhook, next)) => {
                    self.next.insert(webhook, next);
                }
                // A round ended without a result, and does not say of which webhook it was: all are looked at again.
                Err(_) => self.next.clear(),
            }
        }
        let webhooks = self.shared.webhooks().await?;
        let progress = self.shared.directory.webhook_progress().await?;
        if (webhooks.is_empty() && progress.is_empty()) || !self.lease().await? {
            return Ok(());
        }
        let mut progress: HashMap<String, WebhookProgress> = progress
            .into_iter()
            .map(|progress| (progress.webhook.clone(), progress))
            .collect();
        let newest = self.shared.newest_event().await?;
        for (document, settings) in webhooks {
            let begun = progress.remove(&document.name);
            match (settings, begun) {
                (Some(_), None) => self.shared.start(&document.name, newest).await?,
                (Some(settings), Some(progress)) if settings.enabled => {
                    self.begin(document, settings, progress, newest);
                }
                // One that another version wrote keeps its progress for that.
                (None, _) | (Some(_), Some(_)) => {}
            }
        }
        for deleted in progress.into_keys() {
            self.next.remove(&deleted);
            self.shared.directory.forget_webhook(deleted).await?;
        }
        Ok(())
    }

    /// Begins a round of one webhook, if it has something to do and there is room.
    fn begin(&mut self, document: Document, settings: WebhookSettings, progress: WebhookProgress, newest: u64) {
        let now_ms = self.shared.clock.now_ms();
        let next = self.next.get(&document.name);
        let seen = next.map_or(0, |next| next.cursor()).max(progress.cursor);
        self.shared.observer.behind(&document.name, newest.saturating_sub(seen));
        if progress.next_try_ms > now_ms || next.is_some_and(|next| !next.is_due(&progress, newest, now_ms)) {
            return;
        }
        let Some(permit) = self.permit(&progress) else {
            return;
        };
        self.next.insert(document.name.clone(), Next::Running);
        let run = Run {
            shared: Arc::clone(&self.shared),
            document,
            settings,
        };
        self.runs.spawn(async move {
            let name = run.document.name.clone();
            let next = run.until_done(progress).await;
            drop(permit);
            (name, next)
        });
    }

    fn permit(&self, progress: &WebhookProgress) -> Option<OwnedSemaphorePermit> {
        let places = if progress.failures > 0 {
            &self.failing
        } else {
            &self.healthy
        };
        Arc::clone(places).try_acquire_owned().ok()
    }

    /// Tests whether this process has the lease, and takes or renews it.
    async fn lease(&mut self) -> Result<bool, StoreError> {
        let now_ms = self.shared.clock.now_ms();
        if self.leased_until_ms.saturating_sub(now_ms) > RENEW_MS {
            return Ok(true);
        }
        let until_ms = now_ms.saturating_add(LEASE_MS);
        let holder = self.shared.holder.clone();
        let is_held = self.shared.directory.lease_webhooks(holder, now_ms, until_ms).await?;
        if !is_held && self.leased_until_ms > 0 {
            // Another node sends now, and knows.
            for webhook in self.next.keys() {
                self.shared.observer.behind(webhook, 0);
            }
        }
        self.leased_until_ms = if is_held { until_ms } else { 0 };
        Ok(is_held)
    }
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Every webhook; without settings where this version does not understand them.
    async fn webhooks(&self) -> Result<Vec<(Document, Option<WebhookSettings>)>, StoreError> {
        let (mut found, mut page) = (Vec::new(), Page::first(narthex_directory::PAGE_LIMIT_MAX));
        loop {
            let part = self.directory.documents(DocumentKind::Webhook, None, page).await?;
            let with_settings = |document: Document| {
                let settings = WebhookSettings::read(&document.body);
                (document, settings)
            };
            found.extend(part.items.into_iter().map(with_settings));
            match part.next_cursor {
                Some(next) => page = Page::after(next, narthex_directory::PAGE_LIMIT_MAX),
                None => return Ok(found),
            }
        }
    }

    /// Number of the newest event; 0 if there is none.
    async fn newest_event(&self) -> Result<u64, StoreError> {
        let newest = self.directory.events(EventFilter::default(), Page::first(1)).await?;
        Ok(newest.items.first().map_or(0, |event| event.sequence))
    }

    /// Stores where a new webhook begins: after the event of its creation.
    async fn start(&self, webhook: &str, newest: u64) -> Result<(), StoreError> {
        let cursor = self.created(webhook, newest).await?;
        let settlement = Settlement {
            progress: WebhookProgress::after(webhook, cursor),
            waiting: Vec::new(),
            delivered: Vec::new(),
            attempts: Vec::new(),
            at_ms: self.clock.now_ms(),
        };
        self.directory.settle_webhook(self.holder.clone(), settlement).await?;
        Ok(())
    }

    /// Number of the event that created a webhook: those after it are sent. `newest` if it is not there.
    async fn created(&self, webhook: &str, newest: u64) -> Result<u64, StoreError> {
        let filter = EventFilter {
            action: Some("webhook.created".to_owned()),
            order: EventOrder::NewestFirst,
            ..EventFilter::default()
        };
        let mut page = Page::first(narthex_directory::PAGE_LIMIT_MAX);
        for _ in 0..PAGES_MAX {
            let part = self.directory.events(filter.clone(), page).await?;
            let is_its = |name: Option<&serde_json::Value>| name.and_then(serde_json::Value::as_str) == Some(webhook);
            let found = part
                .items
                .iter()
                .find(|recorded| is_its(recorded.event.detail.get("name")));
            if let Some(found) = found {
                return Ok(found.sequence);
            }
            match part.next_cursor {
                Some(next) => page = Page::after(next, narthex_directory::PAGE_LIMIT_MAX),
                None => break,
            }
        }
        Ok(newest)
    }
}
