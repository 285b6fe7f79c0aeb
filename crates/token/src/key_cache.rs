//! The life of a fetched key set, as a state machine without I/O.
//!
//! It is asked, it answers, and it is told. The edge holds a published [`KeySnapshot`] for the hot path and comes here,
//! behind a lock that is never held over a fetch, in three cases:
//!
//! * [`KeyCache::tick`]: when the time it gave last has come. It says whether to fetch.
//! * [`KeyCache::missed`]: a token's key was not in the snapshot, or its signature failed. It says what to do: try again,
//!   fetch, wait for the fetch under way, or refuse.
//! * [`KeyCache::fetched`]: what a fetch brought. It gives the snapshot to publish.
//!
//! Time is passed in, in milliseconds, and should not jump: feed it from one clock.

mod health;
mod lifetime;
mod unknown;

use std::sync::Arc;

use crate::error::VerifyError;
use crate::keys::{KeyHint, KeySet};

pub use health::{FetchError, KeyHealth, KeyRecord};

use health::History;
use unknown::UnknownKeys;

/// The numbers of the key cache. The defaults are the product's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// How long a set is fresh when the answer does not say.
    pub lifetime_ms_default: i64,
    /// Least lifetime, whatever the answer says.
    pub lifetime_ms_min: i64,
    /// Greatest lifetime, whatever the answer says.
    pub lifetime_ms_max: i64,
    /// At which part of its lifetime a set is fetched anew. Give each issuer a slightly different number (75 to 85), so
    /// that nodes and issuers do not all fetch at once.
    pub refresh_ahead_percent: u8,
    /// Least time between two fetches that tokens forced, and between a failed fetch and the next.
    pub cooldown_ms: i64,
    /// How long a key that a fresh set did not have is remembered as unknown.
    pub unknown_ms: i64,
    /// How many such keys are remembered.
    pub unknown_max: usize,
    /// How long known keys serve on, past their lifetime, while the issuer cannot be reached.
    pub stale_ms_max: i64,
    /// After this long a fetch that was never reported counts as failed.
    pub fetch_ms_max: i64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            lifetime_ms_default: 10 * 60_000,
            lifetime_ms_min: 30_000,
            lifetime_ms_max: 24 * 60 * 60_000,
            refresh_ahead_percent: 80,
            cooldown_ms: 30_000,
            unknown_ms: 5 * 60_000,
            unknown_max: 1024,
            stale_ms_max: 60 * 60_000,
            fetch_ms_max: 60_000,
        }
    }
}

/// The keys to use now: what an edge publishes to its request threads.
#[derive(Debug, Clone)]
pub struct KeySnapshot {
    keys: Option<Arc<KeySet>>,
    generation: u64,
    epoch: u64,
    usable_until_ms: i64,
    retry_at_ms: i64,
}

impl KeySnapshot {
    /// A set that does not change and does not age: shared secrets, one public key.
    pub fn fixed(keys: KeySet) -> Self {
        Self {
            keys: Some(Arc::new(keys)),
            generation: 0,
            epoch: 0,
            usable_until_ms: i64::MAX,
            retry_at_ms: i64::MAX,
        }
    }

    /// The keys, or [`VerifyError::KeysUnavailable`] if there never were any or they have been stale for too long.
    pub fn keys(&self, now_ms: i64) -> Result<&Arc<KeySet>, VerifyError> {
        self.keys
            .as_ref()
            .filter(|_| now_ms < self.usable_until_ms)
            .ok_or_else(|| unavailable(self.retry_at_ms, now_ms))
    }

    /// Moves whenever a key leaves the set. A cached decision remembers it, and dies when it moves.
    ///
    /// SECURITY: a key that leaves takes its cached answers along.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Until when the keys may serve, if no fetch succeeds before. A cached decision ends with it at the latest.
    pub const fn usable_until_ms(&self) -> i64 {
        self.usable_until_ms
    }
}

/// Names one fetch, so that its result is told from that of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FetchId(u64);

/// What to do about a token whose key was missed.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The set has changed meanwhile: publish this one and verify once more.
    Retry(KeySnapshot),
    /// Fetch, report to [`KeyCache::fetched`], verify once more.
    Fetch(FetchId),
    /// Somebody is fetching: wait for that, verify once more.
    Wait(FetchId),
    /// This is the answer.
    Refuse(VerifyError),
}

