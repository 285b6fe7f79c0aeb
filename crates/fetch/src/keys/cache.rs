//! The two state machines of an issuer's keys as one: a key set, or one key for each id.

use narthex_token::{
    Answer, CacheSettings, FetchChanges, FetchId, FetchOutcome, KeyCache, KeyHealth, KeyOutcome, KeySet, KeySetLimits,
    KeySnapshot, KeysById, LastGood, Tick, VerifyError,
};

/// State machine of one issuer's keys.
#[derive(Debug)]
pub(super) enum Cache {
    /// A key set.
    Set(KeyCache),
    /// One key for each id.
    ById(KeysById),
}

/// Outcome of a fetch, of one kind or the other.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Of a key set.
    Set(FetchOutcome),
    /// Of one key.
    Key(KeyOutcome),
}

impl Cache {
    /// Creates an empty cache.
    pub(super) fn new(settings: CacheSettings, by_id: Option<KeySetLimits>) -> Self {
        match by_id {
            None => Self::Set(KeyCache::new(settings)),
            Some(limits) => Self::ById(KeysById::new(settings, limits)),
        }
    }

    /// Takes what was stored last, and says whether it did. `None` if it is not of this kind of source.
    pub(super) fn restore(
        &mut self,
        body: &[u8],
        stored: LastGood,
        limits: &KeySetLimits,
        now_ms: i64,
    ) -> Option<bool> {
        match self {
            Self::Set(cache) => {
                let keys = KeySet::from_jwks(body, limits).ok()?;
                Some(cache.restore(keys, stored, now_ms))
            }
            Self::ById(cache) => Some(cache.restore(body, now_ms)),
        }
    }

    /// Returns keys by id as they are stored; `None` for a key set, whose document is stored as it came.
    pub(super) fn stored(&self) -> Option<Vec<u8>> {
        match self {
            Self::Set(_) => None,
            Self::ById(cache) => Some(cache.stored()),
        }
    }

    /// Returns the keys to publish now.
    pub(super) fn snapshot(&self) -> KeySnapshot {
        match self {
            Self::Set(cache) => cache.snapshot(),
            Self::ById(cache) => cache.snapshot(),
        }
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self, now_ms: i64) -> Tick {
        match self {
            Self::Set(cache) => cache.tick(now_ms),
            Self::ById(cache) => cache.tick(now_ms),
        }
    }

    /// Returns what to do for a token whose key was missed.
    pub(super) fn missed(&mut self, error: &VerifyError, seen: &KeySnapshot, now_ms: i64) -> Answer {
        match self {
            Self::Set(cache) => cache.missed(error, seen, now_ms),
            Self::ById(cache) => cache.missed(error, seen, now_ms),
        }
    }

    /// Returns the id of the key that a fetch asks for; `None` for a key set.
    pub(super) fn wanted(&self, id: FetchId) -> Option<String> {
        match self {
            Self::Set(_) => None,
            Self::ById(cache) => cache.wanted(id).map(str::to_owned),
        }
    }

    /// Tests whether a fetch is under way.
    pub(super) fn is_under_way(&self, id: FetchId) -> bool {
        match self {
            Self::Set(cache) => cache.is_under_way(id),
            Self::ById(cache) => cache.is_under_way(id),
        }
    }

    /// Takes the outcome of a fetch; `None` for an outcome of the other kind, which no fetch gives.
    pub(super) fn fetched(&mut self, id: FetchId, outcome: Outcome, now_ms: i64) -> Option<FetchChanges> {
        match (self, outcome) {
            (Self::Set(cache), Outcome::Set(outcome)) => Some(cache.fetched(id, outcome, now_ms)),
            (Self::ById(cache), Outcome::Key(outcome)) => Some(cache.fetched(id, outcome, now_ms)),
            (Self::Set(_), Outcome::Key(_)) | (Self::ById(_), Outcome::Set(_)) => None,
        }
    }

    /// Returns the state for administrators.
    pub(super) fn health(&self, now_ms: i64) -> KeyHealth {
        match self {
            Self::Set(cache) => cache.health(now_ms),
            Self::ById(cache) => cache.health(now_ms),
        }
    }
}
