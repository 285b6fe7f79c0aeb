//! The life of keys that are fetched one by one, each at its own address (`key_url`), as a state machine without I/O.
//!
//! It is asked and told as [`super::KeyCache`] is. The snapshot that it publishes holds every key that may serve now, so
//! a request finds its key there without knowing where it came from.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use super::health::History;
use super::snapshot::unavailable;
use super::unknown::UnknownKeys;
use super::{
    Answer, CacheSettings, FetchChanges, FetchId, KeyHealth, KeySnapshot, KeysFault, LastGood, Tick, lifetime,
};
use crate::error::VerifyError;
use crate::keys::{KeyHint, KeySet, KeySetLimits, is_key_id};

/// Fetches that tokens may force within one cooldown, all ids together.
const FORCED_MAX: usize = 16;
/// Time of the next tick when nothing is due.
const IDLE_MS: i64 = 60_000;

/// Outcome of the fetch of one key.
#[derive(Debug)]
pub enum KeyOutcome {
    /// A key that [`KeySet::from_key_by_id`] reads.
    Key {
        /// The document.
        document: Vec<u8>,
        /// `Cache-Control` of the answer, if any.
        cache_control: Option<String>,
        /// `Age` of the answer, if any.
        age: Option<String>,
    },
    /// The server has no key of this id.
    Absent,
    /// Nothing usable: no connection, another status, no key.
    Failed(KeysFault),
}

/// The keys of one issuer, by id.
#[derive(Debug)]
pub struct KeysById {
    settings: CacheSettings,
    limits: KeySetLimits,
    held: BTreeMap<String, Held>,
    flights: Vec<Flight>,
    fetches_begun: u64,
    /// Ids that the server did not have.
    unknown: UnknownKeys,
    /// Ids whose fetch failed, so that nothing can be said about them.
    failing: UnknownKeys,
    /// Times of the fetches that tokens forced, oldest first, at most [`FORCED_MAX`].
    forced_at_ms: VecDeque<i64>,
    seen_ms: i64,
    snapshot: KeySnapshot,
    history: History,
}

/// One key in use.
#[derive(Debug)]
struct Held {
    document: Vec<u8>,
    fetched_at_ms: i64,
    fresh_until_ms: i64,
    refresh_at_ms: i64,
    usable_until_ms: i64,
    /// No fetch that a token forces before this.
    cooling_until_ms: i64,
}

/// One fetch under way.
#[derive(Debug)]
struct Flight {
    id: FetchId,
    kid: String,
    begun_at_ms: i64,
}

impl KeysById {
    /// An empty cache of at most `limits.keys_max` keys. It fetches a key when a token names it.
    pub fn new(settings: CacheSettings, limits: KeySetLimits) -> Self {
        Self {
            unknown: UnknownKeys::new(settings.unknown_max),
            failing: UnknownKeys::new(settings.unknown_max),
            settings,
            limits,
            held: BTreeMap::new(),
            flights: Vec::new(),
            fetches_begun: 0,
            forced_at_ms: VecDeque::new(),
            seen_ms: i64::MIN,
            snapshot: KeySnapshot::fixed(KeySet::default()),
            history: History::default(),
        }
    }

    /// The keys held, to be stored, so that they survive a restart: a JSON array.
    pub fn stored(&self) -> Vec<u8> {
        let stored = self.held.iter().filter_map(|(kid, held)| {
            Some(json!({
                "kid": kid,
                "document": std::str::from_utf8(&held.document).ok()?,
                "fetched_at_ms": held.fetched_at_ms,
                "fresh_until_ms": held.fresh_until_ms,
            }))
        });
        Value::Array(stored.collect()).to_string().into_bytes()
    }