/// What a fetch brought.
#[derive(Debug)]
pub enum FetchOutcome {
    /// A whole, parsed set.
    Keys {
        /// The set.
        keys: KeySet,
        /// `Cache-Control` of the answer, if any.
        cache_control: Option<String>,
        /// `Age` of the answer, if any.
        age: Option<String>,
    },
    /// Nothing usable: no connection, another status, not a key set.
    Failed {
        /// Why, for people. It is shown in health reports, so it must hold no secret.
        why: String,
    },
}

/// What changed with a fetch.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// To be published.
    pub snapshot: KeySnapshot,
    /// Keys that came. Their identities, as in [`crate::KeyReport`].
    pub arrived: Vec<String>,
    /// Keys that left.
    pub left: Vec<String>,
    /// To be stored beside the document, so that the set survives a restart; `None` if the fetch failed or came too late.
    pub last_good: Option<LastGood>,
}

/// The times of a stored set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastGood {
    /// When it was fetched.
    pub fetched_at_ms: i64,
    /// Until when it was fresh.
    pub fresh_until_ms: i64,
}

/// What time brought.
#[derive(Debug, Clone)]
pub struct Tick {
    /// Fetch, and report to [`KeyCache::fetched`].
    pub fetch: Option<FetchId>,
    /// To be published: the keys have been stale for too long.
    pub snapshot: Option<KeySnapshot>,
    /// When to come again, at the latest.
    pub next_ms: i64,
}

/// The key cache of one issuer.
#[derive(Debug)]
pub struct KeyCache {
    settings: CacheSettings,
    held: Option<Held>,
    flight: Option<Flight>,
    fetches_begun: u64,
    contact: Contact,
    /// No fetch by the timer before this.
    retry_at_ms: i64,
    /// When the cooldown was last claimed.
    claimed_at_ms: Option<i64>,
    unknown: UnknownKeys,
    generation: u64,
    epoch: u64,
    history: History,
}

/// The set in use.
#[derive(Debug)]
struct Held {
    keys: Arc<KeySet>,
    times: LastGood,
    refresh_at_ms: i64,
    usable_until_ms: i64,
    /// Stale for too long: kept to compare with the next set, no longer served.
    lapsed: bool,
}

/// A fetch under way.
#[derive(Debug)]
struct Flight {
    id: FetchId,
    begun_at_ms: i64,
    /// The key it was begun for. Only this one is proved unknown by a set that lacks it: others asked later.
    wanted: Option<KeyHint>,
}

/// How the last fetch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contact {
    Never,
    Made,
    Lost,
}

impl KeyCache {
    /// An empty cache. Its first [`KeyCache::tick`] asks for a fetch.
    pub fn new(settings: CacheSettings) -> Self {
        Self {
            unknown: UnknownKeys::new(settings.unknown_max),
            settings,
            held: None,
            flight: None,
            fetches_begun: 0,
            contact: Contact::Never,
            retry_at_ms: i64::MIN,
            claimed_at_ms: None,
            generation: 0,
            epoch: 0,
            history: History::default(),
        }
    }

    /// Takes a stored last good set, if none is held yet and it is not too old to serve. Says whether it did.
    ///
    /// The stored times are believed only as far as a fetch right now could have given them.
    pub fn restore(&mut self, keys: KeySet, stored: LastGood, now_ms: i64) -> bool {
        let fetched_at_ms = stored.fetched_at_ms.min(now_ms);
        let fresh_until_ms = stored
            .fresh_until_ms
            .min(fetched_at_ms.saturating_add(self.settings.lifetime_ms_max));
        let usable_until_ms = fresh_until_ms.saturating_add(self.settings.stale_ms_max);
        if self.held.is_some() || now_ms >= usable_until_ms {
            return false;
        }
        self.history.note(&keys, fetched_at_ms);
        self.generation += 1;
        self.held = Some(Held {
            keys: Arc::new(keys),
            times: LastGood {
                fetched_at_ms,
                fresh_until_ms,
            },
            // Whatever it says, ask the issuer first thing.
            refresh_at_ms: i64::MIN,
            usable_until_ms,
            lapsed: false,
        });
        true
    }

    /// What to publish now.
    pub fn snapshot(&self) -> KeySnapshot {
        let held = self.held.as_ref().filter(|held| !held.lapsed);
        KeySnapshot {
            keys: held.map(|held| Arc::clone(&held.keys)),
            generation: self.generation,
            epoch: self.epoch,
            usable_until_ms: held.map_or(i64::MIN, |held| held.usable_until_ms),
            retry_at_ms: self.retry_at_ms,
        }
    }

