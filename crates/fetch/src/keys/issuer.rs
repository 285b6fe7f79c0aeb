//! The keys of one issuer: a loop (ask the state machine, fetch, report the result) around a snapshot that requests
//! read without a lock.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use narthex_token::{
    Answer, CacheSettings, FetchId, FetchOutcome, KeyOutcome, KeySet, KeySnapshot, KeysFault, LastGood, Tick,
    VerifyError,
};
use tokio::sync::{OnceCell, Semaphore, watch};

use super::cache::{Cache, Outcome};
use super::fetch::FetchLimits;
use super::flight;
use super::health::IssuerHealth;
use super::source::{KeySource, Reader, SourceKind};
use super::store::KeySetStore;
use crate::ssrf_guard::{Names, SystemNames};
use narthex_clock::Clock;

/// Settings of an issuer's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// Parameters of the state machine. `refresh_ahead_percent` is moved by up to five either way for each issuer, so
    /// that nodes and issuers do not all fetch at once.
    pub cache: CacheSettings,
    /// Limits of one fetch.
    pub fetch: FetchLimits,
    /// Upper limit of the time that a request waits for a fetch.
    pub wait: Duration,
    /// Upper limit of requests that wait at the same time; a further one is answered at once with `keys.unavailable`.
    pub waiting_max: usize,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            cache: CacheSettings::default(),
            fetch: FetchLimits::default(),
            wait: Duration::from_secs(6),
            waiting_max: 256,
        }
    }
}

/// Dependencies of key fetching.
#[derive(Clone)]
pub struct KeyEdges {
    /// Clock.
    pub clock: Clock,
    /// Resolver of host names.
    pub names: Arc<dyn Names>,
    /// Store of the last good key sets, if there is one.
    pub store: Option<Arc<dyn KeySetStore>>,
    /// Observer of fetches, if there is one.
    pub observer: Option<Arc<dyn FetchObserver>>,
}

impl KeyEdges {
    /// Creates dependencies with the system's resolver, and with neither store nor observer.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            names: Arc::new(SystemNames),
            store: None,
            observer: None,
        }
    }
}

impl fmt::Debug for KeyEdges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyEdges")
            .field("clock", &self.clock)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// Observer of every fetch that ended, for metrics.
pub trait FetchObserver: Send + Sync {
    /// Called when a fetch has ended.
    fn fetched(&self, fetch: &FetchEvent<'_>);
}

/// One fetch that ended.
#[derive(Debug, Clone, Copy)]
pub struct FetchEvent<'a> {
    /// Configured name of the issuer.
    pub issuer: &'a str,
    /// `ok`, or the word of [`super::FetchError::kind`].
    pub outcome: &'static str,
    /// Duration of the fetch.
    pub duration: Duration,
    /// Number of keys that are usable now.
    pub usable_count: usize,
}

/// Result of a refresh that an administrator asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// The set was read, now or by a fetch that was already under way.
    Read,
    /// It could not be read.
    Failed {
        /// The cause, for the operator.
        why: String,
    },
    /// The issuer was asked a moment ago; nothing was done.
    TooSoon {
        /// Time after which another attempt makes sense, in seconds.
        retry_after_seconds: u32,
    },
    /// These keys are part of the configuration; reload the configuration instead.
    Fixed,
}

/// The keys of one issuer. Clones share them.
#[derive(Clone)]
pub struct IssuerKeys(pub(super) Arc<Inner>);

/// One issuer's keys, shared by requests, the background task and a fetch under way.
pub(super) struct Inner {
    pub(super) issuer: String,
    pub(super) source: KeySource,
    pub(super) edges: KeyEdges,
    /// Snapshot that requests verify with.
    pub(super) published: ArcSwap<KeySnapshot>,
    /// `None` for fixed keys, which are published once.
    pub(super) fetched: Option<FetchedKeys>,
}

/// State of keys that are fetched.
pub(super) struct FetchedKeys {
    pub(super) reader: Reader,
    pub(super) settings: KeySettings,
    // INVARIANT: held for a few instructions, never over an await.
    cache: Mutex<Cache>,
    restored: OnceCell<()>,
    /// The last fetch that ended, in the order of their beginnings: tells waiters that one has.
    pub(super) ended: watch::Sender<Option<FetchId>>,
    waiting: Semaphore,
}