    /// Takes stored keys, if none is held yet: those that are not too old to serve. Says whether there is one.
    ///
    /// The stored times are believed only as far as a fetch right now could have given them.
    pub fn restore(&mut self, stored: &[u8], now_ms: i64) -> bool {
        let Ok(Value::Array(entries)) = serde_json::from_slice(stored) else {
            return false;
        };
        if !self.held.is_empty() {
            return false;
        }
        for entry in entries.iter().take(self.limits.keys_max) {
            let time = |name: &str| entry.get(name).and_then(Value::as_i64);
            let text = |name: &str| entry.get(name).and_then(Value::as_str);
            let (Some(kid), Some(document)) = (text("kid").filter(|kid| is_key_id(kid)), text("document")) else {
                continue;
            };
            let (Some(fetched_at_ms), Some(fresh_until_ms)) = (time("fetched_at_ms"), time("fresh_until_ms")) else {
                continue;
            };
            let fetched_at_ms = fetched_at_ms.min(now_ms);
            let fresh_until_ms = fresh_until_ms.min(fetched_at_ms.saturating_add(self.settings.lifetime_ms_max));
            let usable_until_ms = fresh_until_ms.saturating_add(self.settings.stale_ms_max);
            let is_key = KeySet::from_key_by_id(kid, document.as_bytes(), &self.limits).is_ok();
            if now_ms >= usable_until_ms || !is_key {
                continue;
            }
            let held = Held {
                document: document.as_bytes().to_vec(),
                fetched_at_ms,
                fresh_until_ms,
                // Whatever it says, ask the server first thing.
                refresh_at_ms: i64::MIN,
                usable_until_ms,
                cooling_until_ms: i64::MIN,
            };
            self.held.insert(kid.to_owned(), held);
        }
        self.publish(now_ms);
        !self.held.is_empty()
    }

    /// The keys to publish now. It always has a set, so that a token is told which key it lacks.
    pub fn snapshot(&self) -> KeySnapshot {
        self.snapshot.clone()
    }

    /// The id that a fetch under way asks for.
    pub fn wanted(&self, id: FetchId) -> Option<&str> {
        self.flights
            .iter()
            .find(|flight| flight.id == id)
            .map(|flight| flight.kid.as_str())
    }

    /// Lets time pass: asks for a held key ahead of its end, and drops one that has been stale for too long.
    pub fn tick(&mut self, now_ms: i64) -> Tick {
        let changed = self.settle(now_ms);
        let due = self
            .held
            .iter()
            .find(|(kid, held)| now_ms >= held.refresh_at_ms && !self.is_asked_for(kid));
        let due = due.map(|(kid, _)| kid.clone());
        let fetch = due.map(|kid| self.begin(kid, now_ms));
        Tick {
            fetch,
            snapshot: changed.then(|| self.snapshot()),
            next_ms: self.next_ms(now_ms),
        }
    }

    /// A token could not be verified with the keys of `seen`, as in [`super::KeyCache::missed`].
    ///
    /// SECURITY: any client can send tokens with random ids. Tokens force at most sixteen fetches within a cooldown, one
    /// for each id, and an id that the server does not have is remembered for as long.
    pub fn missed(&mut self, error: &VerifyError, seen: &KeySnapshot, now_ms: i64) -> Answer {
        self.settle(now_ms);
        if self.snapshot.generation != seen.generation {
            return Answer::Retry(self.snapshot());
        }
        let hint = match error {
            VerifyError::KeyUnknown { hint, .. } | VerifyError::Signature { hint, .. } => hint,
            VerifyError::KeysUnavailable { .. } => return self.refresh(error, now_ms),
            _ => return Answer::Refuse(error.clone()),
        };
        let KeyHint::Kid(kid) = hint else {
            return Answer::Refuse(error.clone());
        };
        if !is_key_id(kid) || self.unknown.contains(hint, now_ms) {
            return Answer::Refuse(error.clone());
        }
        if let Some(flight) = self.flights.iter().find(|flight| flight.kid == *kid) {
            return Answer::Wait(flight.id);
        }
        match self.held.get(kid) {
            // Its key is here and does not fit.
            Some(held) if now_ms < held.cooling_until_ms => return Answer::Refuse(error.clone()),
            None if self.failing.contains(hint, now_ms) => return Answer::Refuse(self.undecidable(now_ms)),
            _ => {}
        }
        let cooldown_ms = self.settings.cooldown_ms;
        self.forced_at_ms.retain(|at| now_ms < at.saturating_add(cooldown_ms));
        if self.forced_at_ms.len() >= FORCED_MAX {
            return Answer::Refuse(self.undecidable(now_ms));
        }
        self.forced_at_ms.push_back(now_ms);
        if let Some(held) = self.held.get_mut(kid) {
            held.cooling_until_ms = now_ms.saturating_add(cooldown_ms);
        }
        Answer::Fetch(self.begin(kid.clone(), now_ms))
    }

