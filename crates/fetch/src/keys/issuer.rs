//! The keys of one issuer: the loop of *ask the state machine, fetch, tell it* around a snapshot
//! that requests read without a lock.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use narthex_token::{
    Answer, CacheSettings, FetchId, FetchOutcome, KeyCache, KeySet, KeySetLimits, KeySnapshot, LastGood, Tick,
    VerifyError,
};
use tokio::sync::{OnceCell, Semaphore, watch};

use super::fetch::FetchLimits;
use super::flight;
use super::health::IssuerHealth;
use super::source::{KeySource, Reader, SourceKind};
use super::store::KeySetStore;
use crate::ssrf_guard::{Names, SystemNames};
use narthex_clock::Clock;

/// How the keys of an issuer are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// The numbers of the state machine. `refresh_ahead_percent` is moved by up to five either way
    /// for each issuer, so that nodes and issuers do not all fetch at once.
    pub cache: CacheSettings,
    /// The bounds of one fetch.
    pub fetch: FetchLimits,
    /// How long a request waits for a fetch, at most.
    pub wait: Duration,
    /// How many requests wait at the same time, at most; one more is answered at once with
    /// `keys.unavailable`.
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

/// What key fetching needs from its surroundings.
#[derive(Clone)]
pub struct KeyEdges {
    /// The time.
    pub clock: Clock,
    /// Host names to addresses.
    pub names: Arc<dyn Names>,
    /// Where last good sets are kept, if anywhere.
    pub store: Option<Arc<dyn KeySetStore>>,
    /// Who is told of fetches, if anybody.
    pub observer: Option<Arc<dyn FetchObserver>>,
}

impl KeyEdges {
    /// The system's resolver, no store, nobody told.
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

/// Is told of every fetch that ended, for metrics.
pub trait FetchObserver: Send + Sync {
    /// A fetch ended.
    fn fetched(&self, fetch: &FetchEvent<'_>);
}

/// One fetch that ended.
#[derive(Debug, Clone, Copy)]
pub struct FetchEvent<'a> {
    /// The issuer's configured name.
    pub issuer: &'a str,
    /// `ok`, or the word of [`super::FetchError::kind`].
    pub outcome: &'static str,
    /// How long it took.
    pub duration: Duration,
    /// How many keys can be used now.
    pub usable_count: usize,
}

/// What became of a refresh that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// The set was read, now or by a fetch that was already under way.
    Read,
    /// It could not be read.
    Failed {
        /// Why, for the operator.
        why: String,
    },
    /// The issuer was asked a moment ago; nothing was done.
    TooSoon {
        /// When asking again makes sense.
        retry_after_seconds: u32,
    },
    /// These keys are part of the configuration; reload that.
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
    /// What requests verify with.
    pub(super) published: ArcSwap<KeySnapshot>,
    /// `None` for fixed keys, which are published once and for all.
    pub(super) fetched: Option<FetchedKeys>,
}

/// What only keys that are fetched need.
pub(super) struct FetchedKeys {
    pub(super) reader: Reader,
    pub(super) settings: KeySettings,
    // INVARIANT: held for a few instructions, never over an await.
    cache: Mutex<KeyCache>,
    restored: OnceCell<()>,
    /// The last fetch that ended. Its value only grows, so a waiter cannot miss it.
    pub(super) ended: watch::Sender<Option<FetchId>>,
    waiting: Semaphore,
}

