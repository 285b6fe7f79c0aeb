//! The life of a fetched key set, as a state machine without I/O.
//!
//! It is asked, it answers, and it is told. The edge holds a published [`KeySnapshot`] for the hot path and comes here,
//! behind a lock that is never held over a fetch, in three cases:
//!
//! * [`KeyCache::tick`]: when the time it gave last has come. It says whether to fetch.
//! * [`KeyCache::missed`]: a token's key was not in the snapshot, or its signature failed. It says what to do: try again,
//!   fetch, wait for the fetch under way, or refuse.
//! * [`KeyCache::fetched`]: a fetch has ended. It gives the snapshot to publish.
//!
//! Time is passed in, in milliseconds, from one clock. When that clock is set back, everything held moves back with it.

mod by_id;
mod health;
mod lifetime;
mod settings;
mod snapshot;
mod unknown;

use std::sync::Arc;

use crate::error::VerifyError;
use crate::keys::{KeyHint, KeySet};

pub use by_id::{KeyOutcome, KeysById};
pub use health::{FetchError, KeyHealth, KeyRecord};
pub use settings::CacheSettings;
pub use snapshot::{KeySnapshot, KeysFault};

use health::History;
use snapshot::unavailable;
use unknown::UnknownKeys;

/// Names one fetch, so that its result is told from that of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FetchId(u64);

/// Answer for a token whose key was missed.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The set has changed meanwhile: publish this one and verify once more.
    Retry(KeySnapshot),
    /// Fetch, report to [`KeyCache::fetched`], verify once more.
    Fetch(FetchId),
    /// Another caller is fetching: wait for that, verify once more.
    Wait(FetchId),
    /// This is the answer.
    Refuse(VerifyError),
}

/// Outcome of a fetch.
#[derive(Debug)]
pub enum FetchOutcome {
    /// A whole, parsed set. One without a usable key counts as [`FetchOutcome::Failed`].
    Keys {
        /// The set.
        keys: KeySet,
        /// `Cache-Control` of the answer, if any.
        cache_control: Option<String>,
        /// `Age` of the answer, if any.
        age: Option<String>,
    },
    /// Nothing usable: no connection, another status, not a key set.
    Failed(KeysFault),
}

/// Changes that a fetch made.
#[derive(Debug, Clone)]
pub struct FetchChanges {
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
    /// Time of the fetch.
    pub fetched_at_ms: i64,
    /// End of its freshness.
    pub fresh_until_ms: i64,
}

/// Work that is due with time.
#[derive(Debug, Clone)]
pub struct Tick {
    /// Fetch, and report to [`KeyCache::fetched`].
    pub fetch: Option<FetchId>,
    /// To be published: the keys have been stale for too long, or the clock was set back.
    pub snapshot: Option<KeySnapshot>,
    /// Latest time of the next call.
    pub next_ms: i64,
}

/// The key cache of one issuer.
#[derive(Debug)]
pub struct KeyCache {
    settings: CacheSettings,
    held: Option<CurrentKeys>,
    flight: Option<Flight>,
    fetches_begun: u64,
    contact: Contact,
    /// No fetch by the timer before this.
    retry_at_ms: i64,
    /// No fetch that a token forces before this.
    cooling_until_ms: i64,
    /// The latest time that was passed in.
    seen_ms: i64,
    unknown: UnknownKeys,
    generation: u64,
    epoch: u64,
    history: History,
}

