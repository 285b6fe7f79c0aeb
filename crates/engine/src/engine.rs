//! The engine: the state that all doors share, and its upkeep.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use narthex_assertion::{AssertionError, AssertionSettings, AssertionSigner};
use narthex_directory::{Actor, AuditEvent, Directory, StoreError, Versions};
use thiserror::Error;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::cache::by_identity::AccountCache;
use crate::cache::by_token::TokenCache;
use crate::event::Event;
use crate::freshness::DirectoryContact;
use crate::issuer_refusals::IssuerRefusals;
use crate::machine_key::MachineKeyUses;
use crate::metrics::Metrics;
use crate::recent_denials;
use crate::runtime::Runtime;
use crate::session::SessionCache;
use crate::spent_states::SpentStates;
use crate::switch::Switch;
use crate::via::Via;
use narthex_clock::{Clock, NoEntropy, RequestIds, SetBack, random_bytes};
use narthex_dpop::Nonces;
use narthex_listener::log_throttle::LogThrottle;
use narthex_revocation::Revocations;

/// Sizes and times that hold for the life of the process.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Settings of assertions.
    pub assertion: AssertionSettings,
    /// Upper limit of the bytes that cached tokens may take.
    pub token_cache_bytes: u64,
    /// Upper limit of the bytes that cached accounts may take.
    pub account_cache_bytes: u64,
    /// Time for which cached answers are served while the directory is unreachable.
    pub offline_max: Duration,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            assertion: AssertionSettings::default(),
            token_cache_bytes: 40 * 1024 * 1024,
            account_cache_bytes: 64 * 1024 * 1024,
            offline_max: Duration::from_mins(5),
        }
    }
}