impl FetchedKeys {
    pub(super) fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerKeys")
            .field("issuer", &self.0.issuer)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl IssuerKeys {
    /// Creates the keys of `issuer`, its configured name. It fetches nothing yet: see [`IssuerKeys::keep_fresh`].
    pub fn new(issuer: impl Into<String>, source: KeySource, edges: KeyEdges, settings: KeySettings) -> Self {
        let issuer = issuer.into();
        let (published, fetched) = match Reader::new(&source, &edges.names, settings.fetch) {
            Err(fixed) => (fixed, None),
            Ok(reader) => {
                let by_id = reader.is_by_id().then(|| reader.key_limits());
                let cache = Cache::new(spread(&settings, &issuer), by_id);
                let published = cache.snapshot();
                let fetched = FetchedKeys {
                    reader,
                    waiting: Semaphore::new(settings.waiting_max),
                    settings,
                    cache: Mutex::new(cache),
                    restored: OnceCell::new(),
                    ended: watch::Sender::new(None),
                };
                (published, Some(fetched))
            }
        };
        Self(Arc::new(Inner {
            issuer,
            source,
            edges,
            published: ArcSwap::from_pointee(published),
            fetched,
        }))
    }

    /// Returns the configured name of the issuer.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Tests whether a reload may keep these keys: the source and the settings are the same. Fixed keys are never kept;
    /// keys of a file are kept only while the file has the contents that they were read from.
    // SECURITY: an operator who removes a key from a file must know from when on it is refused.
    pub fn keeps(&self, source: &KeySource, settings: &KeySettings) -> bool {
        self.0.source.is_same(source)
            && self
                .0
                .fetched
                .as_ref()
                .is_some_and(|fetched| fetched.settings == *settings && fetched.reader.has_read(source))
    }

    /// Returns the source of the keys.
    pub fn source(&self) -> &KeySource {
        &self.0.source
    }

    /// Returns the snapshot to verify with now, with its epoch and its end. Takes no lock and never waits.
    pub fn snapshot(&self) -> Arc<KeySnapshot> {
        self.0.published.load_full()
    }

    /// Returns the keys to verify with now. Takes no lock and never waits.
    ///
    /// # Errors
    ///
    /// [`VerifyError::KeysUnavailable`] if there are none: never fetched, or stale for too long.
    pub fn current(&self, now_ms: i64) -> Result<Arc<KeySet>, VerifyError> {
        self.0.published.load().keys(now_ms).cloned()
    }

    /// Returns the epoch, which moves whenever a key leaves; a decision made in an older epoch may rest on that key.
    pub fn epoch(&self) -> u64 {
        self.0.published.load().epoch()
    }

    /// Returns the time until which the keys may be used if no fetch succeeds, in milliseconds since the epoch.
    pub fn usable_until_ms(&self) -> i64 {
        self.0.published.load().usable_until_ms()
    }

    /// Verifies with the present keys and, if that fails because the right key is missing, once more with newer ones.
    /// Returns the result of `verify`, and the snapshot that gave it: its epoch and its end limit how long the result
    /// may be cached.
    ///
    /// `verify` is called once in the ordinary case, and a few times at most.
    ///
    /// # Errors
    ///
    /// The first error of `verify` that newer keys cannot fix, or [`VerifyError::KeysUnavailable`] if the issuer could
    /// not be asked.
    pub async fn verify_with<T>(
        &self,
        now_ms: i64,
        mut verify: impl FnMut(&KeySet) -> Result<T, VerifyError>,
    ) -> Result<(T, Arc<KeySnapshot>), VerifyError> {
        let mut seen = self.snapshot();
        let mut rounds = 0;
        loop {
            let error = match seen.keys(now_ms).and_then(|keys| verify(keys)) {
                Ok(value) => return Ok((value, seen)),
                Err(error) => error,
            };
            rounds += 1;
            if rounds == ROUNDS || !may_be_mended(&error) {
                return Err(error);
            }
            seen = self.after_miss(error, &seen).await?;
        }
    }

    /// Handles a token that `seen` had no fitting key for: returns a snapshot to verify with once more, which may need
    /// a fetch, or the error to answer with.
    ///
    /// `seen` must be the snapshot that was used for verification: if another has been published since, that one is
    /// returned without a fetch.
    ///
    /// # Errors
    ///
    /// `error` itself if newer keys would not help or the issuer was asked a moment ago, and
    /// [`VerifyError::KeysUnavailable`] if the issuer could not be asked.
    pub async fn after_miss(&self, error: VerifyError, seen: &KeySnapshot) -> Result<Arc<KeySnapshot>, VerifyError> {
        let Some(fetched) = &self.0.fetched else {
            return Err(error);
        };
        self.restore().await;
        let answer = self.0.tell(|cache, now_ms| match cache.missed(&error, seen, now_ms) {
            Answer::Retry(snapshot) => (Some(snapshot.clone()), Answer::Retry(snapshot)),
            answer => (None, answer),
        });
        match answer {
            None => Err(error),
            Some(Answer::Refuse(error)) => Err(error),
            Some(Answer::Retry(snapshot)) => Ok(Arc::new(snapshot)),
            Some(Answer::Fetch(id)) => {
                flight::begin(&self.0, id);
                self.wait_for(fetched, id).await
            }
            Some(Answer::Wait(id)) => self.wait_for(fetched, id).await,
        }
    }

    async fn wait_for(&self, fetched: &FetchedKeys, id: FetchId) -> Result<Arc<KeySnapshot>, VerifyError> {
        let soon = VerifyError::KeysUnavailable {
            retry_after_seconds: 1,
            fault: None,
        };
        // SECURITY: random key ids must not make requests wait without bound for a slow issuer.
        let Ok(_waiting) = fetched.waiting.try_acquire() else {
            return Err(soon);
        };
        if flight::ended(fetched, id, fetched.settings.wait).await {
            Ok(self.snapshot())
        } else {
            Err(soon)
        }
    }

    /// Fetches if a fetch is due, and waits for it. Returns the time of the next call, in milliseconds since the epoch.
    /// [`IssuerKeys::keep_fresh`] only calls this.
    pub async fn refresh_if_due(&self) -> i64 {
        let Some(fetched) = &self.0.fetched else {
            return i64::MAX;
        };
        self.restore().await;
        loop {
            let tick = self.0.tell(|cache, now_ms| {
                let tick = cache.tick(now_ms);
                (tick.snapshot.clone(), tick)
            });
            match tick {
                None => return i64::MAX,
                Some(Tick {
                    fetch: None, next_ms, ..
                }) => return next_ms,
                Some(Tick { fetch: Some(id), .. }) => {
                    flight::begin(&self.0, id);
                    flight::ended(fetched, id, fetched.settings.fetch.total.saturating_add(GRACE)).await;
                }
            }
        }
    }

    /// Keeps the keys fresh in the background for as long as a clone of this exists: reads the last good set from the
    /// store, fetches, and fetches again before the set expires.
    ///
    /// Returns at once; must be called inside a tokio runtime.
    pub fn keep_fresh(&self) {
        if self.0.fetched.is_some() {
            tokio::spawn(flight::keep_fresh(Arc::downgrade(&self.0)));
        }
    }

    /// Fetches now because an administrator asked for it, and waits for the fetch.
    pub async fn refresh(&self) -> Refreshed {
        let Some(fetched) = &self.0.fetched else {
            return Refreshed::Fixed;
        };
        let nothing_there = VerifyError::KeysUnavailable {
            retry_after_seconds: 1,
            fault: None,
        };
        let seen = self.snapshot();
        match self.after_miss(nothing_there, &seen).await {
            Ok(_) => {
                let health = fetched.cache().health(self.0.edges.clock.now_ms());
                match health.last_error.filter(|_| health.failures_in_a_row > 0) {
                    Some(error) => Refreshed::Failed { why: error.why },
                    None => Refreshed::Read,
                }
            }
            Err(VerifyError::KeysUnavailable {
                retry_after_seconds, ..
            }) => Refreshed::TooSoon { retry_after_seconds },
            Err(error) => Refreshed::Failed { why: error.to_string() },
        }
    }

    /// Returns the state of these keys, for administrators.
    pub fn health(&self, now_ms: i64) -> IssuerHealth {
        match &self.0.fetched {
            Some(fetched) => {
                let health = fetched.cache().health(now_ms);
                let usable = self.current(now_ms).map_or(0, |keys| keys.usable_count());
                IssuerHealth::of_fetched(&self.0.issuer, &self.0.source, health, usable)
            }
            None => IssuerHealth::of_fixed(&self.0.issuer, &self.0.source, &self.snapshot(), now_ms),
        }
    }

    /// Loads the last good set from the store, once. Later callers wait for the first one, so that no request is
    /// refused because the store is still being read.
    pub async fn restore(&self) {
        if let Some(fetched) = &self.0.fetched {
            fetched.restored.get_or_init(|| self.restore_from_store(fetched)).await;
        }
    }

    async fn restore_from_store(&self, fetched: &FetchedKeys) {
        let Some(store) = self.0.key_set_store() else {
            return;
        };
        let issuer = &self.0.issuer;
        let stored = match tokio::time::timeout(fetched.settings.fetch.total, store.load(issuer)).await {
            Ok(Ok(stored)) => stored,
            Ok(Err(error)) => return tracing::warn!(issuer, %error, "the last good key set could not be loaded"),
            Err(_) => return tracing::warn!(issuer, "the last good key set could not be loaded in time"),
        };
        // SECURITY: keys from another source are no longer this issuer's.
        let Some(stored) = stored.filter(|stored| Some(&stored.source) == self.0.source.location().as_ref()) else {
            return;
        };
        let times = LastGood {
            fetched_at_ms: stored.fetched_at_ms,
            fresh_until_ms: stored.fresh_until_ms,
        };
        let limits = fetched.reader.key_limits();
        let used = self.0.tell(|cache, now_ms| {
            let used = cache.restore(&stored.body, times, &limits, now_ms);
            ((used == Some(true)).then(|| cache.snapshot()), used)
        });
        let Some(used) = used.flatten() else {
            return tracing::warn!(issuer, "the last good key set in the store is no key set");
        };
        if used {
            tracing::info!(issuer, "the last good key set was restored");
        }
    }
}

impl Inner {
    /// Returns the store of the last good set; `None` for a file, which is nearer than any copy of it.
    // SECURITY: a key that was removed from the file must not come back from a copy.
    pub(super) fn key_set_store(&self) -> Option<&dyn KeySetStore> {
        self.edges
            .store
            .as_deref()
            .filter(|_| self.source.kind() != SourceKind::JwksFile)
    }