    /// Lets time pass: asks for a fetch ahead of the set's end, and lets a set lapse that has been stale for too long.
    pub fn tick(&mut self, now_ms: i64) -> Tick {
        let lapsed = self.settle(now_ms);
        let fetch = (self.flight.is_none() && now_ms >= self.due_at_ms()).then(|| self.begin(None, now_ms));
        Tick {
            fetch,
            snapshot: lapsed.then(|| self.snapshot()),
            next_ms: self.next_ms(),
        }
    }

    /// A token could not be verified with the keys of `seen`: its key was unknown, its signature did not fit, or there were
    /// no keys. Ask again with the new error after a retry; the answer is then final, or a wait for another fetch.
    ///
    /// SECURITY: anybody can send tokens with random `kid`s or signatures. Each fetch they force claims the cooldown
    /// *before* it begins, and again when it fails, whether or not any key is held.
    pub fn missed(&mut self, error: &VerifyError, seen: &KeySnapshot, now_ms: i64) -> Answer {
        self.settle(now_ms);
        if self.generation != seen.generation {
            return Answer::Retry(self.snapshot());
        }
        let wanted = match error {
            VerifyError::KeyUnknown { hint, .. } if self.unknown.contains(hint, now_ms) => {
                return Answer::Refuse(error.clone());
            }
            VerifyError::KeyUnknown { hint, .. } => Some(hint.clone()),
            VerifyError::Signature { .. } | VerifyError::KeysUnavailable { .. } => None,
            _ => return Answer::Refuse(error.clone()),
        };
        if let Some(flight) = &self.flight {
            return Answer::Wait(flight.id);
        }
        if self.is_cooling_down(now_ms) {
            return Answer::Refuse(self.undecidable(error, now_ms).unwrap_or_else(|| error.clone()));
        }
        self.claimed_at_ms = Some(now_ms);
        Answer::Fetch(self.begin(wanted, now_ms))
    }

    /// What a fetch brought. A result that comes too late, after the fetch was given up, changes nothing.
    pub fn fetched(&mut self, id: FetchId, outcome: FetchOutcome, now_ms: i64) -> Fetched {
        self.settle(now_ms);
        let Some(flight) = self.flight.take_if(|flight| flight.id == id) else {
            return self.unchanged();
        };
        match outcome {
            FetchOutcome::Keys {
                keys,
                cache_control,
                age,
            } => {
                let lifetime_ms = lifetime::lifetime_ms(cache_control.as_deref(), age.as_deref(), &self.settings);
                self.replace(keys, lifetime_ms, flight.wanted, now_ms)
            }
            FetchOutcome::Failed { why } => {
                self.fail(why, now_ms);
                self.unchanged()
            }
        }
    }

    /// The state for people.
    pub fn health(&self, now_ms: i64) -> KeyHealth {
        let held = self.held.as_ref();
        KeyHealth {
            serving: held.is_some_and(|held| now_ms < held.usable_until_ms),
            keys: self.history.records(),
            refused: held.map(|held| held.keys.refused().to_vec()).unwrap_or_default(),
            fetched_at_ms: held.map(|held| held.times.fetched_at_ms),
            age_ms: held.map(|held| now_ms.saturating_sub(held.times.fetched_at_ms)),
            fresh_until_ms: held.map(|held| held.times.fresh_until_ms),
            usable_until_ms: held.map(|held| held.usable_until_ms),
            next_refresh_ms: self.due_at_ms().max(now_ms),
            fetching: self.flight.is_some(),
            failures_in_a_row: self.history.failures_in_a_row(),
            last_error: self.history.last_error().cloned(),
            unknown_keys: self.unknown.count(now_ms),
            epoch: self.epoch,
        }
    }