/// Error that keeps the engine from starting.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The assertion keys could not be prepared.
    #[error("while preparing the assertion keys: {0}")]
    Assertion(#[from] AssertionError),
    /// The random source failed.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

/// The state that all doors share: the configuration in use, the directory, the caches, the keys that sign.
pub struct Engine {
    /// The clock.
    pub clock: Clock,
    /// The configuration in use; a reload swaps it whole.
    pub runtime: ArcSwap<Runtime>,
    /// The directory.
    pub directory: Arc<dyn Directory>,
    /// Version numbers of the directory; one moves when a cached answer may have become stale.
    pub versions: Arc<Versions>,
    /// Time of the last contact with the directory.
    pub contact: DirectoryContact,
    /// The change from one configuration to the next.
    switch: Switch,
    /// Cached answers by token.
    pub callers: TokenCache,
    /// Cached answers by identity.
    pub accounts: AccountCache,
    /// Open sessions.
    pub(crate) sessions: SessionCache,
    /// States of sign-ins that came back to this node.
    pub spent_states: SpentStates,
    /// Uses of machine keys that wait to be recorded.
    pub(crate) machine_key_uses: MachineKeyUses,
    /// Nonces for proofs of possession, where the configuration has no key that nodes share.
    pub(crate) dpop_nonces: Nonces,
    /// Signs assertions.
    pub assertions: AssertionSigner,
    /// The mark of requests that this process has forwarded.
    pub via: Via,
    /// Source of request numbers.
    pub request_ids: RequestIds,
    /// Tokens that an administrator revoked.
    pub revocations: Revocations,
    /// The last refused tokens of each issuer.
    pub issuer_refusals: IssuerRefusals,
    /// Counters and durations.
    pub metrics: Arc<Metrics>,
    /// Throttle of log lines about a directory that gives no answer: it fails every request that asks it.
    pub no_answer: LogThrottle,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("callers", &self.callers)
            .field("accounts", &self.accounts)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Creates an engine over a directory, with its first configuration.
    ///
    /// # Errors
    ///
    /// [`EngineError`].
    pub async fn new(
        settings: EngineSettings,
        clock: Clock,
        directory: Arc<dyn Directory>,
        runtime: Runtime,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, EngineError> {
        let assertions = AssertionSigner::open(settings.assertion, &*directory, clock.now_ms()).await?;
        Ok(Arc::new(Self {
            versions: Arc::clone(directory.versions()),
            runtime: ArcSwap::from_pointee(runtime),
            contact: DirectoryContact::new(settings.offline_max),
            switch: Switch::default(),
            callers: TokenCache::new(settings.token_cache_bytes)?,
            accounts: AccountCache::new(settings.account_cache_bytes)?,
            sessions: SessionCache::default(),
            spent_states: SpentStates::default(),
            machine_key_uses: MachineKeyUses::default(),
            revocations: Revocations::default(),
            issuer_refusals: IssuerRefusals::default(),
            dpop_nonces: Nonces::new(&random_bytes::<32>()?),
            assertions,
            via: Via::new()?,
            request_ids: RequestIds::new()?,
            metrics,
            no_answer: LogThrottle::new(),
            clock,
            directory,
        }))
    }

    /// Takes a new configuration into use, together with the organizations that it `declares` in the directory.
    /// Requests under way finish with the configuration that they began with; cached answers end with the old one.
    ///
    /// # Errors
    ///
    /// The error of `declares`; then nothing has changed.
    pub async fn reload<E>(&self, runtime: Runtime, declares: impl Future<Output = Result<(), E>>) -> Result<(), E> {
        let generation = runtime.generation;
        let switching = self.switch.begin(&self.versions);
        declares.await?;
        self.runtime.store(Arc::new(runtime));
        drop(switching);
        Event::Reloaded { generation }.tell(&self.metrics);
        let mut event = AuditEvent::new("configuration.reloaded", Actor::Configuration, self.clock.now_ms());
        event.detail.insert("generation".to_owned(), generation.into());
        // The configuration is in use, whether or not the directory takes the event.
        if let Err(error) = self.directory.record(event).await {
            self.failed("recording the new configuration in the audit trail", &error);
        }
        Ok(())
    }

    /// Tests whether a decision that was just made stands: its configuration is in use, and the organizations that it
    /// may have read belong to it.
    pub async fn stands(&self, runtime: &Runtime) -> bool {
        if self.switch.is_under_way() {
            Box::pin(self.switch.settled(&self.versions)).await;
        }
        self.runtime.load().generation == runtime.generation
    }

    /// Runs the background tasks until it is dropped.
    ///
    /// The tasks are independent: one that waits for its turn to write, perhaps behind a node that has stopped, must
    /// not keep this node from hearing of changes.
    pub async fn run_background(&self) {
        tokio::join!(
            self.hear(),
            self.write_down(),
            self.keep_denials(),
            self.keep_house(),
            self.mind_the_clock()
        );
    }

    /// Hears of changes by another process (the command line on this host, another node).
    async fn hear(&self) {
        let failed = |error: &StoreError| self.failed("looking for changes made elsewhere", error);
        self.contact.keep_asking(&*self.directory, &self.clock, failed).await;
    }

    /// Writes data that a crash would lose and that other nodes do not know yet.
    async fn write_down(&self) {
        let mut second = every(Duration::from_secs(1));
        loop {
            second.tick().await;
            if let Err(error) = self.directory.flush().await {
                self.failed("writing down which tokens are the newest and who was seen", &error);
            }
            if let Err(error) = self.machine_key_uses.record(&*self.directory).await {
                self.failed("recording the uses of machine keys", &error);
            }
        }
    }

    /// Keeps denials for all nodes to look up.
    async fn keep_denials(&self) {
        let mut turns = every(recent_denials::TURN);
        let mut is_failing = false;
        loop {
            turns.tick().await;
            let kept = self.metrics.denials.keep(&*self.directory, self.clock.now_ms()).await;
            if let Some(error) = kept.as_ref().err().filter(|_| !is_failing) {
                self.failed("keeping denials for an hour", error);
            }
            is_failing = kept.is_err();
        }
    }

    /// SECURITY: a cached answer lives for a minute by the clock; if the clock were set back, it would live longer.
    async fn mind_the_clock(&self) {
        let (started, mut set_back) = (Instant::now(), SetBack::default());
        let mut turns = every(Duration::from_millis(250));
        loop {
            turns.tick().await;
            if set_back.since(self.clock.now_ms(), started.elapsed()) {
                self.callers.clear();
                tracing::warn!(
                    event = "clock_set_back",
                    "the clock was set back; cached answers are forgotten"
                );
            }
        }
    }

    async fn keep_house(&self) {
        let mut half_minute = every(Duration::from_secs(30));
        loop {
            half_minute.tick().await;
            self.each_half_minute().await;
        }
    }

    async fn each_half_minute(&self) {
        let at_ms = self.clock.now_ms();
        let by = narthex_directory::By {
            actor: narthex_directory::Actor::System,
            at_ms,
        };
        if let Err(error) = self.directory.close_lapsed(LAPSED_PER_ROUND, by).await {
            self.failed("closing lapsed grants", &error);
        }
        if let Err(error) = self.directory.delete_lapsed_sessions(LAPSED_PER_ROUND, at_ms).await {
            self.failed("deleting sessions that have ended", &error);
        }
        if let Err(error) = self.directory.keep_denials(Vec::new(), at_ms).await {
            self.failed("deleting denials that are an hour old", &error);
        }
        if let Err(error) = self.assertions.rotate(&*self.directory, at_ms).await {
            self.failed("rotating the assertion keys", &error);
        }
        self.revocations.forget_expired(at_ms);
        self.metrics.upkeep();
    }

    fn failed(&self, task: &'static str, error: &dyn std::fmt::Display) {
        Event::BackgroundFailed {
            task,
            error: &error.to_string(),
        }
        .tell(&self.metrics);
    }
}

/// Returns an interval of this length; its first tick comes after one period.
fn every(period: Duration) -> Interval {
    let mut turns = tokio::time::interval_at(Instant::now() + period, period);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns
}

/// Upper limit of lapsed grants closed, and of sessions deleted, in one round, so that many of them do not hold up the writer.
const LAPSED_PER_ROUND: usize = 1_000;