/// The set in use.
#[derive(Debug)]
struct CurrentKeys {
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

/// Outcome of the last fetch.
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
            cooling_until_ms: i64::MIN,
            seen_ms: i64::MIN,
            generation: 0,
            epoch: 0,
            history: History::default(),
        }
    }

    /// Takes a stored last good set, if none is held yet, it has a usable key and is not too old to serve. Says whether it
    /// did.
    ///
    /// The stored times are believed only as far as a fetch right now could have given them.
    pub fn restore(&mut self, keys: KeySet, stored: LastGood, now_ms: i64) -> bool {
        let fetched_at_ms = stored.fetched_at_ms.min(now_ms);
        let fresh_until_ms = stored
            .fresh_until_ms
            .min(fetched_at_ms.saturating_add(self.settings.lifetime_ms_max));
        let usable_until_ms = fresh_until_ms.saturating_add(self.settings.stale_ms_max);
        if self.held.is_some() || keys.usable_count() == 0 || now_ms >= usable_until_ms {
            return false;
        }
        self.history.note(&keys, fetched_at_ms);
        self.generation += 1;
        self.held = Some(CurrentKeys {
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

    /// Returns the keys to publish now.
    pub fn snapshot(&self) -> KeySnapshot {
        let held = self.held.as_ref().filter(|held| !held.lapsed);
        KeySnapshot {
            keys: held.map(|held| Arc::clone(&held.keys)),
            generation: self.generation,
            epoch: self.epoch,
            usable_until_ms: held.map_or(i64::MIN, |held| held.usable_until_ms),
            retry_at_ms: self.retry_at_ms,
            fault: self.history.fault().cloned(),
        }
    }

    /// Lets time pass: asks for a fetch ahead of the set's end, and lets a set lapse that has been stale for too long.
    pub fn tick(&mut self, now_ms: i64) -> Tick {
        let changed = self.settle(now_ms);
        let fetch = (self.flight.is_none() && now_ms >= self.due_at_ms()).then(|| self.begin(None, now_ms));
        Tick {
            fetch,
            snapshot: changed.then(|| self.snapshot()),
            next_ms: self.next_ms(),
        }
    }

    /// A token could not be verified with the keys of `seen`: its key was unknown, its signature did not fit, or there were
    /// no keys. Ask again with the new error after a retry; the answer is then final, or a wait for another fetch.
    ///
    /// SECURITY: any client can send tokens with random `kid`s or signatures. Each fetch they force claims the cooldown
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
        if now_ms < self.cooling_until_ms {
            return Answer::Refuse(self.undecidable(error, now_ms).unwrap_or_else(|| error.clone()));
        }
        self.cooling_until_ms = now_ms.saturating_add(self.settings.cooldown_ms);
        Answer::Fetch(self.begin(wanted, now_ms))
    }

    /// Takes the outcome of a fetch. An outcome that comes too late, after the fetch was given up, changes nothing.
    pub fn fetched(&mut self, id: FetchId, outcome: FetchOutcome, now_ms: i64) -> FetchChanges {
        self.settle(now_ms);
        let Some(flight) = self.flight.take_if(|flight| flight.id == id) else {
            return self.unchanged();
        };
        match outcome {
            // SECURITY: a set that says nothing takes no key away; the issuer's good keys serve on.
            FetchOutcome::Keys { keys, .. } if keys.usable_count() == 0 => {
                self.fail(no_usable_key(), now_ms);
                self.unchanged()
            }
            FetchOutcome::Keys {
                keys,
                cache_control,
                age,
            } => {
                let lifetime_ms = lifetime::lifetime_ms(cache_control.as_deref(), age.as_deref(), &self.settings);
                self.replace(keys, lifetime_ms, flight.wanted, now_ms)
            }
            FetchOutcome::Failed(fault) => {
                self.fail(fault, now_ms);
                self.unchanged()
            }
        }
    }

    /// Tests whether a fetch is under way.
    pub fn is_under_way(&self, id: FetchId) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.id == id)
    }

    /// The state for administrators.
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
    fn replace(&mut self, keys: KeySet, lifetime_ms: i64, wanted: Option<KeyHint>, now_ms: i64) -> FetchChanges {
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
            // Until the next fetch is allowed: a key that is published late is found then.
            self.unknown.remember(&wanted, self.cooling_until_ms);
        }
        let times = LastGood {
            fetched_at_ms: now_ms,
            fresh_until_ms: now_ms.saturating_add(lifetime_ms),
        };
        let ahead_ms = lifetime_ms / 100 * i64::from(self.settings.refresh_ahead_percent.min(100));
        self.held = Some(CurrentKeys {
            keys: Arc::new(keys),
            times,
            refresh_at_ms: now_ms.saturating_add(ahead_ms),
            usable_until_ms: times.fresh_until_ms.saturating_add(self.settings.stale_ms_max),
            lapsed: false,
        });
        self.contact = Contact::Made;
        self.retry_at_ms = i64::MIN;
        self.history.succeed();
        FetchChanges {
            snapshot: self.snapshot(),
            arrived,
            left,
            last_good: Some(times),
        }
    }

    fn fail(&mut self, fault: KeysFault, now_ms: i64) {
        self.contact = Contact::Lost;
        self.history.fail(fault, now_ms);
        let pause_ms = self
            .settings
            .pause_ms(self.history.failures_in_a_row(), self.held.is_some());
        self.retry_at_ms = now_ms.saturating_add(pause_ms);
        self.cooling_until_ms = self.retry_at_ms;
    }

    fn unchanged(&self) -> FetchChanges {
        FetchChanges {
            snapshot: self.snapshot(),
            arrived: Vec::new(),
            left: Vec::new(),
            last_good: None,
        }
    }

    /// Follows a clock that was set back, gives up a fetch that was never reported, and lets a set lapse. Says whether there
    /// is something new to publish.
    fn settle(&mut self, now_ms: i64) -> bool {
        let rewound = self.rewind(now_ms);
        let fetch_ms_max = self.settings.fetch_ms_max;
        let lost = self
            .flight
            .take_if(|flight| now_ms >= flight.begun_at_ms.saturating_add(fetch_ms_max));
        if lost.is_some() {
            let why = "the fetch gave no answer".into();
            let told = "its key server does not answer";
            self.fail(KeysFault { told, why }, now_ms);
        }
        let Some(held) = self
            .held
            .as_mut()
            .filter(|held| !held.lapsed && now_ms >= held.usable_until_ms)
        else {
            return rewound;
        };
        held.lapsed = true;
        self.epoch += 1;
        self.generation += 1;
        true
    }

    /// Moves all times held back by as much as the clock was. Says whether it was.
    ///
    /// SECURITY: otherwise keys that the issuer withdrew would serve on, unasked for, until the clock is where it was.
    fn rewind(&mut self, now_ms: i64) -> bool {
        let by_ms = self.seen_ms.saturating_sub(now_ms);
        self.seen_ms = now_ms;
        if by_ms <= 0 {
            return false;
        }
        let back = |time: &mut i64| *time = time.saturating_sub(by_ms);
        back(&mut self.retry_at_ms);
        back(&mut self.cooling_until_ms);
        if let Some(flight) = &mut self.flight {
            back(&mut flight.begun_at_ms);
        }
        if let Some(held) = &mut self.held {
            back(&mut held.times.fetched_at_ms);
            back(&mut held.times.fresh_until_ms);
            back(&mut held.refresh_at_ms);
            back(&mut held.usable_until_ms);
        }
        self.unknown.rewind(by_ms);
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
        blind.then(|| unavailable(self.history.fault().cloned(), self.retry_at_ms, now_ms))
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

    /// Time of the timer's next fetch.
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

fn no_usable_key() -> KeysFault {
    KeysFault {
        told: "its key set has no usable key",
        why: "the key set has no key that can be used".into(),
    }
}