    /// Replaces the set. It is whole: it was parsed before it came here.
    fn replace(&mut self, keys: KeySet, lifetime_ms: i64, wanted: Option<KeyHint>, now_ms: i64) -> Fetched {
        let (arrived, left) = self.history.note(&keys, now_ms);
        if !left.is_empty() {
            // SECURITY: decisions that rest on a key that left must not outlive it.
            self.epoch += 1;
        }
        let unserved = self.held.as_ref().is_none_or(|held| held.lapsed);
        if unserved || !arrived.is_empty() || !left.is_empty() {
            self.generation += 1;
        }
        if let Some(wanted) = wanted.filter(|wanted| !keys.names(wanted)) {
            self.unknown.remember(&wanted, now_ms, self.settings.unknown_ms);
        }
        let times = LastGood {
            fetched_at_ms: now_ms,
            fresh_until_ms: now_ms.saturating_add(lifetime_ms),
        };
        let ahead_ms = lifetime_ms / 100 * i64::from(self.settings.refresh_ahead_percent.min(100));
        self.held = Some(Held {
            keys: Arc::new(keys),
            times,
            refresh_at_ms: now_ms.saturating_add(ahead_ms),
            usable_until_ms: times.fresh_until_ms.saturating_add(self.settings.stale_ms_max),
            lapsed: false,
        });
        self.contact = Contact::Made;
        self.retry_at_ms = i64::MIN;
        self.history.succeed();
        Fetched {
            snapshot: self.snapshot(),
            arrived,
            left,
            last_good: Some(times),
        }
    }

    fn fail(&mut self, why: String, now_ms: i64) {
        self.contact = Contact::Lost;
        self.retry_at_ms = now_ms.saturating_add(self.settings.cooldown_ms);
        self.claimed_at_ms = Some(now_ms);
        self.history.fail(why, now_ms);
    }

    fn unchanged(&self) -> Fetched {
        Fetched {
            snapshot: self.snapshot(),
            arrived: Vec::new(),
            left: Vec::new(),
            last_good: None,
        }
    }

    /// Gives up a fetch that was never reported, and lets a set lapse. Says whether it lapsed just now.
    fn settle(&mut self, now_ms: i64) -> bool {
        let fetch_ms_max = self.settings.fetch_ms_max;
        let lost = self
            .flight
            .take_if(|flight| now_ms >= flight.begun_at_ms.saturating_add(fetch_ms_max));
        if lost.is_some() {
            self.fail("the fetch gave no answer".to_owned(), now_ms);
        }
        let Some(held) = self
            .held
            .as_mut()
            .filter(|held| !held.lapsed && now_ms >= held.usable_until_ms)
        else {
            return false;
        };
        held.lapsed = true;
        self.epoch += 1;
        self.generation += 1;
        true
    }

    /// 503 instead of 401: the issuer was never reached, or not the last time, so a key we do not know may well be its.
    fn undecidable(&self, error: &VerifyError, now_ms: i64) -> Option<VerifyError> {
        let blind = match error {
            VerifyError::KeysUnavailable { .. } => true,
            VerifyError::KeyUnknown { .. } => self.contact != Contact::Made,
            _ => false,
        };
        blind.then(|| unavailable(self.retry_at_ms, now_ms))
    }

    fn is_cooling_down(&self, now_ms: i64) -> bool {
        // A clock that was set back does not prolong the cooldown.
        self.claimed_at_ms
            .is_some_and(|at| now_ms >= at && now_ms < at.saturating_add(self.settings.cooldown_ms))
    }

    fn begin(&mut self, wanted: Option<KeyHint>, now_ms: i64) -> FetchId {
        self.fetches_begun += 1;
        let id = FetchId(self.fetches_begun);
        self.flight = Some(Flight {
            id,
            begun_at_ms: now_ms,
            wanted,
        });
        id
    }

    /// When the timer fetches next.
    fn due_at_ms(&self) -> i64 {
        self.held
            .as_ref()
            .map_or(i64::MIN, |held| held.refresh_at_ms)
            .max(self.retry_at_ms)
    }

    fn next_ms(&self) -> i64 {
        let fetch = match &self.flight {
            Some(flight) => flight.begun_at_ms.saturating_add(self.settings.fetch_ms_max),
            None => self.due_at_ms(),
        };
        match self.held.as_ref().filter(|held| !held.lapsed) {
            Some(held) => fetch.min(held.usable_until_ms),
            None => fetch,
        }
    }
}

fn unavailable(retry_at_ms: i64, now_ms: i64) -> VerifyError {
    let seconds = retry_at_ms.saturating_sub(now_ms).saturating_add(999) / 1000;
    VerifyError::KeysUnavailable {
        retry_after_seconds: u32::try_from(seconds.clamp(1, 3600)).unwrap_or(1),
    }
}