impl FetchedKeys {
    pub(super) fn cache(&self) -> MutexGuard<'_, KeyCache> {
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
    /// The keys of `issuer`, its configured name. Asks nobody yet: see [`IssuerKeys::keep_fresh`].
    pub fn new(issuer: impl Into<String>, source: KeySource, edges: KeyEdges, settings: KeySettings) -> Self {
        let issuer = issuer.into();
        let (published, fetched) = match Reader::new(&source, &edges.names, settings.fetch) {
            Err(fixed) => (fixed, None),
            Ok(reader) => {
                let cache = KeyCache::new(spread(&settings, &issuer));
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

    /// The issuer's configured name.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Whether a reload may go on with these keys: the source and the settings are the same. Fixed keys are never kept,
    /// and those of a file only while it holds what they were read from.
    // SECURITY: whoever takes a key out of a file has to know from when on it is refused.
    pub fn keeps(&self, source: &KeySource, settings: &KeySettings) -> bool {
        self.0.source.is_same(source)
            && self
                .0
                .fetched
                .as_ref()
                .is_some_and(|fetched| fetched.settings == *settings && fetched.reader.has_read(source))
    }

    /// Where the keys come from.
    pub fn source(&self) -> &KeySource {
        &self.0.source
    }

    /// What to verify with now, with its epoch and its end. Takes no lock and never waits.
    pub fn snapshot(&self) -> Arc<KeySnapshot> {
        self.0.published.load_full()
    }

    /// The keys to verify with now. Takes no lock and never waits.
    ///
    /// # Errors
    ///
    /// [`VerifyError::KeysUnavailable`] when there are none: never fetched, or stale for too long.
    pub fn current(&self, now_ms: i64) -> Result<Arc<KeySet>, VerifyError> {
        self.0.published.load().keys(now_ms).cloned()
    }

    /// Moves whenever a key leaves; what was decided with an older epoch may rest on that key.
    pub fn epoch(&self) -> u64 {
        self.0.published.load().epoch()
    }

    /// Until when the keys may be used, in milliseconds since the epoch, if no fetch succeeds.
    pub fn usable_until_ms(&self) -> i64 {
        self.0.published.load().usable_until_ms()
    }

    /// Verifies with the keys of now and, where that fails for want of the right key, once more
    /// with newer ones. Gives what `verify` gave, and the snapshot it was given from: its epoch and
    /// its end bound how long the result may be remembered.
    ///
    /// `verify` is called once in the ordinary case, and a few times at most.
    ///
    /// # Errors
    ///
    /// The first error of `verify` that newer keys cannot mend, or [`VerifyError::KeysUnavailable`]
    /// when the issuer could not be asked.
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

    /// What to do about a token that `seen` had no fitting key for: gives a snapshot to verify with
    /// once more, fetching it if need be, or the error to answer with.
    ///
    /// `seen` must be the snapshot that was verified with: if another has been published since, that
    /// one is given and nobody is asked.
    ///
    /// # Errors
    ///
    /// `error` itself where newer keys would not help or the issuer was asked a moment ago, and
    /// [`VerifyError::KeysUnavailable`] where the issuer could not be asked.
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
        // SECURITY: random key names must not pile up requests without bound behind a slow issuer.
        let Ok(_waiting) = fetched.waiting.try_acquire() else {
            return Err(soon);
        };
        if flight::ended(fetched, id, fetched.settings.wait).await {
            Ok(self.snapshot())
        } else {
            Err(soon)
        }
    }

    /// Fetches if it is time to, and waits for that fetch. Gives the time to come again, in
    /// milliseconds since the epoch. [`IssuerKeys::keep_fresh`] does nothing but call this.
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

    /// Keeps the keys fresh in the background for as long as a clone of this is held: reads the
    /// last good set from the store, fetches, and fetches again ahead of the set's end.
    ///
    /// Returns at once; must be called inside a tokio runtime.
    pub fn keep_fresh(&self) {
        if self.0.fetched.is_some() {
            tokio::spawn(flight::keep_fresh(Arc::downgrade(&self.0)));
        }
    }

    /// Fetches now because somebody asked to, and waits for it.
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

    /// The state of these keys, for people.
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

    /// Takes the last good set from the store, once. Whoever comes second waits for the first, so
    /// that no request is refused because the store is still being read.
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
        // SECURITY: keys of another place are not this issuer's any more.
        let Some(stored) = stored.filter(|stored| Some(&stored.source) == self.0.source.location().as_ref()) else {
            return;
        };
        let limits = KeySetLimits {
            bytes_max: fetched.settings.fetch.body_bytes,
            keys_max: fetched.settings.fetch.keys,
        };
        let Ok(keys) = KeySet::from_jwks(&stored.body, &limits) else {
            return tracing::warn!(issuer, "the last good key set in the store is no key set");
        };
        let times = LastGood {
            fetched_at_ms: stored.fetched_at_ms,
            fresh_until_ms: stored.fresh_until_ms,
        };
        let used = self.0.tell(|cache, now_ms| {
            let used = cache.restore(keys, times, now_ms);
            (used.then(|| cache.snapshot()), used)
        });
        if used == Some(true) {
            tracing::info!(issuer, "the last good key set was restored");
        }
    }
}

impl Inner {
    /// Where the last good set is kept. Not one of a file, which is nearer than any copy of it.
    // SECURITY: a key that was taken out of the file must not come back from a copy.
    pub(super) fn key_set_store(&self) -> Option<&dyn KeySetStore> {
        self.edges
            .store
            .as_deref()
            .filter(|_| self.source.kind() != SourceKind::JwksFile)
    }

    /// Talks to the state machine and publishes what comes of it, in one step, so that an older
    /// snapshot never takes the place of a newer one. `None` for fixed keys.
    pub(super) fn tell<T>(&self, say: impl FnOnce(&mut KeyCache, i64) -> (Option<KeySnapshot>, T)) -> Option<T> {
        let mut cache = self.fetched.as_ref()?.cache();
        let (snapshot, value) = say(&mut cache, self.edges.clock.now_ms());
        if let Some(snapshot) = snapshot {
            self.published.store(Arc::new(snapshot));
        }
        Some(value)
    }

    /// Reports the end of a fetch and publishes what it brought.
    pub(super) fn landed(&self, id: FetchId, outcome: FetchOutcome) -> Option<narthex_token::Fetched> {
        let landed = self.tell(|cache, now_ms| {
            let landed = cache.fetched(id, outcome, now_ms);
            (Some(landed.snapshot.clone()), landed)
        });
        if let Some(fetched) = &self.fetched {
            fetched.ended.send_modify(|last| *last = (*last).max(Some(id)));
        }
        landed
    }
}

/// Whether newer keys could change the answer.
pub fn may_be_mended(error: &VerifyError) -> bool {
    error.is_key_miss() || matches!(error, VerifyError::KeysUnavailable { .. })
}

/// The numbers of the state machine for one issuer: its refresh a little earlier or later than others', and no fetch
/// given up that may still be running.
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

/// How often a token is verified at most. Three covers the longest way there is: without its key,
/// with the set of a fetch that was already under way, with the set fetched for it.
pub const ROUNDS: u32 = 4;
/// What parsing a set and a busy machine may add to the time of a fetch.
const GRACE: Duration = Duration::from_secs(5);