    /// Asks again for the key that was fetched longest ago, as an administrator wants it.
    fn refresh(&mut self, error: &VerifyError, now_ms: i64) -> Answer {
        let idle = self
            .held
            .iter()
            .filter(|(kid, held)| now_ms >= held.cooling_until_ms && !self.is_asked_for(kid));
        let oldest = idle
            .min_by_key(|(_, held)| held.fetched_at_ms)
            .map(|(kid, _)| kid.clone());
        match oldest {
            Some(kid) => Answer::Fetch(self.begin(kid, now_ms)),
            None => Answer::Refuse(error.clone()),
        }
    }

    /// Tests whether a fetch is under way.
    pub fn is_under_way(&self, id: FetchId) -> bool {
        self.wanted(id).is_some()
    }

    /// Takes the outcome of a fetch. One that comes too late, after the fetch was given up, changes nothing.
    pub fn fetched(&mut self, id: FetchId, outcome: KeyOutcome, now_ms: i64) -> FetchChanges {
        self.settle(now_ms);
        let Some(at) = self.flights.iter().position(|flight| flight.id == id) else {
            return self.published((Vec::new(), Vec::new()));
        };
        let Flight { kid, .. } = self.flights.swap_remove(at);
        let until_ms = now_ms.saturating_add(self.settings.cooldown_ms);
        let learned = !matches!(outcome, KeyOutcome::Failed(_));
        match outcome {
            KeyOutcome::Key {
                document,
                cache_control,
                age,
            } => {
                let lifetime_ms = lifetime::lifetime_ms(cache_control.as_deref(), age.as_deref(), &self.settings);
                self.hold(kid, document, lifetime_ms, now_ms);
                self.history.succeed();
            }
            // SECURITY: the server answers, and has withdrawn the key.
            KeyOutcome::Absent => {
                self.held.remove(&kid);
                self.unknown.remember(&KeyHint::Kid(kid), until_ms);
                self.history.succeed();
            }
            KeyOutcome::Failed(fault) => {
                self.history.fail(fault, now_ms);
                match self.held.get_mut(&kid) {
                    Some(held) => {
                        held.refresh_at_ms = until_ms;
                        held.cooling_until_ms = until_ms;
                    }
                    None => self.failing.remember(&KeyHint::Kid(kid), until_ms),
                }
            }
        }
        let changes = self.publish(now_ms);
        // SECURITY: that no key is left is stored too: a restart must not bring back the last one that was withdrawn.
        let fresh_until_ms = self
            .held
            .values()
            .map(|held| held.fresh_until_ms)
            .max()
            .unwrap_or(now_ms);
        FetchChanges {
            last_good: learned.then_some(LastGood {
                fetched_at_ms: now_ms,
                fresh_until_ms,
            }),
            ..self.published(changes)
        }
    }

    /// The state for administrators.
    pub fn health(&self, now_ms: i64) -> KeyHealth {
        let times = || self.held.values();
        let oldest = times().map(|held| held.fetched_at_ms).min();
        KeyHealth {
            // A key that no token has named yet can still be had.
            serving: self.history.failures_in_a_row() == 0 || !self.held.is_empty(),
            keys: self.history.records(),
            refused: Vec::new(),
            fetched_at_ms: oldest,
            age_ms: oldest.map(|fetched| now_ms.saturating_sub(fetched)),
            fresh_until_ms: times().map(|held| held.fresh_until_ms).min(),
            usable_until_ms: times().map(|held| held.usable_until_ms).min(),
            next_refresh_ms: self.next_ms(now_ms),
            fetching: !self.flights.is_empty(),
            failures_in_a_row: self.history.failures_in_a_row(),
            last_error: self.history.last_error().cloned(),
            unknown_keys: self.unknown.count(now_ms),
            epoch: self.snapshot.epoch,
        }
    }

    fn is_asked_for(&self, kid: &str) -> bool {
        self.flights.iter().any(|flight| flight.kid == kid)
    }

    fn begin(&mut self, kid: String, now_ms: i64) -> FetchId {
        self.fetches_begun += 1;
        let id = FetchId(self.fetches_begun);
        self.flights.push(Flight {
            id,
            kid,
            begun_at_ms: now_ms,
        });
        id
    }