    /// Calls the state machine and publishes its snapshot, in one step, so that an older snapshot never replaces a
    /// newer one. `None` for fixed keys.
    pub(super) fn tell<T>(&self, say: impl FnOnce(&mut Cache, i64) -> (Option<KeySnapshot>, T)) -> Option<T> {
        let mut cache = self.fetched.as_ref()?.cache();
        let (snapshot, value) = say(&mut cache, self.edges.clock.now_ms());
        if let Some(snapshot) = snapshot {
            self.published.store(Arc::new(snapshot));
        }
        Some(value)
    }

    /// Returns the outcome of a fetch that failed, of the kind of this source.
    pub(super) fn failed(&self, fault: KeysFault) -> Outcome {
        match self.source.kind() {
            SourceKind::KeyUrl => Outcome::Key(KeyOutcome::Failed(fault)),
            _ => Outcome::Set(FetchOutcome::Failed(fault)),
        }
    }

    /// Reports the end of a fetch and publishes its keys.
    pub(super) fn landed(&self, id: FetchId, outcome: Outcome) -> Option<narthex_token::FetchChanges> {
        let landed = self.tell(|cache, now_ms| {
            let landed = cache.fetched(id, outcome, now_ms);
            (landed.as_ref().map(|landed| landed.snapshot.clone()), landed)
        });
        if let Some(fetched) = &self.fetched {
            fetched.ended.send_modify(|last| *last = (*last).max(Some(id)));
        }
        landed.flatten()
    }
}

/// Tests whether newer keys could change the answer.
pub fn may_be_mended(error: &VerifyError) -> bool {
    error.is_key_miss() || matches!(error, VerifyError::KeysUnavailable { .. })
}

/// Returns the parameters of the state machine for one issuer: it refreshes a little earlier or later than others, and
/// does not give up a fetch that may still be running.
fn spread(settings: &KeySettings, issuer: &str) -> CacheSettings {
    let by = u8::try_from(RandomState::new().hash_one(issuer) % 11).unwrap_or(5);
    let percent = settings
        .cache
        .refresh_ahead_percent
        .saturating_add(by)
        .saturating_sub(5);
    let fetch_ms = i64::try_from(settings.fetch.total.saturating_add(GRACE).as_millis()).unwrap_or(i64::MAX);
    CacheSettings {
        refresh_ahead_percent: percent.clamp(1, 100),
        fetch_ms_max: settings.cache.fetch_ms_max.max(fetch_ms),
        ..settings.cache.clone()
    }
}

/// Upper limit of verifications of one token. Four cover the longest way: without its key, with a set that was published
/// meanwhile (at start, the one from the store), with the set of a fetch that was under way, with the set fetched for it.
pub const ROUNDS: u32 = 4;
/// Time that parsing a set and a busy machine may add to a fetch.
const GRACE: Duration = Duration::from_secs(5);