    /// Holds a key. When there is no room, the one that was fetched longest ago makes it.
    fn hold(&mut self, kid: String, document: Vec<u8>, lifetime_ms: i64, now_ms: i64) {
        let fresh_until_ms = now_ms.saturating_add(lifetime_ms);
        let ahead_ms = lifetime_ms / 100 * i64::from(self.settings.refresh_ahead_percent.min(100));
        let held = Held {
            document,
            fetched_at_ms: now_ms,
            fresh_until_ms,
            refresh_at_ms: now_ms.saturating_add(ahead_ms),
            usable_until_ms: fresh_until_ms.saturating_add(self.settings.stale_ms_max),
            cooling_until_ms: now_ms.saturating_add(self.settings.cooldown_ms),
        };
        self.held.insert(kid, held);
        while self.held.len() > self.limits.keys_max.max(1) {
            let oldest = self.held.iter().min_by_key(|(_, held)| held.fetched_at_ms);
            let Some(oldest) = oldest.map(|(kid, _)| kid.clone()) else {
                return;
            };
            self.held.remove(&oldest);
        }
    }

    /// Makes the snapshot of what is held. Gives the keys that arrived and those that left.
    fn publish(&mut self, now_ms: i64) -> (Vec<String>, Vec<String>) {
        let limits = self.limits;
        let sets = self
            .held
            .iter()
            .filter_map(|(kid, held)| KeySet::from_key_by_id(kid, &held.document, &limits).ok());
        let keys = KeySet::join(sets);
        let (arrived, left) = self.history.note(&keys, now_ms);
        if !left.is_empty() {
            // SECURITY: decisions that rest on a key that left must not outlive it.
            self.snapshot.epoch += 1;
        }
        if !arrived.is_empty() || !left.is_empty() {
            self.snapshot.generation += 1;
            self.snapshot.keys = Some(Arc::new(keys));
        }
        self.snapshot.usable_until_ms = self.usable_until_ms();
        self.snapshot.fault = self.history.fault().cloned();
        (arrived, left)
    }

    fn published(&self, (arrived, left): (Vec<String>, Vec<String>)) -> FetchChanges {
        FetchChanges {
            snapshot: self.snapshot(),
            arrived,
            left,
            last_good: None,
        }
    }

    /// Time at which the first of the keys has been stale for too long; then the snapshot has to be made again.
    fn usable_until_ms(&self) -> i64 {
        self.held
            .values()
            .map(|held| held.usable_until_ms)
            .min()
            .unwrap_or(i64::MAX)
    }

    /// Follows a clock that was set back, gives up fetches that were never reported, and drops keys that have been stale
    /// for too long. Says whether there is something new to publish.
    fn settle(&mut self, now_ms: i64) -> bool {
        let rewound = self.rewind(now_ms);
        let fetch_ms_max = self.settings.fetch_ms_max;
        self.flights
            .retain(|flight| now_ms < flight.begun_at_ms.saturating_add(fetch_ms_max));
        let before = self.held.len();
        self.held.retain(|_, held| now_ms < held.usable_until_ms);
        let changed = rewound || self.held.len() < before;
        if changed {
            self.publish(now_ms);
        }
        changed
    }

    /// Moves all times held back by as much as the clock was. Says whether it was.
    fn rewind(&mut self, now_ms: i64) -> bool {
        let by_ms = self.seen_ms.saturating_sub(now_ms);
        self.seen_ms = now_ms;
        if by_ms <= 0 {
            return false;
        }
        let back = |time: &mut i64| *time = time.saturating_sub(by_ms);
        for held in self.held.values_mut() {
            back(&mut held.fetched_at_ms);
            back(&mut held.fresh_until_ms);
            back(&mut held.refresh_at_ms);
            back(&mut held.usable_until_ms);
            back(&mut held.cooling_until_ms);
        }
        self.flights.iter_mut().for_each(|flight| back(&mut flight.begun_at_ms));
        self.forced_at_ms.iter_mut().for_each(back);
        self.unknown.rewind(by_ms);
        self.failing.rewind(by_ms);
        self.snapshot.generation += 1;
        true
    }

    /// 503 instead of 401: the id was not asked for, or its server could not be, so it may well be the issuer's.
    fn undecidable(&self, now_ms: i64) -> VerifyError {
        let retry_at_ms = now_ms.saturating_add(self.settings.cooldown_ms);
        unavailable(self.history.fault().cloned(), retry_at_ms, now_ms)
    }

    fn next_ms(&self, now_ms: i64) -> i64 {
        let due = self.held.iter().filter(|(kid, _)| !self.is_asked_for(kid));
        let due = due.map(|(_, held)| held.refresh_at_ms);
        let flights = self
            .flights
            .iter()
            .map(|flight| flight.begun_at_ms.saturating_add(self.settings.fetch_ms_max));
        let next = due
            .chain(flights)
            .chain([self.usable_until_ms(), now_ms.saturating_add(IDLE_MS)])
            .min();
        next.unwrap_or(now_ms).max(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RSA: &[u8] = include_bytes!("../../tests/vectors/rsa.spki.pem");

    fn missing(kid: &str) -> VerifyError {
        VerifyError::KeyUnknown {
            hint: KeyHint::Kid(kid.to_owned()),
            usable: 0,
            why_not: None,
        }
    }

    fn keys(keys_max: usize) -> KeysById {
        let limits = KeySetLimits {
            keys_max,
            ..KeySetLimits::default()
        };
        KeysById::new(CacheSettings::default(), limits)
    }

    fn good() -> KeyOutcome {
        KeyOutcome::Key {
            document: RSA.to_vec(),
            cache_control: None,
            age: None,
        }
    }

    /// Asks for a key, and gives the fetch that this begins.
    fn ask(cache: &mut KeysById, kid: &str, now_ms: i64) -> FetchId {
        let seen = cache.snapshot();
        match cache.missed(&missing(kid), &seen, now_ms) {
            Answer::Fetch(id) => id,
            other => panic!("{other:?}"),
        }
    }

    fn refused(cache: &mut KeysById, kid: &str, now_ms: i64) -> &'static str {
        let seen = cache.snapshot();
        match cache.missed(&missing(kid), &seen, now_ms) {
            Answer::Refuse(error) => error.reason(),
            other => panic!("{other:?}"),
        }
    }

    fn held(cache: &KeysById) -> Vec<String> {
        let snapshot = cache.snapshot();
        snapshot.keys.unwrap().keys().filter_map(|key| key.kid).collect()
    }

    #[test]
    fn a_key_is_fetched_when_a_token_names_it_and_serves_under_its_id() {
        let mut cache = keys(100);
        assert!(cache.tick(0).fetch.is_none());
        let id = ask(&mut cache, "a", 0);
        assert_eq!(cache.wanted(id), Some("a"));
        let seen = cache.snapshot();
        assert!(matches!(cache.missed(&missing("a"), &seen, 1), Answer::Wait(under_way) if under_way == id));
        let fetched = cache.fetched(id, good(), 2);
        assert_eq!(fetched.arrived.len(), 1);
        assert_eq!(held(&cache), ["a"]);
        assert!(matches!(cache.missed(&missing("a"), &seen, 3), Answer::Retry(_)));
        // Another id has a fetch of its own, at once.
        let id = ask(&mut cache, "b", 3);
        cache.fetched(id, good(), 4);
        assert_eq!(held(&cache), ["a", "b"]);
    }

    /// Ids come from tokens that nothing is proved about.
    #[test]
    fn sec_key_ids_are_plain_words() {
        let mut cache = keys(100);
        for kid in [
            "",
            "../x",
            "a/b",
            "a%2fb",
            "a?b",
            "a#b",
            "a b",
            "a.b",
            "a@b",
            "\u{e9}",
            &"a".repeat(129),
        ] {
            assert!(!is_key_id(kid), "{kid}");
            assert_eq!(refused(&mut cache, kid, 0), "token.key_unknown", "{kid}");
        }
        assert!(is_key_id("11c43ee8-b9d3_4E51"));
        assert_eq!(cache.fetches_begun, 0);
    }

    #[test]
    fn sec_random_ids_force_few_fetches_and_hold_no_keys() {
        let mut cache = keys(100);
        for number in 0..FORCED_MAX {
            let id = ask(&mut cache, &format!("random-{number}"), 0);
            cache.fetched(id, KeyOutcome::Absent, 0);
        }
        // One that was asked for is unknown; of another one nothing is known until the cooldown is over.
        assert_eq!(refused(&mut cache, "random-0", 29_999), "token.key_unknown");
        assert_eq!(refused(&mut cache, "random-99", 29_999), "keys.unavailable");
        assert!(held(&cache).is_empty());
        let id = ask(&mut cache, "random-0", 30_000);
        cache.fetched(id, good(), 30_000);
        assert_eq!(held(&cache), ["random-0"]);
    }

    #[test]
    fn a_server_that_fails_says_nothing_about_a_key_and_known_keys_serve_on() {
        let mut cache = keys(100);
        let id = ask(&mut cache, "a", 0);
        cache.fetched(id, good(), 0);
        let fault = || {
            KeyOutcome::Failed(KeysFault {
                told: "away",
                why: "away".into(),
            })
        };
        let id = ask(&mut cache, "b", 1);
        cache.fetched(id, fault(), 1);
        assert_eq!(refused(&mut cache, "b", 2), "keys.unavailable");
        // At 80 % of ten minutes the held key is asked for again.
        assert!(cache.tick(479_000).fetch.is_none());
        let id = cache.tick(480_000).fetch.unwrap();
        cache.fetched(id, fault(), 480_000);
        assert_eq!(held(&cache), ["a"]);
        let end = 600_000 + 3_600_000;
        cache.tick(end - 1);
        assert_eq!(held(&cache), ["a"]);
        assert!(cache.tick(end).snapshot.is_some());
        assert!(held(&cache).is_empty());
        assert_eq!(cache.snapshot().epoch(), 1);
    }

    #[test]
    fn sec_a_key_that_the_server_withdrew_takes_its_answers_along() {
        let mut cache = keys(100);
        let id = ask(&mut cache, "a", 0);
        cache.fetched(id, good(), 0);
        let id = cache.tick(480_000).fetch.unwrap();
        let fetched = cache.fetched(id, KeyOutcome::Absent, 480_000);
        assert_eq!(fetched.left.len(), 1);
        assert_eq!(fetched.snapshot.epoch(), 1);
        assert_eq!(refused(&mut cache, "a", 480_001), "token.key_unknown");
        assert!(fetched.last_good.is_some(), "that none is left is stored");
        assert!(!keys(100).restore(&cache.stored(), 480_002));
    }

    #[test]
    fn sec_the_number_of_keys_is_bounded() {
        let mut cache = keys(3);
        for number in 0..5_i64 {
            let id = ask(&mut cache, &format!("k{number}"), number);
            cache.fetched(id, good(), number);
        }
        assert_eq!(held(&cache), ["k2", "k3", "k4"]);
    }

    #[test]
    fn stored_keys_survive_a_restart_until_they_are_too_old() {
        let mut before = keys(100);
        let id = ask(&mut before, "a", 0);
        let fetched = before.fetched(id, good(), 0);
        assert!(fetched.last_good.is_some());
        let stored = before.stored();
        let mut after = keys(100);
        assert!(after.restore(&stored, 1_000_000));
        assert_eq!(held(&after), ["a"]);
        assert!(after.tick(1_000_000).fetch.is_some(), "the server is asked first thing");
        assert!(!keys(100).restore(&stored, 600_000 + 3_600_000));
        for odd in [
            &b"{}"[..],
            b"",
            br#"[{"kid":"../a","document":"x","fetched_at_ms":0,"fresh_until_ms":9}]"#,
        ] {
            assert!(!keys(100).restore(odd, 0));
        }
    }

    /// A key that its server replaced under the same id is found by the signature that fails.
    #[test]
    fn a_failed_signature_asks_again_once_within_the_cooldown() {
        let mut cache = keys(100);
        let id = ask(&mut cache, "a", 0);
        cache.fetched(id, good(), 0);
        let wrong = VerifyError::Signature {
            hint: KeyHint::Kid("a".to_owned()),
            nonce: false,
        };
        let seen = cache.snapshot();
        assert!(matches!(cache.missed(&wrong, &seen, 29_999), Answer::Refuse(_)));
        assert!(matches!(cache.missed(&wrong, &seen, 30_000), Answer::Fetch(_)));
    }

    #[test]
    fn sec_a_clock_set_back_keeps_no_key_longer() {
        let mut cache = keys(100);
        let id = ask(&mut cache, "a", 10_000_000);
        cache.fetched(id, good(), 10_000_000);
        cache.tick(1_000_000);
        assert_eq!(cache.snapshot().usable_until_ms(), 1_000_000 + 600_000 + 3_600_000);
    }
}
